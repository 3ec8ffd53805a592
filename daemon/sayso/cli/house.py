"""`sayso commands house`: what Home Assistant knows of the house, as settings."""

from __future__ import annotations

import json
from typing import Sequence, Tuple

import click

from sayso.assembly import assist_settings
from sayso.cli.settings import settings
from sayso.inventory import DOMAINS, TIMERS, take_inventory


@click.command()
@click.option(
    "--domain",
    "domains",
    multiple=True,
    help=f"Such devices only, e.g. sensor; may be given again. Without it: {', '.join(DOMAINS)}.",
)
@click.pass_context
def house(context: click.Context, domains: Tuple[str, ...]) -> None:
    """Print the [house] of sayso.toml, as your Home Assistant knows it.

    It is asked at [home_assistant] url. Take out what nobody will speak of: the fewer names, the better they are heard.
    Where it is to act on commands itself ([home_assistant] intents), what it would refuse is left out.
    """
    config = settings(context)
    found = take_inventory(assist_settings(config, "en", needed=True), domains or DOMAINS)
    click.echo("[house]\nsentences = true")
    if config.home_assistant.intents:
        click.echo(
            "# Timers need a device that rings; what an automation sees to belongs into [home_assistant] automated."
        )
        click.echo(f"leave_out = {_listed([one for one in TIMERS if one not in config.home_assistant.automated])}")
    click.echo(f"areas = {_listed(found.areas)}\nfloors = {_listed(found.floors)}\n\n[house.names]")
    for domain, names in found.names.items():
        click.echo(f"{domain} = {_listed(names)}")


def _listed(names: Sequence[str]) -> str:
    """Given names, return a list as TOML has it; a text of TOML is one of JSON."""
    return json.dumps(list(names), ensure_ascii=False)
