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


class Vad:
    """Judges the frames of one source."""

    def __init__(self, aggressiveness: int = 2, noise_margin: float | None = 2.0) -> None:
        """Given 0 (hears speech in much) to 3 (only in what is clearly speech), and how far above the noise floor
        speech must lie [dB] (None: anywhere), make a detector. Raise ConfigError."""
        if aggressiveness not in range(4):
            raise ConfigError(f"aggressiveness {aggressiveness} is not one of 0, 1, 2, 3", where="gate.aggressiveness")
        self._detector = webrtcvad.Vad(aggressiveness)
        self._heard = 0
        self._floor = NoiseFloor(noise_margin) if noise_margin is not None else None

    def is_speech(self, frame: AudioFrame) -> bool:
        """Given the source's next frame, return whether it holds speech."""
        # Both have a memory and hear every frame, whatever the other says.
        stands_out = self._floor.is_above(frame) if self._floor else True
        is_speech = bool(self._detector.is_speech(frame.samples.tobytes(), SAMPLE_RATE))
        self._heard += frame.samples.size
        return is_speech and stands_out and self._heard > _SETTLING
