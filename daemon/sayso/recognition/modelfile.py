"""A .tflite file -> what it holds, as plain values.

Rule of this file: the only one that imports tflite, the reader of TensorFlow Lite's flatbuffers. Nothing of a file is
believed: one that is truncated, altered or something else is a ModelError, never a crash or an endless loop.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt
import tflite

from sayso.errors import ModelError

IDENTIFIER = b"TFL3"
"""Bytes 4 to 7 of every TensorFlow Lite file (schema version 3)."""

NO_TENSOR = -1
"""Stands for an optional input that is left out."""

Option = Union[bool, int, float]

_TYPES: Dict[int, str] = {
    value: name.lower() for name, value in vars(tflite.TensorType).items() if isinstance(value, int)
}
_NAMES: Dict[int, str] = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
_BITS = {"int4": 4, "int16": 16, "float16": 16, "int32": 32, "float32": 32, "int64": 64, "float64": 64}
"""Bits of an element, where they are not 8."""

_OPTIONS: Mapping[str, Tuple[str, Tuple[str, ...]]] = {
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", ("FusedActivationFunction",)),
    "CONCATENATION": ("ConcatenationOptions", ("FusedActivationFunction", "Axis")),
    "CONV_2D": ("Conv2DOptions", ("FusedActivationFunction", "DilationWFactor", "DilationHFactor")),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", ("FusedActivationFunction", "DilationWFactor", "DilationHFactor")),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat", "KeepNumDims")),
    "MAX_POOL_2D": ("Pool2DOptions", ("FusedActivationFunction",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "PACK": ("PackOptions", ("Axis",)),
    "STRIDED_SLICE": ("StridedSliceOptions", ("EllipsisMask", "NewAxisMask", "ShrinkAxisMask")),
    "SUB": ("SubOptions", ("FusedActivationFunction",)),
}
"""Operator -> its table of options in the schema, and those that matter here."""


@dataclass(frozen=True)
class Tensor:
    """One tensor: what flows, or a constant."""

    name: str
    shape: Tuple[int, ...]
    """-1 where it is only known at run time."""
    type: str
    """`int8`, `uint8`, `int32`, `float32`, …"""
    scales: Tuple[float, ...]
    """real = scale × (value − zero point); empty: not quantised, several: one a channel."""
    zero_points: Tuple[int, ...]
    data: Optional[npt.NDArray[np.uint8]]
    """The bytes of a constant; None for what flows."""

    @property
    def constant(self) -> bool:
        """Return whether its value stands in the file."""
        return self.data is not None

    @property
    def size(self) -> int:
        """Return how many bytes it takes."""
        return (prod(self.shape) * _BITS.get(self.type, 8) + 7) // 8

    def values(self) -> npt.NDArray[Any]:
        """Return a constant's values in its shape. Raise ValueError where the bytes are not enough."""
        assert self.data is not None, f"{self.name} is no constant"
        return np.frombuffer(self.data, dtype=np.dtype(self.type)).reshape(self.shape)


@dataclass(frozen=True)
class Operator:
    """One step of the graph."""

    index: int
    name: str
    """As the schema calls it, or a custom operator's own name."""
    version: int
    inputs: Tuple[int, ...]
    """Indices of tensors, NO_TENSOR for one left out."""
    outputs: Tuple[int, ...]
    options: Mapping[str, Option]


@dataclass(frozen=True)
class Graph:
    """The file's first graph; others belong to control flow."""

    tensors: Tuple[Tensor, ...]
    operators: Tuple[Operator, ...]
    """In the order of execution."""
    inputs: Tuple[int, ...]
    outputs: Tuple[int, ...]
    graphs: int
    """Graphs in the file."""
    notes: Mapping[str, bytes] = field(default_factory=dict)
    """What the file says beside its graphs: name -> bytes."""


def read_graph(path: Path) -> Graph:
    """Given a .tflite file, return its graph. Raise ModelError where it is none."""
    remedy = "give it a TensorFlow Lite model"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(error.strerror or str(error), where=str(path), remedy=remedy) from None
    if content[4:8] != IDENTIFIER:
        raise ModelError("not a TensorFlow Lite file", where=str(path), remedy=remedy)
    try:
        graph = _Reader(content).graph()
        _check(graph)
    except _READING_FAILED as error:
        what = f"truncated or damaged TensorFlow Lite file ({' '.join(str(error).split()) or type(error).__name__})"
        raise ModelError(what, where=str(path), remedy="copy or convert it again") from None
    return graph


_READING_FAILED = (struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError, OverflowError)
"""What flatbuffers' reader raises on bytes that make no sense: it follows offsets wherever they lead."""


class _Reader:
    """Reads one file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._model = tflite.Model.GetRootAs(content, 0)

    def graph(self) -> Graph:
        graph = self._model.Subgraphs(0)
        if graph is None:
            raise ValueError("it holds no graph")
        codes = [self._code(self._model.OperatorCodes(i)) for i in self._up_to(self._model.OperatorCodesLength())]
        return Graph(
            tensors=tuple(self._tensor(graph.Tensors(i)) for i in self._up_to(graph.TensorsLength())),
            operators=tuple(self._operator(graph, i, codes) for i in self._up_to(graph.OperatorsLength())),
            inputs=self._numbers(graph.InputsAsNumpy()),
            outputs=self._numbers(graph.OutputsAsNumpy()),
            graphs=int(self._model.SubgraphsLength()),
            notes=dict(self._note(self._model.Metadata(i)) for i in self._up_to(self._model.MetadataLength())),
        )

    def _note(self, entry: Any) -> Tuple[str, bytes]:
        data = self._model.Buffers(entry.Buffer()).DataAsNumpy()
        return (entry.Name() or b"").decode("utf-8", "replace"), bytes(data) if np.ndim(data) else b""

    def _up_to(self, count: int) -> Iterator[int]:
        """Given how long a vector says it is, yield its indices; every element needs at least four bytes."""
        if count * 4 > len(self._content):
            raise ValueError("a list is longer than the file")
        yield from range(count)

    @staticmethod
    def _code(code: Any) -> Tuple[str, int]:
        """Given an operator code, return name and version. Codes above 127 don't fit in the field of old."""
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = _NAMES.get(number, f"OPERATOR_{number}")
        if name == "CUSTOM":
            name = (code.CustomCode() or b"CUSTOM").decode("utf-8", "replace")
        return name, code.Version()

    def _operator(self, graph: Any, index: int, codes: List[Tuple[str, int]]) -> Operator:
        operator = graph.Operators(index)
        name, version = codes[operator.OpcodeIndex()]
        inputs, outputs = self._numbers(operator.InputsAsNumpy()), self._numbers(operator.OutputsAsNumpy())
        return Operator(index, name, version, inputs, outputs, self._options(name, operator))

    @staticmethod
    def _options(name: str, operator: Any) -> Mapping[str, Option]:
        table, keys = _OPTIONS.get(name, ("", ()))
        written = operator.BuiltinOptions()
        if not table or written is None:
            return {}
        options = getattr(tflite, table)()
        options.Init(written.Bytes, written.Pos)
        return {key: getattr(options, key)() for key in keys}

    def _tensor(self, tensor: Any) -> Tensor:
        shape = self._numbers(tensor.ShapeAsNumpy())
        signature = self._numbers(tensor.ShapeSignatureAsNumpy())
        if len(signature) == len(shape):
            shape = tuple(-1 if free < 0 else fixed for free, fixed in zip(signature, shape))
        quantisation = tensor.Quantization()
        scales = quantisation.ScaleAsNumpy() if quantisation is not None else 0
        zero_points = quantisation.ZeroPointAsNumpy() if quantisation is not None else 0
        return Tensor(
            name=(tensor.Name() or b"").decode("utf-8", "replace"),
            shape=shape,
            type=_TYPES.get(tensor.Type(), f"type {tensor.Type()}"),
            scales=tuple(float(scale) for scale in np.atleast_1d(scales)) if np.ndim(scales) else (),
            zero_points=self._numbers(zero_points),
            data=self._data(tensor),
        )

    def _data(self, tensor: Any) -> Optional[npt.NDArray[np.uint8]]:
        """Buffer 0 is empty by definition; large models may keep the bytes behind the flatbuffer instead."""
        buffer = self._model.Buffers(tensor.Buffer()) if tensor.Buffer() else None
        if buffer is None:
            return None
        if buffer.DataLength():
            data: npt.NDArray[np.uint8] = buffer.DataAsNumpy()
            return data
        if buffer.Offset() > 1 and buffer.Size():
            end = buffer.Offset() + buffer.Size()
            if end > len(self._content):
                raise ValueError("a constant lies behind the file's end")
            return np.frombuffer(self._content[buffer.Offset() : end], np.uint8)
        return None

    @staticmethod
    def _numbers(vector: Any) -> Tuple[int, ...]:
        """Given a vector as flatbuffers gives it (0 where it is missing), return its numbers."""
        return tuple(int(number) for number in vector) if np.ndim(vector) else ()


def _check(graph: Graph) -> None:
    """Raise IndexError for a tensor that is named but not there."""
    last = len(graph.tensors)
    for named in (graph.inputs, graph.outputs, *(one.inputs + one.outputs for one in graph.operators)):
        for index in named:
            if not NO_TENSOR <= index < last:
                raise IndexError(f"tensor {index} doesn't exist")
