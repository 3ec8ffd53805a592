"""Words -> what they mean, by the templates: so that two recognisers are judged by what a house would do."""

from __future__ import annotations

from typing import Mapping, Sequence

from sayso.grammar.tags import TAG
from sayso.grammar.words import WordAcceptor
from sayso.recognition.interpret import read_tags

Meaning = tuple[str, str]
"""Intent, and the slots written out in order."""


def meaning(intent: str, slots: Mapping[str, object]) -> Meaning:
    """Given an intent and its slots, return them comparable."""
    return intent, repr(sorted(slots.items()))


class Reader:
    """Reads sentences by an acceptor of words and tags."""

    def __init__(self, acceptor: WordAcceptor) -> None:
        self._acceptor = acceptor
        self._arcs: dict[int, list[tuple[str, int]]] = {}
        for source, label, target in acceptor.arcs:
            self._arcs.setdefault(source, []).append((label, target))

    def read(self, text: str) -> set[Meaning]:
        """Given a sentence, return all that it can mean; nothing for one that is not in the templates."""
        words = text.split()
        found = set()
        todo: list[tuple[int, int, Sequence[str]]] = [(0, 0, ())]
        while todo:
            state, said, output = todo.pop()
            if said == len(words) and state in self._acceptor.finals:
                read = read_tags(output, self._acceptor.slot_ends, self._acceptor.sentence_ends)
                found.add(meaning(read.intent, read.slots))
            for label, target in self._arcs.get(state, ()):
                if not label:
                    todo.append((target, said, output))
                elif label.startswith(TAG):
                    todo.append((target, said, (*output, label)))
                elif said < len(words) and words[said] == label:
                    todo.append((target, said + 1, (*output, label)))
        return found
