"""Sentences of a grammar that sound the same and mean different things.

Rule of this file: pure. It walks two paths through G at once, as long as their words sound the same, and carries along
what one says and the other doesn't. The walk is bounded: where a grammar is too large, the answer says so.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Callable, Iterator, Mapping

from sayso.grammar.compiler import Grammar
from sayso.grammar.graph import DecodingGraph
from sayso.grammar.readings import Output
from sayso.grammar.tags import ALL_SAID, SLOT_BEGINS, SLOT_ENDS, TAG

MOST_PAIRS = 400_000
"""Places of two paths that are looked at."""

MOST_TRIED = 50
"""Pairs of sentences that are judged of the same two templates; more would be more of the same."""


@dataclass(frozen=True)
class DoubleMeaning:
    """Two sentences that are said the same and mean different things."""

    first: Output
    second: Output


@dataclass(frozen=True)
class _Path:
    """How far one path is."""

    state: int
    begun: tuple[tuple[str, str], ...] = ()
    """Slots that have begun, with their words so far."""
    told: frozenset[tuple[str, str]] = frozenset()
    """Slots and values that the other path has not told; and its template, under no slot."""


@dataclass(frozen=True)
class _Pair:
    """How far two paths are that have sounded the same."""

    first: _Path
    second: _Path
    turned: bool = False
    """Whether the first path's tags before the next word are through, and it is the second's turn. So each pair of
    paths is walked in one order only."""


_Came = Mapping[_Pair, "tuple[_Pair, str, str] | None"]


def double_meanings(
    grammar: Grammar, most: int, clash: Callable[[Output, Output], bool]
) -> tuple[list[DoubleMeaning], bool]:
    """Return up to `most` pairs of sentences that sound the same and, by `clash`, are a matter of doubt, one for each
    two templates; and whether all of the grammar was looked through."""
    graph, sounds = grammar.graph, _sounds(grammar)
    start = _Pair(_Path(graph.start), _Path(graph.start))
    came: dict[_Pair, tuple[_Pair, str, str] | None] = {start: None}
    tried: dict[tuple[str, ...], int] = {}
    found: dict[tuple[str, ...], DoubleMeaning] = {}
    todo = deque([start])
    while todo:
        here = todo.popleft()
        if not graph.grammar[here.first.state] and not graph.grammar[here.second.state]:
            pair = _trace(came, here)
            templates = tuple(sorted((pair.first[-1], pair.second[-1])))
            tried[templates] = tried.get(templates, 0) + 1
            if templates not in found and tried[templates] <= MOST_TRIED and clash(pair.first, pair.second):
                found[templates] = pair
                if len(found) == most:
                    return list(found.values()), False
        for there, first, second in _steps(graph, here, sounds):
            if there not in came:
                if len(came) == MOST_PAIRS:
                    return list(found.values()), False
                came[there] = (here, first, second)
                todo.append(there)
    return list(found.values()), True


def _steps(graph: DecodingGraph, here: _Pair, sounds: Mapping[str, frozenset[int]]) -> Iterator[tuple[_Pair, str, str]]:
    """Yield what may come next, with the symbol that each path says for it; one says nothing at the other's tag."""
    first = [(graph.symbols[label], target) for label, target in graph.grammar[here.first.state].items()]
    second = [(graph.symbols[label], target) for label, target in graph.grammar[here.second.state].items()]
    if not here.turned:
        yield replace(here, turned=True), "", ""
        for symbol, target in first:
            if symbol.startswith(TAG):
                yield _apart(_go(graph, here.first, symbol, target), here.second, turned=False), symbol, ""
        return
    for other, target in second:
        if other.startswith(TAG):
            yield _apart(here.first, _go(graph, here.second, other, target), turned=True), "", other
            continue
        for symbol, along in first:
            if not symbol.startswith(TAG) and sounds[symbol] & sounds[other]:
                paths = _go(graph, here.first, symbol, along), _go(graph, here.second, other, target)
                yield _apart(*paths, turned=False), symbol, other


def _go(graph: DecodingGraph, path: _Path, symbol: str, target: int) -> _Path:
    if not symbol.startswith(TAG):
        return _Path(target, tuple((slot, f"{words} {symbol}") for slot, words in path.begun), path.told)
    if symbol.startswith(SLOT_BEGINS):
        return _Path(target, (*path.begun, (symbol[len(SLOT_BEGINS) :], "")), path.told)
    if symbol == ALL_SAID:
        return replace(path, state=target)
    if not symbol.startswith(SLOT_ENDS):
        return _Path(target, path.begun, path.told | {("", symbol)})
    end = graph.slot_ends[int(symbol[len(SLOT_ENDS) :])]
    words = next((said for slot, said in reversed(path.begun) if slot == end.slot), "")
    told = path.told | {(end.slot, words if end.value is None else repr(end.value))}
    return _Path(target, tuple(one for one in path.begun if one[0] != end.slot), told)


def _apart(first: _Path, second: _Path, *, turned: bool) -> _Pair:
    both = {one for one in first.told & second.told if one[0]}
    return _Pair(replace(first, told=first.told - both), replace(second, told=second.told - both), turned)


def _trace(came: _Came, end: _Pair) -> DoubleMeaning:
    first: list[str] = []
    second: list[str] = []
    step = came[end]
    while step is not None:
        before, one, two = step
        first.append(one)
        second.append(two)
        step = came[before]
    return DoubleMeaning(*(tuple(symbol for symbol in reversed(path) if symbol) for path in (first, second)))


def _sounds(grammar: Grammar) -> dict[str, frozenset[int]]:
    """Each word's ways of being said, as numbers, so that two words are compared at once."""
    numbers: dict[tuple[str, ...], int] = {}
    return {
        word: frozenset(numbers.setdefault(way, len(numbers)) for way in said.ways)
        for word, said in grammar.pronunciations.items()
    }
