"""DeepSpeech's graph in TensorFlow, and its TensorFlow Lite files.

Rule of this file: the graph of one call, states in and out, by DeepSpeech's names. With one step a call and without
the feature operators it is made of nothing but what the Edge TPU's compiler maps (`OPERATORS`); with sixteen steps,
the features and the metadata in it, it is the graph that DeepSpeech 0.9 exports.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from sayso_model.deepspeech.shape import (
    CLIP,
    COEFFICIENTS,
    FORGET_BIAS,
    FRAMES,
    INPUTS,
    METADATA,
    RATE,
    STEP,
    WINDOW,
    Shape,
    Weights,
    windows,
)

OPERATORS = {
    "SOFTMAX": 1, "FULLY_CONNECTED": 6, "MINIMUM": 4, "TANH": 2, "STRIDED_SLICE": 1, "LOGISTIC": 3, "ADD": 2,
    "SPLIT": 1, "MUL": 3, "CONCATENATION": 1, "RESHAPE": 1,
}  # fmt: skip
"""What the full-integer network consists of at one step a call: the table of the conversion that the Edge TPU's
compiler took whole."""

CELL = 8.0
"""What the LSTM's cell is held to in int8, by the ranges that the conversion sees. Nothing bounds it in training: cells
that count reach 150, and a step of int8 would be larger than what the others hold. tanh(8) is 1 but for 2e-7."""

DENSE = ("layer_1", "layer_2", "layer_3")


@dataclass(frozen=True)
class Form:
    """Which of its files."""

    steps: int = 1
    """Frames a call takes."""
    kind: str = "integer"
    """`integer`, `dynamic` (8-bit weights, computed in float; how DeepSpeech's releases were made) or `float`."""
    features: bool = False
    """Whether the feature operators and the metadata are in the graph, as in DeepSpeech's releases."""


class DeepSpeech(tf.Module):
    """One call of the network."""

    def __init__(self, shape: Shape, weights: Weights) -> None:
        super().__init__()
        self.shape = shape
        self._weights = {name: tf.constant(value) for name, value in weights.items()}

    def _affine(self, name: str, rows: tf.Tensor) -> tf.Tensor:
        return tf.matmul(rows, self._weights[f"{name}.weights"]) + self._weights[f"{name}.bias"]

    def _dense(self, name: str, rows: tf.Tensor) -> tf.Tensor:
        return tf.minimum(tf.nn.relu(self._affine(name, rows)), CLIP)

    def _cell(self, row: tf.Tensor, c: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        gate, value, forget, out = tf.split(self._affine("lstm", tf.concat((row, h), axis=1)), 4, axis=1)
        c = tf.sigmoid(forget + FORGET_BIAS) * c + tf.sigmoid(gate) * tf.tanh(value)
        return c, tf.sigmoid(out) * tf.tanh(c)

    def __call__(self, heard: tf.Tensor, c: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Given [1, steps, 19, 26] and the states [1, hidden], return probabilities [steps, labels] and new states."""
        steps = heard.shape[1]
        # With one step the slice takes the place of the release's transposition; both are free of arithmetic.
        rows = tf.reshape(heard[:, 0], (1, INPUTS)) if steps == 1 else tf.reshape(heard, (steps, INPUTS))
        for name in DENSE:
            rows = self._dense(name, rows)
        spoken = []
        for step in range(steps):
            c, h = self._cell(rows if steps == 1 else rows[step : step + 1], c, h)
            spoken.append(h)
        rows = self._dense("layer_5", h if steps == 1 else tf.concat(spoken, axis=0))
        return tf.nn.softmax(self._affine("layer_6", rows)), c, h


def _mfccs(samples: tf.Tensor) -> tf.Tensor:
    """Given one window of samples [512], return its coefficients [1, 1, 26] by TensorFlow's own kernels."""
    spectrum = tf.raw_ops.AudioSpectrogram(
        input=tf.reshape(samples, (WINDOW, 1)), window_size=WINDOW, stride=STEP, magnitude_squared=True
    )
    return tf.raw_ops.Mfcc(spectrogram=spectrum, sample_rate=RATE, dct_coefficient_count=COEFFICIENTS)


def _constant(value: int | bytes) -> tf.Tensor:
    return tf.constant([value], tf.int32 if isinstance(value, int) else tf.string)


def _serving(network: DeepSpeech, form: Form) -> tf.types.experimental.GenericFunction:
    wide = network.shape.hidden
    specs = [
        tf.TensorSpec((1, form.steps, FRAMES, COEFFICIENTS), tf.float32, name="input_node"),
        tf.TensorSpec((1, wide), tf.float32, name="previous_state_c"),
        tf.TensorSpec((1, wide), tf.float32, name="previous_state_h"),
    ]
    if form.features:
        specs.append(tf.TensorSpec((WINDOW,), tf.float32, name="input_samples"))

    @tf.function(input_signature=specs)
    def serve(
        input_node: tf.Tensor, previous_state_c: tf.Tensor, previous_state_h: tf.Tensor, *input_samples: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        logits, c, h = network(input_node, previous_state_c, previous_state_h)
        given = {"logits": logits, "new_state_c": c, "new_state_h": h}
        if input_samples:
            given["mfccs"] = _mfccs(input_samples[0])
            given |= {name: _constant(value) for name, value in METADATA.items()}
        return given

    return serve


def _calls(network: DeepSpeech, clips: list[npt.NDArray[np.float32]], form: Form) -> Iterator[dict[str, np.ndarray]]:
    """Given utterances as frames [n, 26], return what each call takes, states handed on in float."""
    run = tf.function(network.__call__)
    for clip in clips:
        c = h = np.zeros((1, network.shape.hidden), np.float32)
        heard = windows(clip)
        heard = heard[: len(heard) // form.steps * form.steps].reshape(-1, 1, form.steps, FRAMES, COEFFICIENTS)
        for one in heard:
            yield {"input_node": one, "previous_state_c": c, "previous_state_h": h}
            _, c, h = (np.asarray(value) for value in run(one, c, h))
            c = np.clip(c, -CELL, CELL)


def converted(
    network: DeepSpeech, clips: list[npt.NDArray[np.float32]], form: Form, notes: dict[str, bytes] | None = None
) -> bytes:
    """Given the network and utterances that show the ranges, return it as a .tflite file with DeepSpeech's names.

    `notes` are put beside the graph.
    """
    serve = _serving(network, form)
    with TemporaryDirectory() as folder:
        network.serve = serve
        tf.saved_model.save(network, folder, signatures={"serving_default": serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if form.features:
            converter.allow_custom_ops = True
        if form.kind != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if form.kind == "dynamic":
            # One scale a matrix, as DeepSpeech's releases have: a scale a row needs an operator that is too new for
            # tflite-runtime 2.14.
            converter._experimental_disable_per_channel = True
            converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if form.kind == "integer":
            converter.representative_dataset = lambda: _calls(network, clips, form)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        content = converter.convert()
    # What DeepSpeech holds in tensors of metadata stands beside the graph instead, where no compiler stumbles over it.
    described = {} if form.features else METADATA
    return _named(bytes(content), {**described, **(notes or {})})


def _named(content: bytes, notes: dict[str, int | bytes]) -> bytes:
    """Given a converted file, return it with the signature's names on its tensors, and with notes beside the graph."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    for one in (*signature.inputs, *signature.outputs):
        graph.tensors[one.tensorIndex].name = one.name
    for name, value in notes.items():
        buffer, entry = schema.BufferT(), schema.MetadataT()
        packed = np.int32(value).tobytes() if isinstance(value, int) else value
        buffer.data = np.frombuffer(packed, np.uint8)
        model.buffers.append(buffer)
        entry.name, entry.buffer = name, len(model.buffers) - 1
        model.metadata = [*(model.metadata or ()), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def operators(content: bytes) -> Counter[str]:
    """Given a .tflite file, return how often each operator stands in it."""
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    model = schema.Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    found: Counter[str] = Counter()
    for place in range(graph.OperatorsLength()):
        code = model.OperatorCodes(graph.Operators(place).OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        found[code.CustomCode().decode() if code.CustomCode() else names[number]] += 1
    return found


def write(
    path: Path,
    network: DeepSpeech,
    clips: list[npt.NDArray[np.float32]],
    form: Form,
    notes: dict[str, bytes] | None = None,
) -> Counter[str]:
    """Given where, and what `converted` takes, write the file; return its operators.

    Raise ValueError where a full-integer network of one step has others than the Edge TPU takes.
    """
    content = converted(network, clips, form, notes)
    found = operators(content)
    if form == Form() and found != OPERATORS:
        raise ValueError(f"operators {dict(found)}, wanted {OPERATORS}: another TensorFlow converts it otherwise")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return found
