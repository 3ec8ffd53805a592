"""The daemon's features of many scenes at once, in torch.

Rule of this file: the numbers are those of sayso/recognition/features.py, which stays their only definition: filter
banks and cosines are taken from its objects. In float32 they differ from them by about 1e-3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sayso.recognition.features import LogMel, LogMelSettings, Mfcc, MfccSettings


def _dense(bank: object, bins: int) -> Tensor:
    """Given a filter bank, return it as a matrix, float32 [bins, bands]."""
    return torch.tensor(bank(np.eye(bins)), dtype=torch.float32)  # type: ignore[operator]


class LogMels:
    """`LogMel` of a batch, each clip with a vocal tract of its own."""

    def __init__(self, settings: LogMelSettings, warps: Sequence[float], device: torch.device) -> None:
        bins = np.linspace(0.0, settings.sample_rate / 2, settings.fft // 2 + 1)
        streams = [LogMel(settings, bins * warp) for warp in warps]
        self._settings = settings
        self._banks = torch.stack([_dense(stream._bank, len(bins)) for stream in streams]).to(device)
        self._hann = torch.tensor(streams[0]._hann, dtype=torch.float32, device=device)
        self._prior = torch.tensor(streams[0]._prior, dtype=torch.float32, device=device)
        self._scale = torch.tensor(streams[0]._scale, dtype=torch.float32, device=device)

    def __call__(self, sound: Tensor, warp: Tensor) -> Tensor:
        """Given int16 values, float32 [clips, samples], and each clip's warp, return [clips, frames, bands]."""
        its = self._settings
        windows = sound.unfold(1, its.window, its.step) * self._hann
        spectrum = torch.view_as_real(torch.fft.rfft(windows, its.fft))
        power = spectrum.square().sum(3)
        energies = (torch.bmm(power, self._banks[warp]) + its.floor).log()
        sounding = (energies.amax(2, keepdim=True) > math.log(2 * its.floor)).float()
        sums = self._prior + (energies * sounding).cumsum(1)
        weights = its.prior_frames + sounding.cumsum(1)
        return (energies - sums / weights) / self._scale


class Mfccs:
    """`Mfcc` of a batch."""

    def __init__(self, settings: MfccSettings, device: torch.device) -> None:
        one = Mfcc(settings)
        self._settings, self._fft, self._floor = settings, one._fft, one._FLOOR
        self._bank = _dense(one._bank, one._fft // 2 + 1).to(device)
        self._hann = torch.tensor(one._hann, dtype=torch.float32, device=device)
        self._cosines = torch.tensor(one._cosines.T.copy(), dtype=torch.float32, device=device)

    def __call__(self, sound: Tensor, _: Tensor) -> Tensor:
        """Given int16 values, float32 [clips, samples], return [clips, frames, coefficients]; nothing is warped."""
        windows = sound.unfold(1, self._settings.window, self._settings.step) * self._hann
        amplitudes = torch.fft.rfft(windows, self._fft).abs()
        return (amplitudes @ self._bank).clamp_min(self._floor).log() @ self._cosines
