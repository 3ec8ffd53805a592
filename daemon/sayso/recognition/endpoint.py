"""When a sentence is over: what the grammar says of the pause.

Rule of this file: pure; one table from what the best path is to how long a pause ends it. A person who has
said all that can be said is answered at once; one who could go on is given time, one who must go on more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Mapping


class Progress(Enum):
    """How far the best path is."""

    FINISHED = auto()
    """A sentence, and none goes on from there."""
    CONTINUABLE = auto()
    """A sentence, and a longer one begins with it."""
    WOKEN = auto()
    """A wake phrase, and no word of a sentence yet."""
    UNFINISHED = auto()
    """The beginning of a sentence."""
    UNKNOWN = auto()
    """Speech that fits nothing."""
    NOTHING = auto()
    """No phone at all: a click, a chime, a door. What follows is better heard on its own, by features that have not
    got used to the noise."""
    SPEAKING = auto()
    """Something like a phone came just now; the sentence was not looked at."""


@dataclass(frozen=True)
class Glimpse:
    """The sentence as it would be if it ended now."""

    progress: Progress
    still: int
    """Samples since the last phone; 0 where there was none."""


@dataclass(frozen=True)
class EndpointSettings:
    """Pauses that end an utterance [s]."""

    finished: float = 0.2
    """As short as the longest closure of a stop consonant within a word."""
    continuable: float = 0.5
    unfinished: float = 0.8
    """A hesitation: "turn on the … kitchen light"."""
    unknown: float = 0.5
    """Speech that fits nothing is left to the gate."""
    still: float = 0.3
    """Where noise keeps the gate open, this takes the place of the pause: nothing like a phone [s]. CTC's phones are
    single rows, 0.1 to 0.2 s apart in fluent speech."""

    def pauses(self) -> Mapping[Progress, float]:
        """Return the pause for each progress [s]."""
        return {
            Progress.FINISHED: self.finished,
            Progress.CONTINUABLE: self.continuable,
            Progress.WOKEN: self.continuable,
            Progress.UNFINISHED: self.unfinished,
            Progress.UNKNOWN: self.unknown,
            Progress.NOTHING: self.finished,
            Progress.SPEAKING: max(self.finished, self.continuable, self.unfinished, self.unknown),
        }
