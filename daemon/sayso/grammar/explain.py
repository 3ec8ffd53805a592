"""A compiled grammar, asked about itself.

Rule of this file: pure; it walks G, the deterministic acceptor over words and tags, and changes nothing.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Iterator, Mapping, Sequence

from sayso.grammar.compiler import Grammar
from sayso.grammar.graph import DecodingGraph
from sayso.grammar.readings import Output
from sayso.grammar.tags import SENTENCE_ENDS, TAG
from sayso.grammar.templates import Expression, Group, ListReference, Rule, RuleReference

Phones = tuple[str, ...]


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


def unsaid(grammar: Grammar) -> list[str]:
    """Return the templates, each with its place, that this room's context rules out or says too little for; the owner's
    before Home Assistant's."""
    graph, known = grammar.graph, frozenset(grammar.graph.symbols)
    said = {
        (end.template, end.where)
        for number, end in enumerate(graph.sentence_ends)
        if f"{SENTENCE_ENDS}{number}" in known
    }
    missing = [one for one in grammar.templates.sentences if (one.text, one.where) not in said]
    missing.sort(key=lambda one: not one.own)
    return [f"{one.where if one.own else 'Home Assistant'}: {one.text}" for one in missing]


def sound_alike(grammar: Grammar) -> list[tuple[str, str]]:
    """Return the pairs of words that may stand in the same place and differ in one phone: another one, or one more.

    Words that may be said the same ("tv", "television") are one word to the ear: those are doubles.py's.
    """
    near = _one_phone_apart({word: said.ways for word, said in grammar.pronunciations.items()})
    graph, seen, found = grammar.graph, set(), set()
    for state in graph.grammar:
        words = frozenset(_next_words(graph, {state}))
        if words not in seen:
            seen.add(words)
            found |= {(one, other) for one in words & near.keys() for other in near[one] & words if one < other}
    return sorted(found)


def _one_phone_apart(ways: Mapping[str, Sequence[Phones]]) -> dict[str, set[str]]:
    """Given how words are said, return for each those that differ in one phone. Found by what is left of a word
    without one of its phones, and where that was."""
    whole: dict[Phones, set[str]] = defaultdict(set)
    holed: dict[tuple[Phones, Phones], set[str]] = defaultdict(set)
    for word, said in ways.items():
        for way in said:
            whole[way].add(word)
            for place in range(len(way)):
                holed[way[:place], way[place + 1 :]].add(word)
    near: dict[str, set[str]] = defaultdict(set)
    for (before, after), words in holed.items():
        shorter = whole.get(before + after, set())
        for word in words:
            near[word] |= words | shorter
        for word in shorter:
            near[word] |= words
    same = {word: set().union(*(whole[way] for way in said)) for word, said in ways.items()}
    return {word: others - same[word] for word, others in near.items()}


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
