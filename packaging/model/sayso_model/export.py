"""A checkpoint -> plain arrays for the conversion: `convert`, first step.

Rule of this file: what leaves torch is folded: kernels and biases, nothing of training, once as they are and once in
int8's steps. Beside them go the feature streams over which the converter measures the activations' ranges.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sayso_model.loader import Emphasis, Source
from sayso_model.network import Convolution, Network, NetworkSettings, macs_per_second, parameters
from sayso_model.places import EXPORT, RUNS
from sayso_model.rounding import rounded
from sayso_model.statistics import settings as feature_settings

CLIPS = 90
"""Clips over which ranges are measured, about five seconds each."""
PRIOR_CLIPS = 500
"""Clips over which the outputs' prior is measured."""


def averaged(checkpoint: Path) -> Network:
    """Given a checkpoint, return its averaged network in eval mode."""
    stored = torch.load(checkpoint, map_location="cpu", weights_only=False)
    network = Network(NetworkSettings(**stored["settings"]))
    network.load_state_dict(stored["average"])
    return network.eval()


def arrays(network: Network) -> dict[str, npt.NDArray[np.float32]]:
    """Given a network, return kernels [taps, inputs, outputs] and biases by the names of its layers."""
    found = {}
    for name, module in network.named_modules():
        if isinstance(module, Convolution):
            kernel, bias = module.folded()
            found[f"{name}.kernel"], found[f"{name}.bias"] = kernel, bias
    found["head.kernel"], found["head.bias"] = network.head.weight.t()[None], network.head.bias
    return {name: value.detach().float().numpy() for name, value in found.items()}


def augmented(clips: int, seed: int) -> list[npt.NDArray[np.float32]]:
    """Given a number of clips, return augmented training features, [frames, bands] each."""
    found: list[npt.NDArray[np.float32]] = []
    random = np.random.default_rng(seed)
    for batch in Source(seed, feature_settings(), Emphasis(masks=0.0)):
        chosen = random.permutation(len(batch.frames))[:4]
        found += [batch.frames[place].astype(np.float32) for place in chosen]
        if len(found) >= clips:
            return found[:clips]
    raise AssertionError("a source has no end")


@torch.no_grad()
def log_prior(network: Network, clips: list[npt.NDArray[np.float32]]) -> list[float]:
    """Given a network and features, return the natural logarithm of each output's mean posterior."""
    total = torch.zeros(network.settings.outputs, dtype=torch.float64)
    for clip in clips:
        logits = network(torch.from_numpy(clip[None, : len(clip) // 4 * 4]))[0, network.settings.look_ahead :]
        total += logits.double().softmax(1).sum(0)
    return [round(float(value), 4) for value in torch.log(total / total.sum())]


def main() -> None:
    """Write weights.npz, rounded.npz, shape.json and ranges.npz."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run")
    parser.add_argument("--checkpoint", default="last.pt")
    options = parser.parse_args()
    torch.set_num_threads(1)
    EXPORT.mkdir(parents=True, exist_ok=True)
    network = averaged(RUNS / options.run / options.checkpoint)
    if network.settings.block != "dense":
        parser.error(f"{options.run} is made of {network.settings.block} blocks; only dense ones are converted")
    weights = arrays(network)
    np.savez(EXPORT / "weights.npz", **weights)
    clips = augmented(PRIOR_CLIPS, 77)
    np.savez(EXPORT / "rounded.npz", **rounded(weights, network, clips))
    shape = network.settings.as_dict() | {
        "parameters": parameters(network),
        "macs_per_second": macs_per_second(network.settings),
        "look_ahead": network.settings.look_ahead,
        "log_prior": log_prior(network, clips),
        "run": options.run,
    }
    (EXPORT / "shape.json").write_text(json.dumps(shape))
    np.savez(EXPORT / "ranges.npz", *clips[:CLIPS])


if __name__ == "__main__":
    main()
