"""Words -> phones.

Rule of this file: every word of a grammar gets at least one pronunciation, and says where it is from.
In this order: the owner's own, the dictionary, numbers and signs read out, letters spelled, a guess by
espeak-ng's rules.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Iterable, Mapping, Sequence

from sayso.errors import GrammarError, ModelError, Problem
from sayso.grammar import espeak
from sayso.grammar.numbers import read_number
from sayso.grammar.text import is_number
from sayso.grammar.variants import variants

MOST_WAYS = 24
"""Pronunciations of one word at most: a long number said in every way would only slow the search."""

_SIGNS = {
    "%": ("percent",), "°": ("degrees", "degree"), "$": ("dollars", "dollar"), "€": ("euros", "euro"),
    "£": ("pounds", "pound"), "&": ("and",), "+": ("plus",), "@": ("at",), "#": ("number", "hash"), "=": ("equals",),
    "°c": ("degrees celsius", "degree celsius", "degrees"),
    "°f": ("degrees fahrenheit", "degree fahrenheit", "degrees"),
}  # fmt: skip

_LETTERS = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH", "i": "AY",
    "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY", "q": "K Y UW",
    "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S",
    "y": "W AY", "z": "Z IY",
}  # fmt: skip

_VOICELESS = {"P", "T", "K", "F", "TH"}
_SIBILANTS = {"S", "Z", "SH", "ZH", "CH", "JH"}


@dataclass(frozen=True)
class Pronunciation:
    """How one word of a grammar is said."""

    ways: tuple[tuple[str, ...], ...]
    """Phones of each way, the likeliest first."""
    source: str
    """`owner`, `dictionary`, `number`, `sign`, `letters` or `guessed`."""


def pronounce(
    words: Iterable[str],
    lexicon: Path,
    phones: Sequence[str],
    own: Mapping[str, Sequence[tuple[str, str]]],
) -> dict[str, Pronunciation]:
    """Given the words of a grammar, return how each is said.

    `lexicon` is the bundle's dictionary (gzip, lines of word, tab, phones), `phones` the model's set,
    `own` the owner's pronunciations with the place where each is written.
    Raise GrammarError for an owner's pronunciation that isn't one, or a word that nothing can say.
    """
    wanted = sorted(set(words))
    spoken = {word: read_out(word) for word in wanted}
    said = _said_like(own)
    parts = {part for readings in spoken.values() for reading in readings for part in reading.split()}
    dictionary = _look_up(lexicon, parts | set(wanted) | said | {_stem(part) for part in parts if _stem(part)})
    owned = _own(own, phones, dictionary)
    unknown = [part for part in sorted(parts) if not _known(part, dictionary) and part not in owned]
    guessed = dict(zip(unknown, espeak.guess(unknown)))
    result = {word: _pronunciation(word, spoken[word], owned, dictionary, guessed) for word in wanted}
    _check(result, phones)
    return result


def _pronunciation(
    word: str,
    readings: Sequence[str],
    owned: Mapping[str, Sequence[tuple[str, ...]]],
    dictionary: Mapping[str, Sequence[tuple[str, ...]]],
    guessed: Mapping[str, tuple[str, ...]],
) -> Pronunciation:
    if word in owned:
        return Pronunciation(tuple(owned[word]), "owner")
    source = "dictionary"
    if word in _SIGNS:
        source = "sign"
    elif is_number(word):
        source = "number"
    elif word not in dictionary and _stem(word) not in dictionary:
        source = "letters" if is_initialism(word) else "guessed"
    said = [_say(reading, owned, dictionary, guessed) for reading in readings]
    # In turn, so that where there are too many, each reading keeps its likeliest ways.
    ways = dict.fromkeys(way for way in chain.from_iterable(zip_longest(*said)) if way is not None)
    return Pronunciation(tuple(ways)[:MOST_WAYS], source)


def _say(
    reading: str,
    owned: Mapping[str, Sequence[tuple[str, ...]]],
    dictionary: Mapping[str, Sequence[tuple[str, ...]]],
    guessed: Mapping[str, tuple[str, ...]],
) -> list[tuple[str, ...]]:
    parts = [_ways(part, owned, dictionary, guessed) for part in reading.split()]
    return [variant for way in _concatenations(parts) for variant in variants(way)]


def read_out(word: str) -> tuple[str, ...]:
    """Given a word as written, return what is said for it, as words."""
    if word in _SIGNS:
        return _SIGNS[word]
    if is_number(word):
        return read_number(word)
    return (word,)


def _look_up(path: Path, words: set[str]) -> dict[str, list[tuple[str, ...]]]:
    """Given the dictionary's file, return what it says of these words; it is read through, never held."""
    found: dict[str, list[tuple[str, ...]]] = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                word, _, phones = line.partition("\t")
                if word in words:
                    found.setdefault(word, []).append(tuple(phones.split()))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ModelError(f"dictionary can't be read: {error}", where=str(path), remedy="reinstall the model") from None
    return found


def _known(part: str, dictionary: Mapping[str, Sequence[tuple[str, ...]]]) -> bool:
    return part in dictionary or _stem(part) in dictionary or is_initialism(part)


def _stem(part: str) -> str:
    """Given a possessive, return what possesses; else nothing."""
    if part.endswith("'s"):
        return part[:-2]
    return part[:-1] if part.endswith("s'") else ""


def is_initialism(part: str) -> bool:
    """Whether a word can only be spelled: a single letter, or no vowel in it."""
    return part.isascii() and part.isalpha() and (len(part) == 1 or not re.search("[aeiouy]", part))


def _ways(
    part: str,
    owned: Mapping[str, Sequence[tuple[str, ...]]],
    dictionary: Mapping[str, Sequence[tuple[str, ...]]],
    guessed: Mapping[str, tuple[str, ...]],
) -> list[tuple[str, ...]]:
    if part in owned:
        return list(owned[part])
    ways = list(dictionary.get(part, ()))
    if len(part) == 1 and part in _LETTERS:
        ways.append(tuple(_LETTERS[part].split()))
    if ways:
        return list(dict.fromkeys(ways))
    if _stem(part) in dictionary:
        plural = part.endswith("s'")
        return [way if plural else _possessive(way) for way in dictionary[_stem(part)]]
    if is_initialism(part):
        return [tuple(phone for letter in part for phone in _LETTERS[letter].split())]
    return [guessed[part]] if guessed.get(part) else []


def _possessive(way: tuple[str, ...]) -> tuple[str, ...]:
    """The ending 's, as English says it after this sound."""
    if way[-1] in _SIBILANTS:
        return (*way, "IH", "Z")
    return (*way, "S" if way[-1] in _VOICELESS else "Z")


def _concatenations(parts: Sequence[Sequence[tuple[str, ...]]]) -> list[tuple[str, ...]]:
    ways: list[tuple[str, ...]] = [()]
    for part in parts:
        ways = [(*way, *one) for way in ways for one in part][:MOST_WAYS]
    return ways


def is_phones(said: str) -> bool:
    """Whether an owner wrote phones (`EH1 K OW B IY`) rather than words it sounds like (`echo bee`)."""
    return said == said.upper()


def _said_like(own: Mapping[str, Sequence[tuple[str, str]]]) -> set[str]:
    return {
        word for ways in own.values() for said, _ in ways if not is_phones(said) for word in said.casefold().split()
    }


def _own(
    own: Mapping[str, Sequence[tuple[str, str]]],
    phones: Sequence[str],
    dictionary: Mapping[str, Sequence[tuple[str, ...]]],
) -> dict[str, list[tuple[str, ...]]]:
    owned: dict[str, list[tuple[str, ...]]] = {}
    problems: list[Problem] = []
    for word, ways in own.items():
        for said, where in ways:
            if is_phones(said):
                way = tuple(phone.rstrip("012") for phone in said.split())
                strange = [phone for phone in way if phone not in phones]
                if strange or not way:
                    what = f"`{word}`: no such phone: {' '.join(strange) or '(nothing)'}"
                    problems.append(Problem(where, what, f"known: {' '.join(phones)}"))
                    continue
                owned.setdefault(word, []).append(way)
                continue
            parts = said.casefold().split()
            missing = [part for part in parts if part not in dictionary]
            if missing:
                what = f"`{word}`: sounds like {', '.join(missing)}, which the dictionary doesn't know"
                problems.append(Problem(where, what, "use common words, or phones in capitals"))
                continue
            owned.setdefault(word, []).extend(_concatenations([dictionary[part] for part in parts]))
    if problems:
        raise GrammarError(problems=problems)
    return owned


def _check(pronunciations: Mapping[str, Pronunciation], phones: Sequence[str]) -> None:
    known = set(phones)
    problems = []
    for word, pronunciation in pronunciations.items():
        strange = sorted({phone for way in pronunciation.ways for phone in way} - known)
        if strange or not pronunciation.ways or not all(pronunciation.ways):
            doubt = f" in this model's phones: {' '.join(strange)}" if strange else ""
            what = f'"{word}" has no pronunciation{doubt}'
            problems.append(Problem("", what, f"write `pronunciations: {{{word}: PHONES}}` in a template file"))
    if problems:
        raise GrammarError(problems=problems)
