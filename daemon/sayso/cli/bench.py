"""`sayso bench`: how fast each model is on this machine, by processor and by Edge TPU."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sayso import machine
from sayso.assembly import SHIPPED_MODEL
from sayso.cli.settings import settings
from sayso.download import state_folder
from sayso.errors import SaysoError
from sayso.measurement import Figures, Way, measure, ways
from sayso.recognition.bundle import MANIFEST, TFLITE, open_bundle
from sayso.recognition.tflite import runtime_name

PACKAGED = Path("/usr/share/sayso/models")
"""Where Debian's packages put models."""

BUSY = 0.3
"""Load per core from which on other jobs are at work."""


@dataclass(frozen=True)
class Row:
    """One way, and what came of it."""

    name: str
    way: Way
    figures: Optional[Figures]
    error: str = ""


@click.command()
@click.argument("models", nargs=-1, type=click.Path(path_type=Path), metavar="[MODEL...]")
@click.option("--threads", default=4, show_default=True, type=click.IntRange(1, 16), help="Processor threads, up to.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(1), help="Sound for each way.")
@click.option("--limit", default=60.0, show_default=True, type=click.FloatRange(1), help="Most seconds for each way.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def bench(
    context: click.Context, models: Tuple[Path, ...], threads: int, seconds: float, limit: float, as_json: bool
) -> None:
    """Measure MODELs (bundles, or .tflite files of DeepSpeech) on this machine; without any, all that are installed.

    Each on the processor with one thread and more, and on the Edge TPU where it is compiled for it.
    """
    config = settings(context).model
    given = models or installed(Path(config.path) if config.path else SHIPPED_MODEL)
    about = _machine()
    jobs = ways([str(model) for model in given], threads, config.device)
    console = Console(stderr=True)
    watched = track(jobs, "Measuring", console=console, disable=not console.is_terminal)
    rows = [_row(way, seconds, limit) for way in watched]
    if as_json:
        click.echo(json.dumps({"machine": about, "rows": [_described(row) for row in rows]}, ensure_ascii=False))
    else:
        _show(about, rows)
    if not any(row.figures for row in rows):
        context.exit(1)


def installed(configured: Path) -> Tuple[Path, ...]:
    """Given the configured model, return it and all others that are installed."""
    found = [configured]
    for folder in (SHIPPED_MODEL.parent, PACKAGED, state_folder()):
        found += sorted(file.parent for file in folder.glob(f"*/{MANIFEST}"))
        found += sorted(file for file in folder.glob(f"*/*{TFLITE}") if not (file.parent / MANIFEST).is_file())
    # The processor can't run what was compiled for the Edge TPU; that is found beside what it was made from.
    return tuple({one.resolve(): one for one in found if not one.stem.endswith("_edgetpu")}.values())


def _row(way: Way, seconds: float, limit: float) -> Row:
    name = open_bundle(Path(way.model)).label
    try:
        return Row(name, way, measure(way, seconds, limit))
    except SaysoError as error:
        return Row(name, way, None, str(error))


def _machine() -> Dict[str, Any]:
    load = os.getloadavg()[0]
    return {
        "name": machine.name(),
        "cores": machine.cores(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "interpreter": runtime_name(),
        "governors": list(machine.governors()),
        "load": load,
        "busy": load > BUSY * machine.cores(),
    }


def _described(row: Row) -> Dict[str, Any]:
    figures = asdict(row.figures) if row.figures else None
    factor = {} if row.figures is None else {"real_time_factor": row.figures.second / 1000}
    return {
        "model": row.name,
        **asdict(row.way),
        "path": row.way.model,
        "error": row.error,
        **(figures or {}),
        **factor,
    }


def _show(about: Dict[str, Any], rows: List[Row]) -> None:
    # A number that is cut off is worth nothing: rather a line that the terminal breaks.
    console = Console(highlight=False, soft_wrap=True, width=200)
    table = Table(box=None)
    for title in ("model", "runs on"):
        table.add_column(title, no_wrap=True)
    for title in ("chunk\n[ms]", "95 %\n[ms]", "second\n[ms]", "factor", "CPU\n[%]", "memory\n[MiB]"):
        table.add_column(title, justify="right")
    for row in rows:
        if row.figures is None:
            table.add_row(row.name, row.way.label)
            continue
        one = row.figures
        numbers = (one.chunk_median, one.chunk_p95, one.second, one.second / 1000, one.processor * 100, one.memory)
        forms = ("{:.2f}", "{:.2f}", "{:.1f}", "{:.4f}", "{:.1f}", "{:.1f}")
        table.add_row(row.name, row.way.label, *(form.format(number) for form, number in zip(forms, numbers)))
    console.print(table)
    name, cores, interpreter = about["name"], about["cores"], about["interpreter"]
    for row in rows:
        if row.error:
            console.print(f"{row.name}, {row.way.label}: {row.error}")
    console.print(f"\n{name}; {cores} cores, Python {about['python']}, {interpreter}")
    console.print("chunk, second: median and 95 % of a chunk, and what a second of sound takes; factor: of real time")
    console.print("CPU: of one core, while somebody speaks; memory: what it adds")
    if about["busy"]:
        console.print(f"Other jobs were at work (load {about['load']:.1f}): quiet, it is faster than that.")
