"""Feature frames -> log-posteriors, as the sound arrives.

Rule of this file: pure. A stream cuts the frames into the fixed windows that the network takes, hands
the network's states from call to call, and numbers the rows so that row k speaks of feature frames
k × subsampling … A network hears `look_ahead` frames behind the row it gives: its first
look_ahead / subsampling rows speak of nothing and are dropped, and at the end as many frames of what
follows the utterance must still be fed.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol, Tuple

import numpy as np
import numpy.typing as npt

from sayso.records import Posteriors

Frames = npt.NDArray[np.float32]
States = Tuple[npt.NDArray[Any], ...]
"""What the network left for its next call, in its own number format."""


class Network(Protocol):
    """One call of an acoustic network; tflite.py has the real ones."""

    def initial_states(self) -> States:
        """Return the states before the first call: nothing heard yet."""

    def run(self, window: Frames, states: States) -> Tuple[Frames, States]:
        """Given float32 [window, bands] and states, return float32 [rows, tokens] logits and new states."""


@dataclass(frozen=True)
class Streaming:
    """How windows follow each other; see bundle.Network."""

    window: int
    stride: int
    look_ahead: int
    subsampling: int


class AcousticStream:
    """Log-posteriors of one utterance."""

    def __init__(self, network: Network, streaming: Streaming) -> None:
        self._network = network
        self._streaming = streaming
        self._pending: Frames = np.empty((0, 0), np.float32)
        self._states = network.initial_states()
        self._skip = streaming.look_ahead // streaming.subsampling
        self._rows = 0

    @property
    def rows(self) -> int:
        """Rows given so far."""
        return self._rows

    def fork(self) -> AcousticStream:
        """Return a second stream that has heard the same; what either hears from now on, the other doesn't."""
        return copy(self)

    def feed(self, frames: Frames) -> Posteriors:
        """Given float32 [frames, bands], return the rows that became known; often none."""
        self._pending = frames if not self._pending.size else np.concatenate((self._pending, frames))
        rows = []
        while len(self._pending) >= self._streaming.window:
            logits, self._states = self._network.run(self._pending[: self._streaming.window], self._states)
            self._pending = self._pending[self._streaming.stride :]
            skipped = min(self._skip, len(logits))
            self._skip -= skipped
            rows.append(log_softmax(logits[skipped:]))
        start = self._rows
        log_probs = np.concatenate(rows) if rows else np.empty((0, 0), np.float32)
        self._rows += len(log_probs)
        log_probs.flags.writeable = False
        return Posteriors(log_probs, start)

    def frames_to_row(self, frames: int) -> int:
        """Given how many frames the utterance has, return how many rows speak of them."""
        return -(-frames // self._streaming.subsampling)

    def frames_to_flush(self, frames: int) -> int:
        """Given how many frames were fed, return how many more bring out the last row that speaks of them."""
        wanted = self.frames_to_row(frames) * self._streaming.subsampling + self._streaming.look_ahead
        windows = -(-wanted // self._streaming.stride)
        return windows * self._streaming.stride - frames


def log_softmax(logits: Frames) -> Frames:
    """Given float32 [rows, tokens] logits, return the logarithm of their softmax, row by row."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Frames = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result
