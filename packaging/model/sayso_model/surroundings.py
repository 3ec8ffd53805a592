"""A clip as it would sound in a home: noise before, under and after it, or a room's echo.

Rule of this file: for measuring only; training has its own (augmentation.py). The same clip, condition and number give
the same sound again.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from scipy import signal

from sayso.records import FRAME_SAMPLES, SAMPLE_RATE
from sayso_model import shards
from sayso_model.places import SHARDS
from sayso_model.rooms import response

Sound = npt.NDArray[np.int16]

LEAD, TRAIL = 0.6, 1.4
"""Time before and after a clip [s]."""
ROOM_LEVEL = 3.0
"""Standard deviation of the room's noise where nothing louder is mixed in [steps of int16]."""
KITCHEN = re.compile("dishes|kitchen|exercise_bike|tap")
"""Names of the recordings that are a kitchen's."""
ROOM = (5.5, 4.2, 2.6)
"""Length, width and height of the simulated room [m]."""


class Surroundings:
    """Makes a clip sound as if it were said there."""

    def __init__(self) -> None:
        self._noises = _noises()

    def __call__(self, clip: Sound, condition: str, number: int) -> Sound:
        """Given a clip, a condition and a seed, return it there.

        `clean`; `kitchen:12`, `babble:12`, `pink:12`: that noise, so many dB below the clip's loud parts; `room:0.5`: a
        living room with that RT60 [s], the mouth 1 to 4 m from the microphone. Raise KeyError for anything else.
        """
        kind, _, amount = condition.partition(":")
        chance = np.random.default_rng(number)
        lead, trail = int(LEAD * SAMPLE_RATE), int(TRAIL * SAMPLE_RATE)
        sound = np.concatenate((np.zeros(lead), clip.astype(np.float64), np.zeros(trail)))
        if kind == "room":
            wet = signal.oaconvolve(sound, _echo(float(amount), chance))[: len(sound)]
            sound = wet * (loudness(clip) / loudness(wet))
        sound += chance.normal(0, ROOM_LEVEL, len(sound))
        if kind not in ("clean", "room"):
            noise = self._noises[kind]
            start = int(chance.integers(0, max(1, len(noise) - len(sound))))
            stretch = np.resize(noise[start:], len(sound)).astype(np.float64)
            sound += stretch * (loudness(clip) / loudness(stretch)) * 10 ** (-float(amount) / 20)
        return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


def loudness(samples: npt.NDArray[np.generic]) -> float:
    """RMS of the loudest tenth of 20 ms frames: of the speech, whatever silence is around it."""
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].astype(np.float64).reshape(-1, FRAME_SAMPLES)
    power = np.sort((frames**2).mean(axis=1))[-max(1, len(frames) // 10) :]
    return float(np.sqrt(power.mean() + 1e-9))


def last_speech(clip: Sound) -> int:
    """Given a clip without added noise, return the index one past its last 20 ms within 35 dB of its loud parts."""
    frames = clip[: len(clip) // FRAME_SAMPLES * FRAME_SAMPLES].astype(np.float64).reshape(-1, FRAME_SAMPLES)
    heard = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > loudness(clip) * 10 ** (-35 / 20))
    return (int(heard[-1]) + 1) * FRAME_SAMPLES if len(heard) else len(clip)


def _echo(rt60: float, chance: np.random.Generator) -> npt.NDArray[np.float32]:
    """Given the time in which sound falls by 60 dB [s], return a response of a living room."""
    microphone = (chance.uniform(0.3, 1.0), chance.uniform(0.5, 3.5), chance.uniform(0.8, 1.4))
    while True:
        mouth = (chance.uniform(0.5, 5.0), chance.uniform(0.5, 3.7), chance.uniform(1.2, 1.8))
        if 1.0 <= np.linalg.norm(np.subtract(mouth, microphone)) <= 4.0:
            return response(chance, ROOM, rt60, mouth, microphone)


def _noises() -> dict[str, Sound]:
    """Return the kinds of noise: kitchen, babble and pink."""
    samples = shards.Samples(SHARDS)

    def read(prefix: str) -> list[tuple[str, Sound]]:
        found = [clip for name in shards.names(SHARDS, prefix) for clip in shards.read(SHARDS, name)]
        return [(clip.key, np.array(samples(clip))) for clip in found]

    kitchen = np.concatenate([sound for key, sound in read("noise") if KITCHEN.search(key)])
    voices = [sound for _, sound in read("dev-librispeech-test-clean")[:40]]
    length = 60 * SAMPLE_RATE
    babble = sum(np.resize(np.concatenate(voices[k::5]), length).astype(np.float64) for k in range(5)) / 5
    white = np.fft.rfft(np.random.default_rng(1).normal(size=length))
    pink = np.fft.irfft(white / np.sqrt(np.maximum(1, np.arange(len(white)))))
    return {
        "kitchen": kitchen,
        "babble": np.asarray(babble).astype(np.int16),
        "pink": (pink / np.abs(pink).max() * 2e4).astype(np.int16),
    }
