"""The recordings that are compared on, made ready: one format, the same faint noise in each, and where speech ends.

Rule of this file: nothing here depends on either recogniser; the end of speech is measured by loudness, not by
anybody's voice detection.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

RATE = 16_000
LEAD, TAIL = 0.5, 2.0
"""Faint noise before and after each recording [s]; the tail is longer than any end pointing takes."""

NOISE = 4.0
"""Standard deviation of that noise, of 32768 (-78 dBFS: a quiet room through a cheap microphone)."""

AUDIBLE = 2.5
"""Speech is this many times louder than the recording's own noise (8 dB), the level that a fifth of it stays below."""

SILENCE = 60.0
"""Length of the recording that holds nothing but the noise [s]."""


@dataclass(frozen=True)
class Clip:
    """A recording, ready to be heard."""

    path: Path
    """Raw int16 mono, 16 kHz."""
    said: str
    """What is said; empty where nothing in it is a command."""
    speech: float
    """Length of the speech [s]."""
    end: float
    """Where the speech ends, from the start of the file [s]."""


def prepare(source: Path, folder: Path) -> list[Clip]:
    """Given the folder of recordings with its transcripts.tsv, write them to another, return them by name."""
    noise = np.random.default_rng(5)
    return [_write(source / name, said, folder, noise) for name, said in _transcripts(source)]


def write_silence(folder: Path) -> Path:
    """Given a folder, write the silent recording into it."""
    path = folder / "silence.raw"
    _noise(SILENCE, np.random.default_rng(6)).tofile(path)
    return path


def _transcripts(source: Path) -> Iterator[tuple[str, str]]:
    with (source / "transcripts.tsv").open(encoding="utf-8", newline="") as lines:
        rows = sorted(csv.DictReader(lines, delimiter="\t"), key=lambda row: row["file"])
    for row in rows:
        command = row["set"] == "speech-to-phrase" and not row["file"].startswith("oov_")
        yield row["file"], row["transcript"] if command else ""


def _write(file: Path, said: str, folder: Path, noise: np.random.Generator) -> Clip:
    sound, rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono = soxr.resample(sound.mean(axis=1), rate, RATE) * 32768
    clean = np.concatenate([np.zeros(round(LEAD * RATE)), mono, np.zeros(round(TAIL * RATE))])
    start, end = (LEAD + at for at in _speech(mono))
    path = folder / f"{file.stem}.raw"
    heard = clean + _noise(len(clean) / RATE, noise)
    np.clip(np.rint(heard), -32768, 32767).astype(np.int16).tofile(path)
    return Clip(path, said, end - start, end)


def _noise(seconds: float, noise: np.random.Generator) -> npt.NDArray[np.int16]:
    sound: npt.NDArray[np.int16] = np.rint(noise.normal(0, NOISE, round(seconds * RATE))).astype(np.int16)
    return sound


def _speech(sound: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Given a recording, return where its speech starts and ends [s], to 20 ms."""
    step = RATE // 50
    frames = sound[: len(sound) // step * step].reshape(-1, step)
    level = np.sqrt((frames**2).mean(axis=1))
    audible = np.flatnonzero(level > AUDIBLE * np.quantile(level, 0.2))
    return float(audible[0]) / 50, float(audible[-1] + 1) / 50
