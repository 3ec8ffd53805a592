"""The words so far, while somebody speaks.

Rule of this file: a text is told once, when it changes, and at most five times a second of sound. They are guesses;
who acts on them acts on what was never said.
"""

from __future__ import annotations

from typing import Callable, Optional

from sayso.records import AudioFrame, samples

PERIOD = samples(0.2)
"""From one look to the next, in samples."""


class Partials:
    """Watches the open utterance's words. Switched off, it never asks for them."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._told = ""
        self._waited = 0

    def hear(self, frame: AudioFrame, hearing: bool, so_far: Callable[[], str]) -> Optional[str]:
        """Given the next frame, whether the gate is open and how to learn the words so far, return them if there are
        any and they are new."""
        if not self._enabled:
            return None
        if not hearing:
            self._told, self._waited = "", 0
            return None
        self._waited += len(frame.samples)
        if self._waited < PERIOD:
            return None
        self._waited = 0
        before, self._told = self._told, so_far()
        return self._told if self._told and self._told != before else None
