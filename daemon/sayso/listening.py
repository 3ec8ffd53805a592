"""Who may be heard: the mode, the mute, and who has asked for a command.

Rule of this file: pure; it is told the time [s]. The microphone is open only while its sound may be used, and whoever
asks for a command needs no wake phrase.
"""

from __future__ import annotations

from typing import Optional, Protocol

from sayso.errors import BrokerError

LONGEST_SENTENCE = 12.0
"""What somebody who has begun in time may take [s]."""


class Asking(Protocol):
    """Another protocol's say in it; mqtt/conversation.py has it."""

    @property
    def listening(self) -> bool:
        """Return whether somebody waits for a command."""

    @property
    def silenced(self) -> bool:
        """Return whether nothing may be heard for now."""


class Listening:
    """What holds right now."""

    def __init__(self, mode: str, can_be_woken: bool, asking: Asking) -> None:
        """Given the mode to begin with, whether there is a wake phrase, and who else may ask, begin."""
        self.mode = mode
        """`always`, `wake` or `push`."""
        self.muted = False
        self._can_be_woken = can_be_woken
        self._asking = asking
        self._until: Optional[float] = None

    def set_mode(self, mode: str) -> None:
        """Given a mode, take it. Raise BrokerError for `wake` without a phrase."""
        if mode == "wake" and not self._can_be_woken:
            remedy = "write [listening] wake_phrases, or use always or push"
            raise BrokerError("no wake phrase is configured", where="set/mode", remedy=remedy)
        self.mode = mode

    def ask(self, seconds: float, now: float) -> None:
        """Given for how long somebody wants to be heard (0: no more), note it."""
        self._until = now + seconds if seconds else None

    def answer(self) -> None:
        """Whoever asked for a command has one."""
        self._until = None

    def lapse(self, now: float, hearing: bool) -> bool:
        """Return whether the time that was asked for is over just now; who has begun to speak in it may finish."""
        over = self._until is not None and now >= self._until + (LONGEST_SENTENCE if hearing else 0.0)
        if over:
            self._until = None
        return over

    @property
    def is_asked_for(self) -> bool:
        """Return whether somebody waits for a command."""
        return self._until is not None or self._asking.listening

    @property
    def needs_wake_phrase(self) -> bool:
        """Return whether a command counts only after a wake phrase."""
        return self.mode == "wake" and not self.is_asked_for

    @property
    def why_shut(self) -> str:
        """Return why nothing may be heard, whoever asks for it; empty: it may."""
        if self.muted:
            return "muted"
        return "silenced: by hermes/asr/toggleOff" if self._asking.silenced else ""

    @property
    def is_open(self) -> bool:
        """Return whether the microphone is wanted."""
        return not self.why_shut and (self.mode != "push" or self.is_asked_for)
