"""How loud the room is, and what stands out from it.

Rule of this file: pure; the noise is what the last seconds have never fallen below. webrtcvad takes steady noise for
speech from about 12 dB below the speech on, and an utterance that began in it would not end. Speech, unlike a fan or a
kettle, keeps coming up and going down.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from sayso.records import FRAME_SAMPLES, AudioFrame, samples

WINDOW = 4.0
"""How far back the floor is looked for [s]: nobody speaks for so long without a pause that would show the floor."""

VOICE = 12.0
"""What lies further above the floor than this is no noise that was there before [dB]; with 10 and with 15 the same
commands come out."""

_WARM_UP = 0.5
"""Everything stands out at first [s]: a recording may begin within a word."""

_SMOOTHING = 0.8
"""How much of the smoothed power each frame keeps: averages over 0.1 s, lest one quiet frame of noise be the floor."""

_SILENCE = 1.0
"""Power of one step of int16; quieter than any microphone, and not minus infinity."""


class NoiseFloor:
    """Follows the noise of one source; fed every frame in order."""

    def __init__(self, margin: float = 2.0) -> None:
        """Given how far a frame must lie above the floor to stand out [dB].

        2 dB was chosen on 20 commands in each of six noises (white, dishes, tap, exercise bike, rain, rooms), 4 s of it
        before and after. At 12 dB half of them ended within 0.6 s of the speech instead of 1.3 s; at 6 dB
        within 0.7 s instead of 4.3 s, and five more in a hundred lost their beginning or end. With 3 dB or more, weak
        beginnings are lost at 12 dB too.
        """
        self._margin = 10 ** (margin / 10)
        self._smoothed: float | None = None
        self._recent: deque[float] = deque(maxlen=samples(WINDOW) // FRAME_SAMPLES)

    def is_above(self, frame: AudioFrame) -> bool:
        """Given the source's next frame, return whether it stands out."""
        power = float(np.mean(np.square(frame.samples, dtype=np.float64))) + _SILENCE
        self._smoothed = power if self._smoothed is None else _SMOOTHING * self._smoothed + (1 - _SMOOTHING) * power
        self._recent.append(self._smoothed)
        if len(self._recent) * FRAME_SAMPLES <= samples(_WARM_UP):
            return True
        return power > min(self._recent) * self._margin
