"""The owner's sentences -> an n-gram language model, without ever expanding them.

Rule of this file: pure. The counts are those that drawing sentences for ever would give: each template as often as any
other, within one each alternative and each list value as often as the next. They are computed, not drawn: along the
acceptor, with the words that may lie behind each state. Smoothing is interpolation with the shorter history (Jelinek
and Mercer, 1980), which an ARPA file's back-off weights express exactly.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterator, Mapping, Sequence

from sayso.grammar.tags import TAG

if TYPE_CHECKING:
    from sayso.grammar.words import WordAcceptor

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"

INTERPOLATION = 0.1
"""Share of each history's probability that the shorter history distributes: what nobody wrote down is possible."""

UNIFORM = 0.02
"""Share of the single words' probability that all words have alike, the unknown one among them."""

ORDER = 3

_History = tuple[str, ...]
_Counts = dict[_History, dict[str, float]]

Forms = Mapping[str, Sequence[Sequence[str]]]
"""Word of the templates -> the ways it is written, each a sequence of words: 50 is "fifty"."""


@dataclass(frozen=True)
class NGrams:
    """A back-off model."""

    orders: tuple[Mapping[_History, tuple[float, float]], ...]
    """For each order, n-gram -> (probability, back-off weight), both as base-10 logarithms."""

    @property
    def words(self) -> list[str]:
        """Return the vocabulary in order, without marks."""
        return sorted(gram[0] for gram in self.orders[0] if gram[0] not in (BEGIN, END, UNKNOWN))

    def arpa(self) -> str:
        """Return the model as an ARPA file."""
        lines = ["\\data\\"]
        lines += [f"ngram {order}={len(grams)}" for order, grams in enumerate(self.orders, 1)]
        for order, grams in enumerate(self.orders, 1):
            lines += ["", f"\\{order}-grams:"]
            last = order == len(self.orders)
            for gram, (probability, weight) in sorted(grams.items()):
                lines.append(f"{probability:.6f}\t{' '.join(gram)}" + ("" if last else f"\t{weight:.6f}"))
        return "\n".join([*lines, "", "\\end\\", ""])

    def log10(self, history: Sequence[str], word: str) -> float:
        """Given what was said and a word, return the base-10 logarithm of the word's probability there."""
        gram = (*history[-(len(self.orders) - 1) :], word) if len(self.orders) > 1 else (word,)
        if gram in self.orders[len(gram) - 1]:
            return self.orders[len(gram) - 1][gram][0]
        if len(gram) == 1:
            return self.orders[0][UNKNOWN,][0]
        weight = self.orders[len(gram) - 2].get(gram[:-1], (0.0, 0.0))[1]
        return weight + self.log10(gram[1:-1], word)


@dataclass(frozen=True)
class Language:
    """What can be said, as a decoder of letters wants to know it."""

    ngrams: NGrams
    alphabet: tuple[str, ...]
    """Labels in order, the blank left out."""


def count_ngrams(acceptor: WordAcceptor, forms: Forms, order: int = ORDER) -> _Counts:
    """Given the acceptor of all sentences, return how often each word follows each history, per sentence drawn.

    Histories have `order` - 1 words, fewer at the beginning of a sentence, which `<s>` marks.
    """
    leaving = _alive(acceptor)
    behind: dict[int, dict[_History, float]] = {0: {(BEGIN,): 1.0}}
    counts: _Counts = defaultdict(lambda: defaultdict(float))
    for state in _in_order(leaving):
        histories, arcs = behind.pop(state, {}), leaving[state]
        share = 1.0 / max(1, len(arcs) + (state in acceptor.finals))
        for history, mass in histories.items():
            if state in acceptor.finals:
                counts[history][END] += mass * share
            for label, target in arcs:
                ways = [()] if not label or label.startswith(TAG) else forms[label]
                for way in ways:
                    reached = _say(counts, history, way, mass * share / len(ways), order)
                    there = behind.setdefault(target, {})
                    there[reached] = there.get(reached, 0.0) + mass * share / len(ways)
    return counts


def _say(counts: _Counts, history: _History, way: Sequence[str], mass: float, order: int) -> _History:
    """Count the words of a way, and return the history after it."""
    for word in way:
        counts[history][word] += mass
        history = (*history, word)[-(order - 1) :] if order > 1 else ()
    return history


def _alive(acceptor: WordAcceptor) -> dict[int, list[tuple[str, int]]]:
    """Return the arcs that leave each state and lead to an end."""
    coming: dict[int, list[int]] = defaultdict(list)
    for source, _, target in acceptor.arcs:
        coming[target].append(source)
    alive, todo = set(acceptor.finals), list(acceptor.finals)
    while todo:
        for source in coming[todo.pop()]:
            if source not in alive:
                alive.add(source)
                todo.append(source)
    leaving: dict[int, list[tuple[str, int]]] = {state: [] for state in alive}
    for source, label, target in acceptor.arcs:
        if source in alive and target in alive:
            leaving[source].append((label, target))
    return leaving


def _in_order(leaving: Mapping[int, Sequence[tuple[str, int]]]) -> Iterator[int]:
    """Yield the states so that every arc leads onwards; sentences are finite, so there is such an order."""
    missing: dict[int, int] = defaultdict(int)
    for arcs in leaving.values():
        for _, target in arcs:
            missing[target] += 1
    ready = [state for state in leaving if not missing[state]]
    while ready:
        state = ready.pop()
        yield state
        for _, target in leaving[state]:
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)


def estimate(counts: Mapping[_History, Mapping[str, float]], order: int = ORDER) -> NGrams:
    """Given counts, return the smoothed model of that order."""
    shorter: list[_Counts] = [defaultdict(lambda: defaultdict(float)) for _ in range(order)]
    for history, following in counts.items():
        for word, count in following.items():
            for length in range(min(order, len(history) + 1)):
                shorter[length][history[len(history) - length :]][word] += count
    probabilities: list[dict[_History, dict[str, float]]] = [{(): _single(shorter[0][()])}]
    for length in range(1, order):
        below = probabilities[-1]
        probabilities.append(
            {history: _interpolated(following, below[history[1:]]) for history, following in shorter[length].items()}
        )
    return NGrams(tuple(_table(probabilities, length) for length in range(order)))


def _single(following: Mapping[str, float]) -> dict[str, float]:
    """Given counts of single words, return probabilities of these and of the unknown word."""
    total, words = sum(following.values()), [*following, UNKNOWN]
    return {word: (1 - UNIFORM) * following.get(word, 0.0) / total + UNIFORM / len(words) for word in words}


def _interpolated(following: Mapping[str, float], below: Mapping[str, float]) -> dict[str, float]:
    total = sum(following.values())
    return {
        word: (1 - INTERPOLATION) * count / total + INTERPOLATION * below[word] for word, count in following.items()
    }


def _table(
    probabilities: Sequence[Mapping[_History, Mapping[str, float]]], length: int
) -> dict[_History, tuple[float, float]]:
    """Given probabilities by history, return the n-grams of histories of this length, with their back-off weights."""
    longer = probabilities[length + 1] if length + 1 < len(probabilities) else {}
    weight = math.log10(INTERPOLATION)
    table = {
        (*history, word): (math.log10(value), weight if (*history, word) in longer else 0.0)
        for history, following in probabilities[length].items()
        for word, value in following.items()
    }
    if length == 0:
        table[BEGIN,] = (-99.0, weight if (BEGIN,) in longer else 0.0)
    return table


def parse_arpa(text: str) -> NGrams:
    """Given an ARPA file, return its model. Raise ValueError where it isn't one."""
    orders: list[dict[_History, tuple[float, float]]] = []
    for line in text.splitlines():
        if line.endswith("-grams:"):
            orders.append({})
        elif orders and line and not line.startswith("\\"):
            probability, gram, *weight = line.split("\t")
            orders[-1][tuple(gram.split())] = (float(probability), float(weight[0]) if weight else 0.0)
    if not orders or (UNKNOWN,) not in orders[0]:
        raise ValueError("no n-grams, or no unknown word among them")
    return NGrams(tuple(orders))
