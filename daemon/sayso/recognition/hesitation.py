"""A sentence said in two goes: "set a timer for … fifteen minutes".

Rule of this file: pure; positions are sample indices. Who thinks in the middle of a sentence for longer than the
endpoint waits has said two things that are no command. So the rows of what was refused are kept until somebody speaks
again: if that is no command either, both are tried as one. What was taken for a command is never taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
import numpy.typing as npt

from sayso.records import Posteriors, UtteranceStart, samples

HALVES = ("unfinished", "not_a_command", "low_confidence", "ambiguous")
"""Reasons to refuse what may yet be half of a sentence."""

NOBODY = ("no_speech",)
"""Reasons to refuse what comes between two halves and is none: a click, a breath."""

_LONGEST = samples(8.0)
"""Both halves and the pause are no longer than this; what goes on for longer is talk, and no command."""

_NEVER = -30.0
"""Log-probability of a phone in the pause between the halves."""


@dataclass(frozen=True)
class Half:
    """An utterance that was refused."""

    opened: UtteranceStart
    end: int
    """Index one past its last sample of speech."""
    rows: Sequence[Posteriors]

    def goes_on(self, opened: UtteranceStart, end: int, pause: int) -> bool:
        """Given where the next utterance started and ended, and the longest pause, all in samples, return whether it
        may be the other half."""
        return 0 <= opened.speech - self.end <= pause and end - self.opened.speech <= _LONGEST

    def joined(self, opened: UtteranceStart, rows: Sequence[Posteriors], step: int, blank: int) -> Posteriors:
        """Given the other half, the samples of a row and the token that is no phone, return the rows of both, in which
        every sound is where it was. The pause is silent, whatever was heard in it."""
        before = np.concatenate([one.log_probs for one in self.rows])
        place = max(0, round((opened.start - self.opened.start) / step))
        parts = [before[:place], _silence(max(0, place - len(before)), before.shape[1], blank)]
        parts += [one.log_probs for one in rows]
        return Posteriors(np.concatenate(parts), 0)


def _silence(rows: int, tokens: int, blank: int) -> npt.NDArray[np.float32]:
    silent = np.full((rows, tokens), _NEVER, np.float32)
    silent[:, blank] = 0.0
    return silent
