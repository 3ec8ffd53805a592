"""A second opinion: a command counts only if the language model, asked on its own, wrote down the same.

Rule of this file: pure. The grammar's search can hear nothing but the owner's sentences; the language model's writes
any order of their words. Where it writes something that means anything else, or nothing, the sentence was not said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, List, Mapping, Sequence, Tuple

import numpy as np

from sayso.recognition.mozilla import Transcriber
from sayso.records import Alternative, Command, Outcome, Posteriors, Rejection

Sense = Tuple[str, Mapping[str, Any]]
"""Intent and slots."""


@dataclass(frozen=True)
class Opinion:
    """What is asked, and what the answer means."""

    transcriber: Transcriber
    senses: Callable[[str], Sequence[Sense]]
    """A transcript -> all that it could mean in the grammar."""

    def consider(self, command: Command, heard: List[Posteriors]) -> Outcome:
        """Given a command and the rows it was heard in, return it, or its rejection with what was written instead."""
        log_probs = np.concatenate([posteriors.log_probs for posteriors in heard])
        written = self.transcriber.transcribe(log_probs)
        text = written[0].text if written else ""
        if (command.intent, dict(command.slots)) in [(intent, dict(slots)) for intent, slots in self.senses(text)]:
            return command
        instead = Alternative(command.text, command.intent, command.slots, command.confidence)
        return Rejection(
            reason="not_a_command",
            text=text,
            intent="",
            confidence=0.0,
            start=command.start,
            end=command.end,
            decided=command.decided,
            alternatives=(instead, *command.alternatives),
            evidence=command.evidence,
            timings=command.timings,
            wake=command.wake,
        )
