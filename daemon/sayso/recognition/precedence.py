"""One sentence that templates give several meanings -> the meaning that is taken.

Rule of this file: pure. It is the one that Home Assistant would take ("turn on the kitchen lights" is the device of
that name before it is all lights of the area), by the order of hassil's `recognize_best`: the owner's sentences before
Home Assistant's own, then what has a name, the longest first, then what leaves fewest letters to slots. And "eighty
seven" is 87 before it is 80 and 7. Where all that settles nothing, the meanings stay apart, and nobody guesses.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, List, Sequence, Tuple

from sayso.grammar.graph import DecodingGraph
from sayso.grammar.readings import Readings
from sayso.grammar.tags import TAG, WOKEN, is_said
from sayso.grammar.written import as_said, said_out
from sayso.recognition.interpret import Meaning, read_tags

NAME = "name"
"""The slot that holds what a device is called, in Home Assistant's sentences and in those made after them."""


def preferred(meanings: Sequence[Meaning]) -> List[Meaning]:
    """Given what the same words mean, return those meanings that none goes before, each once: one, as a rule.

    Where one template has optional slots side by side, the same words may fill one or the other: they fill those that
    were written first.
    """
    best = min(map(_rank, meanings), default=())
    found: Dict[Tuple[str, str], Meaning] = {}
    for one in sorted((one for one in meanings if _rank(one) == best), key=lambda one: one.place):
        if not any(_filled_otherwise(one, other) for other in found.values()):
            found.setdefault(one.sense, one)
    return list(found.values())


def read_path(graph: DecodingGraph, output: Sequence[str]) -> Meaning:
    """Given the words and tags of a path through a grammar, return what they say."""
    return read_tags(output, graph.slot_ends, graph.sentence_ends)


class Meanings:
    """What a path of a grammar means: what its words are taken for, whichever way through the grammar it took."""

    def __init__(self, graph: DecodingGraph) -> None:
        """Given a grammar, stand ready."""
        self._graph = graph
        self._readings = Readings(graph, as_said)
        self._known = lru_cache(maxsize=256)(self._find)

    def __call__(self, output: Tuple[str, ...]) -> Meaning:
        """Given the words and tags of a path, return its meaning. Where nothing decides among several, it is the
        path's own."""
        own = read_path(self._graph, output)
        if not own.intent:
            return own
        found = self.all(output)
        return next((one for one in found if one.sense == own.sense), next(iter(found), own))

    def all(self, output: Tuple[str, ...]) -> List[Meaning]:
        """Given the words of a path, and the wake phrase's tag behind that, if it has one, return what they are taken
        for: nothing where they are no whole sentence, several meanings where nothing decides."""
        return self._known(tuple(filter(is_said, output)))

    def _find(self, sentence: Tuple[str, ...]) -> List[Meaning]:
        woken = [symbol[len(WOKEN) :] for symbol in sentence if symbol.startswith(WOKEN)]
        said = said_out(symbol for symbol in sentence if not symbol.startswith(TAG))
        same = (read_path(self._graph, one) for one in self._readings(said))
        return preferred([one for one in same if one.wake_phrase == "".join(woken)])


def _rank(meaning: Meaning) -> Tuple[int, ...]:
    name = meaning.raw_slots.get(NAME, "")
    literal = _letters(meaning.text) - sum(map(_letters, meaning.raw_slots.values()))
    return (not meaning.own, not name, -len(name), -literal, len(meaning.text.split()))


def _letters(text: str) -> int:
    return len(text.replace(" ", ""))


def _filled_otherwise(one: Meaning, other: Meaning) -> bool:
    """Whether two are the same template with other slots filled."""
    return one.place[:1] == other.place[:1] and set(one.raw_slots) != set(other.raw_slots)
