"""Discriminative training without lattices: the denominator of CTC-CRF.

Rule of this file: the daemon never hears phones alone, but sentences of a grammar. So the network is trained to put
the spoken phones before all others that English could bring: the CTC score of what was said, less that of every phone
sequence, each weighed by a phone bigram (Xiang and Ou 2019; Povey et al. 2016 without CTC's blanks). The sum over all
sequences and its gradient are exact, by the forward-backward algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sayso_model import shards
from sayso_model.loader import NOISE_ONLY
from sayso_model.phones import INDEX, SYMBOLS
from sayso_model.places import SHARDS


@dataclass(frozen=True)
class PhoneBigram:
    """How phones follow one another in what is trained on."""

    first: Tensor
    """[phones]: probability of each as the first; what is left is that of nothing being said."""
    next: Tensor
    """[phones, phones]: probability of the second after the first."""
    last: Tensor
    """[phones]: probability that nothing follows."""

    def to(self, device: torch.device) -> PhoneBigram:
        """Return the same on a device."""
        return PhoneBigram(self.first.to(device), self.next.to(device), self.last.to(device))

    @property
    def nothing(self) -> float:
        """Probability that no phone comes at all."""
        return 1.0 - float(self.first.sum())


def phone_bigram() -> PhoneBigram:
    """Return the bigram of all aligned training clips, with their ends; each count is raised by a tenth."""
    size = len(SYMBOLS)
    counts = np.zeros((size, size))  # row 0: the first of a clip; column 0: nothing follows
    for name in shards.names(SHARDS):
        file = SHARDS / f"{name}.phones"
        if file.exists() and not name.startswith("dev-") and not shards.are_spliced(name):  # nobody said those
            for line in file.read_text().splitlines():
                said = [0, *(INDEX[phone] for phone in line.split("\t")[1].split()), 0]
                np.add.at(counts, (said[:-1], said[1:]), 1)
    counts += 0.1
    share = counts / counts.sum(axis=1, keepdims=True)
    first = share[0, 1:] / share[0, 1:].sum() * (1.0 - NOISE_ONLY)
    return PhoneBigram(*(torch.tensor(part, dtype=torch.float32) for part in (first, share[1:, 1:], share[1:, 0])))


def passed(log_probs: Tensor, bigram: PhoneBigram, nothing: float) -> tuple[Tensor, Tensor]:
    """Given log-posteriors [rows, batch, outputs], blank first, and the chance that no phone comes at all, return
    ln Σ P(phones) e^score over all phone sequences and alignments, [batch], and its gradient, shaped as the first."""
    # One matrix product a row: thousands of small steps cost what it takes to begin them, not what they compute.
    first, turns, last = _states(bigram, nothing)
    probs = log_probs.exp()
    rows, batch, outputs = probs.shape
    phones = outputs - 1
    said = torch.cat((probs[:, :, 1:], probs[:, :, :1].expand(-1, -1, phones + 1)), 2)
    inside, scale = torch.empty_like(said), said.new_empty(rows, batch, 1)
    reached = first.expand(batch, -1)
    for row in range(rows):
        if row:
            reached = inside[row - 1] @ turns
        now = reached * said[row]
        torch.sum(now, 1, keepdim=True, out=scale[row])
        torch.div(now, scale[row], out=inside[row])
    end = inside[-1] @ last
    result = scale.log().sum(0).squeeze(1) + end.log()

    said.div_(scale)
    outside = torch.empty_like(said)
    outside[-1] = last / end[:, None]
    back = turns.t().contiguous()
    for row in range(rows - 1, 0, -1):
        torch.mm(said[row] * outside[row], back, out=outside[row - 1])
    inside.mul_(outside)
    gradient = torch.empty_like(probs)
    gradient[:, :, 1:] = inside[:, :, :phones]
    torch.sum(inside[:, :, phones:], 2, keepdim=True, out=gradient[:, :, :1])
    return result, gradient


def _states(bigram: PhoneBigram, nothing: float) -> tuple[Tensor, Tensor, Tensor]:
    """Given a bigram, return where a path begins, [states], how it goes on, [states, states], and with what
    probability nothing more comes, [states].

    The states are those in each phone, those in a blank after each, and the one in the blanks before the first.
    """
    phones = len(bigram.next)
    turns = bigram.next.new_zeros(2 * phones + 1, 2 * phones + 1)
    turns[:phones, :phones] = bigram.next
    turns[:phones, :phones].fill_diagonal_(1.0)  # it lasts; the same phone twice needs a blank between
    turns[:phones, phones : 2 * phones].fill_diagonal_(1.0)
    turns[phones : 2 * phones, :phones] = bigram.next
    turns[phones : 2 * phones, phones : 2 * phones].fill_diagonal_(1.0)
    turns[-1, :phones] = bigram.first
    turns[-1:, -1:].fill_(1.0)  # by the device itself, so that it can be recorded
    begin = torch.cat((bigram.first, torch.zeros_like(bigram.first), torch.ones_like(bigram.first[:1])))
    end = torch.cat((bigram.last, bigram.last, torch.full_like(bigram.last[:1], nothing)))
    return begin, turns, end


class Recorded:
    """`passed` on a GPU: its thousands of small steps, recorded once for each shape and replayed."""

    def __init__(self, bigram: PhoneBigram) -> None:
        self._bigram, self._nothing = bigram, bigram.nothing
        self._graphs: dict[tuple[int, ...], tuple[Any, Tensor, Tensor, Tensor]] = {}

    def __call__(self, log_probs: Tensor) -> tuple[Tensor, Tensor]:
        """Given log-posteriors, return what `passed` does; valid until the next call with this shape."""
        shape = tuple(log_probs.shape)
        if shape not in self._graphs:
            held = log_probs.detach().clone()
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                passed(held[:3], self._bigram, self._nothing)  # libraries get their memory before the recording
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                result, gradient = passed(held, self._bigram, self._nothing)
            self._graphs[shape] = graph, held, result, gradient
        graph, held, result, gradient = self._graphs[shape]
        held.copy_(log_probs.detach())
        graph.replay()
        return result, gradient


class _Denominator(torch.autograd.Function):
    """The logarithm of the sum over all phone sequences and alignments, and its gradient."""

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, bigram: PhoneBigram, recorded: Recorded | None) -> Tensor:
        """Given [rows, batch, outputs], return [batch]."""
        result, gradient = recorded(log_probs) if recorded else passed(log_probs, bigram, bigram.nothing)
        ctx.save_for_backward(gradient)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Given the gradient of the sums, return that of the log-posteriors: how often each output is passed."""
        (passed_,) = ctx.saved_tensors
        return passed_ * gradient[None, :, None], None, None


def denominator(log_probs: Tensor, bigram: PhoneBigram, recorded: Recorded | None = None) -> Tensor:
    """Given log-posteriors [rows, batch, outputs], return [batch]: ln Σ P(phones) e^score over all phone sequences."""
    result: Tensor = _Denominator.apply(log_probs, bigram, recorded)
    return result


def best_phones(log_probs: Tensor, bigram: PhoneBigram) -> list[list[int]]:
    """Given log-posteriors [rows, batch, outputs], return the best phone sequence of each, by its best alignment."""
    first, every = bigram.first.log(), bigram.next.log()
    apart = every.clone()
    apart.fill_diagonal_(0.0)  # staying costs nothing
    rows, batch, _ = log_probs.shape
    phones = len(every)
    silence = log_probs[:, :, :1]
    now, rest = log_probs[0, :, 1:] + first, torch.full((batch, phones), -torch.inf)
    start = silence[0]
    came_now, came_rest = [], []
    for row in range(1, rows):
        inside, into = (now[:, :, None] + apart).max(1)
        through, over = (rest[:, :, None] + every).max(1)
        fresh, kind = torch.stack((inside, through, start + first)).max(0)
        came_now.append(torch.where(kind == 0, into, torch.where(kind == 1, over + phones, 2 * phones)))
        came_rest.append(torch.where(now >= rest, 0, 1))
        rest = silence[row] + torch.maximum(now, rest)
        now = log_probs[row, :, 1:] + fresh
        start = start + silence[row]
    last = bigram.last.log()
    ends = torch.cat((now + last, rest + last, start + float(np.log(bigram.nothing))), 1).argmax(1)
    found = []
    for clip in range(batch):
        state, said = int(ends[clip]), []
        for row in range(rows - 2, -1, -1):
            if state == 2 * phones:
                break
            if state >= phones:  # a blank after this phone
                state = state - phones + phones * int(came_rest[row][clip, state - phones])
                continue
            came = int(came_now[row][clip, state])
            if came != state:
                said.append(state + 1)
            state = came
        if state < phones:
            said.append(state + 1)
        found.append(said[::-1])
    return found
