"""The daemon's own code on dev speech: what evaluation and drift have in common.

Rule of this file: a .tflite file is run call by call as the daemon runs it; nothing of the network is computed here.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from sayso.recognition.acoustic import AcousticStream
from sayso.recognition.bundle import Bundle, open_bundle
from sayso.recognition.context import feature_stream
from sayso.recognition.tflite import TfliteNetwork, streaming
from sayso_model.deepspeech.shape import STEP


class Listener:
    """One model file, asked utterance after utterance."""

    def __init__(self, path: Path) -> None:
        self.bundle: Bundle = open_bundle(path)
        self.network = TfliteNetwork(path, self.bundle, 1)
        self.seconds_spent = 0.0
        self.seconds_heard = 0.0

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Given an utterance, int16 [n], return log-probabilities [frames, labels]."""
        features = feature_stream(self.bundle.features)
        acoustic = AcousticStream(self.network, streaming(self.bundle))
        heard = features.feed(samples)
        spoken = len(heard) + features.behind
        rows = features.silence(acoustic.frames_to_flush(spoken) + features.behind)
        began = time.perf_counter()
        found = acoustic.feed(np.concatenate((heard, rows))).log_probs
        self.seconds_spent += time.perf_counter() - began
        self.seconds_heard += spoken * STEP / 16_000
        return found[:spoken]

    @property
    def milliseconds(self) -> float:
        """Return what a second of sound has cost so far, inference only [ms]."""
        return 1000 * self.seconds_spent / max(self.seconds_heard, 1e-9)
