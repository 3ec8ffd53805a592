"""The training data for a machine that reaches nothing but what is brought to it: `parcel pack`, `parcel unpack`.

Rule of this file: what is unpacked is what was packed, shard by shard, except that synthetic voices went through Opus.
A parcel is a folder of parts no larger than asked for, each a folder of pieces of files; recordings travel as they
came, and a phrase that was cut out of a sentence as its place in it.
"""

from __future__ import annotations

import argparse
import gzip
import math
import shutil
import subprocess
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import torch

from sayso_model import shards
from sayso_model.decode import decode
from sayso_model.gpu.whisper import ENCODER
from sayso_model.loader import usable
from sayso_model.phones import Speller
from sayso_model.places import RUNS, SHARDS, SPEECH, WORK
from sayso_model.statistics import PATH as FEATURES
from sayso_model.teacher import TELLING
from sayso_model.whisper import weights

KINDS = ("train-", "synthetic-", "noise-")
CODED = ("-c:a", "libopus", "-b:a", "14k", "-compression_level", "3")
"""ffmpeg's arguments for the synthetic voices; at its least effort it is several times faster."""


def _phones(shard: str) -> str:
    """Given a shard, return its table of phones: as aligned, else as the dictionary says."""
    file = SHARDS / f"{shard}.phones"
    if file.exists():
        return file.read_text()
    clips = [clip for clip in shards.read(SHARDS, shard) if usable(clip)]
    speller = Speller([clip.text for clip in clips])
    return "".join(f"{clip.key}\t{' '.join(speller.phones(clip.text))}\n" for clip in clips)


def places(phrases: str, sentences: str) -> npt.NDArray[np.int64]:
    """Given a shard of phrases and that of their sentences, return each phrase's first sample there, [phrases]."""
    whole = {clip.key: clip.offset for clip in shards.read(SHARDS, sentences)}
    cuts = [shards.cut_from(clip.key) for clip in shards.read(SHARDS, phrases)]
    return np.array([whole[key] + start for key, start in cuts], np.int64)


def _contents(run: str, work: Path) -> Iterator[Path]:
    """Given a run to go on from and a folder to work in, make and return what travels, smallest first."""
    for shard in [name for kind in KINDS for name in shards.names(SHARDS, kind) if not shards.are_spliced(name)]:
        table = work / f"{shard}.tsv.gz"
        table.write_bytes(gzip.compress((SHARDS / f"{shard}.tsv").read_bytes()))
        yield table
        if not shard.startswith("noise-"):
            phones = work / f"{shard}.phones.gz"
            phones.write_bytes(gzip.compress(_phones(shard).encode()))
            yield phones
        if shards.are_phrases(shard):
            where = work / f"{shard}.places.npy"
            np.save(where, places(shard, shards.sentences_of(shard)))
            yield where
    stored = torch.load(RUNS / run / "last.pt", map_location="cpu", weights_only=False)
    halves = {name: value.half() if value.is_floating_point() else value for name, value in stored["average"].items()}
    torch.save({"settings": stored["settings"], "average": halves, "told": stored.get("told")}, work / f"{run}.pt")
    yield work / f"{run}.pt"
    yield SHARDS / "rooms.npz"
    yield FEATURES
    yield SPEECH / "noise.tar"
    yield SPEECH / "noise.tsv"
    if TELLING.exists():
        yield TELLING
    torch.save(weights(), work / ENCODER.name)
    yield work / ENCODER.name
    for shard in [name for name in shards.names(SHARDS, "synthetic-") if not shards.are_of_others(name)]:
        coded = work / f"{shard}.opus"
        raw = ("-f", "s16le", "-ar", "16000", "-ac", "1", "-i", str(SHARDS / f"{shard}.pcm"))
        subprocess.run(("ffmpeg", "-loglevel", "error", *raw, *CODED, str(coded)), check=True)
        yield coded
    yield SPEECH / "train.tar"
    yield SPEECH / "train.tsv"


def pack(run: str, folder: Path, limit: int) -> None:
    """Given a run to go on from, write the parcel in parts of at most `limit` bytes."""
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    part, free = 0, limit
    for path in _contents(run, work):
        data = path.read_bytes()
        for piece in range(max(1, math.ceil(len(data) / limit * 2))):
            some = data[piece * limit // 2 : (piece + 1) * limit // 2]
            if len(some) > free:
                part, free = part + 1, limit
            target = folder / f"part-{part}" / f"{path.name}@{piece:03}"
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(some)
            free -= len(some)
    shutil.rmtree(work)
    print(f"{folder}: {part + 1} parts")


def _joined(folder: Path, target: Path) -> None:
    """Given the parcel, put its files together; those of which the last piece is missing come out short."""
    target.mkdir(parents=True, exist_ok=True)
    pieces = sorted(folder.glob("part-*/*@*"), key=lambda path: path.name)
    for piece in pieces:
        name, number = piece.name.rsplit("@", 1)
        with (target / name).open("wb" if number == "000" else "ab") as file:
            file.write(piece.read_bytes())


def _voices(coded: Path) -> None:
    """Given a shard of synthetic voices, write its samples."""
    sound, _ = soundfile.read(coded, dtype="int16")
    shard = coded.name.removesuffix(".opus")
    np.asarray(sound, "<i2").tofile(SHARDS / f"{shard}.pcm")


def _cut(shard: str, where: npt.NDArray[np.int64]) -> None:
    """Given a shard of phrases and their places, cut them out of the sentences again."""
    source = np.memmap(SHARDS / f"{shards.sentences_of(shard)}.pcm", dtype="<i2", mode="r")
    with (SHARDS / f"{shard}.pcm").open("wb") as pcm:
        for clip, place in zip(shards.read(SHARDS, shard), where):
            pcm.write(shards.faded(source[place : place + clip.length]).astype("<i2").tobytes())


def unpack(folder: Path, target: Path, only_synthetic: bool) -> None:
    """Given a parcel, write its shards, rooms, settings and run."""
    _joined(folder, target)
    SHARDS.mkdir(parents=True, exist_ok=True)
    shutil.copy(target / "rooms.npz", SHARDS / "rooms.npz")
    shutil.copy(target / FEATURES.name, FEATURES)
    for stored in target.glob("*.pt"):
        if stored.name in (TELLING.name, ENCODER.name):
            shutil.copy(stored, WORK / stored.name)
        else:
            (RUNS / stored.stem).mkdir(parents=True, exist_ok=True)
            shutil.copy(stored, RUNS / stored.stem / "last.pt")
    decode("noise", target, SHARDS)
    if not only_synthetic:
        decode("train", target, SHARDS)
    phrases = [] if only_synthetic else sorted(target.glob("*.places.npy"))
    with Pool() as pool:
        pool.map(_voices, sorted(target.glob("synthetic-*.opus")), chunksize=1)
        for table in target.glob("*.gz"):
            if not only_synthetic or (target / f"{table.name.split('.')[0]}.opus").exists():
                (SHARDS / table.name.removesuffix(".gz")).write_bytes(gzip.decompress(table.read_bytes()))
        pool.starmap(_cut, [(path.name.removesuffix(".places.npy"), np.load(path)) for path in phrases], chunksize=1)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("run")
    packing.add_argument("folder", type=Path)
    packing.add_argument("--megabytes", type=float, default=48.0, help="largest part")
    unpacking = commands.add_parser("unpack")
    unpacking.add_argument("folder", type=Path)
    unpacking.add_argument("work", type=Path, help="a folder to put files together in")
    unpacking.add_argument("--only-synthetic", action="store_true")
    options = parser.parse_args()
    if options.command == "pack":
        if shutil.which("ffmpeg") is None:
            parser.error("ffmpeg codes the synthetic voices, and is not installed; `apt install ffmpeg` does it")
        if not (RUNS / options.run / "last.pt").exists():
            parser.error(f"there is no run {options.run!r} in {RUNS}")
        pack(options.run, options.folder, int(options.megabytes * 1e6))
    else:
        unpack(options.folder, options.work, options.only_synthetic)


if __name__ == "__main__":
    main()
