"""A compiled grammar, asked about itself.

Rule of this file: pure; it walks G, the deterministic acceptor over words and tags, and changes nothing. Every walk is
bounded: where a grammar is too large to be looked through, the answer says so.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence

from sayso.grammar.compiler import Grammar
from sayso.grammar.graph import DecodingGraph
from sayso.grammar.tags import SENTENCE_ENDS, TAG
from sayso.grammar.templates import Expression, Group, ListReference, Rule, RuleReference
from sayso.grammar.written import read_written

MOST_PAIRS = 400_000
"""Pairs of states that the search for double meanings looks at."""

ALIKE = 1
"""Words this many phones apart, or less, sound alike."""

Output = tuple[str, ...]
"""Words and tags, in order."""


@dataclass(frozen=True)
class DoubleMeaning:
    """Two sentences that are said the same and mean different things."""

    first: Output
    second: Output


@dataclass(frozen=True)
class Alike:
    """Two words that may stand in the same place and sound alike."""

    first: str
    second: str
    distance: int
    """Phones to change, add or drop."""


def read_sentence(graph: DecodingGraph, words: Sequence[str]) -> list[Output]:
    """Given a sentence's words, return every output that the grammar has for it; none: it can't be said."""
    return read_written(graph, {symbol: ((symbol,),) for symbol in graph.symbols}, words)


def expected_after(graph: DecodingGraph, words: Sequence[str]) -> tuple[int, list[str]]:
    """Given words, return how many of them the grammar follows, and which words it knows from there."""
    states = _beyond_tags(graph, {graph.start})
    for place, word in enumerate(words):
        reached = {
            target for state in states for label, target in graph.grammar[state].items() if graph.symbols[label] == word
        }
        if not reached:
            return place, sorted(_next_words(graph, states))
        states = _beyond_tags(graph, reached)
    return len(words), sorted(_next_words(graph, states))


def sample(graph: DecodingGraph, chance: random.Random) -> Output:
    """Given a source of chance, return the output of a sentence; every way on is as likely as the others."""
    state = graph.start
    output: Output = ()
    while graph.grammar[state]:
        label, state = chance.choice(list(graph.grammar[state].items()))
        output = (*output, graph.symbols[label])
    return output


def double_meanings(grammar: Grammar, most: int) -> tuple[list[DoubleMeaning], bool]:
    """Return up to `most` pairs of sentences that sound the same and mean different things, and whether all of the
    grammar was looked through."""
    graph = grammar.graph
    sounds = _sounds(grammar)
    found: list[DoubleMeaning] = []
    start = (graph.start, graph.start, False)
    came: dict[tuple[int, int, bool], tuple[tuple[int, int, bool], Output, Output] | None] = {start: None}
    todo = deque([start])
    while todo and len(found) < most:
        if len(came) > MOST_PAIRS:
            return found, False
        here = todo.popleft()
        for there, first, second in _steps(graph, here, sounds):
            if there in came:
                continue
            came[there] = (here, first, second)
            ended = not graph.grammar[there[0]] and not graph.grammar[there[1]]
            if ended and there[2]:
                found.append(_trace(came, there))
            elif not ended:
                todo.append(there)
    return found, True


def _steps(
    graph: DecodingGraph, here: tuple[int, int, bool], sounds: Mapping[str, frozenset[int]]
) -> Iterator[tuple[tuple[int, int, bool], Output, Output]]:
    """One word said in both sentences, or a tag in either. Tags are taken on the first side before the second, and
    words only once both wait for one, so that each pair of paths is met once."""
    one, two, differ = here
    first = [(graph.symbols[label], target) for label, target in graph.grammar[one].items()]
    second = [(graph.symbols[label], target) for label, target in graph.grammar[two].items()]
    same_state = one == two and not differ
    for symbol, target in first:
        for other, other_target in second:
            if symbol.startswith(TAG) != other.startswith(TAG):
                continue
            if symbol.startswith(TAG):
                if same_state and symbol > other:
                    continue
                yield (target, other_target, differ or symbol != other), (symbol,), (other,)
            elif sounds[symbol] & sounds[other]:
                yield (target, other_target, differ), (symbol,), (other,)
        if symbol.startswith(TAG) and any(not other.startswith(TAG) for other, _ in second):
            yield (target, two, True), (symbol,), ()
    for other, other_target in second:
        if other.startswith(TAG) and any(not symbol.startswith(TAG) for symbol, _ in first):
            yield (one, other_target, True), (), (other,)


def _trace(
    came: Mapping[tuple[int, int, bool], tuple[tuple[int, int, bool], Output, Output] | None],
    end: tuple[int, int, bool],
) -> DoubleMeaning:
    first: list[Output] = []
    second: list[Output] = []
    step = came[end]
    while step is not None:
        before, one, two = step
        first.append(one)
        second.append(two)
        step = came[before]
    return DoubleMeaning(_joined(first), _joined(second))


def _joined(backwards: Sequence[Output]) -> Output:
    return tuple(symbol for part in reversed(backwards) for symbol in part)


def _sounds(grammar: Grammar) -> dict[str, frozenset[int]]:
    """Each word's ways of being said, as numbers, so that two words are compared at once."""
    numbers: dict[tuple[str, ...], int] = {}
    return {
        word: frozenset(numbers.setdefault(way, len(numbers)) for way in said.ways)
        for word, said in grammar.pronunciations.items()
    }


def unsaid(grammar: Grammar) -> list[str]:
    """Return the templates, each with its place, that this room's context rules out or says too little for."""
    graph, known = grammar.graph, frozenset(grammar.graph.symbols)
    said = {
        (end.template, end.where)
        for number, end in enumerate(graph.sentence_ends)
        if f"{SENTENCE_ENDS}{number}" in known
    }
    return [f"{one.where}: {one.text}" for one in grammar.templates.sentences if (one.text, one.where) not in said]


def sound_alike(grammar: Grammar) -> list[Alike]:
    """Return the pairs of words that may stand in the same place and sound alike, nearest first."""
    graph = grammar.graph
    pairs: dict[tuple[str, str], int] = {}
    seen: set[frozenset[str]] = set()
    for state in graph.grammar:
        words = _next_words(graph, {state})
        if len(words) < 2 or (key := frozenset(words)) in seen:
            continue
        seen.add(key)
        ordered = sorted(words)
        for index, first in enumerate(ordered):
            for second in ordered[index + 1 :]:
                if (first, second) not in pairs and (near := _distance(grammar, first, second)) is not None:
                    pairs[first, second] = near
    return [Alike(*pair, near) for pair, near in sorted(pairs.items(), key=lambda item: (item[1], item[0]))]


def unused_lists(grammar: Grammar) -> list[str]:
    """Return the lists that no sentence uses, with where each is written."""
    used = {
        name for sentence in grammar.templates.sentences for name in _list_names(sentence.expression, sentence.rules)
    }
    return [f"{name} ({one.where})" for name, one in sorted(grammar.templates.lists.items()) if name not in used]


def _list_names(expression: Expression, rules: Mapping[str, Rule]) -> Iterator[str]:
    if isinstance(expression, ListReference):
        yield expression.list_name
    elif isinstance(expression, RuleReference):
        yield from _list_names(rules[expression.rule_name].expression, rules)
    elif isinstance(expression, Group):
        for item in expression.items:
            yield from _list_names(item, rules)


def _distance(grammar: Grammar, first: str, second: str) -> int | None:
    """Return the phones that tell two words apart, if they are so few that they sound alike."""
    ways = ((one, two) for one in grammar.pronunciations[first].ways for two in grammar.pronunciations[second].ways)
    near = [edit_distance(one, two) for one, two in ways if abs(len(one) - len(two)) <= ALIKE]
    least = min(near, default=ALIKE + 1)
    # Words that share every sound ("tv", "television") are one word to the ear: double_meanings judges those.
    return least if 0 < least <= ALIKE else None


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Given two sequences, return the fewest changes, insertions and deletions between them (Levenshtein, 1965)."""
    row = list(range(len(second) + 1))
    for place, one in enumerate(first, 1):
        before, row[0] = row[0], place
        for other, two in enumerate(second, 1):
            before, row[other] = row[other], min(row[other] + 1, row[other - 1] + 1, before + (one != two))
    return row[-1]


def _beyond_tags(graph: DecodingGraph, states: set[int]) -> set[int]:
    reached, todo = set(states), list(states)
    while todo:
        for label, target in graph.grammar[todo.pop()].items():
            if graph.symbols[label].startswith(TAG) and target not in reached:
                reached.add(target)
                todo.append(target)
    return reached


def _next_words(graph: DecodingGraph, states: set[int]) -> set[str]:
    return {
        symbol
        for state in _beyond_tags(graph, states)
        for label in graph.grammar[state]
        if not (symbol := graph.symbols[label]).startswith(TAG)
    }
