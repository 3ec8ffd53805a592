"""What becomes of a .tflite model on an Edge TPU: which operators it takes, where its part ends, what it costs.

Rule of this file: pure. The compiler makes one partition. An operator that it can't take stays on the CPU, and so does
all that needs its result; the exception is what comes before anything was taken (a QUANTIZE at a float input), because
it only feeds the partition.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from sayso.errors import ModelError
from sayso.recognition.edgetpu import ACTIVATIONS, COMPILED, refusal, tensors_of
from sayso.recognition.modelfile import NO_TENSOR, Graph, Operator, Tensor, read_graph

ON_CHIP = 8 * 2**20
"""Memory on the chip [bytes]; parameters that don't fit are sent anew for every inference. Activations and the program
share it, so that what is left for parameters was seen to be anything from 1 to 7.9 MiB."""

WIDEST_INPUT = 8192
"""Above this many inputs a fully connected layer was seen to grow thirtyfold when compiled [elements]."""

WIDEST_IMAGE = 800
"""Above this width a convolution's program was seen to grow tenfold: 800 gave 465 KB, 801 gave 4.7 MB."""

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


@dataclass(frozen=True)
class Finding:
    """What becomes of one operator."""

    operator: Operator
    edgetpu: bool
    """Whether the compiler would put it into the partition."""
    reason: str
    """Why not; empty where it would."""


@dataclass(frozen=True)
class Inspection:
    """What becomes of a model."""

    graph: Graph
    findings: Tuple[Finding, ...]
    """In the order of execution."""
    onchip_bytes: int
    """Parameters of the partition, each counted as often as it is used: the compiler makes a copy for each use."""
    warnings: Tuple[str, ...]

    @property
    def edgetpu_operators(self) -> int:
        """Return how many operators the Edge TPU takes."""
        return sum(finding.edgetpu for finding in self.findings)

    @property
    def end(self) -> Optional[Finding]:
        """Return the operator that ends the partition; None where nothing does."""
        return next((one for one in self.findings if not one.edgetpu and self._fed(one)), None)

    def _fed(self, finding: Finding) -> bool:
        """Whether an operator needs something that the Edge TPU computes."""
        made = {index for one in self.findings if one.edgetpu for index in one.operator.outputs}
        return not made.isdisjoint(finding.operator.inputs)


def inspect_model(path: Path) -> Inspection:
    """Given a .tflite file, return what becomes of it. Raise ModelError where it is none."""
    graph = read_graph(path)
    try:
        return inspect_graph(graph)
    except (AssertionError, IndexError, ValueError, TypeError) as error:
        what = f"its operators don't fit their tensors ({' '.join(str(error).split()) or type(error).__name__})"
        raise ModelError(what, where=str(path), remedy="copy or convert it again") from None


def inspect_graph(graph: Graph) -> Inspection:
    """Given a graph, return what becomes of it."""
    findings = tuple(_partition(graph))
    taken = [finding.operator for finding in findings if finding.edgetpu and finding.operator.name != COMPILED]
    onchip = sum(tensor.size for operator in taken for tensor in _parameters(graph, operator))
    return Inspection(graph, findings, onchip, tuple(_warnings(graph, findings, onchip)))


def _partition(graph: Graph) -> Iterator[Finding]:
    """Follow the graph in the order of execution; `behind`: tensors that need an operator that ended the partition."""
    inside: Dict[int, int] = {}
    behind: Dict[int, int] = {}
    compiled = any(operator.name == COMPILED for operator in graph.operators)
    for operator in graph.operators:
        needs = [index for index in operator.inputs if index != NO_TENSOR]
        blocker = next((behind[index] for index in needs if index in behind), None)
        reason = refusal(graph, operator)
        if compiled and operator.name != COMPILED:
            reason = reason or "left on the CPU by the compiler that made this file"
        if not reason and blocker is None:
            inside.update(dict.fromkeys(operator.outputs, operator.index))
            yield Finding(operator, True, "")
            continue
        if blocker is not None or any(index in inside for index in needs):
            first = operator.index if blocker is None else blocker
            behind.update(dict.fromkeys(operator.outputs, first))
        yield Finding(operator, False, reason or _after(graph.operators[blocker or 0]))


def _after(blocker: Operator) -> str:
    return f"supported, but behind {blocker.name} (operator {blocker.index}), which ends the one partition"


def _parameters(graph: Graph, operator: Operator) -> Iterator[Tensor]:
    """Given an operator of the partition, yield its weights and biases; shapes and axes are part of the program."""
    for tensor in tensors_of(graph, operator.inputs):
        if tensor is None or not tensor.constant:
            continue
        if tensor.type in ACTIVATIONS or (tensor.type == "int32" and operator.name in _WEIGHTED):
            yield tensor


def _warnings(graph: Graph, findings: Tuple[Finding, ...], onchip: int) -> Iterator[str]:
    if any(operator.name == COMPILED for operator in graph.operators):
        yield (
            "compiled for the Edge TPU: without its delegate an interpreter refuses this file "
            f'("unresolved custom op: {COMPILED}"); keep the file it was made from beside it for the CPU'
        )
        return
    yield from _quantisation(graph, findings)
    yield from _shapes(graph)
    yield from _size(graph, findings, onchip)
    if graph.graphs > 1:
        yield f"{graph.graphs} graphs in the file (control flow): only the first is looked at, the compiler takes one"


def _quantisation(graph: Graph, findings: Tuple[Finding, ...]) -> Iterator[str]:
    layers = [operator for operator in graph.operators if operator.name in _WEIGHTED]
    kinds = Counter(_kind(graph, operator) for operator in layers)
    if kinds["dynamic"]:
        yield (
            f"{kinds['dynamic']} of {len(layers)} layers have int8 weights but compute in float32 (dynamic range): the "
            'compiler says "Model not quantized"; convert with a representative data set, full integer'
        )
    elif kinds["float"] and not kinds["integer"]:
        yield 'not quantised: the compiler says "Model not quantized"; convert to full integer'
    moved = {one.operator.name for one in findings if not one.edgetpu} & {"QUANTIZE", "DEQUANTIZE"}
    ends = (*graph.inputs, *graph.outputs)
    if moved and kinds["integer"] and any(graph.tensors[index].type == "float32" for index in ends):
        yield (
            f"float32 inputs or outputs: {' and '.join(sorted(moved))} run on the CPU; convert with int8 (or "
            "uint8) inputs and outputs to have all of it on the Edge TPU"
        )


def _kind(graph: Graph, operator: Operator) -> str:
    source, weights = (*tensors_of(graph, operator.inputs), None, None)[:2]
    if source is None or weights is None or source.type in ACTIVATIONS:
        return "integer"
    return "dynamic" if weights.type in ("int8", "int4") else "float"


def _shapes(graph: Graph) -> Iterator[str]:
    dense = wide = flat = 0
    for operator in graph.operators:
        source = next(iter(tensors_of(graph, operator.inputs)), None)
        if source is None or operator.name not in _WEIGHTED:
            continue
        if operator.name == "FULLY_CONNECTED":
            dense += bool(operator.options.get("KeepNumDims", False)) or operator.version > 6
            flat = max(flat, source.shape[-1] if source.shape else 0)
        elif len(source.shape) == 4:
            wide = max(wide, source.shape[2])
    if dense:
        yield (
            f"{dense} fully connected layers come from dense layers on three dimensions or more: the compiler refuses "
            "these, and once they raise the operator's version (above 6) all others of the file; use 1 × 1 convolutions"
        )
    if wide > WIDEST_IMAGE:
        yield f"a convolution {wide} wide: above {WIDEST_IMAGE} the compiled program can be ten times as large"
    if flat > WIDEST_INPUT:
        yield f"a fully connected layer with {flat:,} inputs: such ones grew up to thirtyfold when compiled"


def _size(graph: Graph, findings: Tuple[Finding, ...], onchip: int) -> Iterator[str]:
    uses: Counter[int] = Counter()
    for finding in findings:
        if finding.operator.name in _WEIGHTED and len(finding.operator.inputs) > 1:
            uses[finding.operator.inputs[1]] += 1
    shared: List[int] = [index for index, count in uses.items() if count > 1 and graph.tensors[index].constant]
    if shared:
        most = max(uses[index] for index in shared)
        copies = sum(graph.tensors[index].size * (uses[index] - 1) for index in shared)
        yield (
            f"unrolled loop: weights are used up to {most} times; compiled, each use has its own copy, "
            f"{copies / 1024:.1f} KiB more"
        )
    if onchip > ON_CHIP:
        yield (
            f"{onchip / 2**20:.2f} MiB of parameters, about {ON_CHIP / 2**20:.0f} MiB fit on the chip: the rest is "
            "sent again for every inference"
        )
