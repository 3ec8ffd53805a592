"""Sayso as Home Assistant sees it: the entities read what Sayso says and say what Sayso understands."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jsonschema import Draft202012Validator

from sayso.errors import ConfigError
from sayso.mqtt import requests
from sayso.mqtt.contract import TOPICS, Contract, Stamp
from sayso.mqtt.homeassistant import MAX_TRIGGERS, HomeAssistant, HomeAssistantSettings
from sayso.records import Command, Health, Rejection, State, Timings

CONTRACT = Contract("kitchen", "1a2b3c4d")
STAMP = Stamp("0f8e7d6c5b4a", heard=1_795_262_400.0, now=1_795_262_400.05)
COMMAND = Command(
    "turn on the light",
    "HassTurnOn",
    {"name": "light"},
    {},
    0.973,
    0,
    1600,
    1700,
    timings=Timings(final=12.0, delay=500.0),
)
REJECTION = Rejection("not_a_command", "", "", 0.1, 0, 1600, 1700)
STATE = State(
    version="0.1.0",
    listening=True,
    muted=True,
    microphone="ok: USB Audio",
    accelerator="edgetpu:usb",
    model="en 1",
    grammar="3f2a: 412",
    mode="push",
    hearing=True,
    min_confidence=0.85,
)
HEALTH = Health(61.5, 9, 7, {}, 3, 0, 1, 83.0, 120.0, 0.4, 91.2, 48.3)

DEVICE = HomeAssistant(CONTRACT, HomeAssistantSettings(), "0.1.0", ("HassTurnOn", "HassTurnOff"))
ID = re.compile(r"[a-zA-Z0-9_-]+")


def introduced(device: HomeAssistant) -> dict[str, Any]:
    message = device.introduction()
    assert message.retain
    assert message.expires is None
    return json.loads(message.payload)


def components(device: HomeAssistant) -> dict[str, dict[str, Any]]:
    return introduced(device)["components"]


def shown(name: str, payload: bytes) -> str:
    """Return what an entity shows when this comes in on its topic."""
    template = components(DEVICE)[name]["value_template"]
    return ImmutableSandboxedEnvironment().from_string(template).render(value_json=json.loads(payload))


def test_the_device_is_introduced_where_home_assistant_looks_and_says_who_it_is() -> None:
    assert DEVICE.introduction().topic == "homeassistant/device/sayso_kitchen/config"
    payload = introduced(DEVICE)
    assert payload["device"]["identifiers"] == ["sayso_kitchen"]
    assert payload["device"]["name"] == "Sayso kitchen"
    assert payload["origin"] == {"name": "Sayso", "sw_version": "0.1.0"}


def test_it_is_available_while_it_says_online() -> None:
    payload = introduced(DEVICE)
    assert payload["availability_topic"] == CONTRACT.status(True).topic
    assert payload["payload_available"].encode() == CONTRACT.status(True).payload
    assert payload["payload_not_available"].encode() == CONTRACT.status(False).payload


def test_every_name_is_allowed_and_no_two_entities_share_an_id() -> None:
    found = components(DEVICE)
    assert all(ID.fullmatch(name) for name in found)
    ids = [entity["unique_id"] for entity in found.values() if entity["platform"] != "device_automation"]
    assert len(ids) == len(set(ids)) > 10


def test_every_topic_is_in_the_contract_and_only_state_is_shown_as_state() -> None:
    table = {CONTRACT.topic(topic.name): topic for topic in TOPICS}
    for component in components(DEVICE).values():
        for key in ("state_topic", "topic"):
            if key in component:
                assert table[component[key]].direction == "out"
        if "command_topic" in component:
            assert table[component["command_topic"]].direction == "in"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("microphone", "ok: USB Audio"),
        ("processor", "edgetpu:usb"),
        ("model", "en 1"),
        ("grammar", "3f2a: 412"),
        ("last_error", "none"),
        ("hearing", "ON"),
        ("accelerator", "ON"),
        ("mute", "on"),
        ("mode", "push"),
        ("min_confidence", "0.85"),
    ],
)
def test_entities_show_the_state(name: str, value: str) -> None:
    assert components(DEVICE)[name]["state_topic"] == "sayso/kitchen/state"
    assert shown(name, CONTRACT.state(STATE).payload) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [("phrase", "turn on the light"), ("intent", "HassTurnOn"), ("confidence", "97.3"), ("latency", "512.0")],
)
def test_sensors_show_the_last_command(name: str, value: str) -> None:
    assert components(DEVICE)[name]["state_topic"] == "sayso/kitchen/command"
    assert shown(name, CONTRACT.outcome(COMMAND, STAMP).payload) == value


def test_sensors_show_health() -> None:
    payload = CONTRACT.health(HEALTH, 0.0).payload
    assert shown("dropped", payload) == "3"
    assert shown("temperature", payload) == "48.3"


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("mute", ["on", "off"]),
        ("mode", ["always", "wake", "push"]),
        ("min_confidence", ["0", "0.01", "1", "1.0"]),
        ("listen", ["PRESS"]),
        ("reload", ["PRESS"]),
    ],
)
def test_what_home_assistant_sends_is_understood(name: str, sent: list[str]) -> None:
    topic = components(DEVICE)[name]["command_topic"].replace("sayso/kitchen/", "")
    for payload in sent:
        requests.parse(topic, payload.encode(), False)


def test_what_the_switch_and_the_select_offer_is_what_they_show() -> None:
    found = components(DEVICE)
    assert {found["mute"]["payload_on"], found["mute"]["payload_off"]} == {"on", "off"}
    assert found["mode"]["options"] == ["always", "wake", "push"]


@pytest.mark.parametrize(("outcome", "kind"), [(COMMAND, "recognised"), (REJECTION, "rejected")])
def test_an_outcome_is_an_event_that_the_entity_knows_and_that_expires(outcome: Command | Rejection, kind: str) -> None:
    message = DEVICE.event(outcome, STAMP)
    entity = components(DEVICE)["event"]
    payload = json.loads(message.payload)
    assert message.topic == entity["state_topic"]
    assert payload["event_type"] == kind
    assert kind in entity["event_types"]
    assert not message.retain
    assert message.expires == CONTRACT.time_to_live
    schema = json.loads(files("sayso.mqtt").joinpath("schema", "event.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(payload)


def test_there_is_a_trigger_for_each_intent_and_it_fires_on_its_commands_only() -> None:
    trigger = components(DEVICE)["intent_HassTurnOn"]
    assert trigger["platform"] == "device_automation"
    assert trigger["topic"] == "sayso/kitchen/command"
    fired = shown("intent_HassTurnOn", CONTRACT.outcome(COMMAND, STAMP).payload)
    assert fired == trigger["payload"] == "HassTurnOn"
    assert components(DEVICE)["intent_HassTurnOff"]["payload"] != fired


@given(st.lists(st.text(min_size=1, max_size=60), unique=True, max_size=20))
def test_any_intents_get_triggers_of_their_own(intents: list[str]) -> None:
    triggers = {name: c for name, c in components(DEVICE.with_intents(intents)).items() if c.get("payload")}
    assert sorted(trigger["payload"] for trigger in triggers.values()) == sorted(intents)
    assert all(ID.fullmatch(name) for name in triggers)


def test_triggers_are_capped() -> None:
    many = DEVICE.with_intents([f"Intent{number}" for number in range(500)])
    assert sum("subtype" in component for component in components(many).values()) == MAX_TRIGGERS


def test_a_trigger_whose_intent_has_gone_is_taken_back_and_returns_with_it() -> None:
    later = DEVICE.with_intents(["HassTurnOn"])
    assert components(later)["intent_HassTurnOff"] == {"platform": "device_automation"}
    assert components(later.with_intents(["HassTurnOff"]))["intent_HassTurnOff"]["payload"] == "HassTurnOff"


def test_what_an_earlier_run_introduced_is_taken_back() -> None:
    earlier = DEVICE.with_intents(["Old"]).introduction().payload
    now = components(HomeAssistant(CONTRACT, HomeAssistantSettings(), "0.2.0", ("New",)).recalled(earlier))
    assert now["intent_Old"] == {"platform": "device_automation"}
    assert now["intent_New"]["payload"] == "New"
    assert "unique_id" in now["mute"], "what still is stays"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b'{"components": 3}',
        b'{"components": {"a": 3}}',
        b'{"components": {"a": {}}}',
        b'{"components": {"../x": {"platform": "sensor"}, "y": {"platform": ["sensor"]}}}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_nonsense_on_the_discovery_topic_changes_nothing(payload: bytes) -> None:
    assert components(DEVICE.recalled(payload)) == components(DEVICE)


def test_switched_off_it_disappears() -> None:
    off = HomeAssistant(CONTRACT, HomeAssistantSettings(discovery=False), "0.1.0")
    message = off.introduction()
    assert (message.topic, message.payload, message.retain) == (DEVICE.topic, b"", True)


def test_home_assistants_birth_is_known() -> None:
    assert DEVICE.is_birth("homeassistant/status", b"online")
    assert not DEVICE.is_birth("homeassistant/status", b"offline")
    assert not DEVICE.is_birth("sayso/kitchen/status", b"online")


def test_another_prefix_and_name_are_used() -> None:
    device = HomeAssistant(CONTRACT, HomeAssistantSettings(prefix="ha/test", name="Ear"), "0.1.0")
    assert device.topic == "ha/test/device/sayso_kitchen/config"
    assert introduced(device)["device"]["name"] == "Ear"
    with pytest.raises(ConfigError, match="prefix"):
        HomeAssistantSettings(prefix="ha/#")
