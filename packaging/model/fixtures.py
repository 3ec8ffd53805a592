"""Makes the small models of tests/data/tflite, which `sayso model inspect` is tested on. Needs TensorFlow.

    python packaging/model/fixtures.py tests/data/tflite

Rule of this file: every model is one case of what an Edge TPU takes or refuses, with fixed random weights, and as small
as the case allows.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Callable, Dict, Iterator, List

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

IMAGE = (24, 24, 3)
UNROLLED = 4
"""Steps of the unrolled recurrent network."""


def classifier(width: int = 8) -> keras.Model:
    """Return a small image classifier: convolutions, a mean, a dense layer, softmax."""
    image = keras.Input(IMAGE, batch_size=1)
    x = layers.Conv2D(width, 3, strides=2, padding="same", activation="relu6")(image)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu6")(x)
    y = layers.Conv2D(width, 1)(x)
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    return keras.Model(image, layers.Dense(5, activation="softmax")(x))


def dense_sequence() -> keras.Model:
    """Return dense layers on three dimensions."""
    frames = keras.Input((6, 16), batch_size=1)
    x = layers.Dense(12, activation="relu")(frames)
    return keras.Model(frames, layers.Dense(4)(layers.Flatten()(x)))


def segmenter() -> keras.Model:
    """Return a network that gives a class a pixel, at the image's size: resize to 288 and ArgMax."""
    image = keras.Input(IMAGE, batch_size=1)
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    small = layers.Conv2D(3, 1)(x)
    large = keras.ops.image.resize(small, (288, 288), interpolation="bilinear")
    return keras.Model(image, layers.Lambda(lambda logits: tf.argmax(logits, axis=-1))(large))


def refused_in_the_middle() -> keras.Model:
    """Return convolutions with an operator between them that the Edge TPU doesn't have (ELU)."""
    image = keras.Input(IMAGE, batch_size=1)
    x = layers.Conv2D(4, 3, activation="relu")(image)
    aside = layers.Conv2D(2, 1)(x)
    x = layers.Conv2D(4, 3, activation="elu")(x)
    return keras.Model(image, [layers.Conv2D(2, 1)(x), aside])


def detector() -> keras.Model:
    """Return the body of a detector: boxes and scores, whose concatenations come from two levels."""
    image = keras.Input(IMAGE, batch_size=1)
    upper = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(image)
    lower = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(upper)
    boxes = [layers.Reshape((-1, 4))(layers.Conv2D(8, 1)(level)) for level in (upper, lower)]
    scores = [layers.Reshape((-1, 3))(layers.Conv2D(6, 1)(level)) for level in (upper, lower)]
    found = layers.Concatenate(axis=1)(scores)
    return keras.Model(image, [layers.Concatenate(axis=1)(boxes), layers.Activation("sigmoid")(found)])


def wide() -> keras.Model:
    """Return a convolution over an image that is 801 wide."""
    image = keras.Input((4, 801, 3), batch_size=1)
    return keras.Model(image, layers.Conv2D(4, 3, activation="relu")(image))


def unrolled() -> keras.Model:
    """Return a recurrent cell, unrolled: the same weights in every step."""
    frames = keras.Input((UNROLLED, 16), batch_size=1)
    cell, out = layers.Dense(24, activation="tanh"), layers.Dense(6)
    state = keras.ops.zeros((1, 24))
    for step in range(UNROLLED):
        state = cell(layers.Concatenate()([frames[:, step], state]))
    return keras.Model(frames, layers.Softmax()(out(state)))


def softmax_rows() -> keras.Model:
    """Return a softmax over each of several rows."""
    rows = keras.Input((10, 1, 8), batch_size=1)
    return keras.Model(rows, layers.Softmax()(layers.Conv2D(5, 1)(rows)))


def _representative(model: keras.Model) -> Callable[[], Iterator[List[np.ndarray]]]:
    def data() -> Iterator[List[np.ndarray]]:
        for seed in range(8):
            yield [np.random.default_rng(seed).normal(size=model.inputs[0].shape).astype(np.float32)]

    return data


def convert(model: keras.Model, kind: str, io: tf.DType = tf.int8) -> bytes:
    """Given a model and `float`, `dynamic` or `integer`, return its .tflite; `io`: type of inputs and outputs."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "integer":
        converter.representative_dataset = _representative(model)
        # Operators without an 8-bit form stay float, as they do for somebody who converts a vision model.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.inference_input_type = io
        converter.inference_output_type = io if model.outputs[0].dtype == "float32" else tf.float32
    return bytes(converter.convert())


def with_postprocessing(content: bytes) -> bytes:
    """Given a detector with float32 outputs, return it with the usual custom operator behind them."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    anchors = _tensor(model, graph, "anchors", [360, 4], np.zeros((360, 4), np.float32).tobytes())
    found = [_tensor(model, graph, f"found_{n}", shape) for n, shape in enumerate(([1, 9, 4], [1, 9], [1, 9], [1]))]
    _add(model, graph, "TFLite_Detection_PostProcess", [*graph.outputs, anchors], found)
    graph.outputs = found
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def compiled(content: bytes) -> bytes:
    """Given a model, return what the Edge TPU compiler makes of one that it takes whole: a single custom operator."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph = model.subgraphs[0]
    graph.operators, model.operatorCodes = [], []
    _add(model, graph, "edgetpu-custom-op", list(graph.inputs), list(graph.outputs))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _tensor(model: schema.ModelT, graph: schema.SubGraphT, name: str, shape: List[int], data: bytes = b"") -> int:
    """Add a float32 tensor, return its index."""
    buffer = schema.BufferT()
    buffer.data = list(data) if data else None
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name.encode(), shape, len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _add(model: schema.ModelT, graph: schema.SubGraphT, name: str, inputs: List[int], outputs: List[int]) -> None:
    """Add a custom operator at the end."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = name.encode()
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes) - 1, inputs, outputs
    graph.operators.append(operator)


def main() -> None:
    keras.utils.set_random_seed(7)
    net = classifier()
    files: Dict[str, bytes] = {
        "float": convert(net, "float"),
        "dynamic_range": convert(classifier(width=32), "dynamic"),
        "integer": convert(net, "integer"),
        "integer_uint8_io": convert(net, "integer", tf.uint8),
        "integer_float_io": convert(net, "integer", tf.float32),
        "dense_sequence": convert(dense_sequence(), "integer"),
        "unrolled": convert(unrolled(), "integer"),
        "softmax_rows": convert(softmax_rows(), "integer"),
        "wide": convert(wide(), "integer"),
        "segmenter": convert(segmenter(), "integer"),
        "refused_in_the_middle": convert(refused_in_the_middle(), "integer"),
        "detector": with_postprocessing(convert(detector(), "integer", tf.float32)),
        "compiled": compiled(convert(net, "integer")),
    }
    folder = Path(sys.argv[1])
    for name, content in files.items():
        (folder / f"{name}.tflite").write_bytes(content)
        print(f"{name}: {len(content)} bytes")


if __name__ == "__main__":
    main()
