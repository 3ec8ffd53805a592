"""Batches for a trainer, made where it trains: by processes of the loader on a CPU, by the device itself on a GPU.

Rule of this file: whoever trains doesn't know which; nothing here waits for a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from sayso.recognition.features import LogMelSettings
from sayso_model.loader import BATCH_SECONDS, WARPS, Emphasis, Loader


@dataclass(frozen=True)
class Lesson:
    """A batch on the device where it is learnt from."""

    frames: Tensor
    """Features, float32 [clips, frames, bands]."""
    labels: Tensor
    """Phones of all clips back to back."""
    lengths: Tensor
    """Phones of each clip, on the host."""
    hours: float
    taught: Tensor | None = None
    """What a teacher makes of each row, float32 [clips, frames / 4, TAUGHT]; no number where it says nothing."""


class Lessons(Protocol):
    """Lessons without end."""

    def next(self) -> Lesson:
        """Return the next one."""

    def see(self, emphasis: Emphasis) -> None:
        """From soon on, make what a phase of the training shall see."""

    def waiting(self) -> int:
        """Return how many are ready."""

    def close(self) -> None:
        """Make no more."""


class OnCpu:
    """Lessons of a loader's processes."""

    def __init__(self, workers: int, seed: int, features: LogMelSettings, emphasis: Emphasis) -> None:
        self._workers, self._seed, self._features = workers, seed, features
        self._loader = Loader(workers, seed, features, emphasis)
        self._upcoming: Loader | None = None

    def see(self, emphasis: Emphasis) -> None:
        """The processes that are there go on until new ones have something ready."""
        self._seed += self._workers
        if self._upcoming is not None:
            self._upcoming.close()
        self._upcoming = Loader(self._workers, self._seed, self._features, emphasis)

    def next(self) -> Lesson:
        """Raise RuntimeError if the processes have died."""
        if self._upcoming is not None and self._upcoming.waiting():
            self._loader.close()
            self._loader, self._upcoming = self._upcoming, None
        batch = self._loader.next()
        clips, frames, _ = batch.frames.shape
        return Lesson(
            torch.from_numpy(batch.frames).float(),
            torch.from_numpy(batch.targets),
            torch.from_numpy(batch.lengths),
            clips * frames / 360_000,
            None if batch.taught is None else torch.from_numpy(batch.taught).float(),
        )

    def waiting(self) -> int:
        """Of those that are there."""
        return self._loader.waiting()

    def close(self) -> None:
        """End the processes."""
        self._loader.close()
        if self._upcoming is not None:
            self._upcoming.close()


class OnGpu:
    """Lessons made by the device itself."""

    def __init__(
        self,
        device: torch.device,
        seed: int,
        features: LogMelSettings,
        emphasis: Emphasis,
        speeds: int,
        taught: bool = False,
        seconds: float = BATCH_SECONDS,
    ) -> None:
        """Given at how many speeds to hold each clip, and whether a teacher's rows are asked for, load all clips."""
        from sayso_model.gpu.corpus import Corpus  # here, because a CPU has no use for it
        from sayso_model.gpu.features import LogMels
        from sayso_model.gpu.scenes import Stage, masked
        from sayso_model.gpu.taught import Taught

        self._masked = masked
        self._random = np.random.default_rng(seed)
        corpus = Corpus(device, speeds, self._random)
        rows = Taught(corpus.clips, device) if taught else None
        self._stage = Stage(corpus, LogMels(features, WARPS, device), device, self._random, rows)
        self.see(emphasis)
        self._scenes = self._stage(seconds)

    def see(self, emphasis: Emphasis) -> None:
        """From the next batch on, but for clips already drawn."""
        self._masks = emphasis.masks
        self._stage.see(emphasis)

    def next(self) -> Lesson:
        """Make it."""
        scenes = next(self._scenes)
        frames = self._masked(scenes.frames, self._random, self._masks)
        return Lesson(frames, scenes.labels.to(frames.device), scenes.lengths, scenes.hours, scenes.taught)

    def waiting(self) -> int:
        """None is ever ready before it is asked for."""
        return 0

    def close(self) -> None:
        """Nothing runs on."""
