"""`sayso config`: the settings in force."""

from __future__ import annotations

import click

from sayso.cli.settings import settings
from sayso.config import render, template


@click.command()
@click.option("--template", "as_template", is_flag=True, help="Print a commented file with every key and its default.")
@click.pass_context
def config(context: click.Context, as_template: bool) -> None:
    """Print the settings in force, as TOML."""
    click.echo(template() if as_template else render(settings(context)), nl=False)
