"""Words -> every way in which a grammar has them as a sentence.

Rule of this file: pure. It walks G, the deterministic acceptor over words and tags, in time that grows with the words
and the grammar, however many ways there are.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Callable, Iterable, Sequence

from sayso.grammar.graph import DecodingGraph
from sayso.grammar.tags import TAG

MOST = 256
"""Ways that are told. Ten optional slots side by side already have 252 for five words."""

Output = tuple[str, ...]
"""Words and tags, in order."""

Forms = Callable[[str], Iterable[tuple[str, ...]]]
"""Word of the grammar -> the ways it is written, each a sequence of words."""

_Node = tuple[int, int]
"""State of G, and how many words have led there."""


def as_it_is(word: str) -> Iterable[tuple[str, ...]]:
    """Given a word of the grammar, return it as its only form."""
    return ((word,),)


def readings(graph: DecodingGraph, words: Sequence[str], forms: Forms = as_it_is) -> list[Output]:
    """Given the words of a sentence, return the outputs, words and tags, that the grammar has for them, MOST at most;
    none: it can't be said."""
    words = tuple(words)
    start = (graph.start, 0)
    onward: dict[_Node, list[tuple[str, _Node]]] = {}
    before: dict[_Node, list[_Node]] = defaultdict(list)
    todo = [start]
    while todo:
        node = todo.pop()
        if node not in onward:
            onward[node] = list(_steps(graph, node, words, forms))
            for _, target in onward[node]:
                before[target].append(node)
                todo.append(target)
    alive = _leading_to([node for node in onward if node[1] == len(words) and not graph.grammar[node[0]]], before)
    return _paths(start, onward, alive) if start in alive else []


def _steps(graph: DecodingGraph, node: _Node, words: Output, forms: Forms) -> Iterable[tuple[str, _Node]]:
    state, place = node
    for label, target in graph.grammar[state].items():
        symbol = graph.symbols[label]
        for form in ((),) if symbol.startswith(TAG) else forms(symbol):
            if words[place : place + len(form)] == form:
                yield symbol, (target, place + len(form))


def _leading_to(ends: Sequence[_Node], before: dict[_Node, list[_Node]]) -> set[_Node]:
    alive, todo = set(ends), list(ends)
    while todo:
        for node in before[todo.pop()]:
            if node not in alive:
                alive.add(node)
                todo.append(node)
    return alive


def _paths(start: _Node, onward: dict[_Node, list[tuple[str, _Node]]], alive: set[_Node]) -> list[Output]:
    found: list[Output] = []
    todo: list[tuple[_Node, Output]] = [(start, ())]
    while todo and len(found) < MOST:
        node, output = todo.pop()
        if not onward[node]:
            found.append(output)
        todo.extend((target, (*output, symbol)) for symbol, target in onward[node] if target in alive)
    return found
