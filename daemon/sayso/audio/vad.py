"""Whether a frame holds speech, by WebRTC's voice activity detector.

Rule of this file: the only one that imports webrtcvad. The detector is a Gaussian mixture over six
bands that follows the noise, so it has a memory: one `Vad` per source, fed every frame in order.
"""

from __future__ import annotations

import webrtcvad

from sayso.errors import ConfigError
from sayso.records import SAMPLE_RATE, AudioFrame


class Vad:
    """Judges the frames of one source."""

    def __init__(self, aggressiveness: int = 2) -> None:
        """Given 0 (hears speech in much) to 3 (only in what is clearly speech), make a detector. Raise ConfigError."""
        if aggressiveness not in range(4):
            raise ConfigError(f"aggressiveness {aggressiveness} is not one of 0, 1, 2, 3", where="gate.aggressiveness")
        self._detector = webrtcvad.Vad(aggressiveness)

    def is_speech(self, frame: AudioFrame) -> bool:
        """Given the source's next frame, return whether it holds speech."""
        return bool(self._detector.is_speech(frame.samples.tobytes(), SAMPLE_RATE))
