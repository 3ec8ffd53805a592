"""How training moves the weights: kernels by Muon, everything else by AdamW.

Rule of this file: one learning rate for both. A kernel is a matrix, and Muon (Jordan et al. 2024) moves it by its
momentum made orthogonal, so that what the network seldom uses learns as fast as what it always uses. The step is scaled
to the size that AdamW's usually has (Liu et al. 2025, "Muon is scalable for LLM training"), so rates mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Muon

from sayso_model.network import Convolution

WEIGHT_DECAY = 0.01


class Optimiser:
    """Moves a network's weights, and those of whatever learns beside it."""

    def __init__(self, network: nn.Module, beside: Iterable[nn.Parameter], rate: float) -> None:
        """Given a network, parameters that are no part of it, and a learning rate, make both optimisers."""
        kernels = [module.kernel for module in network.modules() if isinstance(module, Convolution)]
        known = {id(weights) for weights in kernels}
        rest = [weights for weights in network.parameters() if id(weights) not in known]
        self._parts: dict[str, AdamW | Muon] = {
            "kernels": Muon(kernels, lr=rate, weight_decay=WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
            "rest": AdamW([*rest, *beside], lr=rate, weight_decay=WEIGHT_DECAY, fused=True),
        }

    def forget_gradients(self) -> None:
        """Make all gradients nothing."""
        for part in self._parts.values():
            part.zero_grad(set_to_none=True)

    def spare(self, sound: torch.Tensor) -> None:
        """Given whether the gradients are numbers, as a tensor, make all of them nothing where they are not, without
        asking the device."""
        for part in self._parts.values():
            for weights in part.param_groups[0]["params"]:
                if weights.grad is not None:
                    weights.grad = torch.where(sound, weights.grad, 0.0)

    def step(self, rate: float) -> None:
        """Given the learning rate, move all weights against their gradients."""
        for part in self._parts.values():
            for group in part.param_groups:
                group["lr"] = rate
            part.step()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Given what `state` returned, go on from there."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
