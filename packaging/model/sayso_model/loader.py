"""Shards -> batches for the trainer, endlessly.

Rule of this file: a batch has one of few fixed shapes, and its clips fill it: what a clip leaves free is
room noise before and after the words, as in life. Work is done in processes of their own.
"""

from __future__ import annotations

import multiprocessing
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from sayso.recognition.features import LogMel, LogMelSettings
from sayso_model import rooms, rows, shards
from sayso_model.augmentation import RATE, Augmenter, Chances, sound
from sayso_model.phones import INDEX, Speller
from sayso_model.places import SHARDS

SECONDS = (1.28, 1.92, 2.56, 3.2, 4.16, 5.12, 6.4, 8.0, 9.92, 12.16, 14.4, 16.64)
"""Lengths of a clip's scene; `TAIL` is added."""
TAIL = 0.56
"""What follows the scene [s]: the network's look-ahead and the window's overlap."""
BATCH_SECONDS = 160.0
TAUGHT = 128
"""Width of the rows that a teacher gave (teacher.py)."""
CENTRE = 440
"""Sample in the middle of what the network's first row speaks of: four frames of 25 ms, 10 ms apart."""
ROW = 640
"""Samples from row to row of the network: four frames."""
LATENESS = 3
"""Rows by which a network that CTC has trained says a phone after the moment: there it is most like the teacher's."""

WEIGHTS = {
    "train-librispeech": 1.0, "train-mini-librispeech": 1.0, "train-ljprompts": 0.6, "train-commonvoice": 1.6,
    "train-speech-commands": 0.55, "train-shawnhymel": 0.35, "train-an4": 0.6, "train-alphanumeric": 0.6,
    "train-phrases": 0.6, "train-spliced": 0.6, "synthetic-": 0.55,
}  # fmt: skip
"""How often a clip of each kind of shard is drawn, relative to another; the longest prefix counts."""

NO_NOISE = ("noise-rir", "noise-speech-commands-silence")
"""Shards that aren't noise, and seconds cut out of the recordings that are there whole (sc-background-noise)."""
SPEECH = ("train-", "synthetic-")
"""How the names of the shards begin that are drawn from."""
NOISE_ONLY = 0.06
"""Share of scenes in which nobody speaks: noise has to come out as blanks."""
BROKEN_IN = 0.12
"""Share of scenes of whole recordings that begin within the first sound: a gate that opened late, or a sentence behind
another's end."""
WARPS = tuple(np.linspace(0.88, 1.14, 9))


@dataclass(frozen=True)
class Batch:
    """Clips of one length with their phones."""

    frames: npt.NDArray[np.float16]
    """Features, float16 [clips, frames, bands]."""
    targets: npt.NDArray[np.int64]
    """All phones back to back."""
    lengths: npt.NDArray[np.int64]
    """Phones of each clip."""
    seconds: float
    """Seconds of speech in it, silence around it left out."""
    taught: npt.NDArray[np.float16] | None = None
    """What a teacher makes of each row, float16 [clips, frames / 4, TAUGHT]; no number where it says nothing."""


@dataclass(frozen=True)
class Said:
    """What a scene is made of."""

    sound: npt.NDArray[np.float32]
    phones: tuple[int, ...]
    course: rows.Course | None = None
    """What a teacher makes of it."""
    tight: bool = False
    """Whether it was cut where its first sound begins: nothing may be missing of it."""

    def cut(self, start: int, end: int | None = None) -> Said:
        """Return what lies between two samples, with all its phones."""
        return replace(self, sound=self.sound[start:end], course=self.course and self.course.cut(start))


@dataclass(frozen=True)
class Emphasis:
    """What a phase of the training sees more of."""

    weights: tuple[tuple[str, float], ...] = ()
    """Prefixes of shards with factors on `WEIGHTS`."""
    longest: float = SECONDS[-1]
    """Longest clip [s]."""
    chances: Chances = field(default_factory=Chances)
    masks: float = 0.5
    """Share of clips in which parts of the features are blanked."""
    views: int = 1
    """Scenes that a batch has of each clip, one behind another: the same words at the same moments, nothing else."""


def labelled(shard: str, clips: list[shards.Clip], speller: Speller) -> tuple[list[shards.Clip], list[tuple[int, ...]]]:
    """Given a shard's clips, return those to train on with their phones: as aligned, else as the dictionary says."""
    said = shards.phones(SHARDS, shard)
    kept = [clip for clip in clips if said is None or clip.key in said]
    spoken = [speller.phones(clip.text) if said is None else said[clip.key] for clip in kept]
    return kept, [tuple(INDEX[phone] for phone in phones) for phones in spoken]


def usable(clip: shards.Clip) -> bool:
    """Given a clip, return whether its words are known: no digits, which could be read in several ways."""
    return 0.3 * RATE < clip.length < 16.3 * RATE and re.fullmatch(r"[a-z' ]+", clip.text) is not None


def noises() -> list[shards.Clip]:
    """Return the recorded noises, those of at least half a second."""
    names = [name for name in shards.names(SHARDS, "noise-") if not name.startswith(NO_NOISE)]
    return [clip for name in names for clip in shards.read(SHARDS, name) if clip.length > RATE // 2]


def may_babble(shard: str) -> bool:
    """Given a shard's name, return whether its speakers may talk in the background: phrases are too short to."""
    return ("librispeech" in shard or "commonvoice" in shard) and not shards.are_of_others(shard)


def weight(noise: shards.Clip) -> int:
    """Given a noise, return how often it is drawn, that long recordings and sets of few clips count as well."""
    return 1 + min(40, noise.length // (RATE * 8))


class Source:
    """Draws clips and makes batches of them."""

    def __init__(self, seed: int, features: LogMelSettings, emphasis: Emphasis) -> None:
        self._random = np.random.default_rng(seed)
        self._samples = shards.Samples(SHARDS)
        self._emphasis = emphasis
        self._pools: list[tuple[list[shards.Clip], list[tuple[int, ...]], rows.Courses]] = []
        weights: list[float] = []
        texts: list[str] = []
        pools = []
        for name in shards.names(SHARDS):
            if name.startswith(SPEECH):
                clips = [
                    clip for clip in shards.read(SHARDS, name) if usable(clip) and clip.length < emphasis.longest * RATE
                ]
                if clips:
                    pools.append((name, clips))
                    texts += [clip.text for clip in clips]
        speller = Speller(texts)
        for name, clips in pools:
            clips, phones = labelled(name, clips, speller)
            self._pools.append((clips, phones, rows.Courses(name, "taught", TAUGHT)))
            weights.append(len(clips) * self._weight(name))
        self._weights = np.array(weights) / sum(weights)
        voices = [clip for name, clips in pools if may_babble(name) for clip in clips]
        balanced = [clip for clip in noises() for _ in range(weight(clip))]
        self._augment = Augmenter(self._random, balanced, voices, self._samples, rooms.bank(), emphasis.chances)
        bins = np.linspace(0.0, RATE / 2, features.fft // 2 + 1)
        self._features = [LogMel(features, bins * warp) for warp in WARPS]

    def _weight(self, name: str) -> float:
        prefix = max((prefix for prefix in WEIGHTS if name.startswith(prefix)), key=len)
        factors = [factor for begin, factor in self._emphasis.weights if name.startswith(begin)]
        return WEIGHTS[prefix] * float(np.prod(factors))

    def __iter__(self) -> Iterator[Batch]:
        """Return batches without end."""
        waiting: dict[float, list[Said]] = defaultdict(list)
        while True:
            said = self._draw()
            free = self._pause() + self._random.choice((0.05, 0.3, 0.6)) * self._random.uniform(0.3, 1.0)
            if not said.phones:
                free += self._random.choice((0.5, 1.5, 2.5))
            fits = [length for length in SECONDS if length >= free + len(said.sound) / RATE]
            length = fits[0] if fits else SECONDS[-1]
            if len(said.sound) > length * RATE:
                continue
            waiting[length].append(said)
            if len(waiting[length]) >= int(BATCH_SECONDS / (length + TAIL) / self._emphasis.views):
                yield self._batch(length, waiting.pop(length))

    def _pause(self) -> float:
        """Return how long the room is heard before the first word [s]: mostly a gate's pre-roll."""
        return float(
            self._random.choice((0.08, 0.45, 1.2, 2.8), p=(0.12, 0.58, 0.25, 0.05)) * self._random.uniform(0.1, 1.0)
        )

    def _draw(self) -> Said:
        """Return one clip at some speed; now and then nothing is said."""
        if self._random.random() < NOISE_ONLY:
            return Said(np.zeros(0, np.float32), ())
        clips, phones, courses = self._pools[self._random.choice(len(self._pools), p=self._weights)]
        number = int(self._random.integers(len(clips)))
        clip, factor = self._augment.speed(sound(np.asarray(self._samples(clips[number]))))
        course = courses(clips[number])
        tight = shards.are_of_others(clips[number].shard)
        return self._trimmed(Said(clip, phones[number], course and course.faster(factor), tight))

    def _trimmed(self, said: Said) -> Said:
        """Given a clip, return it mostly without the silence at its ends: a gate opens on the first word."""
        clip = said.sound
        power = np.mean(clip[: len(clip) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
        heard = np.flatnonzero(power > power.max() * 10.0**-3.7)
        first, last = int(heard[0]) * 160, int(heard[-1] + 1) * 160
        if self._random.random() < 0.75:
            said = said.cut(0, last + int(self._random.integers(300, 2400)))
        if self._random.random() < 0.75:
            said = said.cut(max(0, first - int(self._random.integers(300, 1600))))
        return said

    def _batch(self, length: float, items: list[Said]) -> Batch:
        total, tail, views = round(length * RATE), round(TAIL * RATE), self._emphasis.views
        frames, taught, phones = [], [], []
        for item in items:
            said, lead = self._placed(item, total)
            for _ in range(views):
                frames.append(self._heard(said, lead, total, tail))
                taught.append(taught_of(said, lead, len(frames[-1]) // 4))
                phones.append(said.phones)
        shortest = min(map(len, frames)) // 4 * 4
        return Batch(
            np.stack([one[:shortest] for one in frames]).astype(np.float16),
            np.array([phone for its in phones for phone in its], np.int64),
            np.array([len(its) for its in phones], np.int64),
            sum(len(said.sound) for said in items) * views / RATE,
            np.stack([one[: shortest // 4] for one in taught]),
        )

    def _placed(self, said: Said, total: int) -> tuple[Said, int]:
        """Given what is said in a scene of so many samples, return what of it is heard, and at which it begins."""
        random = self._random
        if random.random() < BROKEN_IN and not said.tight:
            return said.cut(int(random.uniform(0, min(0.15 * RATE, len(said.sound) / 8)))), 0
        free = total - len(said.sound)
        lead = min(free, int(self._pause() * RATE))
        return said, int(random.uniform(lead, free)) if random.random() < 0.3 else lead

    def _heard(self, said: Said, lead: int, total: int, tail: int) -> npt.NDArray[np.float32]:
        """Return the features of a scene in which it is said."""
        random, middle = self._random, len(WARPS) // 2
        extractor = self._features[random.integers(len(WARPS)) if random.random() < 0.6 else middle]
        extractor.reset()
        return masked(extractor.feed(self._augment.scene(said.sound, lead, total, tail)), random, self._emphasis.masks)


def taught_of(said: Said, lead: int, count: int) -> npt.NDArray[np.float16]:
    """Given what is said and from which sample of the scene on, return what a teacher makes of it, row by row, [count,
    TAUGHT]; no number beside the words, and where there is no teacher."""
    places = ROW * (np.arange(count) - LATENESS) + CENTRE - lead
    found = np.full((count, TAUGHT), np.nan, np.float16)
    if said.course is not None:
        within = (places >= 0) & (places < len(said.sound))
        found[within] = said.course.at(places[within].astype(np.float64))
    return found


def masked(frames: npt.NDArray[np.float32], random: np.random.Generator, share: float) -> npt.NDArray[np.float32]:
    """Given features, return so many of them with a few bands and moments blanked (SpecAugment, Park et al. 2019)."""
    if random.random() < share:
        for _ in range(random.integers(1, 3)):
            width = random.integers(1, 7)
            start = random.integers(0, frames.shape[1] - width)
            frames[:, start : start + width] = 0.0
        for _ in range(1 + len(frames) // 300):
            width = random.integers(2, 13)
            start = random.integers(0, max(1, len(frames) - width))
            frames[start : start + width] = 0.0
    return frames


def _work(seed: int, features: LogMelSettings, emphasis: Emphasis, queue: multiprocessing.Queue[Batch]) -> None:
    for batch in Source(seed, features, emphasis):
        queue.put(batch)


class Loader:
    """Worker processes that fill a queue with batches."""

    def __init__(self, workers: int, seed: int, features: LogMelSettings, emphasis: Emphasis) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue: multiprocessing.Queue[Batch] = context.Queue(maxsize=24)
        self._workers = [
            context.Process(target=_work, args=(seed + number, features, emphasis, self._queue), daemon=True)
            for number in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def next(self) -> Batch:
        """Return the next batch. Raise RuntimeError if the workers have died."""
        while True:
            try:
                return self._queue.get(timeout=60)
            except Exception as error:  # queue.Empty: look whether anyone still works
                if not any(worker.is_alive() for worker in self._workers):
                    raise RuntimeError("the augmentation workers have ended; see their messages above") from error

    def waiting(self) -> int:
        """Return how many batches are ready."""
        return self._queue.qsize()

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.terminate()
            worker.join()
