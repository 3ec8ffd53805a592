"""Recordings -> shards: `corpus decode`.

Rule of this file: nothing is changed but the coding: Ogg Opus in a tar to 16 kHz int16, one shard a
set. A set that is already decoded is skipped.
"""

from __future__ import annotations

import csv
import io
import sys
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from sayso_model import shards
from sayso_model.places import SHARDS, SPEECH

RATE = 16_000
PARTS = ("train", "dev", "negatives", "noise")


def samples(data: bytes) -> npt.NDArray[np.int16]:
    """Given a sound file's bytes, return 16 kHz mono int16."""
    sound, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    mono = sound.mean(axis=1)
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE)
    return np.clip(np.rint(mono * 32768.0), -32768, 32767).astype(np.int16)


def decode(part: str, speech: Path = SPEECH, folder: Path = SHARDS) -> None:
    """Given a part's name, write a shard for each of its sets."""
    sets: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (speech / f"{part}.tsv").open(newline="") as handle:
        for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE):
            sets[row["set"]].append(row)
    with tarfile.open(speech / f"{part}.tar") as tar, Pool() as pool:
        members = {member.name.removeprefix("./"): member for member in tar.getmembers()}

        def recordings(rows: list[dict[str, str]]) -> Iterator[bytes]:
            for row in rows:
                member = tar.extractfile(members[row["path"]])
                assert member is not None
                yield member.read()

        def clips(rows: list[dict[str, str]]) -> Iterator[tuple[npt.NDArray[np.int16], str, str, str, str]]:
            for row, sound in zip(rows, pool.imap(samples, recordings(rows), chunksize=16)):
                yield sound, row["set"], row["speaker"], row["path"], row["transcript"]

        for name, rows in sets.items():
            shard = f"{part}-{name}"
            if not shards.present(folder, shard):
                print(f"{shard}: {shards.write(folder, shard, clips(rows))} clips", flush=True)


def main(arguments: list[str]) -> None:
    for part in arguments or PARTS:
        decode(part)


if __name__ == "__main__":
    main(sys.argv[1:])
