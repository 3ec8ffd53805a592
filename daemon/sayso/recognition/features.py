"""Samples to feature frames, as the sound arrives.

Rule of this file: numpy only, no state but the stream's own, and the same numbers whatever the
pieces the samples come in. Training imports this very file, so what the network saw there is what
it gets here. For that reason the filter banks are summed with `reduceat`, row by row: a matrix
product may round differently for different numbers of rows.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]
"""Feature frames, float32 [frames, bands]."""
_Float64 = npt.NDArray[np.float64]
_Samples = npt.NDArray[np.int16]

_FULL_SCALE = 32768.0
"""int16 to -1…1."""


@dataclass(frozen=True)
class LogMelSettings:
    """How our own model hears: log energies of mel bands, normalised as they come.

    `mean` and `scale` are the training data's, one value a band; left empty they are 0 and 1.
    """

    sample_rate: int = 16_000
    window: int = 400
    """Samples under one window (25 ms)."""
    step: int = 160
    """Samples between frames (10 ms)."""
    fft: int = 512
    bands: int = 40
    low_hz: float = 60.0
    high_hz: float = 7600.0
    floor: float = 1e-6
    """Energy added to each band before the logarithm; the power of a sine at full scale is about 10^4."""
    prior_frames: float = 100.0
    """Frames of the utterance that weigh as much as the global mean."""
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()


@dataclass(frozen=True)
class MfccSettings:
    """How DeepSpeech's models hear: TensorFlow's AudioSpectrogram (magnitude squared) and Mfcc kernels."""

    sample_rate: int = 16_000
    window: int = 512
    step: int = 320
    coefficients: int = 26
    channels: int = 40
    low_hz: float = 20.0
    high_hz: float = 4000.0


@dataclass(frozen=True)
class _FilterBank:
    """Overlapping triangles over FFT bins.

    Each bin lies between two neighbouring edges of the bank: with `rising` of its weight it belongs to
    the triangle that climbs there, with the rest to the one that falls.
    """

    first: int
    """First bin used; there is one value of `rising` for each bin from there."""
    rising: _Float64
    segments: npt.NDArray[np.intp]
    """Segments between edges that hold at least one bin."""
    starts: npt.NDArray[np.intp]
    """Where each of those begins, relative to `first`."""
    bands: int

    def __call__(self, spectrum: _Float64) -> _Float64:
        """Given float64 [frames, bins], return the sum under each triangle, float64 [frames, bands]."""
        used = spectrum[:, self.first : self.first + len(self.rising)]
        climbing = used * self.rising
        sums = np.zeros((2, len(spectrum), self.bands + 1))
        sums[0][:, self.segments] = np.add.reduceat(climbing, self.starts, axis=1)
        sums[1][:, self.segments] = np.add.reduceat(used - climbing, self.starts, axis=1)
        bank: _Float64 = sums[0][:, :-1] + sums[1][:, 1:]
        return bank


def _hz_to_mel(hz: _Float64) -> _Float64:
    """Given frequencies, return mels by the HTK formula, 1127 ln(1 + f / 700), as TensorFlow does."""
    mel: _Float64 = 1127.0 * np.log1p(hz / 700.0)
    return mel


def _filter_bank(bin_hz: _Float64, bands: int, low_hz: float, high_hz: float, use: slice) -> _FilterBank:
    """Given the bins' frequencies, return triangles evenly spaced in mel; only the bins of `use` count."""
    low, high = _hz_to_mel(np.array([low_hz, high_hz]))
    edges = np.linspace(float(low), float(high), bands + 2)
    mel = _hz_to_mel(bin_hz)[use]
    inside = (mel > edges[0]) & (mel < edges[-1])
    mel = mel[inside]
    segment = np.searchsorted(edges, mel, side="left") - 1
    segments, starts = np.unique(segment, return_index=True)
    rising = (mel - edges[segment]) / (edges[segment + 1] - edges[segment])
    first = int(np.flatnonzero(inside)[0]) + (use.start or 0)
    return _FilterBank(first, rising, segments, starts, bands)


def _hann(length: int) -> _Float64:
    """Given a length, return the periodic Hann window, 0.5 - 0.5 cos(2 pi n / length)."""
    window: _Float64 = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    return window


class _Framer:
    """Cuts a stream of samples into overlapping windows; keeps what the next one still needs."""

    def __init__(self, window: int, step: int) -> None:
        self._window = window
        self._step = step
        self._rest: _Samples = np.zeros(0, np.int16)
        self._covered = 0

    def feed(self, samples: _Samples) -> _Samples:
        """Given the next samples, int16 [n], return the windows they complete, int16 [frames, window]."""
        rest = np.concatenate((self._rest, samples))
        count = max(0, (len(rest) - self._window) // self._step + 1)
        windows: _Samples = (
            np.lib.stride_tricks.sliding_window_view(rest, self._window)[:: self._step][:count]
            if count
            else np.zeros((0, self._window), np.int16)
        )
        if count:
            self._covered = self._window - self._step
        self._rest = rest[count * self._step :]
        return windows

    def flush(self) -> _Samples:
        """Return one window more, zeros at its end, if samples are left that no window covers; else none."""
        if len(self._rest) <= self._covered:
            return np.zeros((0, self._window), np.int16)
        return self.feed(np.zeros(self._window - len(self._rest), np.int16))

    def reset(self) -> None:
        """Forget the stream."""
        self._rest = np.zeros(0, np.int16)
        self._covered = 0


class LogMel:
    """A stream of log-mel frames for one utterance after another.

    Frame t covers samples `step * t` to `step * t + window`. It is normalised by what was heard up to
    and including itself: the mean is that of the utterance so far together with `prior_frames` frames
    of the global mean, the scale is global.
    """

    def __init__(self, settings: LogMelSettings, bin_hz: Optional[npt.NDArray[np.float64]] = None) -> None:
        """Given the settings, start at an utterance's begin.

        `bin_hz` are the frequencies that the FFT's bins are taken for, [fft / 2 + 1]; training warps
        them to vary the length of the vocal tract.
        """
        bins = np.linspace(0.0, settings.sample_rate / 2, settings.fft // 2 + 1) if bin_hz is None else bin_hz
        self._settings = settings
        # As tf.signal.linear_to_mel_weight_matrix: the bin at 0 Hz belongs to no band.
        self._bank = _filter_bank(bins, settings.bands, settings.low_hz, settings.high_hz, slice(1, None))
        self._hann = _hann(settings.window) / _FULL_SCALE
        self._framer = _Framer(settings.window, settings.step)
        self._prior = np.array(settings.mean or (0.0,) * settings.bands) * settings.prior_frames
        self._scale = np.array(settings.scale or (1.0,) * settings.bands)
        self._sum = self._prior
        self._count = 0

    def feed(self, samples: _Samples) -> Frames:
        """Given the next samples, int16 [n], return the frames they complete, float32 [frames, bands]."""
        return self._normalise(self.energies(self._framer.feed(samples)))

    def flush(self) -> Frames:
        """Return the frame that the last samples need to count, zeros after them; none if they already do."""
        return self._normalise(self.energies(self._framer.flush()))

    def reset(self) -> None:
        """Start the next utterance."""
        self._framer.reset()
        self._sum = self._prior
        self._count = 0

    @property
    def behind(self) -> int:
        """Return how many frames the samples heard so far still owe: none."""
        return 0

    def silence(self, frames: int) -> Frames:
        """Return so many more frames, as if digital silence followed, float32 [frames, bands]."""
        samples = frames * self._settings.step + self._settings.window
        return self.feed(np.zeros(samples, np.int16))[:frames]

    def fork(self) -> LogMel:
        """Return a second stream that has heard the same; what either hears from now on, the other doesn't."""
        twin = copy(self)
        twin._framer = copy(self._framer)
        return twin

    def energies(self, windows: _Samples) -> _Float64:
        """Given windows, int16 [frames, window], return their log energies, float64 [frames, bands]."""
        if not len(windows):
            return np.zeros((0, self._settings.bands))
        spectrum = np.fft.rfft(windows * self._hann, self._settings.fft, axis=1)
        energies: _Float64 = np.log(self._bank(spectrum.real**2 + spectrum.imag**2) + self._settings.floor)
        return energies

    def _normalise(self, energies: _Float64) -> Frames:
        """Given log energies, float64 [frames, bands], return frames, and move the running mean on.

        Digital silence tells nothing of the room and would drag the mean down: it doesn't count.
        """
        if not len(energies):
            return np.zeros((0, self._settings.bands), np.float32)
        sounding = energies.max(axis=1) > np.log(2 * self._settings.floor)
        # One running sum, in order: numpy's cumsum adds row after row, so pieces don't change it.
        sums = np.cumsum(np.concatenate((self._sum[None], energies * sounding[:, None])), axis=0)[1:]
        weights = self._settings.prior_frames + self._count + np.cumsum(sounding)
        self._sum = sums[-1]
        self._count += int(sounding.sum())
        frames: Frames = ((energies - sums / weights[:, None]) / self._scale).astype(np.float32)
        return frames


class Mfcc:
    """A stream of mel-frequency cepstral coefficients, equal to TensorFlow's kernels.

    Source of the formulas: tensorflow/core/kernels (spectrogram.cc, mfcc_mel_filterbank.cc,
    mfcc_dct.cc): amplitudes, not energies, are summed under the triangles, and the first and the last
    bin used are rounded inwards.
    """

    _FLOOR = 1e-12
    """kFilterbankFloor of mfcc.cc."""

    def __init__(self, settings: MfccSettings) -> None:
        self._settings = settings
        self._fft = 1 << (settings.window - 1).bit_length()
        self._bank = _mfcc_bank(settings, self._fft)
        self._hann = _hann(settings.window) / _FULL_SCALE
        self._framer = _Framer(settings.window, settings.step)
        order = np.arange(settings.coefficients)[:, None] * (np.arange(settings.channels) + 0.5)
        self._cosines = np.cos(np.pi / settings.channels * order) * np.sqrt(2.0 / settings.channels)

    def feed(self, samples: _Samples) -> Frames:
        """Given the next samples, int16 [n], return the frames they complete, float32 [frames, coefficients]."""
        return self._coefficients(self._framer.feed(samples))

    def flush(self) -> Frames:
        """Return the frame that the last samples need to count, zeros after them; none if they already do."""
        return self._coefficients(self._framer.flush())

    def reset(self) -> None:
        """Start the next utterance."""
        self._framer.reset()

    def fork(self) -> Mfcc:
        """Return a second stream that has heard the same; what either hears from now on, the other doesn't."""
        twin = copy(self)
        twin._framer = copy(self._framer)
        return twin

    def _coefficients(self, windows: _Samples) -> Frames:
        """Given windows, int16 [frames, window], return float32 [frames, coefficients]."""
        if not len(windows):
            return np.zeros((0, self._settings.coefficients), np.float32)
        spectrum = np.fft.rfft(windows * self._hann, self._fft, axis=1)
        energies = np.log(np.maximum(self._bank(np.abs(spectrum)), self._FLOOR))
        # A product and a sum for each row instead of a matrix product: see the head of this file.
        coefficients: Frames = np.add.reduce(energies[:, None, :] * self._cosines, axis=2).astype(np.float32)
        return coefficients


@lru_cache(maxsize=4)
def _mfcc_bank(settings: MfccSettings, fft: int) -> _FilterBank:
    """Given the settings, return the triangles of mfcc_mel_filterbank.cc."""
    bin_hz = settings.sample_rate / 2 / (fft // 2)
    start = int(1.5 + settings.low_hz / bin_hz)
    end = int(settings.high_hz / bin_hz)
    bins = np.arange(fft // 2 + 1) * bin_hz
    return _filter_bank(bins, settings.channels, settings.low_hz, settings.high_hz, slice(start, end + 1))
