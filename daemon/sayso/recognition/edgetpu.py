"""What Google's Edge TPU compiler (16.0) takes, operator by operator.

Rule of this file: pure; one question, whether an operator by itself would be taken and if not which rule it breaks.
The rules are those that Coral publishes for its compiler ("TensorFlow models on the Edge TPU", supported operations and
model requirements), and where that page says "may not be mapped", sizes at which users' compiler logs show that it was
or wasn't; each such number says so. The compiler itself is closed and runs on x86-64 only.
"""

from __future__ import annotations

from math import prod
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from sayso.recognition.modelfile import NO_TENSOR, Graph, Operator, Tensor

COMPILED = "edgetpu-custom-op"
"""The operator that stands for everything the compiler has taken."""

ACTIVATIONS = ("int8", "uint8")

LARGEST_SOFTMAX = 16_000
"""Elements; published."""

LARGEST_RESIZE = 256
"""Height or width behind a resize. Logs: 64 to 128 was taken, 256 to 512 and 33 to 513 were not."""

LARGEST_MEAN = 32_768
"""Elements averaged into one. Logs: 64 × 128 was taken, 256 × 128 was not."""

LARGEST_RESHAPE = 2_000_000
"""Elements. Logs: 40 × 40 × 810 was taken, 64 × 64 × 810 was not."""

_VERSIONS: Mapping[str, int] = {
    "ADD": 4, "AVERAGE_POOL_2D": 3, "CONCATENATION": 3, "CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "EXPAND_DIMS": 1,
    "FULLY_CONNECTED": 6, "L2_NORMALIZATION": 2, "LOGISTIC": 3, "LSTM": 4, "MAXIMUM": 4, "MAX_POOL_2D": 3, "MEAN": 3,
    "MINIMUM": 4, "MUL": 5, "PACK": 3, "PAD": 3, "PRELU": 1, "QUANTIZE": 3, "REDUCE_MAX": 3, "REDUCE_MIN": 3, "RELU": 3,
    "RELU6": 3, "RELU_N1_TO_1": 2, "RESHAPE": 1, "RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 3, "RSQRT": 2,
    "SLICE": 5, "SOFTMAX": 3, "SPACE_TO_DEPTH": 2, "SPLIT": 4, "SQUARED_DIFFERENCE": 2, "SQUEEZE": 2,
    "STRIDED_SLICE": 5, "SUB": 5, "SUM": 3, "TANH": 3, "TRANSPOSE": 5, "TRANSPOSE_CONV": 3,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 3,
}  # fmt: skip
"""Published operators, and the newest version of each that a compiler of mid-2021 can know (TensorFlow 2.5). A fully
connected layer above 6 was refused already: it was made from a dense layer on a tensor of three dimensions."""

_WEIGHTS: Mapping[str, Tuple[int, ...]] = {
    "CONV_2D": (1, 2), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1, 2), "TRANSPOSE_CONV": (0, 1, 3),
    "PRELU": (1,), "RESHAPE": (1,), "PAD": (1,), "MEAN": (1,), "SUM": (1,), "REDUCE_MAX": (1,), "REDUCE_MIN": (1,),
    "SLICE": (1, 2), "STRIDED_SLICE": (1, 2, 3), "TRANSPOSE": (1,), "RESIZE_BILINEAR": (1,), "EXPAND_DIMS": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,), "SPLIT": (0,),
}  # fmt: skip
"""Inputs that must be constants: weights, biases, shapes, axes."""

_LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_RECURRENT = ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM")

NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
"""Activations fused into an operator, as the schema numbers them."""

Tensors = Sequence[Optional[Tensor]]


def tensors_of(graph: Graph, indices: Sequence[int]) -> List[Optional[Tensor]]:
    """Given indices, return the tensors; None for one that is left out."""
    return [None if index == NO_TENSOR else graph.tensors[index] for index in indices]


def refusal(graph: Graph, operator: Operator) -> str:
    """Given an operator, return which rule keeps it off the Edge TPU; empty where none does."""
    if operator.name == COMPILED:
        return ""
    if operator.name == "DEQUANTIZE":
        return "its output is float32; the Edge TPU computes with 8-bit integers only"
    if operator.name not in _VERSIONS:
        return "the Edge TPU has no such operator"
    inputs, outputs = tensors_of(graph, operator.inputs), tensors_of(graph, operator.outputs)
    return next(_refusals(operator, inputs, outputs), "")


def _refusals(operator: Operator, inputs: Tensors, outputs: Tensors) -> Iterator[str]:
    flowing = [one for one in (*inputs, *outputs) if one is not None and not one.constant]
    yield from _types(operator, flowing, inputs)
    newest = _VERSIONS[operator.name]
    if operator.version > newest:
        yield f"version {operator.version} is newer than the compiler knows ({newest})"
    yield from _shapes(flowing)
    yield from _constants(operator, inputs)
    if operator.options.get("FusedActivationFunction", NONE) not in (NONE, RELU, RELU_N1_TO_1, RELU6):
        yield "the activation fused into it is none that the Edge TPU has"
    rule = _RULES.get(operator.name)
    if rule is not None:
        yield from rule(operator, inputs, outputs)


def _types(operator: Operator, flowing: Sequence[Tensor], inputs: Tensors) -> Iterator[str]:
    """Everything that flows is int8 or uint8, and quantised; an LSTM's cell state may be int16."""
    allowed = (*ACTIVATIONS, "int16") if operator.name in _RECURRENT else ACTIVATIONS
    for tensor in flowing:
        if tensor.type in allowed:
            if not tensor.scales:
                yield f"{_name(tensor)} is {tensor.type} without scale and zero point"
            continue
        if operator.name == "QUANTIZE":
            yield f"it reads {tensor.type}; the Edge TPU computes with 8-bit integers only"
        weights = next((one for one in inputs if one is not None and one.constant and one.type == "int8"), None)
        if tensor.type == "float32" and weights is not None and operator.name in _LAYERS:
            yield "its weights are int8 but it computes in float32 (dynamic-range quantisation)"
        yield f"{_name(tensor)} is {tensor.type}, not int8 or uint8"


def _shapes(flowing: Sequence[Tensor]) -> Iterator[str]:
    for tensor in flowing:
        if any(size < 1 for size in tensor.shape):
            yield f"the shape of {_name(tensor)} is not fixed: {_shown(tensor)}"
        if any(size != 1 for size in tensor.shape[:-3]):
            yield f"{_name(tensor)} has more than three dimensions larger than 1: {_shown(tensor)}"


def _constants(operator: Operator, inputs: Tensors) -> Iterator[str]:
    for position in _WEIGHTS.get(operator.name, ()):
        tensor = inputs[position] if position < len(inputs) else None
        if tensor is None:
            continue
        if not tensor.constant:
            yield f"{_name(tensor)} must be a constant"
        elif operator.name in _LAYERS and tensor.type not in (*ACTIVATIONS, "int32"):
            yield f"{_name(tensor)} is {tensor.type}: weights must be int8 or uint8, biases int32"
    for tensor in inputs:
        if tensor is not None and tensor.constant and tensor.type in ("float32", "float16"):
            yield f"the constant {_name(tensor)} is {tensor.type}, not quantised"


def _no_activation(operator: Operator, _inputs: Tensors, _outputs: Tensors) -> Iterator[str]:
    if operator.options.get("FusedActivationFunction", NONE) != NONE:
        yield "an activation is fused into it"


def _concatenation(operator: Operator, inputs: Tensors, outputs: Tensors) -> Iterator[str]:
    yield from _no_activation(operator, inputs, outputs)
    for tensor in inputs:
        if tensor is None or not tensor.constant:
            continue
        if len(inputs) != 2:
            yield "it has a constant among more than two inputs"
        zero = tensor.zero_points[0] if tensor.zero_points else 0
        if np.any(tensor.values() != zero):
            yield "it has a constant input that is not all zeros"


def _convolution(operator: Operator, _inputs: Tensors, _outputs: Tensors) -> Iterator[str]:
    across, down = operator.options.get("DilationWFactor", 1), operator.options.get("DilationHFactor", 1)
    if across != down:
        yield f"its dilation differs between x and y ({across} and {down})"


def _fully_connected(operator: Operator, _inputs: Tensors, outputs: Tensors) -> Iterator[str]:
    if operator.options.get("WeightsFormat", 0):
        yield "its weights are not in the default format"
    if operator.options.get("KeepNumDims", False):
        yield "a dense layer on a tensor of three dimensions or more (keep_num_dims); use a 1 × 1 convolution"
    if outputs[0] is not None and _lengths(outputs[0]) > 1:
        yield f"its output must have one dimension larger than 1: {_shown(outputs[0])}; use a 1 × 1 convolution"


def _reduction(operator: Operator, inputs: Tensors, _outputs: Tensors) -> Iterator[str]:
    source, axes = inputs[0], inputs[1]
    assert source is not None
    assert axes is not None
    rank = len(source.shape)
    reduced = {int(axis) % rank for axis in np.atleast_1d(axes.values())}
    if 0 in reduced and rank > 1 and source.shape[0] != 1:
        yield "it reduces the batch dimension"
    if operator.name != "MEAN":
        return
    if rank - 1 in reduced and source.shape[-1] % 4:
        yield f"it averages over {source.shape[-1]} channels, no multiple of 4"
    if prod(source.shape[axis] for axis in reduced) >= LARGEST_MEAN:
        yield f"it averages over too many elements at once: {_shown(source)}"


def _pack(operator: Operator, _inputs: Tensors, outputs: Tensors) -> Iterator[str]:
    output = outputs[0]
    assert output is not None
    if operator.options.get("Axis", 0) % max(1, len(output.shape)) == 0 and len(output.shape) > 1:
        yield "it packs along the batch dimension"


def _pad(_operator: Operator, inputs: Tensors, _outputs: Tensors) -> Iterator[str]:
    source, paddings = inputs[0], inputs[1]
    assert source is not None
    assert paddings is not None
    if len(source.shape) > 1 and np.any(paddings.values()[0]):
        yield "it pads the batch dimension"


def _prelu(_operator: Operator, inputs: Tensors, _outputs: Tensors) -> Iterator[str]:
    alpha = inputs[1]
    if alpha is not None and any(size != 1 for size in alpha.shape[:-1]):
        yield f"its alpha varies over more than the channels: {_shown(alpha)}"


def _reshape(_operator: Operator, inputs: Tensors, _outputs: Tensors) -> Iterator[str]:
    if inputs[0] is not None and prod(inputs[0].shape) > LARGEST_RESHAPE:
        yield f"too large a tensor to be reshaped: {_shown(inputs[0])}"


def _resize(_operator: Operator, _inputs: Tensors, outputs: Tensors) -> Iterator[str]:
    output = outputs[0]
    if output is not None and max(output.shape[-3:-1], default=0) > LARGEST_RESIZE:
        yield f"its output is too large for the Edge TPU's precision: {_shown(output)}"


def _softmax(_operator: Operator, inputs: Tensors, _outputs: Tensors) -> Iterator[str]:
    source = inputs[0]
    if source is None:
        return
    if _lengths(source) > 1:
        yield f"its input must have one dimension larger than 1: {_shown(source)}"
    if prod(source.shape) > LARGEST_SOFTMAX:
        yield f"its input has more than {LARGEST_SOFTMAX:,} elements: {_shown(source)}"


def _split(_operator: Operator, inputs: Tensors, _outputs: Tensors) -> Iterator[str]:
    axis, source = inputs[0], inputs[1]
    assert axis is not None
    assert source is not None
    if len(source.shape) > 1 and int(axis.values().reshape(-1)[0]) % len(source.shape) == 0:
        yield "it splits the batch dimension"


def _strided_slice(operator: Operator, inputs: Tensors, _outputs: Tensors) -> Iterator[str]:
    strides = inputs[3] if len(inputs) > 3 else None
    if strides is not None and np.any(strides.values() != 1):
        yield "its strides are not all 1"
    if operator.options.get("EllipsisMask", 0) or operator.options.get("NewAxisMask", 0):
        yield "it uses an ellipsis or a new axis"


_RULES: Dict[str, Callable[[Operator, Tensors, Tensors], Iterator[str]]] = {
    "AVERAGE_POOL_2D": _no_activation,
    "MAX_POOL_2D": _no_activation,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _fully_connected,
    "MEAN": _reduction,
    "SUM": _reduction,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "PACK": _pack,
    "PAD": _pad,
    "PRELU": _prelu,
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
    "RESIZE_NEAREST_NEIGHBOR": _resize,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "STRIDED_SLICE": _strided_slice,
}
"""What an operator must keep to beside the rules for all."""


def _lengths(tensor: Tensor) -> int:
    """Return how many dimensions are larger than 1."""
    return sum(size != 1 for size in tensor.shape)


def _name(tensor: Tensor) -> str:
    return f'"{tensor.name}"' if tensor.name and len(tensor.name) <= 60 else "a tensor"


def _shown(tensor: Tensor) -> str:
    return " × ".join(str(size) for size in tensor.shape)
