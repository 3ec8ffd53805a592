"""What others may ask of Sayso on MQTT: `set/*` as values.

Rule of this file: everything received is hostile until it is one of these small frozen requests.
Nothing here can name a file or a program, and a request that was kept by the broker (retained) is
refused: it would be obeyed again at every connection.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Callable, Union

from sayso.errors import BrokerError

MAX_PAYLOAD = 256
"""Bytes; the longest sensible request is a tenth of it."""

MODES = ("always", "wake", "push")

LISTEN_SECONDS = 8.0
"""How long `set/listen` listens when it doesn't say [s]."""

MAX_LISTEN_SECONDS = 60.0

LIVE_SECONDS = 20.0
"""How long `set/live` shows what is heard when it doesn't say [s]."""

MAX_LIVE_SECONDS = 60.0
"""Who watches asks again before it is over; who has gone needs not be told to stop."""

_ON = ("on", "true", "1")
_OFF = ("off", "false", "0")


@dataclass(frozen=True)
class SetMute:
    """Close the microphone, or open it again."""

    muted: bool


@dataclass(frozen=True)
class SetMode:
    """When to listen: `always`, after the `wake` word, or while asked to (`push`)."""

    mode: str


@dataclass(frozen=True)
class Listen:
    """Listen for one command, now."""

    seconds: float
    """0: stop listening."""


@dataclass(frozen=True)
class Reload:
    """Read the sentence templates again."""


@dataclass(frozen=True)
class SetMinConfidence:
    """Reject commands less probable than this."""

    confidence: float
    """0 to 1."""


@dataclass(frozen=True)
class ShowLive:
    """Publish how loud it is and what has been understood so far."""

    seconds: float
    """0: stop."""


Request = Union[SetMute, SetMode, Listen, Reload, SetMinConfidence, ShowLive]


def parse(name: str, payload: bytes, retained: bool) -> Request:
    """Given a topic below `sayso/<site>/` and what came in on it, return the request.

    Raise BrokerError, one line that names the topic, for anything else.
    """
    read = _READERS.get(name)
    if read is None:
        raise BrokerError("nothing is set here", where=name, remedy=f"use one of {', '.join(_READERS)}")
    if retained:
        raise BrokerError("a retained request is not obeyed", where=name, remedy="publish it without the retain flag")
    if len(payload) > MAX_PAYLOAD:
        raise BrokerError(f"a payload of {len(payload)} bytes is too long", where=name, remedy=f"at most {MAX_PAYLOAD}")
    return read(name, payload)


def _text(name: str, payload: bytes) -> str:
    """Return the payload's plain text, whether it came bare or as a JSON string."""
    try:
        text = payload.decode().strip()
        value = json.loads(text) if text.startswith('"') else text
    except (ValueError, RecursionError):
        raise BrokerError("the payload is no text", where=name, remedy="send UTF-8") from None
    return str(value).strip().lower()


def _number(name: str, text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = low - 1  # as wrong as a number out of range
    if not low <= number <= high:  # also catches NaN
        what = f"{_quoted(text)} is no number from {low:g} to {high:g}"
        raise BrokerError(what, where=name, remedy="send one as plain text")
    return number


def _quoted(text: str) -> str:
    """Return what came in, short enough and free of control characters, for an error's text."""
    return ascii(text if len(text) <= 40 else text[:40] + "…")


def _mute(name: str, payload: bytes) -> Request:
    text = _text(name, payload)
    if text not in _ON + _OFF:
        raise BrokerError(f"{_quoted(text)} is neither on nor off", where=name, remedy="send on or off")
    return SetMute(text in _ON)


def _mode(name: str, payload: bytes) -> Request:
    text = _text(name, payload)
    if text not in MODES:
        raise BrokerError(f"{_quoted(text)} is no mode", where=name, remedy=f"send {', '.join(MODES)}")
    return SetMode(text)


def _listen(name: str, payload: bytes) -> Request:
    return Listen(_seconds(name, payload, LISTEN_SECONDS, MAX_LISTEN_SECONDS))


def _live(name: str, payload: bytes) -> Request:
    return ShowLive(_seconds(name, payload, LIVE_SECONDS, MAX_LIVE_SECONDS))


def _seconds(name: str, payload: bytes, usual: float, most: float) -> float:
    text = _text(name, payload)
    if text in ("", "press", "on", "true"):  # PRESS is what a button of Home Assistant's sends; 1 is a second
        return usual
    return 0.0 if text in _OFF else _number(name, text, 0.0, most)


def _reload(_name: str, _payload: bytes) -> Request:
    return Reload()


def _min_confidence(name: str, payload: bytes) -> Request:
    return SetMinConfidence(_number(name, _text(name, payload), 0.0, 1.0))


_READERS: dict[str, Callable[[str, bytes], Request]] = {
    "set/mute": _mute,
    "set/mode": _mode,
    "set/listen": _listen,
    "set/reload": _reload,
    "set/min_confidence": _min_confidence,
    "set/live": _live,
}
