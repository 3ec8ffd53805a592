"""DeepSpeech's network in torch, for training.

Rule of this file: what it computes over a whole clip is what graph.py computes call by call. Inputs are standardised
here, because nothing learns otherwise, and that is folded into the first layer when the weights leave.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sayso_model.deepspeech.shape import ALPHABET, CLIP, COEFFICIENTS, CONTEXT, FORGET_BIAS, FRAMES, Shape, Weights

BLANK = len(ALPHABET)
_INDEX = {letter: index for index, letter in enumerate(ALPHABET)}


def encode(text: str) -> tuple[int, ...]:
    """Given a text in the alphabet, return its labels."""
    return tuple(_INDEX[letter] for letter in text)


def decode(labels: Tensor) -> str:
    """Given the best label of each step, return what CTC reads in them."""
    kept = torch.unique_consecutive(labels)
    return "".join(ALPHABET[label] for label in kept.tolist() if label != BLANK)


class Network(nn.Module):
    """Coefficients of a clip to logits."""

    def __init__(self, shape: Shape, mean: np.ndarray, scale: np.ndarray, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32).tile(FRAMES))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32).tile(FRAMES))
        sizes = shape.layers()
        self.layer_1, self.layer_2, self.layer_3 = (nn.Linear(*sizes[f"layer_{n}"]) for n in (1, 2, 3))
        self.lstm = nn.LSTM(shape.hidden, shape.hidden, batch_first=True)
        self.layer_5, self.layer_6 = nn.Linear(*sizes["layer_5"]), nn.Linear(*sizes["layer_6"])
        self._dropout = dropout
        for layer in (self.layer_1, self.layer_2, self.layer_3, self.layer_5):
            # torch's own beginning shrinks what passes by half in each layer, and the LSTM would hear next to nothing.
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # He et al., 2015
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.lstm.bias_ih_l0[shape.hidden : 2 * shape.hidden] = FORGET_BIAS

    def forward(self, frames: Tensor) -> Tensor:
        """Given coefficients [batch, frames, 26], return logits [batch, frames, labels]."""
        padded = functional.pad(frames, (0, 0, CONTEXT, CONTEXT))
        rows = padded.unfold(1, FRAMES, 1).transpose(2, 3).flatten(2)
        rows = (rows - self.mean) / self.scale
        for layer in (self.layer_1, self.layer_2, self.layer_3):
            rows = self._dense(layer, rows)
        rows, _ = self.lstm(rows)
        return self.layer_6(self._dense(self.layer_5, rows))

    def _dense(self, layer: nn.Module, rows: Tensor) -> Tensor:
        return functional.dropout(functional.hardtanh(layer(rows), 0.0, CLIP), self._dropout, self.training)

    @torch.no_grad()
    def weights(self) -> Weights:
        """Return its weights as graph.py takes them."""
        gates = torch.cat((self.lstm.weight_ih_l0, self.lstm.weight_hh_l0), dim=1)
        bias = self.lstm.bias_ih_l0 + self.lstm.bias_hh_l0
        gate, forget, value, out = (torch.cat((w, b[:, None]), 1) for w, b in zip(gates.chunk(4), bias.chunk(4)))
        forget[:, -1] -= FORGET_BIAS
        ordered = torch.cat((gate, value, forget, out))
        found = {"lstm.weights": ordered[:, :-1].t(), "lstm.bias": ordered[:, -1]}
        for name in ("layer_1", "layer_2", "layer_3", "layer_5", "layer_6"):
            layer = getattr(self, name)
            found[f"{name}.weights"], found[f"{name}.bias"] = layer.weight.t(), layer.bias
        first = found["layer_1.weights"] / self.scale[:, None]
        found["layer_1.bias"] = found["layer_1.bias"] - self.mean @ first
        found["layer_1.weights"] = first
        return {name: value.contiguous().numpy().astype(np.float32) for name, value in found.items()}


def loss_of(network: Network, frames: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
    """Given coefficients and what is said in them, return the CTC loss per label."""
    log_probs = network(frames).float().log_softmax(2).transpose(0, 1)
    rows = torch.full((frames.shape[0],), log_probs.shape[0], dtype=torch.long)
    losses = functional.ctc_loss(log_probs, targets, rows, lengths, blank=BLANK, reduction="none", zero_infinity=True)
    return losses.sum() / max(1, int(lengths.sum()))


def spread(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Given coefficients [n, 26], return the mean and the deviation of each."""
    assert frames.shape[1] == COEFFICIENTS
    return frames.mean(axis=0), frames.std(axis=0) + 1e-3
