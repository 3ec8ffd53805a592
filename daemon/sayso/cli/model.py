"""`sayso model`: what a model file holds, and what becomes of it on an Edge TPU; other models."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sayso.cli.fetch import fetch_model

if TYPE_CHECKING:
    from sayso.recognition.inspect import Finding, Inspection
    from sayso.recognition.modelfile import Tensor


@click.group()
def model() -> None:
    """Look at model files, and fetch others."""


model.add_command(fetch_model)


@model.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.tflite")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def inspect(file: Path, as_json: bool) -> None:
    """Say which operators of FILE the Edge TPU takes, and which rule the others break.

    Nothing is compiled: the rules are those that Coral publishes for its compiler.
    """
    from sayso.recognition.inspect import inspect_model  # here, because reading the schema takes other commands' time

    inspection = inspect_model(file)
    if as_json:
        click.echo(json.dumps(describe(inspection), ensure_ascii=False))
    else:
        _show(file, inspection)


def describe(inspection: Inspection) -> Dict[str, Any]:
    """Given an inspection, return it as it is printed with --json."""
    graph = inspection.graph
    return {
        "operators": [_operator(inspection, finding) for finding in inspection.findings],
        "edgetpu_operators": inspection.edgetpu_operators,
        "cpu_operators": len(inspection.findings) - inspection.edgetpu_operators,
        "onchip_bytes": inspection.onchip_bytes,
        "warnings": list(inspection.warnings),
        "partition_end": None if inspection.end is None else inspection.end.operator.index,
        "inputs": [_tensor(graph.tensors[index]) for index in graph.inputs],
        "outputs": [_tensor(graph.tensors[index]) for index in graph.outputs],
    }


def _operator(inspection: Inspection, finding: Finding) -> Dict[str, Any]:
    operator, tensors = finding.operator, inspection.graph.tensors
    return {
        "index": operator.index,
        "name": operator.name,
        "version": operator.version,
        "edgetpu": finding.edgetpu,
        "reason": finding.reason,
        "inputs": [_tensor(tensors[index]) for index in operator.inputs if index >= 0],
        "outputs": [_tensor(tensors[index]) for index in operator.outputs if index >= 0],
    }


def _tensor(tensor: Tensor) -> Dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "type": tensor.type,
        "constant": tensor.constant,
        "scale": tensor.scales[0] if len(tensor.scales) == 1 else None,
        "zero_point": tensor.zero_points[0] if len(tensor.scales) == 1 and tensor.zero_points else None,
        "channels": len(tensor.scales) if len(tensor.scales) > 1 else None,
    }


def _show(file: Path, inspection: Inspection) -> None:
    console = Console(highlight=False, soft_wrap=True)
    graph = inspection.graph
    for title, indices in (("takes", graph.inputs), ("gives", graph.outputs)):
        for index in indices:
            console.print(Text(f"{title} {graph.tensors[index].name}  {_shown(graph.tensors[index])}"))
    console.print()
    console.print(_operators(inspection))
    console.print(_counts(inspection))
    total, taken = len(inspection.findings), inspection.edgetpu_operators
    console.print(f"{file.name}: {taken} of {total} operators on the Edge TPU, {total - taken} on the CPU")
    if inspection.end is not None:
        end = inspection.end
        console.print(Text(f"the partition ends at {end.operator.name} (operator {end.operator.index}): {end.reason}"))
    if taken and inspection.onchip_bytes:
        size = inspection.onchip_bytes / 2**20
        console.print(f"parameters on the Edge TPU: {size:.2f} MiB of about 8 (activations and program share them)")
    for warning in inspection.warnings:
        console.print(Text(f"! {warning}", "yellow"))


def _operators(inspection: Inspection) -> Table:
    table = Table(box=None)
    for column in ("#", "operator", "version", "output", "Edge TPU", "why not"):
        table.add_column(column, justify="right" if column in ("#", "version") else "left", no_wrap=True)
    for finding in inspection.findings:
        operator = finding.operator
        outputs = [_shown(inspection.graph.tensors[index]) for index in operator.outputs[:1] if index >= 0]
        mark = Text("yes", "green") if finding.edgetpu else Text("no", "red")
        row: List[Any] = [str(operator.index), operator.name, str(operator.version), Text("".join(outputs)), mark]
        table.add_row(*row, Text(finding.reason))
    return table


def _counts(inspection: Inspection) -> Table:
    table = Table(box=None)
    for column in ("operator", "version", "count", "on the Edge TPU"):
        table.add_column(column, justify="left" if column == "operator" else "right")
    findings = inspection.findings
    counts = Counter((one.operator.name, one.operator.version) for one in findings)
    taken = Counter((one.operator.name, one.operator.version) for one in findings if one.edgetpu)
    for kind in sorted(counts):
        table.add_row(kind[0], str(kind[1]), str(counts[kind]), str(taken[kind]))
    return table


def _shown(tensor: Tensor) -> str:
    """A tensor's shape, type and quantisation, for people."""
    shape = " × ".join("?" if size < 0 else str(size) for size in tensor.shape) or "scalar"
    if len(tensor.scales) > 1:
        return f"{shape} {tensor.type}, {len(tensor.scales)} scales"
    if tensor.scales:
        zero = tensor.zero_points[0] if tensor.zero_points else 0
        return f"{shape} {tensor.type}, {tensor.scales[0]:.4g} × (value − {zero})"
    return f"{shape} {tensor.type}"
