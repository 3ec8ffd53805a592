"""How Sayso introduces itself to Home Assistant (MQTT discovery, device form).

Rule of this file: values in, messages out; every entity reads and sets topics of the public contract,
so that Home Assistant is told nothing that others are not told. The one exception is `event`, which
repeats command and rejected in the shape that an event entity wants; it is never retained either.

Source of the form: Home Assistant's documentation of the MQTT integration, "Discovery payload,
device discovery".
"""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

from sayso.errors import ConfigError
from sayso.mqtt.contract import OFFLINE, ONLINE, Contract, Stamp, describe, describe_wake, encode
from sayso.mqtt.requests import MODES
from sayso.records import Command, Message, Outcome, Wake

MAX_TRIGGERS = 100
"""Device triggers at most; intents beyond it still come as events."""

MAX_RECALLED = 1000
"""Components read back from an earlier introduction at most."""

EVENT_TYPES = ("recognised", "rejected", "wake")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PREFIX = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


@dataclass(frozen=True)
class HomeAssistantSettings:
    """How to introduce the daemon. Raise ConfigError where the prefix can't be a topic."""

    discovery: bool = True
    """Off: what an earlier run introduced is taken back."""
    prefix: str = "homeassistant"
    """Home Assistant's own setting, `discovery prefix`."""
    name: str = ""
    """The device's name; empty: made from the site."""

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            what = f"{self.prefix!r} can't be part of a topic"
            raise ConfigError(what, where="[home_assistant] prefix", remedy="use letters, digits, - and _")


@dataclass(frozen=True)
class HomeAssistant:
    """One daemon, as Home Assistant sees it. What changes is a new value."""

    contract: Contract
    settings: HomeAssistantSettings
    version: str
    intents: tuple[str, ...] = ()
    """Intents that the sentences at work can yield."""
    gone: Mapping[str, str] = field(default_factory=dict)
    """Component -> platform, of components that were introduced once and are no more."""

    @property
    def topic(self) -> str:
        """Return where the introduction is kept. What is kept there from before is wanted back: see `recalled`."""
        return f"{self.settings.prefix}/device/{self._id}/config"

    @property
    def birth_topic(self) -> str:
        """Return where Home Assistant says `online` when it has started: then all state is wanted again."""
        return f"{self.settings.prefix}/status"

    def introduction(self) -> Message:
        """Return what makes the device appear, or, with discovery off, what makes it disappear."""
        if not self.settings.discovery:
            return Message(self.topic, b"", retain=True)
        components = {**self._components(), **self._triggers()}
        leaving = {name: {"platform": platform} for name, platform in self.gone.items() if name not in components}
        device = {
            "identifiers": [self._id],
            "name": self.settings.name or f"Sayso {self.contract.site}",
            "manufacturer": "Sayso",
            "model": "Voice commands",
            "sw_version": self.version,
        }
        payload = {
            "device": device,
            "origin": {"name": "Sayso", "sw_version": self.version},
            "availability_topic": self.contract.topic("status"),
            "payload_available": ONLINE.decode(),
            "payload_not_available": OFFLINE.decode(),
            "qos": 1,
            "components": {**components, **leaving},
        }
        return Message(self.topic, encode(payload), retain=True)

    def with_intents(self, intents: Sequence[str]) -> HomeAssistant:
        """Given the intents of new sentences, return the device with them; triggers of the others are taken back."""
        return replace(self, intents=tuple(intents), gone={**self.gone, **_platforms(self._triggers())})

    def recalled(self, payload: bytes) -> HomeAssistant:
        """Given what the broker kept of an earlier introduction, return the device that takes back what is no more.

        Anybody may have written there: what is no introduction changes nothing.
        """
        try:
            components = json.loads(payload)["components"].items()
            found = {name: its["platform"] for name, its in list(components)[:MAX_RECALLED]}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return self
        known = {name: platform for name, platform in found.items() if _is_name(name) and _is_name(platform)}
        return replace(self, gone={**known, **self.gone})

    def is_birth(self, topic: str, payload: bytes) -> bool:
        """Given a message, return whether Home Assistant has just started."""
        return topic == self.birth_topic and payload == b"online"

    def event(self, outcome: Outcome, stamp: Stamp) -> Message:
        """Given an outcome, return it for the event entity; it expires as the command itself."""
        said = describe(outcome, stamp, self.contract.site, self.contract.time_to_live)
        kind = "recognised" if isinstance(outcome, Command) else "rejected"
        shown = (
            "id", "text", "intent", "slots", "wake_phrase", "repeated", "reason", "confidence", "time", "expires_at",
        )  # fmt: skip
        attributes = {name: said[name] for name in shown if name in said}
        return Message(
            self.contract.topic("event"),
            encode({"event_type": kind, **attributes}),
            expires=self.contract.time_to_live,
        )

    def wake_event(self, wake: Wake, stamp: Stamp) -> Message:
        """Given a wake phrase, return it for the event entity."""
        said = describe_wake(wake, stamp, self.contract.site, self.contract.time_to_live)
        attributes = {name: said[name] for name in ("id", "confidence", "time", "expires_at")}
        payload = {"event_type": "wake", "text": wake.phrase, **attributes}
        return Message(self.contract.topic("event"), encode(payload), expires=self.contract.time_to_live)

    @property
    def _id(self) -> str:
        return f"sayso_{self.contract.site}"

    def _components(self) -> dict[str, dict[str, Any]]:
        """Return the entities, whatever the sentences are."""
        topic = self.contract.topic
        state, health, command = ({"state_topic": topic(name)} for name in ("state", "health", "command"))
        shown = {"entity_category": "diagnostic"}
        measured = {"state_class": "measurement", **shown}
        percent = {"unit_of_measurement": "%", **measured}
        milliseconds = {"unit_of_measurement": "ms", "device_class": "duration", **measured}
        entities = {
            "event": _entity("event", "Voice command", state_topic=topic("event"), event_types=list(EVENT_TYPES)),
            "phrase": _sensor("Last phrase", "value_json.text[:255]", command),
            "intent": _sensor("Last intent", "value_json.intent[:255]", command),
            "confidence": _sensor("Confidence", "(value_json.confidence * 100) | round(1)", {**command, **percent}),
            "latency": _sensor(
                "Latency", "(value_json.timings.delay + value_json.timings.final) | round", {**command, **milliseconds}
            ),
            "microphone": _sensor("Microphone", "value_json.microphone[:255]", {**state, **shown}),
            "processor": _sensor("Processor", "value_json.accelerator[:255]", {**state, **shown}),
            "model": _sensor("Model", "value_json.model[:255]", {**state, **shown}),
            "grammar": _sensor("Sentences", "value_json.grammar[:255]", {**state, **shown}),
            "last_error": _sensor("Last error", "value_json.last_error[:255] or 'none'", {**state, **shown}),
            "dropped": _sensor("Dropped", "value_json.dropped", {**health, **shown, "state_class": "total_increasing"}),
            "temperature": _sensor(
                "Temperature",
                "value_json.temperature",
                {**health, **measured, "device_class": "temperature", "unit_of_measurement": "°C"},
            ),
            "hearing": _binary("Hearing speech", "value_json.hearing", {**state, "device_class": "sound"}),
            "accelerator": _binary("Edge TPU", "value_json.accelerator.startswith('edgetpu')", {**state, **shown}),
            "mute": _entity(
                "switch",
                "Mute",
                **state,
                command_topic=topic("set/mute"),
                value_template="{{ 'on' if value_json.muted else 'off' }}",
                payload_on="on",
                payload_off="off",
            ),
            "mode": _entity(
                "select",
                "Mode",
                **state,
                command_topic=topic("set/mode"),
                value_template="{{ value_json.mode }}",
                options=list(MODES),
                entity_category="config",
            ),
            "min_confidence": _entity(
                "number",
                "Least confidence",
                **state,
                command_topic=topic("set/min_confidence"),
                value_template="{{ value_json.min_confidence }}",
                min=0,
                max=1,
                step=0.01,
                entity_category="config",
            ),
            "listen": _entity("button", "Listen", command_topic=topic("set/listen")),
            "reload": _entity(
                "button", "Reload sentences", command_topic=topic("set/reload"), entity_category="config"
            ),
        }
        return {name: {**entity, "unique_id": f"{self._id}_{name}"} for name, entity in entities.items()}

    def _triggers(self) -> dict[str, dict[str, Any]]:
        """Return one device trigger for each intent; what is said again at once pulls none."""
        intents = sorted(set(self.intents))[:MAX_TRIGGERS]
        return {
            _component_name(intent): {
                "platform": "device_automation",
                "automation_type": "trigger",
                "topic": self.contract.topic("command"),
                "value_template": "{{ '' if value_json.repeated else value_json.intent }}",
                "payload": intent,
                "type": "command",
                "subtype": intent,
            }
            for intent in intents
        }


def _entity(platform: str, name: str, **options: Any) -> dict[str, Any]:
    return {"platform": platform, "name": name, **options}


def _sensor(name: str, expression: str, options: dict[str, Any]) -> dict[str, Any]:
    return _entity("sensor", name, value_template=f"{{{{ {expression} }}}}", **options)


def _binary(name: str, condition: str, options: dict[str, Any]) -> dict[str, Any]:
    return _entity("binary_sensor", name, value_template=f"{{{{ 'ON' if {condition} else 'OFF' }}}}", **options)


def _component_name(intent: str) -> str:
    """Given an intent, return a name that is no other's and that Home Assistant allows."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", intent)[:40]
    return f"intent_{safe}" if safe == intent else f"intent_{safe}_{zlib.crc32(intent.encode()):08x}"


def _platforms(components: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {name: component["platform"] for name, component in components.items()}


def _is_name(text: object) -> bool:
    return isinstance(text, str) and _NAME.fullmatch(text) is not None
