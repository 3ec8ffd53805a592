"""Whether a sentence is meant for Sayso, given what came before it.

Rule of this file: pure; time is the sample index. What needs a wake phrase and has none is not addressed to us: it
becomes a rejection without a word of what was said. A wake phrase opens a window in which one command may follow
without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import List

from sayso.records import Command, Heard, Rejection, Wake, samples

NOBODY_SPOKE = ("no_speech", "audio_gap", "too_long")
"""Rejections that hold no words; they are told as they are."""


_OVERLAP = samples(0.5)
"""A sentence may begin a little before the wake phrase was decided upon: onsets are found late."""


@dataclass(frozen=True)
class AttentionSettings:
    """How long something is remembered [s]."""

    window: float = 8.0
    """After a wake phrase, a command may begin this much later."""
    refractory: float = 2.0
    """A command that begins this soon after the same one ended is a repetition; 0: none is."""


class Attention:
    """Follows what is heard of one source."""

    def __init__(self, settings: AttentionSettings | None = None) -> None:
        settings = settings or AttentionSettings()
        self._window = samples(settings.window)
        self._refractory = samples(settings.refractory)
        self._woken: int | None = None
        self._last: Command | None = None
        self.required = False
        """Whether a wake phrase is needed; may be set at any time, from anywhere, and holds from `heed` on."""
        self._required = False

    def heed(self) -> None:
        """Take what is required for what comes: an utterance that ends now is judged by what held while it was said."""
        self._required = self.required

    def consider(self, heard: Heard) -> List[Heard]:
        """Given what was heard, return what is made of it: the wake phrase before the sentence that it began."""
        if isinstance(heard, Wake):
            self._woken = heard.decided
            return [heard]
        if heard.wake is None and not self.listens(heard.start):
            return [_not_addressed(heard)]
        # A sentence in two halves brings the wake phrase of the first along, which was told then.
        news = heard.wake is not None and (self._woken is None or heard.wake.start >= self._woken)
        # A wake phrase whose sentence was not understood leaves the window open for another try.
        self._woken = None if isinstance(heard, Command) else heard.decided if heard.wake else self._woken
        told: List[Heard] = [heard.wake] if heard.wake and news else []
        return [*told, self._marked(heard) if isinstance(heard, Command) else heard]

    def listens(self, start: int) -> bool:
        """Given the sample at which a sentence starts, return whether it needs no wake phrase of its own."""
        if not self._required:
            return True
        return self._woken is not None and self._woken - _OVERLAP <= start <= self._woken + self._window

    def _marked(self, command: Command) -> Command:
        before, self._last = self._last, command
        if before is None or (before.intent, before.slots) != (command.intent, command.slots):
            return command
        return replace(command, repeated=before.end <= command.start < before.end + self._refractory)


def _not_addressed(heard: Command | Rejection) -> Rejection:
    """What was said to somebody else is nobody's business: the times remain, and what it cost."""
    if isinstance(heard, Rejection) and heard.reason in NOBODY_SPOKE:
        return heard
    return Rejection(
        "not_addressed", "", "", 0.0, heard.start, heard.end, heard.decided,
        evidence=heard.evidence, timings=heard.timings,
    )  # fmt: skip
