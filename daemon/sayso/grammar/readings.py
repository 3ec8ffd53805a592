"""Words -> every way in which a grammar has them as a sentence.

Rule of this file: pure. It walks G, the deterministic acceptor over words and tags, in time that grows with the words,
however many ways there are and however many words may stand in a place.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Callable, Iterable, Iterator, Mapping, Sequence

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

_Steps = Mapping[_Node, Sequence[tuple[int, _Node]]]
"""Node -> labels that lead on, and where."""


def as_it_is(word: str) -> Iterable[tuple[str, ...]]:
    """Given a word of the grammar, return it as its only form."""
    return ((word,),)


class Readings:
    """Reads sentences by one grammar."""

    def __init__(self, graph: DecodingGraph, forms: Forms = as_it_is) -> None:
        """Given a grammar and how its words are written, stand ready."""
        self._graph = graph
        self._beginning: dict[str, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
        """Word as written -> labels that may begin with it, each with the words that it then is."""
        self._tags: dict[int, list[tuple[int, int]]] = {}
        """State -> its tags and where they lead, of states that were met."""
        for label, symbol in enumerate(graph.symbols):
            if symbol and not symbol.startswith(TAG):
                for form in forms(symbol):
                    self._beginning[form[0]].append((label, form))

    def __call__(self, words: Sequence[str]) -> list[Output]:
        """Given the words of a sentence, return the outputs, words and tags, that the grammar has for them, MOST at
        most; none: it can't be said."""
        words = tuple(words)
        start = (self._graph.start, 0)
        onward: dict[_Node, list[tuple[int, _Node]]] = {}
        before: dict[_Node, list[_Node]] = defaultdict(list)
        todo = [start]
        while todo:
            node = todo.pop()
            if node not in onward:
                onward[node] = list(self._steps(node, words))
                for _, target in onward[node]:
                    before[target].append(node)
                    todo.append(target)
        ends = [node for node in onward if node[1] == len(words) and not self._graph.grammar[node[0]]]
        return self._paths(start, onward, _leading_to(ends, before)) if ends else []

    def _steps(self, node: _Node, words: tuple[str, ...]) -> Iterator[tuple[int, _Node]]:
        state, place = node
        leaving = self._graph.grammar[state]
        if state not in self._tags:
            symbols = self._graph.symbols
            self._tags[state] = [(label, to) for label, to in leaving.items() if symbols[label].startswith(TAG)]
        for label, target in self._tags[state]:
            yield label, (target, place)
        for label, form in self._beginning.get(words[place], ()) if place < len(words) else ():
            if label in leaving and words[place : place + len(form)] == form:
                yield label, (leaving[label], place + len(form))

    def _paths(self, start: _Node, onward: _Steps, alive: set[_Node]) -> list[Output]:
        found: list[Output] = []
        todo: list[tuple[_Node, Output]] = [(start, ())]
        while todo and len(found) < MOST:
            node, output = todo.pop()
            if not onward[node]:
                found.append(output)
            todo.extend(
                (target, (*output, self._graph.symbols[label])) for label, target in onward[node] if target in alive
            )
        return found


def _leading_to(ends: Sequence[_Node], before: Mapping[_Node, Sequence[_Node]]) -> set[_Node]:
    alive, todo = set(ends), list(ends)
    while todo:
        for node in before.get(todo.pop(), ()):
            if node not in alive:
                alive.add(node)
                todo.append(node)
    return alive
