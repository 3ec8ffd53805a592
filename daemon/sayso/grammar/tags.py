"""Tags: what a path through the grammar says beside its words.

Rule of this file: plain values and what tells them apart, shared by those who write tags (words.py, graph.py) and
those who read them (recognition/).

Labels are strings. A word is itself; a tag begins with TAG and is one of
    TAG + "{" + slot          a slot begins
    TAG + "}" + number        the slot ends, with value `number` of the value table
    TAG + "!" + phrase      the wake phrase has been said; what follows is meant for us
    TAG + "."                 all is said; only politeness can follow
    TAG + "#" + number        the sentence ends, with `number` of the sentence table
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

TAG = "\x01"
"""First character of a tag; can't occur in a word, because templates hold printable text only."""

SLOT_BEGINS = TAG + "{"
SLOT_ENDS = TAG + "}"
WOKEN = TAG + "!"
ALL_SAID = TAG + "."
SENTENCE_ENDS = TAG + "#"


def is_said(symbol: str) -> bool:
    """Whether a symbol is part of what was said: a word, or the tag of a wake phrase. Other tags say what it means."""
    return symbol.startswith(WOKEN) or not symbol.startswith(TAG)


@dataclass(frozen=True)
class SlotEnd:
    """What the end of a slot says."""

    slot: str
    value: Any
    """None: the words that were said."""


@dataclass(frozen=True)
class SentenceEnd:
    """What the end of a sentence says."""

    intent: str
    slots: Mapping[str, Any]
    """Slots that the sentence takes for granted."""
    template: str
    where: str
    own: bool = True
    """Whether it is the owner's; else it is one of Home Assistant's."""
