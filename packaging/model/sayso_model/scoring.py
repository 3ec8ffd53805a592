"""Phone error rates of the float network, on dev speech.

Rule of this file: dev clips are prepared once, from fixed seeds, with the features of the daemon; the network
hears each from zero states, as the daemon does after the gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from sayso.recognition.features import LogMel, LogMelSettings
from sayso_model import shards
from sayso_model.augmentation import RATE, level, sound
from sayso_model.discriminative import PhoneBigram, best_phones
from sayso_model.loader import TAIL, usable
from sayso_model.network import SUBSAMPLING, Network
from sayso_model.phones import INDEX, Speller
from sayso_model.places import SHARDS


@dataclass(frozen=True)
class Example:
    """One clip as the network gets it."""

    frames: npt.NDArray[np.float32]
    phones: tuple[int, ...]
    key: str


def distance(first: Sequence[int], second: Sequence[int]) -> int:
    """Given two sequences, return the fewest insertions, deletions and substitutions between them."""
    row = np.arange(len(second) + 1)
    other = np.asarray(second)
    steps = np.arange(len(second) + 1)
    for place, one in enumerate(first, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (other != one))
        row = np.concatenate(([place], best))
        row = np.minimum.accumulate(row - steps) + steps
    return int(row[-1])


def collapsed(best: npt.NDArray[np.int64]) -> list[int]:
    """Given the best output of each row, return the phones: repeats once, blanks not at all."""
    return [int(one) for place, one in enumerate(best) if one and (not place or one != best[place - 1])]


def mixed(samples: npt.NDArray[np.int16], noise: npt.NDArray[np.int16], decibels: float) -> npt.NDArray[np.int16]:
    """Given speech, at least as much noise and a ratio of their louder frames, return both together."""
    speech = sound(samples)
    other = sound(noise[: len(samples)])
    both = speech + other * np.float32(level(speech) / level(other) * 10.0 ** (-decibels / 20.0))
    return np.clip(np.rint(both * 32768.0), -32768, 32767).astype(np.int16)


def kitchen() -> npt.NDArray[np.int16]:
    """Return the recorded noise of a kitchen (Speech Commands, doing_the_dishes)."""
    samples = shards.Samples(SHARDS)
    for clip in shards.read(SHARDS, "noise-sc-background-noise"):
        if "dishes" in clip.key:
            return np.asarray(samples(clip))
    raise FileNotFoundError("no kitchen noise in the shards; run `corpus decode` again")


def babble() -> npt.NDArray[np.int16]:
    """Return a minute of five dev speakers of test-other talking at once; none of them is in the training data."""
    random, samples = np.random.default_rng(8), shards.Samples(SHARDS)
    clips = list(shards.read(SHARDS, "dev-librispeech-testother-100"))
    mix = np.zeros(60 * RATE, np.float32)
    for _ in range(5):
        order = random.permutation(len(clips))
        voice = np.concatenate([sound(np.asarray(samples(clips[place]))) for place in order[:20]])
        mix += np.resize(voice / np.float32(level(voice)), len(mix))
    return np.rint(mix / np.abs(mix).max() * 30_000).astype(np.int16)


NOISES = {"kitchen": kitchen, "babble": babble}


def examples(
    shard: str,
    features: LogMelSettings,
    most: int | None = None,
    decibels: float | None = None,
    kind: str = "kitchen",
    seed: int = 3,
) -> list[Example]:
    """Given a dev shard, return its clips, zeros around them, in noise if `decibels` is given."""
    random = np.random.default_rng(seed)
    clips = [clip for clip in shards.read(SHARDS, shard) if usable(clip)]
    if most is not None and most < len(clips):
        clips = [clips[place] for place in sorted(random.permutation(len(clips))[:most])]
    speller = Speller([clip.text for clip in clips])
    samples, noise = shards.Samples(SHARDS), NOISES[kind]()
    stream = LogMel(features)
    found = []
    for clip in clips:
        heard = np.concatenate((np.zeros(RATE // 5, np.int16), np.asarray(samples(clip))))
        if decibels is not None:
            start = int(random.integers(0, len(noise) - len(heard) - 1))
            heard = mixed(heard, noise[start:], decibels)
        stream.reset()
        frames = stream.feed(np.concatenate((heard, np.zeros(round(TAIL * RATE), np.int16))))
        found.append(Example(frames, tuple(INDEX[phone] for phone in speller.phones(clip.text)), clip.key))
    return found


def errors(network: Network, dev: Sequence[Example], bigram: PhoneBigram | None = None) -> tuple[int, int]:
    """Given a network in eval mode and examples, return phone errors and phones: by a bigram, or each row's best."""
    wrong, total = zip(*counts(network, dev, bigram))
    return sum(wrong), sum(total)


@torch.no_grad()
def counts(network: Network, dev: Sequence[Example], bigram: PhoneBigram | None = None) -> Iterator[tuple[int, int]]:
    """As `errors`, of each example by itself, in any order."""
    device = next(network.parameters()).device
    order = sorted(dev, key=lambda example: len(example.frames))
    for start in range(0, len(order), 16):
        group = order[start : start + 16]
        longest = -(-max(len(one.frames) for one in group) // SUBSAMPLING) * SUBSAMPLING
        frames = np.zeros((len(group), longest, group[0].frames.shape[1]), np.float32)
        for place, one in enumerate(group):
            frames[place, : len(one.frames)] = one.frames
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(torch.from_numpy(frames).to(device))
        outputs = logits.float().log_softmax(2).cpu()
        for rows, one in zip(outputs, group):
            heard = rows[network.settings.look_ahead : len(one.frames) // SUBSAMPLING]
            best = best_phones(heard[:, None], bigram)[0] if bigram else collapsed(heard.argmax(1).numpy())
            yield distance(best, one.phones), len(one.phones)
