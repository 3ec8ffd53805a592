"""Plain arrays -> a TensorFlow Lite network, int8 or float: `convert`, second step.

Rule of this file: TensorFlow lives here and in reference.py only. The graph is that of network.py for one call
of `WINDOW` frames, states in and out, in the form known to compile for the Edge TPU: tensors [1, time, 1, channels],
two-dimensional convolutions, no padding, no dense layer.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from sayso_model.conversion_settings import PRECISIONS, WINDOW
from sayso_model.places import EXPORT

ALLOWED = {"CONV_2D", "ADD", "CONCATENATION", "SLICE", "STRIDED_SLICE", "QUANTIZE"}
"""Operators of the Edge TPU that the network may consist of."""
NEWEST = {"CONV_2D": 5, "ADD": 4, "CONCATENATION": 4, "SLICE": 5, "STRIDED_SLICE": 6, "QUANTIZE": 3}
"""Newest version of each that tflite_runtime 2.14 has."""


class Stream(tf.Module):
    """One call of the network."""

    def __init__(self, shape: dict[str, Any], weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        self._weights = {name: tf.constant(value) for name, value in weights.items()}
        self._delays = shape["delays"]
        kernel, width = shape["kernel"], shape["width"]
        self.states = [(kernel - 2, shape["bands"]), (kernel - 2, shape["front"])]
        self.states += [(kernel - 1, width)] * (2 * len(self._delays))
        """Frames and channels of each state."""
        self.bands = shape["bands"]

    def _convolve(self, name: str, frames: tf.Tensor, stride: int = 1) -> tf.Tensor:
        kernel = self._weights[f"{name}.kernel"][:, None]
        return tf.nn.conv2d(frames, kernel, (1, stride, 1, 1), "VALID") + self._weights[f"{name}.bias"]

    def __call__(self, frames: tf.Tensor, *states: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Given frames [1, WINDOW, 1, bands] and the states, return logits [1, rows, 1, tokens] and the new states."""
        new: list[tf.Tensor] = []

        def remembered(rows: tf.Tensor) -> tf.Tensor:
            state = states[len(new)]
            both = tf.concat((state, rows), axis=1)
            new.append(both[:, -state.shape[1] :])
            return both

        rows = frames
        for number in range(2):
            rows = tf.nn.relu6(self._convolve(f"front.{number}", remembered(rows), 2))
        for number, delay in enumerate(self._delays):
            length = rows.shape[1]
            before = remembered(rows)
            start = before.shape[1] - length - delay
            hidden = tf.nn.relu6(self._convolve(f"blocks.{number}.first", before))
            spoken = self._convolve(f"blocks.{number}.second", remembered(hidden))
            rows = tf.nn.relu6(before[:, start : start + length] + spoken)
        return (self._convolve("head", rows), *new)


def calls(stream: Stream, ranges: Path) -> Iterator[dict[str, np.ndarray]]:
    """Given the network and feature streams, return what each call takes, states handed on in float."""
    run = tf.function(stream.__call__)
    with np.load(ranges) as clips:
        for clip in clips.values():
            states = [np.zeros((1, length, 1, width), np.float32) for length, width in stream.states]
            padded = np.pad(clip, ((0, -len(clip) % WINDOW + 2 * WINDOW), (0, 0)))
            for window in padded.reshape(-1, 1, WINDOW, 1, stream.bands):
                yield {"frames": window} | {f"state_{number}": state for number, state in enumerate(states)}
                states = [np.asarray(state) for state in run(window, *states)[1:]]


def converted(stream: Stream, ranges: Path | None, folder: Path) -> bytes:
    """Given the network, return it as a TensorFlow Lite file: int8 throughout where `ranges` shows how far its
    activations go, else as it is."""
    specs = [tf.TensorSpec((1, WINDOW, 1, stream.bands), tf.float32, name="frames")]
    specs += [
        tf.TensorSpec((1, length, 1, width), tf.float32, name=f"state_{number}")
        for number, (length, width) in enumerate(stream.states)
    ]

    @tf.function(input_signature=specs)
    def serve(frames: tf.Tensor, *states: tf.Tensor) -> dict[str, tf.Tensor]:
        logits, *new = stream(frames, *states)
        return {"logits": logits} | {f"new_state_{number}": state for number, state in enumerate(new)}

    tf.saved_model.save(stream, str(folder), signatures={"serving_default": serve})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    if ranges is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: calls(stream, ranges)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    data: bytes = converter.convert()
    return data if ranges is None else narrowed(data)


def narrowed(data: bytes) -> bytes:
    """Given an int8 network, return it with the range before each sum as narrow as it can be.

    ReLU6 follows there: what lies further below zero than the skip connection ever reaches, and what lies above the
    sum's range, comes to the same as if it were cut off. The converter spans all that it has seen, which may be one
    channel's -30, and then all the others go in steps five times as wide.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    graph = model.subgraphs[0]
    convolved = {
        operator.outputs[0]
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.CONV_2D
    }
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.ADD:
            [beside], [skip] = (
                [graph.tensors[place].quantization for place in operator.inputs if (place in convolved) is its]
                for its in (True, False)
            )
            total = graph.tensors[operator.outputs[0]].quantization
            lowest = max(_number(beside, -128), -_number(skip, 127))
            highest = min(_number(beside, 127), _number(total, 127))
            beside.scale = [(highest - lowest) / 255.0]
            beside.zeroPoint = [round(-128 - lowest / beside.scale[0])]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _number(quantisation: Any, value: int) -> float:
    """Given what int8 means in a tensor, return the number that a value stands for."""
    return float(quantisation.scale[0]) * (value - int(quantisation.zeroPoint[0]))


def inspect(data: bytes) -> dict[str, Any]:
    """Given a file, return its operators with versions, and its input and output tensors by signature."""
    import tflite

    model = tflite.Model.GetRootAsModel(data, 0)
    graph = model.Subgraphs(0)
    operators: dict[str, dict[str, int]] = {}
    for place in range(graph.OperatorsLength()):
        code = model.OperatorCodes(graph.Operators(place).OpcodeIndex())
        name = tflite.opcode2name(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
        entry = operators.setdefault(name, {"count": 0, "version": code.Version()})
        entry["count"] += 1
        entry["version"] = max(entry["version"], code.Version())

    def tensor(index: int) -> dict[str, Any]:
        found = graph.Tensors(index)
        quantisation = found.Quantization()
        return {
            "name": found.Name().decode(),
            "shape": [int(size) for size in found.ShapeAsNumpy()],
            "scale": float(quantisation.Scale(0)) if quantisation and quantisation.ScaleLength() else 0.0,
            "zero_point": int(quantisation.ZeroPoint(0)) if quantisation and quantisation.ZeroPointLength() else 0,
        }

    signature = model.SignatureDefs(0)
    return {
        "operators": operators,
        "inputs": {
            signature.Inputs(place).Name().decode(): tensor(signature.Inputs(place).TensorIndex())
            for place in range(signature.InputsLength())
        },
        "outputs": {
            signature.Outputs(place).Name().decode(): tensor(signature.Outputs(place).TensorIndex())
            for place in range(signature.OutputsLength())
        },
        "bytes": len(data),
    }


def complaints(found: dict[str, Any]) -> list[str]:
    """Given what `inspect` found, return what the Edge TPU or the older runtime would refuse."""
    said = []
    for name, entry in found["operators"].items():
        if name not in ALLOWED:
            said.append(f"operator {name} is not for the Edge TPU")
        elif entry["version"] > NEWEST[name]:
            said.append(f"{name} has version {entry['version']}, tflite_runtime 2.14 knows {NEWEST[name]}")
    for tensor in [*found["inputs"].values(), *found["outputs"].values()]:
        if not tensor["scale"]:
            said.append(f"{tensor['name']} is not quantised")
        if max(tensor["shape"]) > 800:
            said.append(f"{tensor['name']} is wider than 800")
    return said


def main() -> None:
    """Convert what `export` wrote; print operators, versions and tensors."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("precision", choices=PRECISIONS)
    precision = parser.parse_args().precision
    folder = EXPORT / precision
    folder.mkdir(parents=True, exist_ok=True)
    shape = json.loads((EXPORT / "shape.json").read_text())
    with np.load(EXPORT / ("rounded.npz" if precision == "int8" else "weights.npz")) as weights:
        stream = Stream(shape, dict(weights))
    ranges = EXPORT / "ranges.npz" if precision == "int8" else None
    data = converted(stream, ranges, folder / "saved")
    found = inspect(data)
    print(json.dumps(found["operators"]), found["bytes"], "bytes")
    for number in range(len(stream.states)):
        taken, given = found["inputs"][f"state_{number}"], found["outputs"][f"new_state_{number}"]
        same = (taken["scale"], taken["zero_point"]) == (given["scale"], given["zero_point"])
        print(f"state {number}: {taken['shape']} scale {taken['scale']:.6f} {'= output' if same else given}")
    print("frames", found["inputs"]["frames"], "logits", found["outputs"]["logits"])
    if precision == "int8" and (said := complaints(found)):
        raise SystemExit("\n".join(said))
    (folder / "model_edgetpu.tflite").unlink(missing_ok=True)  # compiled from an older network
    (folder / "model.tflite").write_bytes(data)
    (folder / "tensors.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
