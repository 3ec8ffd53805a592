"""Batches of coefficients and letters, made on a GPU.

Rule of this file: the scenes are gpu/scenes.py's; only features and labels are DeepSpeech's.
"""

from __future__ import annotations

import numpy as np
import torch

from sayso.recognition.features import MfccSettings
from sayso_model.deepspeech.network import encode
from sayso_model.gpu.corpus import Corpus
from sayso_model.gpu.features import Mfccs
from sayso_model.gpu.scenes import Stage
from sayso_model.loader import Batch, Emphasis

BATCH_SECONDS = 1600.0
SPEEDS = 2


class LetterStage:
    """What `LetterLoader` is on a CPU; the frames of its batches stay on the device."""

    def __init__(self, device: torch.device, seed: int) -> None:
        random = np.random.default_rng(seed)
        self._stage = Stage(Corpus(device, SPEEDS, random, encode), Mfccs(MfccSettings(), device), device, random)
        self._scenes = self._stage(BATCH_SECONDS)

    def see(self, emphasis: Emphasis) -> None:
        """From now on, make what a phase of the training shall see."""
        self._stage.see(emphasis)

    def next(self) -> Batch:
        """Return the next batch."""
        scenes = next(self._scenes)
        return Batch(scenes.frames, scenes.labels.numpy(), scenes.lengths.numpy(), scenes.hours * 3600)  # type: ignore[arg-type]

    def close(self) -> None:
        """Nothing runs on."""
