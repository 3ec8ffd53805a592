"""Every training clip in the memory of the device, at several speeds, and which of them come next.

Rule of this file: what is drawn is what loader.py draws, by the same constants; only that a clip's speed is one of
`SPEEDS`. Drawing is numpy's; the samples never leave the device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sayso_model import shards
from sayso_model.augmentation import RATE
from sayso_model.loader import BROKEN_IN, NOISE_ONLY, SECONDS, SPEECH, WEIGHTS, Emphasis, may_babble, usable
from sayso_model.phones import INDEX
from sayso_model.places import SHARDS

SPEEDS = (1.0, 0.88, 1.14, 0.94, 1.07)
"""The first so many are used; the very first a third of the time more."""
TAPS = 16
CHUNK = 1 << 23
FRAME = 160


@dataclass(frozen=True)
class Draw:
    """Clips of scenes of one length, one value a clip."""

    clip: npt.NDArray[np.int64]
    """Number of the clip; -1: nobody speaks."""
    start: npt.NDArray[np.int64]
    """First sample, among all of the device."""
    length: npt.NDArray[np.int64]
    lead: npt.NDArray[np.int64]
    """Samples of the scene before it."""
    first: npt.NDArray[np.int64]
    """First sample, of the clip as it was recorded."""
    speed: npt.NDArray[np.float64]
    """By which it is played faster."""
    total: int
    """Samples of the scene, its tail left out."""


def faster(sound: Tensor, factor: float, out: Tensor) -> None:
    """Given int16 [n], write it played so much faster, int16 [n / factor], by a windowed sinc of `TAPS` taps.

    At a factor of 1 it is taken to stand there already.
    """
    if factor == 1.0:
        return
    cut = min(1.0, 1.0 / factor)
    for begin in range(0, len(out), CHUNK):
        end = min(len(out), begin + CHUNK)
        place = torch.arange(begin, end, device=sound.device, dtype=torch.float64) * factor
        base = place.floor()
        fraction = (place - base).float()
        base = base.long()
        total = torch.zeros_like(fraction)
        for tap in range(1 - TAPS // 2, 1 + TAPS // 2):
            away = tap - fraction
            weight = cut * torch.sinc(cut * away) * torch.cos(away * (np.pi / (TAPS + 2))).square()
            total += weight * sound[(base + tap).clamp(0, len(sound) - 1)].float()
        out[begin:end] = total.round().clamp(-32768, 32767).to(torch.int16)


class Corpus:
    """Clips with what is said in them."""

    def __init__(self, device: torch.device, speeds: int, random: np.random.Generator, spell: object = None) -> None:
        """Given how many speeds to keep, load all shards; `spell` makes labels of a clip's text, else phones are."""
        self._random = random
        parts: list[npt.NDArray[np.int16]] = []
        offsets, lengths, weights = [], [], []
        self.clips: list[shards.Clip] = []
        """Those that are drawn from."""
        self.labels: list[npt.NDArray[np.int64]] = []
        self.voices: list[int] = []
        """Numbers of the clips whose speakers may babble."""
        base = 0
        for name in [name for kind in SPEECH for name in shards.names(SHARDS, kind)]:
            file = SHARDS / f"{name}.phones"
            said = dict(line.split("\t") for line in file.read_text().splitlines())
            weight = WEIGHTS[max((prefix for prefix in WEIGHTS if name.startswith(prefix)), key=len)]
            for clip in shards.read(SHARDS, name):
                if usable(clip) and clip.key in said:
                    if may_babble(name):
                        self.voices.append(len(offsets))
                    self.clips.append(clip)
                    offsets.append(base + clip.offset)
                    lengths.append(clip.length)
                    weights.append(weight)
                    its = spell(clip.text) if callable(spell) else [INDEX[phone] for phone in said[clip.key].split()]
                    self.labels.append(np.array(its, np.int64))
            parts.append(np.memmap(SHARDS / f"{name}.pcm", dtype="<i2", mode="r"))
            base += len(parts[-1])
        self._speeds = np.array(SPEEDS[:speeds])
        self._base = np.cumsum([0, *(int(base / speed) for speed in self._speeds)])
        self.samples = torch.empty(int(self._base[-1]), dtype=torch.int16, device=device)
        """All clips, at one speed after the other."""
        whole = self.samples[:base]
        place = 0
        for part in parts:
            whole[place : place + len(part)] = torch.from_numpy(np.array(part)).to(device)
            place += len(part)
        for first, last, speed in zip(self._base, self._base[1:], self._speeds):
            faster(whole, float(speed), self.samples[first:last])
        self._offsets, self._lengths = np.array(offsets), np.array(lengths)
        self._weights = np.array(weights)
        self._tight = np.array([shards.are_of_others(clip.shard) for clip in self.clips])
        self.see(Emphasis())
        self._heard = self._bounds(whole)
        self._waiting: dict[float, list[tuple[npt.NDArray[Any], ...]]] = {length: [] for length in SECONDS}

    def see(self, emphasis: Emphasis) -> None:
        """From now on, draw what a phase of the training shall see."""
        self._longest, self._views = emphasis.longest, emphasis.views
        factors = np.ones(len(self.clips))
        for begin, factor in emphasis.weights:
            factors[[clip.shard.startswith(begin) for clip in self.clips]] *= factor
        self._chance = np.cumsum(self._weights * factors)
        self._chance /= self._chance[-1]

    def _bounds(self, whole: Tensor) -> npt.NDArray[np.int64]:
        """Return where each clip is first and last heard, in samples from its beginning, [clips, 2]."""
        frames = whole[: len(whole) // FRAME * FRAME].view(-1, FRAME)
        power = torch.cat([part.float().square().mean(1).cpu() for part in frames.split(1 << 16)]).numpy()
        found = np.zeros((len(self._offsets), 2), np.int64)
        for number, (offset, length) in enumerate(zip(self._offsets, self._lengths)):
            first = -(-offset // FRAME)
            its = power[first : (offset + length) // FRAME]
            heard = np.flatnonzero(its > its.max() * 10.0**-3.7)
            shift = first * FRAME - offset
            found[number] = heard[0] * FRAME + shift, min(length, (heard[-1] + 1) * FRAME + shift)
        return found

    def stretches(self, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return so many clips of people who may talk in the background: first samples and lengths."""
        voices = np.array(self.voices or range(len(self._offsets)))
        which = voices[self._random.integers(len(voices), size=count)]
        return self._offsets[which], self._lengths[which]

    def draws(self, seconds: float, tail: float) -> Iterator[Draw]:
        """Given how much sound a batch holds, and what follows each scene [s], return batches without end."""
        while True:
            self._draw(4096)
            ready = []
            for scene in SECONDS:
                count, held = int(seconds / (scene + tail) / self._views), self._waiting[scene]
                columns = [np.concatenate(column) for column in zip(*held)]
                while len(columns[0]) >= count:
                    its = (np.repeat(column[:count], self._views) for column in columns)
                    ready.append(Draw(*its, round(scene * RATE)))
                    columns = [column[count:] for column in columns]
                self._waiting[scene] = [tuple(columns)]
            self._random.shuffle(ready)  # type: ignore[arg-type]
            yield from ready

    def _draw(self, count: int) -> None:
        random = self._random
        clip = np.searchsorted(self._chance, random.random(count))
        speed = np.where(random.random(count) < 0.7, random.integers(len(self._speeds), size=count), 0)
        first, last = np.zeros(count, np.int64), self._lengths[clip].astype(np.int64)
        later = np.minimum(last, self._heard[clip, 1] + random.integers(300, 2400, count))
        last = np.where(random.random(count) < 0.75, later, last)
        sooner = np.maximum(0, self._heard[clip, 0] - random.integers(300, 1600, count))
        first = np.where(random.random(count) < 0.75, sooner, first)
        broken = (random.random(count) < BROKEN_IN) & ~self._tight[clip]
        first += np.where(broken, (np.minimum(0.15 * RATE, (last - first) / 8) * random.random(count)), 0).astype(int)
        speeds = self._speeds[speed]
        start = ((self._offsets[clip] + first) / speeds).astype(np.int64) + self._base[speed]
        length = ((last - first) / speeds).astype(np.int64)
        nobody = random.random(count) < NOISE_ONLY
        clip, length = np.where(nobody, -1, clip), np.where(nobody, 0, length)
        about = random.choice((0.08, 0.45, 1.2, 2.8), p=(0.12, 0.58, 0.25, 0.05), size=count)
        pause = about * random.uniform(0.1, 1.0, count)
        after = random.choice((0.05, 0.3, 0.6), size=count) * random.uniform(0.3, 1.0, count)
        after += np.where(nobody, random.choice((0.5, 1.5, 2.5), size=count), 0.0)
        scene = np.searchsorted(np.array(SECONDS), pause + after + length / RATE)
        scene = np.minimum(scene, len(SECONDS) - 1)
        free = (np.array(SECONDS)[scene] * RATE).astype(np.int64) - length
        lead = np.minimum(free, (pause * RATE).astype(np.int64))
        lead = np.where(random.random(count) < 0.3, random.uniform(lead, np.maximum(free, lead)).astype(np.int64), lead)
        lead = np.where(broken, 0, lead)
        for place, seconds in enumerate(SECONDS):
            chosen = np.flatnonzero((scene == place) & (free >= 0) & (seconds <= self._longest))
            self._waiting[seconds].append(tuple(its[chosen] for its in (clip, start, length, lead, first, speeds)))
