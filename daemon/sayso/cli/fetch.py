"""`sayso model fetch`: other models, from their own releases."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Dict, Optional

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from sayso.download import KNOWN, Fetched, File, Known, fetch, known_models, state_folder
from sayso.errors import ModelError


@click.command("fetch")
@click.argument("name", required=False)
@click.option("--scorer", is_flag=True, help="Its language model as well, where it has one.")
@click.option("--into", type=click.Path(path_type=Path), help="Folder; without it the state folder.")
@click.option("--registry", type=click.Path(path_type=Path), default=KNOWN, hidden=True)
def fetch_model(name: Optional[str], scorer: bool, into: Optional[Path], registry: Path) -> None:
    """Download the model NAME; without a name, say which there are.

    A download that was cut short goes on where it was.
    """
    models = known_models(registry)
    if name is None:
        _list(models)
        return
    if name not in models:
        close = difflib.get_close_matches(name, models, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"there are: {', '.join(sorted(models))}"
        raise ModelError(f"no model of the name {name!r} is known", remedy=remedy)
    folder = into or state_folder()
    wanted = [file for file in models[name].files if scorer or not file.scorer]
    for file in wanted:
        _say(_fetch(file, folder))
    click.echo(f'use it: [model] path = "{folder / wanted[0].name}"')


def _list(models: Dict[str, Known]) -> None:
    for name, model in sorted(models.items()):
        sizes = " + ".join(f"{file.size / 1e6:.0f} MB{' (scorer)' * file.scorer}" for file in model.files)
        click.echo(f"{name}  {model.about}; {sizes}; {model.licence}")


def _fetch(file: File, folder: Path) -> Fetched:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(file.name, total=file.size)
        return fetch(file, folder, lambda have, _: progress.update(task, completed=have))


def _say(fetched: Fetched) -> None:
    note = "" if fetched.confirmed else " (not confirmed: no digest of it was at hand when this version was made)"
    click.echo(f"{fetched.path}\n  SHA-256 {fetched.sha256}{note}")
