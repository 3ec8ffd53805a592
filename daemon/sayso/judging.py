"""The owner's own recordings, judged: what is right, wrong and refused, and which threshold would be best for them.

Rule of this file: pure. A recording's name is what is said in it; one whose name is no sentence of the owner's holds no
command, and any that comes out of it is wrong. What another threshold would have made of a recording follows from the
confidence of its best candidate; the end of an utterance, which looks at the threshold too, is taken as it was.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import FrozenSet, List, Mapping, Optional, Sequence, Tuple

from sayso.grammar.graph import DecodingGraph
from sayso.reading import read_text
from sayso.records import Command, Heard, Rejection

WRONG_COST = 3.0
"""One wrong command weighs as much as so many refused ones: a light that goes out by itself, or saying it again."""

FEW = 20
"""With fewer recordings of a kind than this, a recommendation says little."""

_NUMBERED = re.compile(r"(?<=[^\W_])-\d+$|\s*\(\d+\)$")
"""`-2` or `(2)` at the end of a name: the same sentence once more."""

Sense = Tuple[str, str]
"""Intent and slots, comparable."""


@dataclass(frozen=True)
class Candidate:
    """A command that came out, or would have with a lower threshold."""

    senses: FrozenSet[Sense]
    """What it means; several where its words do."""
    text: str
    confidence: float
    threshold: Optional[float]
    """Its intent's own threshold, which outranks the one of all; None: it has none."""

    def passes(self, threshold: float) -> bool:
        """Given the threshold of all, return whether it comes out as a command."""
        return self.confidence >= (threshold if self.threshold is None else self.threshold)


@dataclass(frozen=True)
class Trial:
    """One recording: what was expected and what came."""

    file: str
    said: str
    """What its name says."""
    expected: FrozenSet[Sense]
    """What that means; empty: it is no command."""
    candidates: Tuple[Candidate, ...]
    reason: str
    """Why the last utterance in it was rejected; empty: none was."""

    def verdict(self, threshold: float) -> str:
        """Given a threshold, return `right`, `wrong` or `refused`."""
        heard = [one for one in self.candidates if one.passes(threshold)]
        if not heard:
            return "refused" if self.expected else "right"
        return "right" if len(heard) == 1 and heard[0].senses & self.expected else "wrong"


@dataclass(frozen=True)
class Row:
    """What one threshold makes of all recordings."""

    threshold: float
    right: int
    """Commands understood."""
    refused: int
    wrong: int
    """Commands taken for another, or heard where there was none."""

    @property
    def worth(self) -> float:
        """Return how good that is; more is better."""
        return self.right - WRONG_COST * self.wrong


def make_trial(file: Path, heard: Sequence[Heard], graph: DecodingGraph, own: Mapping[str, float]) -> Trial:
    """Given a recording's path, what was heard in it, the sentences, and intents' own thresholds, return it."""
    said = _NUMBERED.sub("", file.stem).replace("_", " ").strip()
    candidates = []
    reason = ""
    for one in heard:
        if isinstance(one, Command):
            senses = frozenset({(one.intent, repr(sorted(one.slots.items())))})
        elif isinstance(one, Rejection):
            reason = one.reason
            low = one.reason in ("low_confidence", "not_a_command") and one.intent
            senses = senses_of(one.text, graph) if low else frozenset()
        else:
            continue
        if senses:
            candidates.append(Candidate(senses, one.text, one.confidence, own.get(one.intent)))
    return Trial(str(file), said, senses_of(said, graph), tuple(candidates), reason)


def senses_of(text: str, graph: DecodingGraph) -> FrozenSet[Sense]:
    """Given written text, return what it means."""
    return frozenset(one.sense for one in read_text(graph, text))


def tabulate(trials: Sequence[Trial], thresholds: Sequence[float]) -> List[Row]:
    """Given recordings and thresholds, return a row for each."""
    return [_row(trials, threshold) for threshold in thresholds]


def recommend(trials: Sequence[Trial]) -> Optional[Row]:
    """Given recordings, return the threshold that is best for them, in the middle between those that are as good.

    None where nothing wrong came out at any threshold: then nothing speaks for one or the other.
    """
    known = sorted({one.confidence for trial in trials for one in trial.candidates if one.threshold is None})
    edges = [0.0, *known, 1.0]
    rows = [_row(trials, (low + high) / 2) for low, high in zip(edges, edges[1:])]
    if not any(row.wrong for row in rows):
        return None
    best = max(row.worth for row in rows)
    run = _longest([row.worth == best for row in rows])
    middle = (edges[run[0]] + edges[run[1]]) / 2
    # The threshold has two digits, lest it look more precise than it is; it stays between the same neighbours.
    rounded = round(middle, 2)
    return _row(trials, rounded if edges[run[0]] < rounded <= edges[run[1]] else middle)


def _row(trials: Sequence[Trial], threshold: float) -> Row:
    verdicts = [(bool(trial.expected), trial.verdict(threshold)) for trial in trials]
    return Row(
        threshold,
        right=verdicts.count((True, "right")),
        refused=verdicts.count((True, "refused")),
        wrong=sum(verdict == "wrong" for _, verdict in verdicts),
    )


def _longest(flags: Sequence[bool]) -> Tuple[int, int]:
    """Given flags, return where the longest run of true ones begins, and one past its end."""
    best, begun = (0, 0), 0
    for place, flag in enumerate(flags):
        if not flag:
            begun = place + 1
        elif place + 1 - begun > best[1] - best[0]:
            best = (begun, place + 1)
    return best


def interval(hits: int, count: int) -> Tuple[float, float]:
    """Given successes of trials, return the 95 % interval of the proportion (Wilson, 1927); 0 to 1 of nothing."""
    if not count:
        return 0.0, 1.0
    z = 1.96
    share, spread = hits / count, z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
