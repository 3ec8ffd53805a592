"""Words of a grammar -> the ways they are written, by people and by what transcribes.

Rule of this file: pure. "fifty percent" is read where the grammar holds 50 %, and "whats" where it holds "what's".
"""

from __future__ import annotations

from functools import lru_cache
from typing import Iterable, Mapping

from sayso.grammar.pronounce import Pronunciation, is_initialism, read_out
from sayso.grammar.readings import Forms


def spelled_forms(spellings: Mapping[str, Pronunciation]) -> Forms:
    """Given how a grammar's words are spelled in a model's letters, return how a transcript writes them."""
    forms = {
        word: tuple(dict.fromkeys(tuple("".join(way).split()) for way in said.ways)) for word, said in spellings.items()
    }
    return forms.__getitem__


@lru_cache(maxsize=65536)
def as_said(word: str) -> tuple[tuple[str, ...], ...]:
    """Given a word of a grammar, return it as it is, and numbers and signs as they are read out."""
    return tuple(dict.fromkeys([(word,), *(tuple(reading.split()) for reading in read_out(word))]))


@lru_cache(maxsize=65536)
def people_write(word: str) -> tuple[tuple[str, ...], ...]:
    """Given a word of a grammar, return how people write it: as it is said, without its apostrophe, and what is
    spelled letter by letter."""
    said = as_said(word)
    apart = [tuple(letter for part in one for letter in (part if is_initialism(part) else (part,))) for one in said]
    return tuple(dict.fromkeys([*said, (word.replace("'", ""),), *apart]))


def said_out(words: Iterable[str]) -> tuple[str, ...]:
    """Given words, return them with numbers and signs read out, the likeliest way of each."""
    return tuple(part for word in words for part in read_out(word)[0].split())
