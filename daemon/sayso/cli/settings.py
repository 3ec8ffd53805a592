"""What the subcommands share of the command line: the settings file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional

import click

from sayso.config import Config, read_config


def settings(context: click.Context, changes: Optional[Mapping[str, Mapping[str, Any]]] = None) -> Config:
    """Given the command line, return the settings; `changes` (section -> key -> value) outrank the file.

    Raise ConfigError.
    """
    config = read_config(context.obj)
    sections = {
        name: getattr(config, name).model_copy(update=dict(values))
        for name, values in (changes or {}).items()
        if values
    }
    return config.model_copy(update=sections)


commands_option = click.option(
    "--commands",
    type=click.Path(path_type=Path),
    help="File or folder of sentence templates, instead of the configured ones.",
)
model_option = click.option(
    "--model", type=click.Path(path_type=Path), help="Model bundle, instead of the configured one."
)


def overrides(commands: Optional[Path], model: Optional[Path]) -> Mapping[str, Mapping[str, Any]]:
    """Given the two options above, return what they change."""
    return {
        "commands": {"path": str(commands)} if commands else {},
        "model": {"path": str(model)} if model else {},
    }
