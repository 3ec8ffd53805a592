"""`sayso devices`: the microphones of this machine."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from sayso.audio.device import list_devices


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def devices(as_json: bool) -> None:
    """List microphones; name or number goes to [audio] device."""
    found = list_devices()
    if as_json:
        click.echo(json.dumps([asdict(device) for device in found], ensure_ascii=False))
        return
    table = Table(box=None)
    for title in ("number", "name", "driver", "rate", "channels", ""):
        table.add_column(title)
    for device in found:
        mark = "default" if device.is_default else ""
        table.add_row(str(device.index), device.name, device.host_api, f"{device.rate:g}", str(device.channels), mark)
    Console(highlight=False, soft_wrap=True).print(table if found else "no microphone on this machine")
