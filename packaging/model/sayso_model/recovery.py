"""A shipped bundle -> a network to train on: for whoever has the repository and no checkpoint.

Rule of this file: the int8 kernels become real numbers again, and compute what they computed. Normalisation was folded
into them; it is unfolded by what the training data gives, so that training begins where it ended.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sayso.recognition.bundle import Bundle, load_bundle
from sayso_model import statistics
from sayso_model.network import SUBSAMPLING, Convolution, Network, NetworkSettings, delays
from sayso_model.places import BUNDLE, RUNS

CLIPS = 200
"""Training clips over which the normalisation is unfolded."""
NORM = 2.0
"""Length of each channel's kernel, which normalisation takes out again: training takes steps of a size of its own."""

Layer = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Kernel [outputs, taps, inputs] and bias [outputs]."""


def layers(model: bytes) -> list[Layer]:
    """Given a TensorFlow Lite file, return its convolutions in order, dequantised."""
    import tflite

    graph = tflite.Model.GetRootAsModel(model, 0)
    subgraph = graph.Subgraphs(0)

    def real(index: int) -> npt.NDArray[np.float32]:
        tensor = subgraph.Tensors(index)
        kind = np.int8 if tensor.Type() == tflite.TensorType.INT8 else np.int32
        values = graph.Buffers(tensor.Buffer()).DataAsNumpy().view(kind).reshape(tensor.ShapeAsNumpy())
        scale = tensor.Quantization().ScaleAsNumpy().reshape(-1, *[1] * (values.ndim - 1))
        result: npt.NDArray[np.float32] = (values * scale).astype(np.float32)
        return result

    found = []
    for place in range(subgraph.OperatorsLength()):
        operator = subgraph.Operators(place)
        code = graph.OperatorCodes(operator.OpcodeIndex())
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == tflite.BuiltinOperator.CONV_2D:
            found.append((real(operator.Inputs(1))[:, :, 0], real(operator.Inputs(2))))
    return found


@torch.no_grad()
def recovered(folder: Path, clips: Sequence[npt.NDArray[np.float32]]) -> Network:
    """Given a bundle and training features, [frames, bands] each, return the network it was made of.

    Raise ValueError if it is none of ours.
    """
    bundle: Bundle = load_bundle(folder)
    kernels = layers(bundle.model.read_bytes())
    width = kernels[-1][0].shape[2]
    look_ahead = bundle.manifest.network.look_ahead
    network = Network(
        NetworkSettings(
            bands=kernels[0][0].shape[2],
            front=kernels[0][0].shape[0],
            width=width,
            delays=delays(look_ahead // SUBSAMPLING),
        )
    )
    convolutions = [module for module in network.modules() if isinstance(module, Convolution)]
    if len(kernels) != len(convolutions) + 1 or network.settings.look_ahead * SUBSAMPLING != look_ahead:
        raise ValueError(f"{folder} is no network of {network.settings}")
    for module, (kernel, bias) in zip(convolutions, kernels):
        norm = module.normalisation
        module.kernel.copy_(torch.from_numpy(kernel).reshape(module.kernel.shape))
        norm.weight.fill_(1.0)
        norm.bias.copy_(torch.from_numpy(bias))
        norm.running_mean.zero_()  # type: ignore[union-attr]
        norm.running_var.fill_(1.0 - norm.eps)  # type: ignore[union-attr]
    kernel, bias = kernels[-1]
    network.head.weight.copy_(torch.from_numpy(kernel[:, 0]))
    network.head.bias.copy_(torch.from_numpy(bias))
    _unfold(network.eval(), convolutions, clips)
    return network


def _unfold(network: Network, convolutions: Sequence[Convolution], clips: Sequence[npt.NDArray[np.float32]]) -> None:
    """Given a network whose normalisation does nothing, give it the statistics of the clips and take them back."""
    sums = {module: torch.zeros(2, module.normalisation.num_features, dtype=torch.float64) for module in convolutions}
    rows = dict.fromkeys(convolutions, 0)

    def listening(module: Convolution) -> object:
        def listen(_: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
            values = inputs[0].double()
            sums[module] += torch.stack((values.sum(0), (values**2).sum(0)))
            rows[module] += len(values)

        return module.normalisation.register_forward_pre_hook(listen)

    hooks = [listening(module) for module in convolutions]
    for clip in clips:
        network(torch.from_numpy(clip[None, : len(clip) // SUBSAMPLING * SUBSAMPLING]))
    for hook in hooks:
        hook.remove()  # type: ignore[attr-defined]
    for module in convolutions:
        mean, square = sums[module] / rows[module]
        factor = NORM / module.kernel.norm(dim=1).clamp(min=1e-4)
        variance, norm = (square - mean**2).clamp(min=1e-8) * factor**2, module.normalisation
        module.kernel.mul_(factor[:, None])
        norm.running_mean.copy_(mean * factor)  # type: ignore[union-attr]
        norm.running_var.copy_(variance)  # type: ignore[union-attr]
        norm.weight.copy_(torch.sqrt(variance + norm.eps) / factor)
        norm.bias.add_(mean)


def take_features(folder: Path) -> None:
    """Given a bundle, make its features those of all that follows, unless others have been measured."""
    if not statistics.PATH.exists():
        chosen = load_bundle(folder).manifest.features.model_dump(exclude={"kind"})
        statistics.PATH.write_text(json.dumps(chosen, indent=1))


def main() -> None:
    """Write a run's checkpoint that `align` can use and `train --grow` can begin with."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run", help="name of the run's folder")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    take_features(options.bundle)
    from sayso_model.export import augmented  # here, because it reads the features

    network = recovered(options.bundle, augmented(CLIPS, 78))
    folder = RUNS / options.run
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"settings": network.settings.as_dict(), "average": network.state_dict()}, folder / "last.pt")


if __name__ == "__main__":
    main()
