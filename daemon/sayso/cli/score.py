"""`sayso score`: the owner's own recordings, judged by their names."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sayso.assembly import load_grammar, load_model, make_recognizer
from sayso.cli.recognize import hear, progress, sound_files
from sayso.cli.settings import commands_option, model_option, overrides, settings
from sayso.errors import AudioError
from sayso.judging import FEW, Row, Trial, interval, make_trial, recommend, tabulate

THRESHOLDS = tuple(step / 20 for step in range(1, 20))
"""Thresholds of the table: 0.05 to 0.95."""


@click.command()
@commands_option
@model_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_context
def score(context: click.Context, commands: Optional[Path], model: Optional[Path], as_json: bool, folder: Path) -> None:
    """Judge the recordings in FOLDER, and recommend a threshold.

    A file's name is what is said in it: turn_on_the_light.wav, turn_on_the_light-2.wav. One whose name is no sentence
    of yours (television-1.wav) holds no command: any that comes out of it is wrong. Nothing is kept.
    """
    config = settings(context, {**overrides(commands, model), "listening": {"mode": "always"}})
    loaded = load_model(config)
    grammar = load_grammar(config, loaded.bundle)
    recognizer = make_recognizer(config, loaded, grammar)
    own = grammar.templates.min_confidence
    trials: List[Trial] = []
    failure: Optional[AudioError] = None
    for file in progress(list(sound_files([str(folder)]))):
        try:
            heard = list(hear(config, recognizer, file))
        except AudioError as error:
            failure = error
            click.echo(f"sayso: {error}", err=True)
        else:
            trials.append(make_trial(Path(file), heard, grammar.graph, own))
    if as_json:
        click.echo(json.dumps(_report(trials, recognizer.min_confidence), ensure_ascii=False))
    else:
        _show(trials, recognizer.min_confidence)
    if failure is not None:
        sys.exit(failure.exit_code)


def _report(trials: Sequence[Trial], threshold: float) -> Dict[str, Any]:
    best = recommend(trials)
    now = tabulate(trials, [threshold])[0]
    commands = sum(bool(trial.expected) for trial in trials)
    return {
        "files": [_line(trial, threshold) for trial in trials],
        "commands": commands,
        "others": len(trials) - commands,
        "now": {**asdict(now), "right_interval": [round(end, 3) for end in interval(now.right, commands)]},
        "thresholds": [asdict(row) for row in tabulate(trials, THRESHOLDS)],
        "recommended": asdict(best) if best else None,
    }


def _line(trial: Trial, threshold: float) -> Dict[str, Any]:
    heard = [{"text": one.text, "confidence": round(one.confidence, 4)} for one in trial.candidates]
    known = {"file": trial.file, "said": trial.said, "is_command": bool(trial.expected)}
    return {**known, "verdict": trial.verdict(threshold), "heard": heard, "reason": trial.reason}


def _show(trials: Sequence[Trial], threshold: float) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    colours = {"right": "green", "wrong": "red", "refused": "yellow"}
    for trial in trials:
        verdict = trial.verdict(threshold)
        console.print(Text.assemble((f"{verdict:<8} ", colours[verdict]), f"{Path(trial.file).name}: {_heard(trial)}"))
    commands = sum(bool(trial.expected) for trial in trials)
    now = tabulate(trials, [threshold])[0]
    low, high = interval(now.right, commands)
    console.print(
        f"\n{now.right} of {commands} commands right ({low:.0%} to {high:.0%} with 95 % confidence), "
        f"{now.refused} refused; {now.wrong} wrong among all {len(trials)} recordings. min_confidence is {threshold:g}."
    )
    console.print(_table(tabulate(trials, THRESHOLDS)))
    console.print(_advice(trials, threshold))


def _heard(trial: Trial) -> str:
    heard = ", ".join(f'"{one.text}" ({one.confidence:.2f})' for one in trial.candidates) or "nothing"
    expected = "" if trial.expected else "; no sentence of yours, nothing should come"
    return f"{heard}{expected}"


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in ("min_confidence", "right", "refused", "wrong"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(f"{row.threshold:.2f}", str(row.right), str(row.refused), str(row.wrong))
    return table


def _advice(trials: Sequence[Trial], threshold: float) -> str:
    best = recommend(trials)
    others = sum(not trial.expected for trial in trials)
    few = min(others, len(trials) - others) < FEW
    doubt = f" These are few recordings ({FEW} of each kind would say more)." if few else ""
    if best is None:
        return (
            f"Nothing wrong came out at any threshold: keep {threshold:g}, and record what is no command, too "
            f"(talk, television, noise; any name that is no sentence of yours).{doubt}"
        )
    if tabulate(trials, [threshold])[0].worth == best.worth:
        return f"min_confidence = {threshold:g} is as good as any for these recordings.{doubt}"
    return (
        f"Recommended: [commands] min_confidence = {best.threshold:g} "
        f"({best.right} right, {best.refused} refused, {best.wrong} wrong).{doubt}"
    )
