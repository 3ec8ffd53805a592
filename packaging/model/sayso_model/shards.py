"""Shards: many clips of 16 kHz mono int16 in one file, with a table beside it.

Rule of this file: a shard is complete or absent. `<name>.pcm` holds the samples back to back,
`<name>.tsv` one row a clip: offset and length in samples, set, speaker, key, text. The table is
written last and renamed into place, so that a run that was cut short starts that shard again. `<name>.phones`, where
there is one, holds what was said in each clip that is worth training on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

FADE = 80
"""Samples at each end of what is cut out of a clip that are faded."""
COLUMNS = ("offset", "length", "set", "speaker", "key", "text")


@dataclass(frozen=True)
class Clip:
    """One recording within a shard."""

    shard: str
    offset: int
    length: int
    set: str
    speaker: str
    key: str
    text: str


def present(folder: Path, name: str) -> bool:
    """Given a shard's name, return whether it is complete."""
    return (folder / f"{name}.tsv").exists()


def write(folder: Path, name: str, clips: Iterable[tuple[npt.NDArray[np.int16], str, str, str, str]]) -> int:
    """Given clips as (samples, set, speaker, key, text), write the shard and return how many clips it holds."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f"{name}.tsv.part"
    offset = count = 0
    with (folder / f"{name}.pcm").open("wb") as pcm, table.open("w", newline="") as handle:
        rows = csv.writer(handle, delimiter="\t", quoting=csv.QUOTE_MINIMAL)
        rows.writerow(COLUMNS)
        for samples, kind, speaker, key, text in clips:
            pcm.write(np.ascontiguousarray(samples, dtype="<i2").tobytes())
            rows.writerow((offset, len(samples), kind, speaker, key, text))
            offset += len(samples)
            count += 1
    table.rename(folder / f"{name}.tsv")
    return count


def read(folder: Path, name: str) -> Iterator[Clip]:
    """Given a complete shard, return its clips."""
    with (folder / f"{name}.tsv").open(newline="") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            yield Clip(
                name, int(row["offset"]), int(row["length"]), row["set"], row["speaker"], row["key"], row["text"]
            )


def write_phones(folder: Path, name: str, said: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Given clips' keys and phones, write what to train on; a clip that isn't among them is left out."""
    part = folder / f"{name}.phones.part"
    part.write_text("".join(f"{key}\t{' '.join(phones)}\n" for key, phones in said))
    part.rename(folder / f"{name}.phones")


def phones(folder: Path, name: str) -> dict[str, tuple[str, ...]] | None:
    """Given a shard's name, return the phones of its clips by their keys, None where nobody has written them."""
    file = folder / f"{name}.phones"
    if not file.exists():
        return None
    lines = (line.split("\t") for line in file.read_text().splitlines())
    return {key: tuple(said.split()) for key, said in lines}


def phrases_of(name: str) -> str:
    """Given a shard's name, return that of the phrases that are cut out of it."""
    kind, _, of = name.partition("-")
    return f"{kind}-phrases-{of}"


def are_phrases(name: str) -> bool:
    """Given a shard's name, return whether its clips are cut out of another's."""
    return "-phrases-" in name


def sentences_of(name: str) -> str:
    """Given the name of a shard of phrases, return that of the sentences; of any other, itself."""
    return name.replace("-phrases-", "-")


def spliced_of(phrases: str) -> str:
    """Given the name of a shard of phrases, return that of the sentences that are made of them."""
    return phrases.replace("-phrases-", "-spliced-")


def are_spliced(name: str) -> bool:
    """Given a shard's name, return whether its clips are put together of others' phrases."""
    return "-spliced-" in name


def are_of_others(name: str) -> bool:
    """Given a shard's name, return whether its clips are cut out of another's, or put together of such."""
    return are_phrases(name) or are_spliced(name)


def cut(key: str, start: int) -> str:
    """Given a clip's key, return that of what is cut out of it from this sample on."""
    return f"{key}@{start}"


def cut_from(key: str) -> tuple[str, int]:
    """Given such a key, return the clip's and the first sample."""
    clip, _, start = key.rpartition("@")
    return clip, int(start)


def names(folder: Path, prefix: str = "") -> list[str]:
    """Given a prefix, return the names of the complete shards that begin with it."""
    return sorted(path.stem for path in folder.glob(f"{prefix}*.tsv"))


def faded(sound: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Given what was cut out of a clip, return it without clicks at its ends."""
    its = sound.astype(np.float32)
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    its[:FADE] *= ramp
    its[-FADE:] *= ramp[::-1]
    return its.astype(np.int16)


class Samples:
    """The samples of shards, mapped into memory on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._maps: dict[str, npt.NDArray[np.int16]] = {}

    def __call__(self, clip: Clip) -> npt.NDArray[np.int16]:
        """Given a clip, return its samples, int16 [length], read-only."""
        if clip.shard not in self._maps:
            self._maps[clip.shard] = np.memmap(self._folder / f"{clip.shard}.pcm", dtype="<i2", mode="r")
        return self._maps[clip.shard][clip.offset : clip.offset + clip.length]
