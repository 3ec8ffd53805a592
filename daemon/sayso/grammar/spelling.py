"""Words -> letters, for acoustic models that write instead of sounding: DeepSpeech's.

Rule of this file: every word of a grammar gets at least one spelling in the model's alphabet. What is said for it is
found as for phones (numbers and signs read out); its letters then stand for themselves, with the alphabet's space after
the word or without it, since nobody can be made to pause.
"""

from __future__ import annotations

import unicodedata
from itertools import chain
from typing import Iterable, Mapping, Sequence

from sayso.errors import GrammarError, Problem
from sayso.grammar.pronounce import MOST_WAYS, Pronunciation, is_initialism, is_phones, read_out
from sayso.grammar.text import is_number

SPACE = " "


def spell(
    words: Iterable[str], letters: Sequence[str], own: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[str, Pronunciation]:
    """Given the words of a grammar and a model's letters, return how each is written.

    `own` are the owner's pronunciations: words that one sounds like are spelled, phones are of no use here.
    Raise GrammarError for words that hold what the alphabet can't write.
    """
    known, spelled, problems = set(letters), {}, []
    for word in sorted(set(words)):
        like = [said for said, _ in own.get(word, ()) if not is_phones(said)]
        said = [_plain(one, known) for one in chain(like, *(_spoken(one) for one in read_out(word)))]
        ways = [way for text in dict.fromkeys(said) for way in _ways(text, known)]
        if not ways:
            problems.append(Problem("", f"\"{word}\" can't be written in this model's letters", _remedy(word)))
        source = "owner" if like else "number" if is_number(word) else "spelled"
        spelled[word] = Pronunciation(tuple(ways)[:MOST_WAYS], source)
    if problems:
        raise GrammarError(problems=problems)
    return spelled


def _remedy(word: str) -> str:
    return f"write `pronunciations: {{{word}: words it sounds like}}` in a template file"


def _spoken(reading: str) -> tuple[str, ...]:
    """Given what is said, return it as transcripts write it: "tv" may be one word or two letters."""
    apart = " ".join(SPACE.join(part) if is_initialism(part) else part for part in reading.split())
    return tuple(dict.fromkeys((reading, apart)))


def _plain(text: str, known: set[str]) -> str:
    """Given a text, return it in small letters, without accents that the alphabet doesn't have, hyphens as spaces."""
    letters = []
    for letter in text.casefold().replace("-", SPACE):
        letters.append(letter if letter in known else unicodedata.normalize("NFKD", letter)[0])
    return SPACE.join("".join(letters).split())


def _ways(text: str, known: set[str]) -> list[tuple[str, ...]]:
    """Given a text, return its letters with and without a space at the end; nothing where one isn't known."""
    letters = tuple(text)
    if not letters or not set(letters) <= known:
        return []
    return [(*letters, SPACE), letters] if SPACE in known else [letters]
