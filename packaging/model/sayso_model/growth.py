"""A trained network -> a wider and deeper one that computes the same, to go on from.

Rule of this file: what the old network computes is untouched. A new block begins as its skip connection; a new channel
listens (to all channels) from the start, but nothing listens to it until training makes it (after Chen et al. 2016,
Net2Net, without copies: a copy gets the gradients of its original and stays one).
"""

from __future__ import annotations

from dataclasses import replace

import torch

from sayso_model.network import Block, Convolution, Network


@torch.no_grad()
def grow(small: Network, wide: Network) -> None:
    """Given a trained network and a fresh one at least as deep and wide, make that compute what the first does, later
    by what its further blocks look ahead.

    Where a block is to look further ahead than it did, its kernels are moved and lose what they heard longest ago: it
    computes nearly the same, and has to be trained. Raise ValueError if their shapes don't fit.
    """
    mine, its = small.settings, wide.settings
    same = replace(mine, front=its.front, width=its.width, delays=its.delays, dropout=its.dropout)
    ahead = [one - other for one, other in zip(its.delays, mine.delays)]
    if same != its or mine.block != "dense" or len(its.delays) < len(mine.delays) or min(ahead) < 0:
        raise ValueError(f"{its} is not {mine} made wider or deeper")
    for one, other in zip((*small.front, *small.blocks), (*wide.front, *wide.blocks)):
        for narrow, wider in zip(one.modules(), other.modules()):
            if isinstance(narrow, Convolution):
                assert isinstance(wider, Convolution)
                _widen(narrow, wider)
    for block, further in zip(wide.blocks, ahead):
        assert isinstance(block, Block)
        _move(block.first, further // 2)
        _move(block.second, further - further // 2)
    for block in wide.blocks[len(small.blocks) :]:
        assert isinstance(block, Block)
        block.second.normalisation.weight.zero_()
    inputs = small.head.in_features
    wide.head.weight.zero_()
    wide.head.weight[:, :inputs] = small.head.weight
    wide.head.bias.copy_(small.head.bias)


def _move(convolution: Convolution, rows: int) -> None:
    """Given a convolution, make it hear so many rows ahead of what it heard."""
    if rows:
        kernel = convolution.kernel.view(-1, convolution.width, convolution.inputs)
        kernel[:, :-rows] = kernel[:, rows:].clone()
        kernel[:, -rows:].zero_()


def _widen(small: Convolution, wide: Convolution) -> None:
    """Given a convolution and a fresh one, put the first into the corner of the second."""
    outputs, inputs = small.kernel.shape[0], small.inputs
    if outputs > wide.kernel.shape[0] or inputs > wide.inputs:
        raise ValueError(f"a convolution of {inputs} to {outputs} channels does not fit into a narrower one")
    kernel = wide.kernel.view(-1, wide.width, wide.inputs)
    kernel[:outputs].zero_()
    kernel[:outputs, :, :inputs] = small.kernel.view(-1, small.width, inputs)
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(wide.normalisation, name)[:outputs] = getattr(small.normalisation, name)
