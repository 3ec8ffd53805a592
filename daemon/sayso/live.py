"""What somebody who watches may see of the sound: how loud it is, whether the gate is open, the words so far.

Rule of this file: nothing is looked at unless somebody has asked within the last minute, and then five times a
second. `ask` is called in the main thread, `hear` in the worker's; both are told the time [s].
"""

from __future__ import annotations

import math
from typing import Callable, Optional

import numpy as np

from sayso.records import AudioFrame, Live

PERIOD = 0.2
"""From one look to the next [s]."""

FLOOR = -96.0
"""What digital silence counts as [dB of full scale]; one step of 16 bits is -90."""

FULL_SCALE = 32768.0


class Watched:
    """Gathers the sound between two looks."""

    def __init__(self) -> None:
        self._until = self._begun = 0.0
        self._energy = self._peak = 0.0
        self._samples = 0

    def ask(self, seconds: float, now: float) -> None:
        """Given for how long somebody will watch, show him what is heard; 0: nobody watches any more."""
        self._until = now + seconds

    def hear(self, frame: AudioFrame, hearing: bool, text: Callable[[], str], now: float) -> Optional[Live]:
        """Given the next frame, whether the gate is open and how to learn the words so far, return what there is to
        see; mostly None."""
        if now >= self._until:
            return None
        if now - self._begun > 2 * PERIOD:  # nobody watched, or the microphone was closed
            self._begin(now)
        wide = frame.samples.astype(np.float64)
        self._energy += float(wide @ wide)
        self._peak = max(self._peak, float(np.abs(wide).max()))
        self._samples += len(wide)
        if now - self._begun < PERIOD:
            return None
        level = decibels(math.sqrt(self._energy / self._samples))
        seen = Live(level, decibels(self._peak), hearing, text() if hearing else "")
        self._begin(now)
        return seen

    def _begin(self, now: float) -> None:
        self._begun = now
        self._energy = self._peak = 0.0
        self._samples = 0


def decibels(amplitude: float) -> float:
    """Given an amplitude of 16-bit samples, return it in dB of full scale, FLOOR to 0."""
    return round(max(FLOOR, 20 * math.log10(amplitude / FULL_SCALE)), 1) if amplitude > 0 else FLOOR
