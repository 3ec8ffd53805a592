"""How loud the room is, and what stands out from it.

Rule of this file: pure; the noise is what the last seconds have never fallen below. webrtcvad takes steady noise for
speech from about 12 dB below the speech on, and an utterance that began in it would not end. Speech, unlike a fan or a
kettle, keeps coming up and going down.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from sayso.records import FRAME_SAMPLES, AudioFrame, samples

WINDOW = 4.0
"""How far back the floor is looked for [s]: nobody speaks for so long without a pause that would show the floor."""

_WARM_UP = 0.5
"""Everything stands out at first [s]: a recording may begin within a word."""

_SMOOTHING = 0.8
"""How much of the smoothed power each frame keeps: averages over 0.1 s, lest one quiet frame of noise be the floor."""

_SILENCE = 1.0
"""Power of one step of int16; quieter than any microphone, and not minus infinity."""


class NoiseFloor:
    """Follows the noise of one source; fed every frame in order."""

    def __init__(self) -> None:
        self._smoothed: float | None = None
        self._recent: deque[float] = deque(maxlen=samples(WINDOW) // FRAME_SAMPLES)

    def height(self, frame: AudioFrame) -> float:
        """Given the source's next frame, return how far it lies above the floor [dB], infinite while there is none."""
        power = float(np.mean(np.square(frame.samples, dtype=np.float64))) + _SILENCE
        self._smoothed = power if self._smoothed is None else _SMOOTHING * self._smoothed + (1 - _SMOOTHING) * power
        self._recent.append(self._smoothed)
        if len(self._recent) * FRAME_SAMPLES <= samples(_WARM_UP):
            return math.inf
        return 10 * math.log10(power / min(self._recent))
