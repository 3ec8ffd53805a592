"""Written text -> what it means: as a transcript writes it, where the templates have numbers and signs.

Rule of this file: pure. "fifty percent" is read where the grammar holds 50 %, by the same spellings that the model's
letters are searched with.
"""

from __future__ import annotations

from typing import Mapping, Sequence

from sayso.grammar.graph import DecodingGraph
from sayso.grammar.pronounce import Pronunciation
from sayso.grammar.tags import TAG

Forms = Mapping[str, Sequence[tuple[str, ...]]]
"""Word of the grammar -> the ways it is written, each a sequence of words."""


def written_forms(spellings: Mapping[str, Pronunciation]) -> Forms:
    """Given how a grammar's words are spelled in letters, return how they are written."""
    return {
        word: tuple(dict.fromkeys(tuple("".join(way).split()) for way in said.ways)) for word, said in spellings.items()
    }


def read_written(graph: DecodingGraph, forms: Forms, words: Sequence[str]) -> list[tuple[str, ...]]:
    """Given a transcript's words, return every output, words and tags, that the grammar has for them.

    None: it can't be said.
    """
    words = tuple(words)
    found: list[tuple[str, ...]] = []
    todo: list[tuple[int, int, tuple[str, ...]]] = [(graph.start, 0, ())]
    while todo:
        state, place, output = todo.pop()
        leaving = graph.grammar[state]
        if place == len(words) and not leaving:
            found.append(output)
        for label, target in leaving.items():
            symbol = graph.symbols[label]
            if symbol.startswith(TAG):
                todo.append((target, place, (*output, symbol)))
                continue
            for form in forms[symbol]:
                if words[place : place + len(form)] == form:
                    todo.append((target, place + len(form), (*output, symbol)))
    return found
