"""`sayso monitor`: what a Sayso hears and does, live, here or over MQTT from anywhere."""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from typing import Iterator, List, Optional

import click
from rich.console import Group
from rich.live import Live as Screen
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sayso.assembly import mqtt_settings
from sayso.cli.settings import settings
from sayso.mqtt.settings import MqttSettings
from sayso.mqtt.watcher import Line, Watcher
from sayso.picture import Happening, Picture, number, printable, text
from sayso.records import Message

TOPICS = ("status", "state", "health", "command", "rejected", "wake", "reply", "live")

LEASE = 20.0
"""For how long Sayso is asked to show its sound [s]; again at half of it."""

QUIETEST = -72.0
"""Where the meter begins [dB of full scale]."""

FRAMES_PER_SECOND = 8
"""How often the screen is drawn at most."""

_COLOURS = {"command": "green", "rejected": "yellow", "wake": "cyan", "reply": "blue"}


@click.command()
@click.option("--site", help="Which Sayso, instead of the configured [mqtt] site.")
@click.option("--host", help="Which broker, instead of the configured one.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port.")
@click.option("--lines", is_flag=True, help="One line for each event instead of a screen; so it is, too, into a pipe.")
@click.option("--seconds", type=click.FloatRange(min=0), help="End after so long.")
@click.pass_context
def monitor(
    context: click.Context,
    site: Optional[str],
    host: Optional[str],
    port: Optional[int],
    lines: bool,
    seconds: Optional[float],
) -> None:
    """Watch a Sayso at work, until Ctrl-C: loudness, the words so far, commands, rejections and why, its state."""
    changes = {key: value for key, value in (("site", site), ("host", host), ("port", port)) if value is not None}
    where = mqtt_settings(settings(context, {"mqtt": changes}))
    picture = Picture(where.site)
    until = time.monotonic() + seconds if seconds is not None else float("inf")
    try:
        if lines or not sys.stdout.isatty():
            _print(where, picture, until)
        else:
            _show(where, picture, until)
    except KeyboardInterrupt:  # the usual end
        return


def _print(where: MqttSettings, picture: Picture, until: float) -> None:
    told = picture.broker, picture.status
    for happening in _watch(where, picture, until):
        if happening is not None:
            click.echo(line(happening))
        if told != (picture.broker, picture.status):
            told = picture.broker, picture.status
            presence = picture.status or "not heard of yet"
            click.echo(f"sayso: {printable(picture.broker)}; {picture.site} is {presence}", err=True)


def _show(where: MqttSettings, picture: Picture, until: float) -> None:
    with Screen(draw(picture), screen=True, auto_refresh=False) as screen:
        drawn = 0.0
        for _ in _watch(where, picture, until):
            if time.monotonic() - drawn >= 1 / FRAMES_PER_SECOND:
                drawn = time.monotonic()
                screen.update(draw(picture), refresh=True)


def _watch(where: MqttSettings, picture: Picture, until: float) -> Iterator[Optional[Happening]]:
    """Keep the picture true; yield what happens, and None whenever it is time to draw."""
    base = f"sayso/{where.site}"
    watcher = Watcher(where, f"sayso-monitor-{uuid.uuid4().hex[:8]}", [f"{base}/{name}" for name in TOPICS])
    asked = 0.0
    try:
        while (now := time.monotonic()) < until:
            if now - asked >= LEASE / 2:
                asked = now
                watcher.ask(Message(f"{base}/set/live", f"{LEASE:g}".encode()))
            seen = watcher.next(min(0.25, until - now))
            if isinstance(seen, Line):
                asked = 0.0
                picture.broker = seen.error or f"connected to {where.address}"
            yield picture.see(seen.topic, seen.payload, time.time()) if seen and not isinstance(seen, Line) else None
    finally:
        watcher.ask(Message(f"{base}/set/live", b"off"))
        watcher.close()


def line(happening: Happening) -> str:
    """Given something that happened, return it as one line."""
    parts = [happening.time, f"{happening.kind:8}", f'"{happening.text}"' if happening.text else "-", happening.meaning]
    if happening.confidence is not None:
        parts.append(f"{happening.confidence:.2f}")
    if happening.latency is not None:
        parts.append(f"{happening.latency:.0f} ms")
    return "  ".join(part for part in parts if part)


def draw(picture: Picture) -> Panel:
    """Given a picture, return it for the terminal."""
    colour = {"online": "green", "offline": "red"}.get(picture.status, "yellow")
    title = Text.assemble("Sayso ", (picture.site, "bold"), " ", (picture.status or "not heard of yet", colour))
    content = Group(_sound(picture), Text(), _facts(picture), Text(), _recent(picture))
    return Panel(content, title=title, subtitle="Ctrl-C ends")


def _sound(picture: Picture) -> Text:
    sound = picture.sound(time.time())
    if sound is None:
        return Text("no sound to see", style="dim")
    width = 40
    filled = _scaled(sound.level, width)
    bar = Text.assemble(
        ("█" * filled, "green" if sound.peak < -3 else "red"),
        ("░" * max(0, _scaled(sound.peak, width) - filled), "dim"),
    )
    bar.pad_right(max(0, width - len(bar)))
    gate = ("● speech ", "bold green") if sound.hearing else ("○ quiet  ", "dim")
    return Text.assemble(bar, f" {sound.level:6.1f} dB  ", gate, (sound.text, "italic"))


def _scaled(decibels: float, width: int) -> int:
    return round(width * min(1.0, max(0.0, (decibels - QUIETEST) / -QUIETEST)))


def _facts(picture: Picture) -> Table:
    state, health = picture.state, picture.health
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="ellipsis", no_wrap=True)
    for name, value in (
        ("microphone", text(state, "microphone")),
        ("mode", f"{text(state, 'mode')}{', muted' if state.get('muted') is True else ''}"),
        ("processor", text(state, "accelerator")),
        ("model", text(state, "model")),
        ("sentences", text(state, "grammar")),
        ("broker", printable(picture.broker)),
        ("latency", _milliseconds(health)),
        ("counts", _counts(health)),
        ("machine", _machine(health)),
        ("last error", text(state, "last_error")),
    ):
        table.add_row(name, Text(value or "-", style="red" if name == "last error" and value else ""))
    return table


def _milliseconds(health: dict[str, object]) -> str:
    half, most = number(health, "latency_p50"), number(health, "latency_p95")
    return f"{half:.0f} ms half of the time, {most:.0f} ms at most in 95 %" if half is not None and most else ""


def _counts(health: dict[str, object]) -> str:
    names = ("commands", "dropped", "gaps", "reconnects")
    known = [f"{value:.0f} {name}" for name in names if (value := number(health, name)) is not None]
    rejections = health.get("rejections")
    if isinstance(rejections, dict):
        known += [
            f"{count} {printable(str(reason))}" for reason, count in rejections.items() if isinstance(count, int)
        ][:10]
    return ", ".join(known)


def _machine(health: dict[str, object]) -> str:
    units = (("load", "load {:.1f}"), ("memory", "{:.0f} MiB"), ("temperature", "{:.0f} °C"))
    return ", ".join(form.format(value) for name, form in units if (value := number(health, name)) is not None)


def _recent(picture: Picture) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0))
    for title, ratio in (("", None), ("", None), ("heard", 3), ("meaning", 4), ("sure", None), ("ms", None)):
        table.add_column(title, ratio=ratio, no_wrap=True, overflow="ellipsis", header_style="dim")
    for happening in _newest(picture):
        table.add_row(
            Text(happening.time, style="dim"),
            Text(happening.kind, style=_COLOURS[happening.kind]),
            Text(happening.text),
            Text(happening.meaning),
            "" if happening.confidence is None else f"{happening.confidence:.2f}",
            "" if happening.latency is None else f"{happening.latency:.0f}",
        )
    return table


def _newest(picture: Picture) -> List[Happening]:
    rows = max(1, shutil.get_terminal_size().lines - 18)
    return list(picture.happenings)[: -rows - 1 : -1]
