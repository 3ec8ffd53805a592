"""`sayso why`: the last decisions of the running daemon."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any, Dict

import click

from sayso.cli.settings import settings
from sayso.decisions import read_decisions

LEGEND = """
threshold   a command less probable than this is rejected (`sayso score` helps to choose it)
distance    nats per phone that the sentence fits worse than any sounds would; 0 is perfect
outside     the same before the first word and after the last: what else was to be heard
worst_word  distance of the word that fits worst
advantage   nats per phone that it fits better than any sequence of phones would; mostly negative
log_ratio   the same for the whole sentence
evident     phones that any sounds would have there, per phone of the sentence
unclear     nats per phone that even those sounds are unlikely: noise, or several people at once
freedom     ways to go on that your sentences had, multiplied, as a natural logarithm: of many, one fits by chance
chance      that, times the nats per phone that the sentence itself is unlikely
phones      of the sentence, and their natural logarithm as length: long sentences don't fit by chance
unended     nats that it is dearer than the likeliest beginning of one (-10 to 10): its end may not have been said
margin      nats to the best sentence that means something else (5 is the most that is looked for)
rivalry     how likely all such sentences are together, the one that was heard being 1"""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("-n", "--count", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@click.pass_context
def why(context: click.Context, as_json: bool, count: int) -> None:
    """Show why the running daemon took what it heard for a command, or didn't: scores and reasons, no sound.

    The words of what was rejected are noted only at [log] level "debug".
    """
    notes = read_decisions(settings(context).mqtt.site, os.environ)[-count:]
    for note in notes:
        click.echo(json.dumps(note, ensure_ascii=False) if as_json else _told(note))
    if not as_json:
        click.echo(LEGEND if notes else "Nothing has been heard yet.")


def _told(note: Dict[str, Any]) -> str:
    """Given a note, return it as two lines at most."""
    at = datetime.fromisoformat(note["time"].replace("Z", "+00:00")).astimezone().strftime("%H:%M:%S")
    said = f'"{note["text"]}"' if note["text"] else ""
    if note["what"] == "wake":
        return f"{at}  woken by {said} ({note['confidence']:.2f})"
    slots = json.dumps(note["slots"], ensure_ascii=False) if note["slots"] else ""
    verdict = note["what"] if note["what"] == "command" else f"rejected: {note['reason']}"
    rivals = ", ".join(f"{one['intent']} {one['confidence']:.2f}" for one in note["alternatives"])
    sure = f"confidence {note['confidence']:.2f}, threshold {note['threshold']:.2f}"
    parts = (verdict, said, note["intent"], slots, sure)
    first = "  ".join(part for part in (at, *parts) if part)
    evidence = [f"{name} {value:.2f}" for name, value in note["evidence"].items()]
    second = "  ".join([*evidence, *([f"or: {rivals}"] if rivals else [])])
    return f"{first}\n          {second}" if second else first
