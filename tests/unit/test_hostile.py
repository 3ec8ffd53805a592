"""Whoever is on the broker may send anything: it ends in one line or in an answer of bounded size, in nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from sayso.errors import BrokerError
from sayso.mqtt.contract import TOPICS, Contract
from sayso.mqtt.conversation import Conversation
from sayso.mqtt.discovery import Discovery
from sayso.mqtt.hermes import MAX_PAYLOAD, MAX_REASONS, SUBSCRIPTIONS, Hermes, HermesSettings
from sayso.mqtt.homeassistant import HomeAssistant, HomeAssistantSettings
from sayso.mqtt.requests import parse
from sayso.records import Command, Message, State

CONTRACT = Contract("home", "1a2b3c4d")
LONGEST_LINE = 400
LARGEST_ANSWER = 4 * MAX_PAYLOAD

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=600) | st.just("home"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["siteId", "sessionId", "wakewordId", "lang", "intentFilter", "input", "id", "reason", "error"])
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6).map(lambda said: json.dumps(said).encode())
PAYLOADS = st.one_of(st.binary(max_size=300), OBJECTS, VALUES.map(lambda value: json.dumps(value).encode()))
NASTY = b"[" * 10_000


def said(line: str) -> None:
    assert line.isprintable()
    assert len(line) < LONGEST_LINE


def answered(messages: tuple[Message, ...]) -> None:
    for message in messages:
        assert len(message.payload) < LARGEST_ANSWER
        assert not set("+#\x00") & set(message.topic)
        json.loads(message.payload)


def anything(_text: str) -> Command:
    return Command("lights on", "HassTurnOn", {"name": "lamp"}, {"name": "lamp"}, 1.0, 0, 0, 0)


@given(name=st.sampled_from([topic.name for topic in TOPICS]) | st.text(), payload=PAYLOADS, retained=st.booleans())
@example(name="set/mute", payload=NASTY, retained=False)
def test_a_request_is_a_request_or_one_line(name: str, payload: bytes, retained: bool) -> None:
    try:
        parse(name, payload, retained)
    except BrokerError as error:
        said(str(error).removeprefix(name))


@given(
    messages=st.lists(st.tuples(st.sampled_from(SUBSCRIPTIONS), PAYLOADS, st.booleans()), max_size=6),
    manager=st.booleans(),
)
@example(messages=[("hermes/nlu/query", NASTY, False)], manager=False)
@example(messages=[("hermes/nlu/query", b'{"siteId":"home","input":"x","id":"\\ud800"}', False)], manager=False)
def test_hermes_answers_or_says_one_line(messages: list[tuple[str, bytes, bool]], manager: bool) -> None:
    hermes = Hermes(CONTRACT, HermesSettings(enabled=True, dialogue_manager=manager))
    conversation = Conversation(hermes, 15.0, anything)
    for number, (topic, payload, retained) in enumerate(messages):
        try:
            answered(conversation.heard(topic, payload, retained, float(number)))
        except BrokerError as error:
            said(str(error))
    answered(conversation.timed_out(1000.0, hearing=False))
    answered(conversation.end())
    assert not conversation.listening


def test_reasons_to_be_silent_do_not_pile_up() -> None:
    conversation = Conversation(Hermes(CONTRACT, HermesSettings(enabled=True)), 15.0, anything)
    for number in range(1000):
        reason = json.dumps({"siteId": "home", "reason": f"{number}"}).encode()
        conversation.heard("hermes/asr/toggleOff", reason, False, 0.0)
    assert conversation.silenced
    for number in range(MAX_REASONS):
        reason = json.dumps({"siteId": "home", "reason": f"{number}"}).encode()
        conversation.heard("hermes/asr/toggleOn", reason, False, 0.0)
    assert not conversation.silenced


COMPONENT = st.dictionaries(st.sampled_from(["platform", "name"]), VALUES, max_size=2) | VALUES
COMPONENTS = st.dictionaries(st.text(max_size=80), COMPONENT, max_size=9)


@given(payload=PAYLOADS | COMPONENTS.map(lambda found: json.dumps({"components": found}).encode()))
@example(payload=NASTY)
@example(payload=json.dumps({"components": {f"c{n}": {"platform": "switch"} for n in range(5000)}}).encode())
@example(payload=b'{"components": [5]}')
@example(payload=b'{"components": "text"}')
def test_an_entry_that_somebody_else_wrote_changes_nothing_but_what_is_taken_back(payload: bytes) -> None:
    discovery = Discovery(HomeAssistant(CONTRACT, HomeAssistantSettings(), "0.1.0", ("HassTurnOn",)))
    ours: dict[str, Any] = json.loads(discovery.begin()[0].payload)["components"]
    for message in discovery.recalled(payload, True):
        components = json.loads(message.payload)["components"]
        assert ours.items() <= components.items()
        assert len(message.payload) < 200_000


@given(payload=PAYLOADS)
@example(payload=NASTY)
def test_whoever_speaks_as_if_he_were_sayso_is_one_line(payload: bytes) -> None:
    said(CONTRACT.other_publisher(CONTRACT.state(STATE).topic, payload, False))


STATE = State("0.1.0", True, False, "ok: USB Audio", "cpu", "en 1", "3f2a: 412 sentences")
