"""Sentences that nobody said: phrases of recordings, one behind another, in no order that a text has: `corpus splice`.

Rule of this file: it takes what `corpus align` has cut out (`train-phrases-…`), so that a network which hears it learns
sounds that any others may surround, and not the recordings' texts. A sentence has one speaker: where they are known,
phrases of all the speaker's recordings are put together, where not, those of one recording. (Such augmentation, with
other speakers' words: Lam et al. 2021, "On-the-fly aligned data augmentation".)
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from sayso_model import rows, shards
from sayso_model.augmentation import RATE
from sayso_model.loader import TAUGHT
from sayso_model.places import SHARDS

TIMES = 2
"""How often a phrase is used."""
COUNTS, CHANCES = (2, 3, 4, 5), (0.4, 0.3, 0.2, 0.1)
"""Phrases of a sentence."""
ENOUGH = 6.0
"""What is so long gets no further phrase [s]."""
TRIED = 8
"""Phrases among which one is looked for that didn't follow the last."""
SHORTER = RATE // 50
"""By which a phrase ends sooner here [samples]: what of the next word's first sound is still in it would be heard."""
PAUSED = 0.5
"""Share of the joints at which the speaker waits, up to `PAUSE` seconds."""
PAUSE = 0.2
ANONYMOUS = "cv-anon"

Sound = npt.NDArray[np.int16]


def _speakers(clips: Sequence[shards.Clip]) -> list[list[shards.Clip]]:
    """Given phrases, return those of each speaker."""
    found: dict[str, list[shards.Clip]] = defaultdict(list)
    for clip in clips:
        found[shards.cut_from(clip.key)[0] if clip.speaker == ANONYMOUS else clip.speaker].append(clip)
    return list(found.values())


def _follows(clip: shards.Clip, other: shards.Clip) -> bool:
    """Whether the other came behind this one when they were said, as nothing here may."""
    (one, start), (same, later) = shards.cut_from(clip.key), shards.cut_from(other.key)
    return one == same and 0 < later - start < clip.length + RATE // 2


def sentences(clips: Sequence[shards.Clip], random: np.random.Generator) -> Iterator[list[shards.Clip]]:
    """Given phrases, return such of one speaker as belong together, each phrase once at most."""
    for its in _speakers(clips):
        left = [its[place] for place in random.permutation(len(its))]
        while len(left) > 1:
            chosen = [left.pop()]
            for _ in range(int(random.choice(COUNTS, p=CHANCES)) - 1):
                tried = range(max(0, len(left) - TRIED), len(left))
                fits = [place for place in tried if not _follows(chosen[-1], left[place])]
                if fits and sum(clip.length for clip in chosen) < ENOUGH * RATE:
                    chosen.append(left.pop(fits[-1]))
            if len(chosen) > 1:
                yield chosen


def joints(lengths: Sequence[int], random: np.random.Generator) -> list[int]:
    """Given phrases' lengths in samples, return where each begins when one is said behind the other, and at last where
    all has been said."""
    places = [0]
    for length in lengths:
        pause = random.uniform(0.02, PAUSE) if random.random() < PAUSED else 0.0
        places.append(places[-1] + length + int(pause * RATE))
    return places


def splice(shard: str) -> str:
    """Given a shard of phrases, write one of sentences made of them, and what a teacher makes of these where it has
    heard those; return what was done, for people."""
    random, samples, name = np.random.default_rng(10), shards.Samples(SHARDS), shards.spliced_of(shard)
    said, courses = shards.phones(SHARDS, shard) or {}, rows.Courses(shard, "taught", TAUGHT)
    clips = [clip for clip in shards.read(SHARDS, shard) if clip.key in said]
    phones: list[tuple[str, Sequence[str]]] = []
    taught: list[rows.Rows] = []

    def made() -> Iterator[tuple[Sound, str, str, str, str]]:
        for chosen in [its for _ in range(TIMES) for its in sentences(clips, random)]:
            *places, length = joints([clip.length - SHORTER for clip in chosen], random)
            sound = np.zeros(length, np.int16)
            told = np.full((length // rows.ROW, TAUGHT), np.nan, np.float16)
            for clip, place in zip(chosen, places):
                its = shards.faded(np.asarray(samples(clip))[:-SHORTER])
                sound[place : place + len(its)] = its
                if course := courses(clip):
                    known = np.arange(-(-place // rows.ROW), min(len(told), -(-(place + len(its)) // rows.ROW)))
                    told[known] = course.at((known * rows.ROW - place).astype(np.float64))
            taught.append(told)
            key = f"{name}/{len(phones)}"
            phones.append((key, [phone for clip in chosen for phone in said[clip.key]]))
            yield sound, name, chosen[0].speaker, key, " ".join(clip.text for clip in chosen)

    count = shards.write(SHARDS, name, made())
    shards.write_phones(SHARDS, name, phones)
    if rows.path(shards.sentences_of(shard), "taught").exists():
        np.concatenate([np.empty((0, TAUGHT), np.float16), *taught]).tofile(rows.path(name, "taught"))
    return f"{name}: {count} clips"


def main() -> None:
    """Write such sentences of all phrases of recordings, anew."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.parse_args()
    phrases = shards.names(SHARDS, "train-phrases-")
    if not phrases:
        parser.error(f"there are no phrases in {SHARDS}; run `corpus align RUN` first")
    for shard in phrases:
        print(splice(shard), flush=True)


if __name__ == "__main__":
    main()
