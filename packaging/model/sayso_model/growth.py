"""A trained network -> a wider one that computes the same, to go on from.

Rule of this file: what the old network computes is untouched. A new channel listens (to all channels) from the
start, but nothing listens to it until training makes it (after Chen et al. 2016, Net2Net, without copies: a copy
gets the gradients of its original and stays one).
"""

from __future__ import annotations

from dataclasses import replace

import torch

from sayso_model.network import Convolution, Network


@torch.no_grad()
def grow(small: Network, wide: Network) -> None:
    """Given a trained network and a fresh one as deep and at least as wide, make that compute what the first does.

    Raise ValueError if their shapes don't fit.
    """
    if replace(small.settings, width=wide.settings.width) != wide.settings or small.settings.block != "dense":
        raise ValueError(f"{wide.settings} is not {small.settings} made wider")
    for mine, theirs in zip(small.modules(), wide.modules()):
        if isinstance(mine, Convolution):
            assert isinstance(theirs, Convolution)
            _widen(mine, theirs)
    inputs = small.head.in_features
    wide.head.weight.zero_()
    wide.head.weight[:, :inputs] = small.head.weight
    wide.head.bias.copy_(small.head.bias)


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
