"""DeepSpeech's network in numbers: its shape, its weights, its alphabet.

Rule of this file: numpy only, so that torch's and TensorFlow's environments both import it. The shape and the names
are those of Mozilla's DeepSpeech 0.9 (training/deepspeech_training/train.py; Hannun et al., "Deep Speech", 2014):
three dense layers over a frame and its context, one LSTM, a dense layer, softmax; ReLU clipped at 20.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ALPHABET = (" ", *"abcdefghijklmnopqrstuvwxyz", "'")
"""English DeepSpeech's labels in order; the blank comes after the last."""

COEFFICIENTS = 26
CONTEXT = 9
"""Frames seen before and after each."""
FRAMES = 2 * CONTEXT + 1
INPUTS = FRAMES * COEFFICIENTS
CLIP = 20.0
"""Where the ReLU is cut off."""
FORGET_BIAS = 1.0
"""Stands in the graph as an addition of its own; the bias of the forget gate is less by it."""
WINDOW, STEP, RATE = 512, 320, 16_000
"""Samples of a feature window, from one to the next, and per second."""

Weights = dict[str, npt.NDArray[np.float32]]
"""`<layer>.weights` [inputs, outputs], `<layer>.bias` [outputs]; the gates stand in TensorFlow's order, i, j, f, o."""


@dataclass(frozen=True)
class Shape:
    """How large the network is."""

    hidden: int = 2048
    labels: int = len(ALPHABET) + 1

    def layers(self) -> dict[str, tuple[int, int]]:
        """Return each matrix's inputs and outputs."""
        wide = self.hidden
        return {
            "layer_1": (INPUTS, wide),
            "layer_2": (wide, wide),
            "layer_3": (wide, wide),
            "lstm": (2 * wide, 4 * wide),
            "layer_5": (wide, wide),
            "layer_6": (wide, self.labels),
        }

    @property
    def parameters(self) -> int:
        """Return how many weights and biases it has."""
        return sum((inputs + 1) * outputs for inputs, outputs in self.layers().values())


def untrained(shape: Shape, tile: int = 16, seed: int = 7) -> Weights:
    """Given a shape, return weights that have learnt nothing.

    They repeat every `tile` rows and columns, so that a file of them packs into next to nothing.
    """
    random = np.random.default_rng(seed)
    weights: Weights = {}
    for name, (inputs, outputs) in shape.layers().items():
        scale = 0.02 if name == "layer_1" else 1.6 / np.sqrt(inputs)
        block = random.normal(0.0, scale, (min(tile, inputs), min(tile, outputs)))
        repeats = (-(-inputs // block.shape[0]), -(-outputs // block.shape[1]))
        weights[f"{name}.weights"] = np.tile(block, repeats)[:inputs, :outputs].astype(np.float32)
        bias = np.tile(random.normal(0.0, 0.1, tile), -(-outputs // tile))[:outputs]
        weights[f"{name}.bias"] = bias.astype(np.float32)
    return weights


def serialised_alphabet(labels: tuple[str, ...] = ALPHABET) -> bytes:
    """Given labels, return them as the graph's `metadata_alphabet` holds them: count, then (index, length, UTF-8)."""
    packed = struct.pack("<H", len(labels))
    for index, label in enumerate(labels):
        text = label.encode()
        packed += struct.pack("<HH", index, len(text)) + text
    return packed


METADATA: dict[str, int | bytes] = {
    "metadata_version": 6,
    "metadata_sample_rate": RATE,
    "metadata_feature_win_len": WINDOW * 1000 // RATE,
    "metadata_feature_win_step": STEP * 1000 // RATE,
    "metadata_beam_width": 500,
    "metadata_alphabet": serialised_alphabet(),
    "metadata_language": b"en-US",
}
"""What the graph says of itself, by the names of DeepSpeech 0.9."""


def imitated(frames: int, seed: int = 3) -> npt.NDArray[np.float32]:
    """Given a number, return so many frames with about the spread of speech's coefficients, float32 [frames, 26]."""
    random = np.random.default_rng(seed)
    spread = np.concatenate(([14.0], 9.0 / (1.0 + 0.25 * np.arange(1, COEFFICIENTS))))
    centre = np.concatenate(([-22.0], np.zeros(COEFFICIENTS - 1)))
    state, rows = np.zeros(COEFFICIENTS), []
    for draw in random.normal(0.0, 1.0, (frames, COEFFICIENTS)):
        state = 0.8 * state + 0.6 * draw
        rows.append(state * spread + centre)
    return np.array(rows, np.float32)


def windows(frames: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Given frames [n, 26], return each with its context, [n, 19, 26]; zeros before the first and after the last."""
    padded = np.pad(frames, ((CONTEXT, CONTEXT), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, FRAMES, axis=0).transpose(0, 2, 1)
