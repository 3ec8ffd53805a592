"""What one Sayso says becomes a picture; whatever else is on the broker does not get into it, nor out of its line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sayso.cli.monitor import draw, line
from sayso.mqtt.contract import Contract, Stamp
from sayso.picture import HISTORY, STALE, Picture
from sayso.records import Command, Health, Live, Rejection, State, Timings, Wake

NOON = 1_795_262_400.0
CONTRACT = Contract("kitchen", "1a2b3c4d")
STAMP = Stamp("0f8e7d6c5b4a", heard=NOON, now=NOON)
COMMAND = Command(
    "set the bed light to 50 percent", "HassLightSet", {"name": "bed light", "brightness": 50}, {}, 0.973, 0, 1, 2,
    timings=Timings(final=12.0, delay=200.0),
)  # fmt: skip
REJECTION = Rejection("not_a_command", "lights on", "HassTurnOn", 0.1, 0, 1, 2)
STATE = State("0.1.0", True, False, "ok: USB Audio", "cpu (as configured)", "en 1", "3f2a: 412 sentences")
HEALTH = Health(61.5, 9, 7, {"not_a_command": 2}, 3, 0, 1, 83.0, 120.0, 0.4, 91.2, 48.3)


def picture() -> Picture:
    seen = Picture("kitchen")
    messages = [
        CONTRACT.status(True),
        CONTRACT.state(STATE),
        CONTRACT.health(HEALTH, NOON),
        CONTRACT.outcome(COMMAND, STAMP),
        CONTRACT.outcome(REJECTION, STAMP),
        CONTRACT.wake(Wake("hey house", 0.8, 0, 1, 2), STAMP),
        CONTRACT.reply(STAMP.id, "how warm is it", "21 °C", True, NOON),
        CONTRACT.live(Live(-30.0, -20.0, True, "set the bed"), NOON),
    ]
    for message in messages:
        seen.see(message.topic, message.payload, NOON)
    return seen


def screen(seen: Picture, monkeypatch: pytest.MonkeyPatch, now: float = NOON) -> str:
    monkeypatch.setattr("time.time", lambda: now)
    console = Console(width=110, height=40, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    with console.file:
        console.print(draw(seen))
    return console.export_text()


def test_what_was_said_is_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = screen(picture(), monkeypatch)
    for wanted in (
        "kitchen online", "-30.0 dB", "speech", "set the bed", "ok: USB Audio", "always", "cpu (as configured)",
        "83 ms half of the time", "7 commands, 3 dropped", "2 not_a_command", "48 °C",
        "set the bed light to 50 percent", "HassLightSet", "0.97", "212", "hey house", "how warm is it", "21 °C",
    ):  # fmt: skip
        assert wanted in shown, shown


def test_a_look_that_is_old_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no sound to see" in screen(picture(), monkeypatch, NOON + STALE)


def test_an_event_is_one_line() -> None:
    seen = Picture("kitchen")
    message = CONTRACT.outcome(COMMAND, STAMP)
    happening = seen.see(message.topic, message.payload, NOON)
    assert happening is not None
    assert '"set the bed light to 50 percent"  HassLightSet {"name": "bed light", "brightness": 50}' in line(happening)
    assert line(happening).endswith("0.97  212 ms")


def test_only_so_much_is_remembered() -> None:
    seen = picture()
    message = CONTRACT.outcome(COMMAND, STAMP)
    for _ in range(2 * HISTORY):
        seen.see(message.topic, message.payload, NOON)
    assert len(seen.happenings) == HISTORY


def test_what_moves_a_cursor_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Picture("kitchen")
    nasty = json.dumps({"text": "\x1b[2J\n[red]x", "intent": "\x07", "confidence": 0.5, "slots": {}}).encode()
    happening = seen.see("sayso/kitchen/command", nasty, NOON)
    assert happening is not None
    assert line(happening).isprintable()
    assert "[red]x" in screen(seen, monkeypatch), "what looks like mark-up is text"


KEYS = st.sampled_from(
    ["text", "intent", "slots", "confidence", "timings", "level", "peak", "rejections", "latency_p50", "latency_p95"]
)
VALUES = st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=9), st.lists(st.none(), max_size=2))
DEEPER = VALUES | st.dictionaries(st.sampled_from(["delay", "final", "x\x1b"]), VALUES, max_size=2)
OBJECTS = st.dictionaries(KEYS, DEEPER, max_size=4).map(lambda said: json.dumps(said).encode())


@settings(max_examples=50)
@given(
    messages=st.lists(
        st.tuples(
            st.sampled_from(["status", "state", "health", "command", "rejected", "wake", "reply", "live"]),
            st.binary(max_size=20) | OBJECTS,
        ),
        max_size=3,
    )
)
def test_whatever_is_on_the_broker_does_no_harm(messages: list[tuple[str, Any]]) -> None:
    seen = Picture("kitchen")
    for name, payload in messages:
        happening = seen.see(f"sayso/kitchen/{name}", payload, NOON)
        assert happening is None or line(happening).isprintable()
    console = Console(width=80, height=40)
    with console.capture() as capture:
        console.print(draw(seen))
    assert len(capture.get().splitlines()) <= 40 + 20
