"""Shards -> batches of coefficients and letters.

Rule of this file: clips, rooms and noise are those of the other model's training (sayso_model/loader.py); only what the
network hears of them and what it shall write are DeepSpeech's.
"""

from __future__ import annotations

import multiprocessing
from queue import Full

import numpy as np
import numpy.typing as npt

from sayso.recognition.features import LogMelSettings, Mfcc, MfccSettings
from sayso_model import loader
from sayso_model.deepspeech.network import encode
from sayso_model.loader import Batch, Emphasis, Loader, Source


class Letters(Source):
    """Draws clips and makes batches of them."""

    def __init__(self, seed: int, emphasis: Emphasis) -> None:
        super().__init__(seed, LogMelSettings(), emphasis)
        self._pools = [(clips, [encode(clip.text) for clip in clips]) for clips, _ in self._pools]
        self._features = [_Coefficients()] * len(loader.WARPS)  # type: ignore[list-item]


class _Coefficients:
    """Features of one clip after another."""

    def __init__(self) -> None:
        self._mfcc = Mfcc(MfccSettings())

    def reset(self) -> None:
        self._mfcc.reset()

    def feed(self, samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        return self._mfcc.feed(samples)


def _work(seed: int, emphasis: Emphasis, queue: multiprocessing.Queue[Batch]) -> None:
    trainer = multiprocessing.parent_process()
    for batch in Letters(seed, emphasis):
        while trainer is not None and trainer.is_alive():
            try:
                queue.put(batch, timeout=5)
                break
            except Full:
                continue
        else:
            return  # the trainer was killed: nobody takes it any more


class LetterLoader(Loader):
    """Worker processes that fill a queue with batches of letters."""

    def __init__(self, workers: int, seed: int) -> None:
        self._count, self._seed = workers, seed
        self._workers = []

    def see(self, emphasis: Emphasis) -> None:
        """From now on, make what a phase of the training shall see."""
        self.close()
        context = multiprocessing.get_context("spawn")
        self._queue = context.Queue(maxsize=16)
        self._workers = [
            context.Process(target=_work, args=(self._seed + number, emphasis, self._queue), daemon=True)
            for number in range(self._count)
        ]
        for worker in self._workers:
            worker.start()
