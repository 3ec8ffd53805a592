"""Sayso's entry at Home Assistant is said when it changes, and taken back when it is not wanted."""

from __future__ import annotations

import json
from typing import Any

from sayso.mqtt.contract import Contract, Stamp
from sayso.mqtt.discovery import Discovery
from sayso.mqtt.homeassistant import HomeAssistant, HomeAssistantSettings
from sayso.records import Command, Message

STAMP = Stamp("0f8e7d6c5b4a", heard=1_795_262_400.0, now=1_795_262_400.05)
COMMAND = Command("lights on", "HassTurnOn", {}, {}, 0.9, start=0, end=16_000, decided=20_000)


def entry(*intents: str, on: bool = True) -> Discovery:
    settings = HomeAssistantSettings(discovery=on)
    return Discovery(HomeAssistant(Contract("kitchen", "1a2b"), settings, "0.1.0", intents))


def components(messages: tuple[Message, ...]) -> dict[str, Any]:
    (message,) = messages
    assert message.retain
    return dict(json.loads(message.payload)["components"])


def test_new_sentences_are_introduced_and_old_ones_taken_back() -> None:
    discovery = entry("A")
    assert "intent_A" in components(discovery.begin())
    after = components(discovery.with_intents(["B"]))
    assert after["intent_A"] == {"platform": "device_automation"}
    assert "subtype" in after["intent_B"]


def test_what_has_not_changed_is_not_said_again() -> None:
    discovery = entry("A")
    assert discovery.begin()
    assert discovery.with_intents(["A"]) == ()


def test_what_an_earlier_run_introduced_is_taken_back() -> None:
    (before,) = entry("A").begin()
    discovery = entry("B")
    discovery.begin()
    assert components(discovery.recalled(before.payload, True))["intent_A"] == {"platform": "device_automation"}


def test_reading_back_our_own_words_is_no_reason_to_say_them_again() -> None:
    discovery = entry("A")
    (said,) = discovery.begin()
    assert discovery.recalled(said.payload, False) == ()
    assert discovery.recalled(said.payload, True) == ()


def test_switched_off_only_an_entry_that_is_there_is_taken_back() -> None:
    (before,) = entry("A").begin()
    discovery = entry("A", on=False)
    assert discovery.subscriptions == ()
    assert discovery.begin() == discovery.with_intents(["B"]) == discovery.recalled(b"", True) == ()
    (farewell,) = discovery.recalled(before.payload, True)
    assert (farewell.topic, farewell.payload, farewell.retain) == (before.topic, b"", True)
    assert discovery.events(COMMAND, STAMP) == ()


def test_only_the_birth_of_home_assistant_is_one() -> None:
    discovery = entry()
    assert discovery.subscriptions == ("homeassistant/status",)
    assert discovery.is_birth("homeassistant/status", b"online")
    assert not discovery.is_birth("homeassistant/status", b"offline")
