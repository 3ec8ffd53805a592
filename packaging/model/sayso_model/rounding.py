"""Kernels in int8's steps, rounded so that what they make of sound changes least.

Rule of this file: what one weight loses by rounding, those not yet rounded make up for, as far as their inputs go
together (GPTQ: Frantar et al. 2023, after Hassibi and Stork's Optimal Brain Surgeon). Each output keeps its greatest
weight, by which the converter finds the same steps again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sayso_model.network import Convolution, Network, columns

STEPS = 127.0
DAMPING = 0.01
"""Added to the inputs' covariance, as a share of its mean diagonal."""

Arrays = dict[str, npt.NDArray[np.float32]]


def _layers(network: Network) -> Iterator[tuple[str, nn.Module]]:
    for name, module in network.named_modules():
        if isinstance(module, Convolution) or module is network.head:
            yield name, module


@torch.no_grad()
def covariances(network: Network, clips: Sequence[npt.NDArray[np.float32]]) -> dict[str, Tensor]:
    """Given a network in eval mode and feature streams, return of each layer how its inputs go together, float64
    [taps * inputs, taps * inputs]."""
    found: dict[str, Tensor] = {}

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def hear(_: nn.Module, given: tuple[Tensor]) -> None:
            [frames] = given
            if isinstance(module, Convolution):
                frames = columns(frames, module.width, module.stride)
            flat = frames.flatten(0, 1)
            found[name] = found.get(name, 0.0) + (flat.t() @ flat).double()

        return module.register_forward_pre_hook(hear)

    handles = [watch(name, module) for name, module in _layers(network)]
    for clip in clips:
        network(torch.from_numpy(clip[None, : len(clip) // 4 * 4]))
    for handle in handles:
        handle.remove()
    return found


def rounded_kernel(kernel: Tensor, covariance: Tensor) -> Tensor:
    """Given weights [outputs, inputs] and how the inputs go together, return the weights in steps, as float64."""
    left = kernel.double().clone()
    step = (left.abs().amax(1) / STEPS).clamp(min=1e-12)
    greatest = left.abs().argmax(1)
    ends = left.gather(1, greatest[:, None]).sign().squeeze(1) * STEPS
    damped = covariance + torch.eye(len(covariance)) * (DAMPING * covariance.diagonal().mean())
    upper = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    found = torch.empty_like(left)
    for place in range(left.shape[1]):
        steps = torch.round(left[:, place] / step).clamp(-STEPS, STEPS)
        found[:, place] = torch.where(greatest == place, ends, steps) * step
        lost = (left[:, place] - found[:, place]) / upper[place, place]
        left[:, place:] -= lost[:, None] * upper[place, place:]
    return found


def rounded(
    weights: Mapping[str, npt.NDArray[np.float32]], network: Network, clips: Sequence[npt.NDArray[np.float32]]
) -> Arrays:
    """Given a network's kernels [taps, inputs, outputs] and biases by their names, the network, and feature streams,
    return them with the kernels rounded."""
    found = dict(weights)
    for name, covariance in covariances(network, clips).items():
        kernel = weights[f"{name}.kernel"]
        flat = torch.from_numpy(kernel).flatten(0, 1).t()
        found[f"{name}.kernel"] = rounded_kernel(flat, covariance).t().reshape(kernel.shape).float().numpy()
    return found
