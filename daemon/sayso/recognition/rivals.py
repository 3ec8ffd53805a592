"""What else a sentence may have been: other meanings among what the search found, and how likely each is.

Rule of this file: pure. Costs are in nats, the cheapest first.
"""

from __future__ import annotations

import math
from typing import List, Sequence, Tuple

from sayso.recognition.interpret import Belief, Meaning
from sayso.records import Alternative

AMBIGUITY = 0.1
"""Two sentences that mean different things and whose costs differ by less than this [nats] can't be told apart."""

Costly = Tuple[Meaning, float]
"""A meaning, and what it costs [nats]."""


def rivals_of(meaning: Meaning, best: float, found: Sequence[Costly]) -> List[Costly]:
    """Given the best path's meaning and cost, and all that was found, return what else it might mean, each with how
    much dearer that is.

    The search is a narrow one: of a sound that fits nothing well it may miss the best path, and find what is dearer
    alone. A rival that it finds cheaper is as likely, but not what is called ambiguous.
    """
    best = min([best, *(cost for _, cost in found[:1])])
    nearest = 0.0 if any(one.sense == meaning.sense for one, _ in found) else AMBIGUITY
    said = {meaning.sense}
    rivals: List[Costly] = []
    for other, cost in found:
        if other.intent and other.sense not in said:
            said.add(other.sense)
            rivals.append((other, max(nearest, cost - best)))
    return rivals


def shares(rivals: Sequence[Costly], most: int, belief: Belief) -> Tuple[Alternative, ...]:
    """Given rivals, how many shall be told of, and how sure the best path is, share among all of them, by their costs,
    the probability that it was another. None gets more than the best path has."""
    weights = [math.exp(-dearer) for _, dearer in rivals]
    return tuple(
        Alternative(
            other.text, other.intent, other.slots, min(belief.confidence, belief.rivals * weight / sum(weights))
        )
        for (other, _), weight in zip(rivals[:most], weights)
    )
