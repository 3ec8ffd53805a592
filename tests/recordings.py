"""Speech for tests: recordings of real people, cut to what is said, put one after another; and espeak-ng's voice."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Iterator

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from sayso.records import FRAME_SAMPLES, AudioFrame

SPEECH = Path(__file__).resolve().parent / "data" / "speech"
RATE = 16_000
LOUDNESS = 3000.0
"""Mean amplitude of the loudest 10 ms of speech."""

Sound = npt.NDArray[np.int16]


def recording(name: str) -> Sound:
    """Given a recording's name, return what is said in it, without the quiet around it."""
    samples: Sound = soundfile.read(SPEECH / f"{name}.opus", dtype="int16")[0]
    return trimmed(samples)


def synthesised(text: str, speed: int = 150) -> Sound:
    """Given a text and how many words a minute, return it as espeak-ng says it."""
    said = subprocess.run(
        ["espeak-ng", "-v", "en-us", "-s", str(speed), "--stdout", text], capture_output=True, check=True
    )
    samples, rate = soundfile.read(io.BytesIO(said.stdout), dtype="int16")
    converted: Sound = soxr.resample(samples, rate, RATE)
    return trimmed(converted)


def trimmed(samples: Sound) -> Sound:
    """Given sound, return what is said in it and 50 ms around that, as loud as all others.

    A far microphone's room is as loud as a sixth of the speech.
    """
    loud = np.abs(samples[: len(samples) // 160 * 160].astype(np.float64)).reshape(-1, 160).mean(axis=1)
    peak = np.percentile(loud, 97)
    heard = np.flatnonzero(loud > 0.2 * peak)
    said = samples[max(0, heard[0] * 160 - 800) : (heard[-1] + 1) * 160 + 800]
    return (said * min(LOUDNESS / peak, 32767 / np.abs(said).max())).astype(np.int16)


def quiet(seconds: float) -> Sound:
    """Given a time, return as much of a quiet room."""
    return np.random.default_rng(0).normal(0, 20, round(seconds * RATE)).astype(np.int16)


def joined(*parts: Sound | float) -> Sound:
    """Given sounds and pauses [s], return them one after another, with a second of quiet behind."""
    sounds = [quiet(part) if isinstance(part, float) else part for part in parts]
    return np.concatenate([quiet(0.5), *sounds, quiet(1.0)])


def frames(sound: Sound, first: int = 0) -> Iterator[AudioFrame]:
    """Given sound and the index of its first sample, yield it as a microphone would."""
    for start in range(0, len(sound) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        yield AudioFrame(sound[start : start + FRAME_SAMPLES], first + start)
