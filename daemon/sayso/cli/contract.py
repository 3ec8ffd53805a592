"""`sayso contract`: what Sayso says and hears on MQTT, to read or as JSON Schema."""

from __future__ import annotations

import json
from typing import Optional

import click

from sayso.mqtt.contract import TOPICS
from sayso.mqtt.reference import document, schema


@click.command()
@click.argument("topic", required=False, type=click.Choice([topic.name for topic in TOPICS]), metavar="[TOPIC]")
def contract(topic: Optional[str]) -> None:
    """Print every topic and field in Markdown, or the JSON Schema of one TOPIC's payload."""
    if topic is None:
        click.echo(document(), nl=False)
    else:
        found = next(one for one in TOPICS if one.name == topic)
        click.echo(json.dumps(schema(found), indent=2, ensure_ascii=False))
