"""What one Sayso has said on MQTT, put together as a picture for a person.

Rule of this file: pure, and told the time [Unix seconds]. Whatever is on the broker may have been written by anybody:
a payload that is not what the contract promises changes nothing, and no text gets out of its line.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Deque, Dict, Mapping, Optional

MAX_PAYLOAD = 64 * 1024
MAX_TEXT = 200
"""Characters of anything shown."""

HISTORY = 50
"""Happenings that are kept."""

STALE = 1.5
"""A look at the sound that is older than this shows nothing any more [s]."""

EVENTS = ("command", "rejected", "wake", "reply")


@dataclass(frozen=True)
class Happening:
    """A command, a rejection, a wake phrase or a reply of Home Assistant's."""

    kind: str
    """One of `EVENTS`."""
    time: str
    """`hh:mm:ss` where the picture is looked at."""
    text: str
    """The words; of a rejection, the nearest sentence's; of a reply, what it replies to."""
    meaning: str
    """Intent and slots, the reason of a rejection, or the reply."""
    confidence: Optional[float]
    latency: Optional[float]
    """From the end of speech to the outcome [ms]."""


@dataclass(frozen=True)
class Sound:
    """The last look at the sound."""

    level: float
    """Root mean square [dB of full scale]."""
    peak: float
    hearing: bool
    text: str


class Picture:
    """All that is known of one Sayso."""

    def __init__(self, site: str) -> None:
        """Given its site, know nothing yet."""
        self.site = site
        self.status = ""
        """`online`, `offline`, or nothing: it has not been heard of."""
        self.state: Dict[str, Any] = {}
        self.health: Dict[str, Any] = {}
        self.happenings: Deque[Happening] = deque(maxlen=HISTORY)
        """The newest last."""
        self.broker = "connecting"
        """How the connection to the broker stands."""
        self._sound: Optional[Sound] = None
        self._sound_at = 0.0

    def sound(self, now: float) -> Optional[Sound]:
        """Given the time, return the last look at the sound while it is fresh."""
        return self._sound if now - self._sound_at < STALE else None

    def see(self, topic: str, payload: bytes, now: float) -> Optional[Happening]:
        """Given a message and the time, take it in; return what happened, if it is an event."""
        name = topic.rsplit("/", 1)[-1]
        if name == "status":
            text = payload[:MAX_TEXT].decode(errors="replace")
            self.status = text if text in ("online", "offline") else self.status
            return None
        said = _read(payload)
        if said is None:
            return None
        if name in ("state", "health"):
            setattr(self, name, said)
        elif name == "live":
            self._look(said, now)
        elif name in EVENTS:
            happening = _happening(name, said, now)
            self.happenings.append(happening)
            return happening
        return None

    def _look(self, said: Mapping[str, Any], now: float) -> None:
        level, peak = number(said, "level"), number(said, "peak")
        if level is not None and peak is not None:
            self._sound = Sound(level, peak, said.get("hearing") is True, text(said, "text"))
            self._sound_at = now


def text(said: Mapping[str, Any], key: str) -> str:
    """Given a payload, return one of its texts as one printable line; empty where there is none."""
    value = said.get(key)
    return printable(value) if isinstance(value, str) else ""


def number(said: Mapping[str, Any], key: str) -> Optional[float]:
    """Given a payload, return one of its numbers; None where there is none."""
    value = said.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e12:
        return None
    return float(value)


def printable(value: str) -> str:
    """Given any text, return it without what moves a terminal's cursor, and not too long."""
    return "".join(one if one.isprintable() else "·" for one in value[:MAX_TEXT])


def _read(payload: bytes) -> Optional[Dict[str, Any]]:
    if len(payload) > MAX_PAYLOAD:
        return None
    try:
        said = json.loads(payload, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _happening(kind: str, said: Mapping[str, Any], now: float) -> Happening:
    slots = said.get("slots")
    shown = json.dumps(slots, ensure_ascii=False) if isinstance(slots, dict) and slots else ""
    timings = said.get("timings")
    spent = [number(timings, key) for key in ("delay", "final")] if isinstance(timings, dict) else [None]
    meaning = {
        "command": f"{text(said, 'intent')} {shown}".strip(),
        "rejected": text(said, "reason"),
        "reply": text(said, "reply"),
    }
    return Happening(
        kind=kind,
        time=datetime.fromtimestamp(now).strftime("%H:%M:%S"),
        text=text(said, "phrase" if kind == "wake" else "text"),
        meaning=printable(meaning.get(kind, "")),
        confidence=number(said, "confidence"),
        latency=sum(one for one in spent if one is not None) if None not in spent else None,
    )
