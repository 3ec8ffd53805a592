"""Samples to feature frames with what stands around them, as DeepSpeech's networks take them.

Rule of this file: pure. A row is a frame of coefficients between the nine before and the nine after it, zeros where
there is nothing (DeepSpeech, native_client/deepspeech.cc and modelstate.cc). So rows come nine frames late, and what an
utterance still owes at its end is brought out by frames of zeros, not by the features of silence.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Protocol, Union

import numpy as np
import numpy.typing as npt

from sayso.recognition.features import Frames, LogMel, LogMelSettings, Mfcc, MfccSettings


@dataclass(frozen=True)
class ContextSettings(MfccSettings):
    """Coefficients, and how many frames of them are seen on either side of each."""

    context: int = 9


FeatureSettings = Union[LogMelSettings, ContextSettings]


class FeatureStream(Protocol):
    """Rows for the network, of one utterance after another."""

    @property
    def behind(self) -> int:
        """Return how many rows the samples heard so far still owe."""

    def feed(self, samples: npt.NDArray[np.int16]) -> Frames:
        """Given the next samples, int16 [n], return the rows they complete, float32 [rows, values]."""

    def silence(self, rows: int) -> Frames:
        """Return so many more rows, those that are owed first, as if the utterance had ended here."""

    def reset(self) -> None:
        """Start the next utterance."""

    def fork(self) -> FeatureStream:
        """Return a second stream that has heard the same; what either hears from now on, the other doesn't."""


def feature_stream(settings: FeatureSettings) -> FeatureStream:
    """Given settings, return the stream that they are for, at an utterance's begin."""
    return ContextMfcc(settings) if isinstance(settings, ContextSettings) else LogMel(settings)


class ContextMfcc:
    """A stream of DeepSpeech's rows: the oldest frame first, each frame's coefficients in order."""

    def __init__(self, settings: ContextSettings) -> None:
        self._settings = settings
        self._mfcc = Mfcc(settings)
        self.reset()

    @property
    def behind(self) -> int:
        """Return how many rows the samples heard so far still owe."""
        return min(self._settings.context, self._heard)

    def reset(self) -> None:
        """Start the next utterance."""
        self._mfcc.reset()
        self._heard = 0
        self._frames: Frames = np.zeros((self._settings.context, self._settings.coefficients), np.float32)

    def fork(self) -> ContextMfcc:
        """Return a second stream that has heard the same; what either hears from now on, the other doesn't."""
        twin = copy(self)
        twin._mfcc = self._mfcc.fork()
        return twin

    def feed(self, samples: npt.NDArray[np.int16]) -> Frames:
        """Given the next samples, int16 [n], return the rows they complete, float32 [rows, values]."""
        frames = self._mfcc.feed(samples)
        self._heard += len(frames)
        return self._rows(frames)

    def silence(self, rows: int) -> Frames:
        """Return so many more rows, those that are owed first, as if the utterance had ended here."""
        missing = rows + self._settings.context - self.behind
        return self._rows(np.zeros((missing, self._settings.coefficients), np.float32))[:rows]

    def _rows(self, frames: Frames) -> Frames:
        width = 2 * self._settings.context + 1
        known = np.concatenate((self._frames, frames))
        count = max(0, len(known) - width + 1)
        self._frames = known[count:]
        if not count:
            return np.zeros((0, width * self._settings.coefficients), np.float32)
        rows = np.lib.stride_tricks.sliding_window_view(known, width, axis=0).transpose(0, 2, 1)
        return np.ascontiguousarray(rows).reshape(count, -1)
