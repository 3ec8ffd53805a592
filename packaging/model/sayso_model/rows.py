"""Rows of numbers that go with shards, 50 a second: what was made of each clip, once, for use again and again.

Rule of this file: they lie beside the shard, `<shard>.<kind>`: float16 [rows, width], clip after clip as in its table.
Row r of a clip speaks of the moment around its sample r times `ROW`. A phrase has those of the sentence it is cut from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sayso_model import shards
from sayso_model.places import SHARDS

ROW = 320
"""Samples from row to row."""

Rows = npt.NDArray[np.float16]


def path(shard: str, kind: str) -> Path:
    """Given a shard and a kind of rows, return where they lie."""
    return SHARDS / f"{shard}.{kind}"


def starts(shard: str) -> dict[str, int]:
    """Given a shard, return the first row of each of its clips, by the clips' keys."""
    found, start = {}, 0
    for clip in shards.read(SHARDS, shard):
        found[clip.key] = start
        start += clip.length // ROW
    return found


def mapped(shard: str, kind: str, width: int) -> Rows:
    """Given a shard, return all its rows of a kind, [rows, width]."""
    return np.memmap(path(shard, kind), np.float16, "r").reshape(-1, width)


@dataclass(frozen=True)
class Course:
    """Rows along a sound that may have been cut, or played at another speed."""

    rows: Rows
    """[rows, width]."""
    first: float
    """Row of the sound's first sample."""
    pace: float = 1.0 / ROW
    """Rows a sample."""

    def cut(self, start: int) -> Course:
        """Return the same along the sound from this sample on."""
        return replace(self, first=self.first + start * self.pace)

    def faster(self, factor: float) -> Course:
        """Return the same along the sound played so many times as fast."""
        return replace(self, pace=self.pace * factor)

    def at(self, samples: npt.NDArray[np.float64]) -> Rows:
        """Given places in the sound, return what lies between the rows there, [places, width]; outside, no number."""
        place = self.first + samples * self.pace
        inside = (place > -0.5) & (place < len(self.rows) - 0.5)
        place = np.clip(place, 0, len(self.rows) - 1)
        lower = np.minimum(place.astype(np.int64), max(0, len(self.rows) - 2))
        share = (place - lower)[:, None].astype(np.float32)
        upper = np.minimum(lower + 1, len(self.rows) - 1)
        between = self.rows[lower] * (1 - share) + self.rows[upper] * share
        between[~inside] = np.nan
        return between.astype(np.float16)


class Courses:
    """The rows of a shard's clips, where there are any."""

    def __init__(self, shard: str, kind: str, width: int) -> None:
        self._phrases = shards.are_phrases(shard)
        of = shards.sentences_of(shard)
        self._rows = mapped(of, kind, width) if path(of, kind).exists() else None
        self._spans: dict[str, tuple[int, int]] = {}
        if self._rows is not None:
            first = starts(of)
            ends = [*list(first.values())[1:], len(self._rows)]
            self._spans = {key: (start, end) for (key, start), end in zip(first.items(), ends)}

    def __call__(self, clip: shards.Clip) -> Course | None:
        """Given a clip, return the rows along it, or nothing where there are none."""
        if self._rows is None:
            return None
        key, sample = shards.cut_from(clip.key) if self._phrases else (clip.key, 0)
        start, end = self._spans[key]
        return Course(self._rows[start:end], sample / ROW) if end > start else None
