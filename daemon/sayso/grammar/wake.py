"""Wake phrases: what may be said before a sentence to get Sayso's attention.

Rule of this file: pure; a wake phrase is nothing but a beginning that every sentence may have. It goes through the
same dictionary and the same search as all words, and sentences said without one stay in the search beside it: they
are what keeps ordinary talk from being taken for a wake phrase.
"""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

from sayso.errors import GrammarError, Problem
from sayso.grammar.tags import SENTENCE_ENDS, TAG, WOKEN, SentenceEnd
from sayso.grammar.text import words
from sayso.grammar.words import WordAcceptor

WHERE = "[listening] wake_phrases"

_NO_TEXT = frozenset("()[]{}<>|;")


def with_wake_phrases(acceptor: WordAcceptor, phrases: Sequence[str]) -> WordAcceptor:
    """Given the acceptor of all sentences, return that of the same sentences, each with or without a wake phrase
    before it, and of the wake phrases alone, whose sentence has no intent.

    Raise GrammarError that names each phrase that is no plain text, or a sentence of its own.
    """
    if not phrases:
        return acceptor
    said = {phrase: words(phrase) for phrase in phrases}
    problems = [problem for phrase, spoken in said.items() for problem in _problems(phrase, spoken, acceptor)]
    if problems:
        raise GrammarError(problems=problems)
    # 0 starts; what started before comes after the phrase.
    home, end = acceptor.states, acceptor.states + 1
    result = WordAcceptor(
        arcs=[(0, "", home)],
        finals={*acceptor.finals, end},
        states=acceptor.states + 2,
        slot_ends=list(acceptor.slot_ends),
        sentence_ends=[*acceptor.sentence_ends, *(SentenceEnd("", {}, phrase, WHERE) for phrase in said)],
    )
    result.arcs += [(source or home, label, target) for source, label, target in acceptor.arcs]
    for number, (phrase, spoken) in enumerate(said.items(), len(acceptor.sentence_ends)):
        state = 0
        for word in spoken:
            result.arcs.append((state, word, result.states))
            state, result.states = result.states, result.states + 1
        result.arcs.append((state, f"{WOKEN}{phrase}", result.states))
        result.arcs.append((result.states, "", home))
        result.arcs.append((result.states, f"{SENTENCE_ENDS}{number}", end))
        result.states += 1
    return result


def _problems(phrase: str, spoken: Sequence[str], acceptor: WordAcceptor) -> Iterator[Problem]:
    if not spoken or _NO_TEXT & set(phrase):
        yield Problem(WHERE, f'"{phrase}" is no plain text', "write words; one phrase for each way of saying it")
    elif _is_sentence(spoken, acceptor):
        yield Problem(WHERE, f'"{phrase}" is a sentence, too', "choose words that are no command by themselves")


def _is_sentence(spoken: Sequence[str], acceptor: WordAcceptor) -> bool:
    """Whether the acceptor takes these words, whatever tags come with them."""
    leaving: dict[int, list[tuple[str, int]]] = {}
    for source, label, target in acceptor.arcs:
        leaving.setdefault(source, []).append((label, target))
    states = _silently({0}, leaving)
    for word in spoken:
        states = _silently({to for state in states for label, to in leaving.get(state, ()) if label == word}, leaving)
    return bool(states & acceptor.finals)


def _silently(states: set[int], leaving: Mapping[int, Sequence[tuple[str, int]]]) -> set[int]:
    reached, todo = set(states), list(states)
    while todo:
        for label, target in leaving.get(todo.pop(), ()):
            if (not label or label.startswith(TAG)) and target not in reached:
                reached.add(target)
                todo.append(target)
    return reached
