"""How people say what the dictionary spells: generic variants of a pronunciation.

Rule of this file: pure, rules of English in general and of no word in particular. Training and the
grammar import the same rules.
"""

from __future__ import annotations

from itertools import product
from typing import Sequence

VOWELS = frozenset(("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"))

MOST = 8
"""Variants kept of one pronunciation, itself included."""

Phones = tuple[str, ...]


def variants(phones: Phones) -> tuple[Phones, ...]:
    """Given ARPAbet phones without stress, return the ways to say them, the given one first.

    T before R sounds like CH, D before R like JH; T between vowels (or between a vowel and a syllabic
    R or L) is flapped to D; AH before a final L or N is swallowed.
    """
    choices = [_choices(phones, place) for place in range(len(phones))]
    ways: dict[Phones, None] = {}
    for path in product(*choices):  # as many as two to the power of its places: no further than need be
        ways[tuple(phone for way in path for phone in way)] = None
        if len(ways) == MOST:
            break
    return tuple(ways)


def _choices(phones: Phones, place: int) -> Sequence[Phones]:
    """Given a place in a pronunciation, return what may stand there, the given phone first."""
    phone = phones[place]
    before = phones[place - 1] if place else ""
    after = phones[place + 1] if place + 1 < len(phones) else ""
    if phone == "T" and after == "R":
        return (phone,), ("CH",)
    if phone == "D" and after == "R":
        return (phone,), ("JH",)
    if phone == "T" and before in VOWELS | {"R"} and after in VOWELS:
        return (phone,), ("D",)
    if phone == "AH" and after in ("L", "N") and place + 2 == len(phones) and before and before not in VOWELS:
        return (phone,), ()
    return ((phone,),)
