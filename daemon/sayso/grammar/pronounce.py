"""Words -> phones.

Rule of this file: every word of a grammar gets at least one pronunciation, and says where it is from.
In this order: the owner's own, the dictionary, numbers and signs read out, letters spelled, a guess by
espeak-ng's rules.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Iterable, Mapping, Sequence

from hassil.numbers import get_rbnf_engine

from sayso.errors import GrammarError, ModelError, Problem
from sayso.grammar import espeak
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
    spoken = {word: _readings(word) for word in wanted}
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
    elif word[-1].isdigit():
        source = "number"
    elif not _known(word, dictionary):
        source = "letters" if _is_initialism(word) else "guessed"
    ways: dict[tuple[str, ...], None] = {}
    for reading in readings:
        for way in _concatenations([_ways(part, owned, dictionary, guessed) for part in reading.split()]):
            ways.update(dict.fromkeys(variants(way)))
    return Pronunciation(tuple(ways)[:MOST_WAYS], source)


def _readings(word: str) -> tuple[str, ...]:
    """Given a word as written, return what is said for it, as words."""
    if word in _SIGNS:
        return _SIGNS[word]
    if word[-1].isdigit():
        return _number(word)
    return (word,)


@lru_cache(maxsize=4096)
def _number(written: str) -> tuple[str, ...]:
    """Given a number in digits, return the ways it is read: 105 is "one hundred five" or "… and five"."""
    engine = get_rbnf_engine("en")
    value = written.replace(",", "")
    if value.startswith("0") and value.isdigit() and len(value) > 1:
        return (" ".join(engine.format_number(int(digit)).text for digit in value),)
    number = float(value) if "." in value else int(value)
    plain = re.sub(r"[-\s]+", " ", engine.format_number(number).text)
    ways = [plain]
    if re.search(r"hundred [a-z]", plain):
        ways.append(re.sub(r"hundred (?=[a-z])", "hundred and ", plain))
    if plain.startswith("one hundred"):
        ways.append(plain.replace("one hundred", "a hundred", 1))
    if number < 0:
        ways.append(plain.replace("minus", "negative", 1))
    if isinstance(number, float) and number % 1 == 0.5:
        ways.append(plain.replace(" point five", " and a half"))
    if isinstance(number, int) and 1100 <= number <= 9999 and number % 100:
        ways.append(f"{_number(str(number // 100))[0]} {_number(str(number % 100))[0]}")
    return tuple(dict.fromkeys(ways))


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
    return part in dictionary or _stem(part) in dictionary or _is_initialism(part)


def _stem(part: str) -> str:
    """Given a possessive, return what possesses; else nothing."""
    if part.endswith("'s"):
        return part[:-2]
    return part[:-1] if part.endswith("s'") else ""


def _is_initialism(part: str) -> bool:
    """Whether a word can only be spelled: a single letter, or no vowel in it."""
    return part.isascii() and part.isalpha() and not re.search("[aeiouy]", part[:1] if len(part) == 1 else part)


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
        return [_possessive(way) for way in dictionary[_stem(part)]]
    if _is_initialism(part):
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


def _is_phones(said: str) -> bool:
    """Whether an owner wrote phones (`EH1 K OW B IY`) rather than words it sounds like (`echo bee`)."""
    return said == said.upper()


def _said_like(own: Mapping[str, Sequence[tuple[str, str]]]) -> set[str]:
    return {
        word for ways in own.values() for said, _ in ways if not _is_phones(said) for word in said.casefold().split()
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
            if _is_phones(said):
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
        if not any(pronunciation.ways) or not all(set(way) <= known for way in pronunciation.ways):
            what = f'"{word}" has no pronunciation'
            problems.append(Problem("", what, f"write `pronunciations: {{{word}: PHONES}}` in a template file"))
    if problems:
        raise GrammarError(problems=problems)
