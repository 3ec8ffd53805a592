"""Batches of scenes: clips in rooms, among noises, through microphones, made on the device.

Rule of this file: what happens to a clip and how often is augmentation.py's, whose `Chances` decide here too; what
takes a loop there (music, crockery, coloured noise) comes out of banks made by it. Decisions are numpy's, so that the
device never waits for the host; sound is float32, full scale 1, [clips, samples].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import Pool

import numpy as np
import numpy.typing as npt
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from sayso_model import rooms, shards
from sayso_model.augmentation import RATE, Augmenter
from sayso_model.gpu.corpus import Corpus, Draw
from sayso_model.gpu.taught import Taught
from sayso_model.loader import WARPS, Emphasis, noises, weight
from sayso_model.places import SHARDS

TAIL = 0.64
"""What follows a scene [s]: the longest look-ahead and the window's overlap."""
BANK_SECONDS, BANK_PIECES = 20, 32
MOST_VOICES = 8
LONGEST_EVENT = int(0.7 * RATE)

Features = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Scenes:
    """A batch."""

    frames: Tensor
    """Features, float32 [clips, frames, bands]."""
    labels: Tensor
    """All labels back to back, on the host."""
    lengths: Tensor
    """Labels of each clip, on the host."""
    hours: float
    taught: Tensor | None
    """What a teacher makes of each row of the network, float32 [clips, frames / 4, TAUGHT], if asked for."""


def _piece(task: tuple[str, int]) -> npt.NDArray[np.int16]:
    """Given a kind of noise and a seed, return a piece of it."""
    kind, seed = task
    augmenter = Augmenter(np.random.default_rng(seed), [], [], shards.Samples(SHARDS), [])
    sound = getattr(augmenter, kind)(BANK_SECONDS * RATE)
    return np.rint(sound / np.abs(sound).max() * 32_000).astype(np.int16)


def level(sound: Tensor) -> Tensor:
    """Given sounds [clips, samples], return [clips, 1], as augmentation.level has it."""
    frames = sound[:, : sound.shape[1] // 320 * 320].unflatten(1, (-1, 320))
    power = frames.square().mean(2)
    loud = power >= power.amax(1, keepdim=True) * 0.01
    return ((power * loud).sum(1, keepdim=True) / loud.sum(1, keepdim=True)).sqrt() + 1e-6


class Stage:
    """Makes scenes."""

    def __init__(
        self,
        corpus: Corpus,
        features: Features,
        device: torch.device,
        random: np.random.Generator,
        taught: Taught | None = None,
    ) -> None:
        self.corpus, self._features, self._device = corpus, features, device
        self._random, self._taught = random, taught
        self.see(Emphasis())
        recorded, samples = noises(), shards.Samples(SHARDS)
        sounds = [np.asarray(samples(clip)) for clip in recorded]
        with Pool() as pool:
            kinds = [(kind, seed) for kind in ("coloured", "clatter", "music") for seed in range(BANK_PIECES)]
            sounds += pool.map(_piece, kinds, chunksize=4)
        self._noise = torch.from_numpy(np.concatenate(sounds)).to(device)
        self._lengths = np.array([len(sound) for sound in sounds])
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._recorded = np.repeat(np.arange(len(recorded)), [weight(clip) for clip in recorded])
        self._banks = {
            kind: len(recorded) + BANK_PIECES * place + np.arange(BANK_PIECES)
            for place, kind in enumerate(("coloured", "clatter", "music"))
        }
        bank = rooms.bank()
        self._rooms = torch.zeros(len(bank), rooms.LONGEST, device=device)
        for place, room in enumerate(bank):
            self._rooms[place, : len(room)] = torch.from_numpy(room).to(device)

    def see(self, emphasis: Emphasis) -> None:
        """From now on, make what a phase of the training shall see; its masks are left to others."""
        self.chances = emphasis.chances
        self.corpus.see(emphasis)

    def __call__(self, seconds: float) -> Iterator[Scenes]:
        """Given how much sound a batch holds, return batches without end."""
        for draw in self.corpus.draws(seconds, TAIL):
            yield self._scenes(draw)

    def _on(self, values: object, kind: torch.dtype = torch.float32) -> Tensor:
        """Given values, one a clip, return them on the device, [clips, 1]."""
        return torch.as_tensor(np.asarray(values), dtype=kind).to(self._device, non_blocking=True)[:, None]

    def _some(self, chance: float, count: int) -> npt.NDArray[np.intp]:
        return np.flatnonzero(self._random.random(count) < chance)

    def _scenes(self, draw: Draw) -> Scenes:
        random, count = self._random, len(draw.clip)
        total = draw.total + round(TAIL * RATE)
        time = torch.arange(total, device=self._device)
        away = time - self._on(draw.lead, torch.long)
        inside = (away >= 0) & (away < self._on(draw.length, torch.long))
        place = (away + self._on(draw.start, torch.long)).clamp_(0, len(self.corpus.samples) - 1)
        dry = self.corpus.samples[place].float() * inside / 32768.0
        silent = self._on(draw.length == 0, torch.bool)
        speech = torch.where(silent, self._on(10.0 ** random.uniform(-3.0, -1.0, count)), level(dry))
        beside = self._happenings(dry, speech, draw)
        scene = self._in_rooms(dry, beside, speech, np.flatnonzero(random.random(count) < self.chances.room))
        noise = self._noises(count, total) * speech
        finished = self._finished(self._defects(scene + noise), speech, draw.total)
        warp = np.where(random.random(count) < 0.6, random.integers(len(WARPS), size=count), len(WARPS) // 2)
        frames = self._features(finished, torch.from_numpy(warp).to(self._device))
        frames = frames[:, : frames.shape[1] // 4 * 4]
        labels = [self.corpus.labels[number] if number >= 0 else np.zeros(0, np.int64) for number in draw.clip.tolist()]
        return Scenes(
            frames,
            torch.from_numpy(np.concatenate(labels)),
            torch.tensor([len(one) for one in labels]),
            count * total / RATE / 3600,
            self._taught(draw, frames.shape[1] // 4) if self._taught else None,
        )

    def _stretches(self, which: npt.NDArray[np.int64], length: int) -> Tensor:
        """Given numbers of noises, return so much of each, from anywhere, repeated if it is short."""
        lengths = self._lengths[which]
        phase = (self._random.random(len(which)) * lengths).astype(np.int64)
        place = torch.arange(length, device=self._device) + self._on(phase, torch.long)
        place = place % self._on(lengths, torch.long) + self._on(self._starts[which], torch.long)
        return self._noise[place].float() / 32768.0

    def _of(self, kind: str, count: int) -> npt.NDArray[np.int64]:
        bank = self._recorded if kind == "recorded" else self._banks[kind]
        return bank[self._random.integers(len(bank), size=count)]

    def _noises(self, count: int, total: int) -> Tensor:
        """Return noise for each clip, at its distance from a speech level of 1."""
        random, chances = self._random, self.chances
        kinds = random.choice(5, p=(0.50, 0.24, 0.10, 0.08, 0.08), size=count)
        which = self._of("recorded", count)
        for number, kind in enumerate(("coloured", "clatter", "music"), 2):
            which = np.where(kinds == number, self._of(kind, count), which)
        noisy = random.random(count) < chances.noise
        which = np.where(noisy, which, self._of("coloured", count))
        sound = self._stretches(which, total)
        twice = np.flatnonzero(noisy & (kinds == 0) & (random.random(count) < 0.25))
        if len(twice):
            rows = torch.from_numpy(twice).to(self._device)
            other = self._stretches(self._of("recorded", len(twice)), total)
            mine = sound[rows]
            sound[rows] = mine / level(mine) + other / level(other)
        babbling = np.flatnonzero(noisy & (kinds == 1))
        if len(babbling):
            sound[torch.from_numpy(babbling).to(self._device)] = self._babble(len(babbling), total)
        decibels = np.where(
            noisy,
            random.uniform(chances.quietest_db, chances.loudest_db, count),
            np.where(random.random(count) < 0.85, random.uniform(32.0, 65.0, count), 200.0),
        )
        return sound * (self._on(10.0 ** (-decibels / 20.0)) / level(sound))

    def _babble(self, count: int, total: int) -> Tensor:
        """Return several people talking at once."""
        mix = torch.zeros(count, total, device=self._device)
        people = self._random.integers(2, MOST_VOICES + 1, count)
        for number in range(MOST_VOICES):
            starts, lengths = self.corpus.stretches(count)
            phase = (self._random.random(count) * lengths).astype(np.int64)
            place = torch.arange(total, device=self._device) + self._on(phase, torch.long)
            place = place % self._on(lengths, torch.long) + self._on(starts, torch.long)
            voice = self.corpus.samples[place].float() / 32768.0
            mix += voice / level(voice) * self._on(people > number)
        return mix

    def _in_rooms(self, words: Tensor, beside: Tensor, speech: Tensor, which: npt.NDArray[np.intp]) -> Tensor:
        """Given words, what happens beside them, and which scenes are in rooms, return both there, the words as loud as
        before."""
        dry = words + beside
        if not len(which):
            return dry
        rows = torch.from_numpy(which).to(self._device)
        size = next_fast_len(dry.shape[1] + rooms.LONGEST, real=True)
        room = self._rooms[torch.from_numpy(self._random.integers(len(self._rooms), size=len(which))).to(self._device)]
        rings = torch.fft.rfft(room, size)
        wet, heard = (
            torch.fft.irfft(torch.fft.rfft(its[rows], size) * rings, size)[:, : dry.shape[1]] for its in (dry, words)
        )
        scene = dry.clone()
        scene[rows] = wet * (speech[rows] / level(heard))
        return scene

    def _happenings(self, words: Tensor, speech: Tensor, draw: Draw) -> Tensor:
        """Given words, return a short sound before the first or after the last of some, else nothing, as long."""
        random, which, scene = self._random, self._some(self.chances.event, len(draw.clip)), torch.zeros_like(words)
        if not len(which):
            return scene
        count = len(which)
        length = (RATE * random.uniform(0.04, 0.7, count)).astype(np.int64)
        kind = random.random(count)
        source = np.where(kind < 0.4, self._of("music", count), self._of("recorded", count))
        click = kind >= 0.8
        event = self._stretches(np.where(click, self._of("coloured", count), source), LONGEST_EVENT)
        time = torch.arange(LONGEST_EVENT, device=self._device)
        fading = torch.exp(-time / (RATE * self._on(random.uniform(0.002, 0.03, count))))
        event = torch.where(self._on(click, torch.bool), event * fading, event)
        left = self._on(length, torch.long) - time
        event = event * (torch.minimum(time, left).clamp(0, 80) / 80.0) + 1e-5 * (left > 0)
        rows = torch.from_numpy(which).to(self._device)
        decibels = random.uniform(-15.0, 12.0, count)
        event = event * (speech[rows] / level(event) * self._on(10.0 ** (decibels / 20.0)))
        gap = (RATE * random.uniform(0.0, 0.25, count)).astype(np.int64)
        first, last = draw.lead[which], (draw.lead + draw.length)[which]
        before = random.random(count) < 0.7
        place = np.where(before, np.maximum(0, first - length - gap), last + gap)
        end = np.where(before, first, scene.shape[1])
        at = self._on(place, torch.long) + time
        event = event * ((at < self._on(end, torch.long)) & (at < scene.shape[1]) & (left > 0))
        scene[rows] = scene[rows].scatter_add(1, at.clamp(max=scene.shape[1] - 1), event)
        return scene

    def _defects(self, scene: Tensor) -> Tensor:
        """Given scenes, return them through a worse microphone now and then."""
        random, count = self._random, len(scene)
        filtered = self._some(self.chances.band, count)
        if len(filtered):
            rows = torch.from_numpy(filtered).to(self._device)
            size = next_fast_len(scene.shape[1], real=True)
            hertz = torch.fft.rfftfreq(size, 1 / RATE, device=self._device) + 1e-3
            low = random.random(len(filtered)) < 0.5
            below = 1 + (self._on(random.uniform(80, 350, len(filtered))) / hertz) ** 4
            above = 1 + (hertz / self._on(random.uniform(3300, 7000, len(filtered)))) ** 8
            gain = torch.where(self._on(low, torch.bool), below, above).rsqrt()
            scene[rows] = torch.fft.irfft(torch.fft.rfft(scene[rows], size) * gain, size)[:, : scene.shape[1]]
        tilt = np.where(random.random(count) < 0.35, random.uniform(-0.45, 0.45, count), 0.0)
        scene = torch.cat((scene[:, :1], scene[:, 1:] + self._on(tilt) * scene[:, :-1]), 1)
        coded = self._some(self.chances.codec, count)
        if len(coded):
            rows = torch.from_numpy(coded).to(self._device)
            some = scene[rows]
            peak = some.abs().amax(1, keepdim=True) + 1e-9
            pressed = (some.abs() / peak * 255).log1p() / float(np.log(256)) * 127
            pressed = pressed.round() / 127
            scene[rows] = some.sign() * (256.0**pressed - 1) / 255 * peak
        return scene

    def _finished(self, scene: Tensor, speech: Tensor, length: int) -> Tensor:
        """Given scenes, return int16 values at some loudness."""
        random, count = self._random, len(speech)
        decibels = np.where(
            random.random(count) < self.chances.clip, random.uniform(-10.0, 0.0, count), random.uniform(-44, -12, count)
        )
        scene = scene * (self._on(10.0 ** (decibels / 20.0)) / speech)
        over = self._on(random.random(count) < 0.6, torch.bool)
        after = torch.arange(scene.shape[1], device=self._device) >= length
        scene = scene.masked_fill(over & after, 0.0)
        gated = self._on(random.random(count) < 0.04, torch.bool)
        quiet = scene.abs() < 2e-3 * scene.abs().amax(1, keepdim=True)
        scene = scene.masked_fill(gated & quiet, 0.0)
        return (scene * 32768.0).round().clamp(-32768, 32767)


def masked(frames: Tensor, random: np.random.Generator, share: float) -> Tensor:
    """Given features and how many clips' are touched, return them with a few bands and moments blanked."""
    clips, length, bands = frames.shape
    device = frames.device

    def runs(most: int, longest: int, size: int) -> Tensor:
        """Return up to `most` runs of places out of `size`, one row a clip."""
        count = np.where(random.random(clips) < share, random.integers(1, most + 1, clips), 0)[:, None]
        start = random.integers(0, size, (clips, most))
        stop = start + random.integers(1, longest + 1, (clips, most)) * (np.arange(most) < count)
        place = torch.arange(size, device=device)
        begin, end = torch.from_numpy(start).to(device)[..., None], torch.from_numpy(stop).to(device)[..., None]
        return ((place >= begin) & (place < end)).any(1)

    hidden = runs(2, 6, bands)[:, None, :] | runs(1 + length // 300, 12, length)[:, :, None]
    return frames.masked_fill(hidden, 0.0)
