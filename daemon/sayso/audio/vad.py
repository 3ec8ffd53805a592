"""Whether a frame holds speech, by WebRTC's voice activity detector and the noise floor.

Rule of this file: the only one that imports webrtcvad. The detector is a Gaussian mixture over six bands that follows
the noise, so it has a memory: one `Vad` per source, fed every frame in order.
"""

from __future__ import annotations

import webrtcvad

from sayso.audio.noise import NoiseFloor
from sayso.errors import ConfigError
from sayso.records import SAMPLE_RATE, AudioFrame, samples

_SETTLING = samples(0.1)
"""The detector takes the first frames of any sound for speech, until its mixtures have met them. They are not counted;
the gate's pre-roll brings back a word that begins in them."""


_LOUD = 12.0
"""What lies further above the noise than this was not there before somebody spoke [dB]; with 10 and with 15 the same
commands come out."""


class Vad:
    """Judges the frames of one source."""

    def __init__(self, aggressiveness: int = 2, noise_margin: float | None = 2.0) -> None:
        """Given 0 (hears speech in much) to 3 (only in what is clearly speech), and how far above the noise floor
        speech must lie [dB] (None: anywhere), make a detector. Raise ConfigError.

        2 dB was chosen on 20 commands in each of six noises (white, dishes, tap, exercise bike, rain, rooms), 4 s of it
        before and after. At 12 dB half of them ended within 0.6 s of the speech instead of 1.3 s; at 6 dB
        within 0.7 s instead of 4.3 s, and five more in a hundred lost their beginning or end. With 3 dB or more, weak
        beginnings are lost at 12 dB too.
        """
        if aggressiveness not in range(4):
            raise ConfigError(f"aggressiveness {aggressiveness} is not one of 0, 1, 2, 3", where="gate.aggressiveness")
        self.is_loud = False
        """Whether the last frame was far louder than the noise, speech or not."""
        self._detector = webrtcvad.Vad(aggressiveness)
        self._heard = 0
        self._floor = NoiseFloor()
        self._margin = noise_margin

    def is_speech(self, frame: AudioFrame) -> bool:
        """Given the source's next frame, return whether it holds speech."""
        # Both have a memory and hear every frame, whatever the other says.
        height = self._floor.height(frame)
        is_speech = bool(self._detector.is_speech(frame.samples.tobytes(), SAMPLE_RATE))
        self.is_loud = height > _LOUD
        self._heard += frame.samples.size
        return is_speech and (self._margin is None or height > self._margin) and self._heard > _SETTLING
