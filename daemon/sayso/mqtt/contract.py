"""What Sayso says on MQTT: outcomes, state and health as messages.

Rule of this file: values in, `Message`s out, and every message agrees with a file of `schema/`.
Events (`command`, `rejected`) are never retained and expire: whoever hears one late must not act on
it. State (`status`, `state`, `health`) is retained and replaces itself. `live` is neither: it is said
while somebody watches, and nobody misses what is lost of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any, Sequence

from sayso.errors import ConfigError
from sayso.records import (
    Alternative,
    Answer,
    Command,
    Health,
    Live,
    Message,
    Outcome,
    State,
    Timings,
    Wake,
    Word,
    seconds,
)

ONLINE = b"online"
OFFLINE = b"offline"

SITE = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A site is one level of a topic and part of Home Assistant's identifiers."""

MAX_ALTERNATIVES = 5
"""More runners-up than this are left out of a payload."""


@dataclass(frozen=True)
class Topic:
    """One row of the public contract."""

    name: str
    """Below `sayso/<site>/`."""
    direction: str
    """`out`: Sayso publishes it; `in`: Sayso listens to it."""
    retained: bool
    expires: bool
    """Whether it is stale after the time to live, and the broker drops it then (MQTT 5 message expiry)."""
    meaning: str
    qos: int = 1

    @property
    def schema(self) -> str:
        """Return the file of `schema/` that every payload agrees with; bare text counts as a JSON string."""
        return self.name.replace("/", "_") + ".json"


TOPICS = (
    Topic("status", "out", True, False, "`online` or `offline`; the broker itself says `offline` when Sayso is lost"),
    Topic("state", "out", True, False, "what the daemon is right now, and its newest error"),
    Topic("health", "out", True, False, "counters since the start, latency, load; every minute"),
    Topic("command", "out", False, True, "a sentence of the owner's was said"),
    Topic("wake", "out", False, True, "a wake phrase was said; a command may follow without it"),
    Topic("partial", "out", False, True, "the words so far, while somebody speaks; only with `[mqtt] partial`", 0),
    Topic("rejected", "out", False, True, "somebody spoke and it was no command, and why"),
    Topic(
        "event",
        "out",
        False,
        True,
        "commands, rejections and wake phrases for Home Assistant's event entity; only with discovery on",
    ),
    Topic("reply", "out", False, True, "what Home Assistant said to a command that was handed to it"),
    Topic("live", "out", False, True, "loudness and the words so far, five times a second; while `set/live` asks", 0),
    Topic("set/mute", "in", False, False, "`on`: close the microphone; `off`: open it again"),
    Topic("set/mode", "in", False, False, "`always`, `wake` or `push`"),
    Topic("set/listen", "in", False, False, "push to talk: listen now, for so many seconds; `off`: stop"),
    Topic("set/reload", "in", False, False, "read the sentence templates again; any payload"),
    Topic("set/min_confidence", "in", False, False, "reject commands less probable than this, 0 to 1"),
    Topic("set/live", "in", False, False, "publish `live` for so many seconds, at most 60; `off`: stop"),
)
"""The whole contract; the README's table is made from it."""


@dataclass(frozen=True)
class Stamp:
    """The one place where sample time meets wall time: made by the service for each outcome."""

    id: str
    """Unique for ever; the same in every message about this outcome."""
    heard: float
    """When the outcome's `decided` sample came in at the microphone [Unix seconds]."""
    now: float
    """When the messages are made [Unix seconds]."""


@dataclass(frozen=True)
class Contract:
    """How one daemon speaks. Raise ConfigError where the site can't be a topic."""

    site: str
    instance: str
    """Random for each start of the daemon: tells two daemons with one site apart."""
    time_to_live: float = 2.0
    """Seconds after which an event is stale."""

    def __post_init__(self) -> None:
        if not SITE.fullmatch(self.site):
            raise ConfigError(
                f"site {self.site!r} can't be part of a topic",
                where="[mqtt] site",
                remedy="use 1 to 64 letters, digits, - and _",
            )

    def topic(self, name: str) -> str:
        """Given a topic's name in the contract, return it in full."""
        return f"sayso/{self.site}/{name}"

    def status(self, online: bool) -> Message:
        """Return the presence of the daemon; `status(False)` is also its last will."""
        return Message(self.topic("status"), ONLINE if online else OFFLINE, retain=True)

    def state(self, state: State) -> Message:
        """Given what the daemon is, return it for everyone who asks now or later."""
        answer = state.answer and {**_fields(state.answer), "time": iso(state.answer.time)}
        said = {**_fields(state), "answer": answer}
        return self._retained("state", {"site": self.site, "instance": self.instance, **said})

    def health(self, health: Health, now: float) -> Message:
        """Given how the daemon has fared until `now` [Unix seconds], return it."""
        counted = {**_fields(health), "rejections": dict(health.rejections)}
        return self._retained("health", {"site": self.site, "time": iso(now), **counted})

    def live(self, live: Live, now: float) -> Message:
        """Given the sound of the last moment and the time [Unix seconds], return it for who watches right now."""
        payload = {"site": self.site, "time": iso(now), **_fields(live)}
        return Message(self.topic("live"), encode(payload), qos=0, expires=self.time_to_live)

    def outcome(self, outcome: Outcome, stamp: Stamp) -> Message:
        """Given a Command or a Rejection, return its event; it expires."""
        name = "command" if isinstance(outcome, Command) else "rejected"
        payload = describe(outcome, stamp, self.site, self.time_to_live)
        return Message(self.topic(name), encode(payload), expires=self.time_to_live)

    def wake(self, wake: Wake, stamp: Stamp) -> Message:
        """Given a wake phrase, return its event; it expires."""
        payload = describe_wake(wake, stamp, self.site, self.time_to_live)
        return Message(self.topic("wake"), encode(payload), expires=self.time_to_live)

    def reply(self, id_: str, text: str, reply: str, done: bool, now: float) -> Message:
        """Given a command's id, what Home Assistant was told, what it said, whether it did it, and the time [Unix
        seconds], return that as an event; it expires."""
        said = {"id": id_, "site": self.site, "text": text, "reply": reply, "done": done, "time": iso(now)}
        payload = {**said, "expires_at": iso(now + self.time_to_live)}
        return Message(self.topic("reply"), encode(payload), expires=self.time_to_live)

    def partial(self, text: str, now: float) -> Message:
        """Given the words so far and the time [Unix seconds], return them; nobody misses what is lost of them."""
        payload = {"site": self.site, "text": text, "time": iso(now)}
        return Message(self.topic("partial"), encode(payload), qos=0, expires=self.time_to_live)

    def other_publisher(self, topic: str, payload: bytes, retained: bool) -> str:
        """Given anything received, return one line if another daemon speaks for this site, else "".

        What the broker kept from before (retained) may be from this daemon's last run and proves nothing.
        """
        if retained or topic != self.topic("state"):
            return ""
        try:
            state = json.loads(payload)
            instance = state.get("instance")
        except (ValueError, AttributeError, RecursionError):
            return f"{topic}: somebody else publishes here (nobody but Sayso should)"
        if instance == self.instance:
            return ""
        return f"{topic}: another Sayso speaks for site {self.site!r} (give one of them another [mqtt] site)"

    def _retained(self, name: str, payload: dict[str, Any]) -> Message:
        return Message(self.topic(name), encode(payload), retain=True)


def iso(time: float) -> str:
    """Given Unix seconds, return ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(time, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def describe(outcome: Outcome, stamp: Stamp, site: str, time_to_live: float) -> dict[str, Any]:
    """Given an outcome, return the fields of its payload, times as wall time."""

    def wall(sample: int) -> str:
        return iso(stamp.heard - seconds(outcome.decided - sample))

    said: dict[str, Any] = {"id": stamp.id, "site": site, "text": outcome.text, "intent": outcome.intent}
    if isinstance(outcome, Command):
        said["slots"] = dict(outcome.slots)
        said["raw_slots"] = dict(outcome.raw_slots)
        said["words"] = [_word(word, outcome.start) for word in outcome.words]
        said["wake_phrase"] = outcome.wake.phrase if outcome.wake else ""
        said["repeated"] = outcome.repeated
    else:
        said["reason"] = outcome.reason
    return {
        **said,
        "confidence": _rounded(outcome.confidence),
        "alternatives": _alternatives(outcome.alternatives),
        "start": wall(outcome.start),
        "end": wall(outcome.end),
        "time": iso(stamp.now),
        "expires_at": iso(stamp.now + time_to_live),
        "timings": {name: round(value, 2) for name, value in _fields(outcome.timings).items()},
    }


def describe_wake(wake: Wake, stamp: Stamp, site: str, time_to_live: float) -> dict[str, Any]:
    """Given a wake phrase, return the fields of its payload, times as wall time."""
    return {
        "id": stamp.id,
        "site": site,
        "phrase": wake.phrase,
        "confidence": _rounded(wake.confidence),
        "start": iso(stamp.heard - seconds(wake.decided - wake.start)),
        "end": iso(stamp.heard - seconds(wake.decided - wake.end)),
        "time": iso(stamp.now),
        "expires_at": iso(stamp.now + time_to_live),
    }


def encode(payload: Any) -> bytes:
    """Given anything JSON can hold, return it as compact UTF-8."""
    return json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _alternatives(alternatives: Sequence[Alternative]) -> list[dict[str, Any]]:
    return [
        {
            "text": other.text,
            "intent": other.intent,
            "slots": dict(other.slots),
            "confidence": _rounded(other.confidence),
        }
        for other in alternatives[:MAX_ALTERNATIVES]
    ]


def _word(word: Word, start: int) -> dict[str, Any]:
    begin, end = seconds(word.start - start), seconds(word.end - start)
    return {"text": word.text, "start": _rounded(begin), "end": _rounded(end)}


def _fields(record: State | Answer | Live | Health | Timings) -> dict[str, Any]:
    """Given a flat record, return its fields by name."""
    return {field.name: _rounded(getattr(record, field.name)) for field in fields(record)}


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
