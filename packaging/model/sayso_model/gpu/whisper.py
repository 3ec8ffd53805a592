"""Whisper's encoder in torch, for a GPU: what the network is taught there is made there, from the clips in its memory.

Rule of this file: it computes what whisper.py has CTranslate2 compute, from the same file of weights, in float16; that
file is read as CTranslate2 4 writes it (binary version 6).
"""

from __future__ import annotations

import argparse
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sayso_model import rows
from sayso_model.augmentation import RATE, Sound
from sayso_model.loader import TAUGHT
from sayso_model.places import WORK
from sayso_model.teacher import TELLING, Telling
from sayso_model.whisper import BANDS, FFT, HOP, listened_to, mel_filters, whole, write

HEADS = 8
VERSION = 6
KINDS = (np.float32, np.int8, np.int16, np.int32, np.float16)
"""By the number that CTranslate2 gives them."""
TOGETHER = 2000.0
"""Seconds of sound that are encoded at once."""
ENCODER = WORK / "whisper.pt"
"""The weights, where they came in a parcel."""


def weights(file: Path) -> dict[str, Tensor]:
    """Given CTranslate2's file of a Whisper, return the encoder's weights by their names. Raise ValueError where it is
    of another version."""
    with file.open("rb") as stored:
        (version,) = struct.unpack("<I", stored.read(4))
        if version != VERSION:
            raise ValueError(f"{file} is of CTranslate2's binary version {version}, not {VERSION}")
        found = {name: value for name, value in _variables(stored) if name.startswith("encoder/")}
    return {name.removeprefix("encoder/"): torch.from_numpy(value) for name, value in found.items() if value.ndim}


def _variables(stored: BinaryIO) -> Iterator[tuple[str, np.ndarray]]:
    def text() -> str:
        (length,) = struct.unpack("<H", stored.read(2))
        return stored.read(length)[:-1].decode()

    text()  # the kind of model
    _, count = struct.unpack("<II", stored.read(8))
    for _ in range(count):
        name = text()
        shape = struct.unpack(f"<{(rank := stored.read(1)[0])}I", stored.read(4 * rank))
        kind, size = struct.unpack("<BI", stored.read(5))
        yield name, np.frombuffer(stored.read(size), KINDS[kind]).reshape(shape).copy()


class Encoder:
    """Whisper's encoder."""

    def __init__(self, weights: dict[str, Tensor], device: torch.device) -> None:
        self._kind = torch.float16 if device.type == "cuda" else torch.float32
        self._its = {name: value.to(device, self._kind) for name, value in weights.items()}
        self._layers = sum(name.endswith("ffn/linear_1/bias") for name in weights)
        self._filters = torch.from_numpy(mel_filters()).to(device)
        self._hann = torch.hann_window(FFT, device=device)

    def log_mels(self, sound: Tensor) -> Tensor:
        """Given sounds at 16 kHz, full scale 1, float32 [clips, samples], return Whisper's features, [clips, bands,
        samples / HOP]."""
        padded = functional.pad(sound[:, None], (FFT // 2, FFT // 2), mode="reflect")[:, 0]
        frames = padded.unfold(1, FFT, HOP)[:, : sound.shape[1] // HOP] * self._hann
        power = torch.view_as_real(torch.fft.rfft(frames)).square().sum(3)
        logs = (power @ self._filters.t()).clamp_min(1e-10).log10()
        logs = torch.maximum(logs, logs.amax((1, 2), keepdim=True) - 8.0)
        return ((logs + 4.0) / 4.0).transpose(1, 2)

    @torch.no_grad()
    def __call__(self, sound: Tensor) -> Tensor:
        """Given sounds, float32 [clips, samples], return [clips, samples / rows.ROW, WIDTH]."""
        its = self._its
        heard = self.log_mels(sound).to(self._kind)
        assert heard.shape[1] == BANDS
        heard = functional.gelu(functional.conv1d(heard, its["conv1/weight"], its["conv1/bias"], padding=1))
        heard = functional.gelu(functional.conv1d(heard, its["conv2/weight"], its["conv2/bias"], stride=2, padding=1))
        heard = heard.transpose(1, 2)
        heard = heard + its["position_encodings/encodings"][: heard.shape[1]]
        for number in range(self._layers):
            heard = heard + self._attended(self._normed(heard, f"layer_{number}/self_attention/layer_norm"), number)
            within = self._normed(heard, f"layer_{number}/ffn/layer_norm")
            within = functional.gelu(self._linear(within, f"layer_{number}/ffn/linear_0"))
            heard = heard + self._linear(within, f"layer_{number}/ffn/linear_1")
        return self._normed(heard, "layer_norm")

    def _linear(self, heard: Tensor, name: str) -> Tensor:
        return functional.linear(heard, self._its[f"{name}/weight"], self._its[f"{name}/bias"])

    def _normed(self, heard: Tensor, name: str) -> Tensor:
        its = self._its
        return functional.layer_norm(heard, heard.shape[-1:], its[f"{name}/gamma"], its[f"{name}/beta"])

    def _attended(self, heard: Tensor, number: int) -> Tensor:
        clips, length, width = heard.shape
        mixed = self._linear(heard, f"layer_{number}/self_attention/linear_0").view(clips, length, 3, HEADS, -1)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value)
        found = found.transpose(1, 2).reshape(clips, length, width)
        return self._linear(found, f"layer_{number}/self_attention/linear_1")


def main() -> None:
    """Write what is taught of all that Whisper hears, with what came in a parcel."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.parse_args()
    if not ENCODER.exists() or not TELLING.exists():
        parser.error(
            f"{ENCODER.name} and {TELLING.name} are not in {WORK}; `parcel pack` takes them along after `corpus teach`"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = Encoder(torch.load(ENCODER, weights_only=True), device)
    tell = Telling(**torch.load(TELLING, weights_only=True)).to(device)

    def told(clips: list[Sound]) -> list[rows.Rows]:
        heard = torch.zeros(len(clips), whole(max(map(len, clips))))
        for its, clip in zip(heard, clips):
            its[: len(clip)] = torch.from_numpy(clip)
        found = tell(encoder(heard.to(device)).float()).half().cpu().numpy()
        return [one[: len(clip) // rows.ROW] for one, clip in zip(found, clips)]

    for shard in listened_to():
        if not rows.path(shard, "taught").exists():
            print(write(shard, "taught", TAUGHT, told, TOGETHER * RATE), flush=True)


if __name__ == "__main__":
    main()
