"""A household's sound, in rounds of ten minutes that are all the same.

Rule of this file: every sample follows from the round's number of seconds; nothing is drawn anew from round to round,
so that what is heard in the last must be what was heard in the first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np
import numpy.typing as npt
import soundfile

SPEECH = Path(__file__).resolve().parents[1] / "data" / "speech"
RATE = 16_000
ROUND = 600
"""Length of a round [s]."""

FRAME = 320
"""Samples that a microphone hands over at a time: 20 ms."""

Samples = npt.NDArray[np.int16]


def one_round() -> Samples:
    """Return ten minutes: every recording once, in silence, in noise and in a hum, with pauses between."""
    chance = np.random.default_rng(20261122)
    sound = np.rint(chance.normal(0, 2, ROUND * RATE))  # a room is never quite silent
    _add(sound, 200, _pink(chance, 120, 60.0))  # a kettle
    _add(sound, 400, 40.0 * np.sin(2 * np.pi * 50 * np.arange(150 * RATE) / RATE))  # mains hum
    clips = [soundfile.read(path, dtype="int16")[0] for path in sorted(SPEECH.glob("*.opus"))]
    spoken = sum(len(clip) for clip in clips) / RATE
    pause = (ROUND - spoken) / (len(clips) + 1)
    place = pause
    for number in chance.permutation(len(clips)):
        _add(sound, place, clips[number])
        place += len(clips[number]) / RATE + pause
    return np.clip(sound, -32768, 32767).astype(np.int16)


def crowd() -> Samples:
    """Return two minutes of five voices at once, the second backwards: nothing fits, and everything might.

    The search holds most then. Heard first, it makes memory what the worst hour of a year would.
    """
    voices = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in sorted(SPEECH.glob("*.opus"))])
    length = 60 * RATE
    mix = np.sum([np.resize(np.roll(voices, -k * len(voices) // 5), length) / 2.0 for k in range(5)], axis=0)
    return np.clip(np.concatenate((mix, mix[::-1])), -32768, 32767).astype(np.int16)


def frames(sound: Samples) -> Iterator[Samples]:
    """Given sound, yield it as a microphone does."""
    for start in range(0, len(sound) - FRAME + 1, FRAME):
        yield sound[start : start + FRAME]


def _add(sound: npt.NDArray[np.float64], seconds: float, part: npt.NDArray[np.generic]) -> None:
    start = int(seconds * RATE)
    sound[start : start + len(part)] += part[: len(sound) - start]


def _pink(chance: np.random.Generator, seconds: int, level: float) -> npt.NDArray[np.float64]:
    """Given a length and a level (root mean square), return noise that falls by 3 dB an octave."""
    spectrum = np.fft.rfft(chance.normal(0, 1, seconds * RATE))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    noise = np.fft.irfft(spectrum)
    return np.asarray(noise * level / noise.std())
