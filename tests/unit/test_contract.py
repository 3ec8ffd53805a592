"""The public contract: what is published is what the schema files and the topic table say."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sayso.errors import BrokerError, ConfigError
from sayso.mqtt import requests
from sayso.mqtt.contract import MAX_ALTERNATIVES, TOPICS, Contract, Stamp, Topic, iso
from sayso.mqtt.reference import document, schema
from sayso.records import Alternative, Answer, Command, Health, Live, Message, Rejection, State, Timings, Word, samples

CONTRACT = Contract("kitchen", "1a2b3c4d")
NOON = 1_795_262_400.0  # 2026-11-21T12:00:00Z
STAMP = Stamp("0f8e7d6c5b4a", heard=NOON, now=NOON + 0.05)

COMMAND = Command(
    text="turn on the kitchen light",
    intent="HassTurnOn",
    slots={"name": "kitchen light", "brightness": 40},
    raw_slots={"name": "kitchen light", "brightness": "forty"},
    confidence=0.973,
    start=samples(10.0),
    end=samples(11.5),
    decided=samples(12.0),
    words=(Word("turn", samples(10.0), samples(10.2)), Word("on", samples(10.2), samples(10.4))),
    alternatives=(Alternative("turn on the kitchen lights", "HassTurnOn", {"area": "kitchen"}, 0.02),),
    timings=Timings(features=1.0, acoustic=20.0, decode=3.0, interpret=0.5, final=12.0, delay=500.0),
)
REJECTION = Rejection("not_a_command", "", "", 0.1, start=samples(1.0), end=samples(2.0), decided=samples(2.5))
STATE = State("0.1.0", True, False, "ok: USB Audio", "cpu: no Edge TPU found", "en 1", "3f2a: 412 sentences")
HEALTH = Health(61.5, 9, 7, {"not_a_command": 2}, 0, 0, 1, 83.0, 120.0, 0.4, 91.2, 48.3)


def row(name: str) -> Topic:
    return next(topic for topic in TOPICS if topic.name == name)


def read(message: Message) -> Any:
    """Return the payload of a message that agrees with its row of the table and its schema."""
    topic = row(message.topic.removeprefix("sayso/kitchen/"))
    assert (message.retain, message.qos, message.expires is not None) == (topic.retained, topic.qos, topic.expires)
    assert topic.direction == "out"
    text = message.payload.decode()
    payload = json.loads(text) if text.startswith("{") else text
    Draft202012Validator(schema(topic), format_checker=Draft202012Validator.FORMAT_CHECKER).validate(payload)
    return payload


def test_every_topic_has_a_valid_schema_and_no_schema_is_left_over() -> None:
    for topic in TOPICS:
        Draft202012Validator.check_schema(schema(topic))
    stored = {path.name for path in files("sayso.mqtt").joinpath("schema").iterdir()}
    assert stored == {topic.schema for topic in TOPICS}


def test_every_field_has_a_meaning_and_every_payload_an_example() -> None:
    for topic in TOPICS:
        rules = schema(topic)
        for example in rules["examples"]:
            Draft202012Validator(rules).validate(example)
            if topic.direction == "in":
                requests.parse(topic.name, str(example).encode(), False)
    assert "|  |" not in document()


def test_the_written_contract_is_what_the_schemas_say() -> None:
    written = files("sayso.mqtt").joinpath("CONTRACT.md").read_text(encoding="utf-8")
    assert written == document(), "sayso contract > daemon/sayso/mqtt/CONTRACT.md"


def test_a_command_says_what_was_said_when_and_until_when_it_holds() -> None:
    payload = read(CONTRACT.outcome(COMMAND, STAMP))
    assert payload["text"] == "turn on the kitchen light"
    assert payload["intent"] == "HassTurnOn"
    assert payload["slots"] == {"name": "kitchen light", "brightness": 40}
    assert payload["raw_slots"]["brightness"] == "forty"
    assert payload["site"] == "kitchen"
    assert payload["id"] == STAMP.id
    assert payload["start"] == "2026-11-21T11:59:58.000Z"
    assert payload["end"] == "2026-11-21T11:59:59.500Z"
    assert payload["time"] == "2026-11-21T12:00:00.050Z"
    assert payload["expires_at"] == "2026-11-21T12:00:02.050Z"
    assert payload["timings"]["acoustic"] == 20.0
    assert payload["words"][1] == {"text": "on", "start": 0.2, "end": 0.4}


def test_a_rejection_says_why() -> None:
    payload = read(CONTRACT.outcome(REJECTION, STAMP))
    assert payload["reason"] == "not_a_command"
    assert "slots" not in payload


def test_only_so_many_alternatives_are_told() -> None:
    many = Command("a", "A", {}, {}, 0.5, 0, 1, 2, alternatives=COMMAND.alternatives * (MAX_ALTERNATIVES + 3))
    assert len(read(CONTRACT.outcome(many, STAMP))["alternatives"]) == MAX_ALTERNATIVES


def test_state_health_and_presence_are_retained() -> None:
    assert read(CONTRACT.state(STATE))["microphone"] == "ok: USB Audio"
    assert read(CONTRACT.health(HEALTH, NOON))["rejections"] == {"not_a_command": 2}
    assert read(CONTRACT.health(Health(0, 0, 0, {}, 0, 0, 0, None, None, 0.0, 1.0), NOON))["latency_p95"] is None
    assert read(CONTRACT.status(True)) == "online"
    assert read(CONTRACT.status(False)) == "offline"


def test_the_state_says_what_came_of_the_newest_request() -> None:
    assert read(CONTRACT.state(STATE))["answer"] is None
    refused = replace(STATE, answer=Answer("set/mute", NOON, "set/mute: 'x' is neither on nor off (send on or off)"))
    answer = read(CONTRACT.state(refused))["answer"]
    assert answer["request"] == "set/mute"
    assert answer["time"] == "2026-11-21T12:00:00.000Z"
    assert answer["error"].startswith("set/mute: 'x'")


def test_a_reply_says_what_was_told_and_what_came_of_it() -> None:
    payload = read(CONTRACT.reply(STAMP.id, "turn off the kitchen lights", "Turned off the lights", True, NOON))
    assert (payload["id"], payload["done"], payload["reply"]) == (STAMP.id, True, "Turned off the lights")
    assert payload["expires_at"] == "2026-11-21T12:00:02.000Z"


def test_what_somebody_watches_is_told_without_a_promise() -> None:
    payload = read(CONTRACT.live(Live(-42.1, -30.0, True, "turn on the"), NOON))
    assert (payload["level"], payload["peak"], payload["text"]) == (-42.1, -30.0, "turn on the")


@given(
    text=st.text(min_size=1),
    slots=st.dictionaries(st.text(), st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)),
    confidence=st.floats(0, 1),
    start=st.integers(0, 10**12),
    length=st.integers(0, 10**6),
)
def test_any_command_agrees_with_the_schema(
    text: str, slots: dict[str, Any], confidence: float, start: int, length: int
) -> None:
    command = Command(text, text, slots, {}, confidence, start, start + length, start + length)
    assert read(CONTRACT.outcome(command, STAMP))["slots"] == slots


@pytest.mark.parametrize("site", ["", "a/b", "a+b", "#", "küche", "x" * 65, "a b"])
def test_a_site_that_is_no_topic_level_is_refused(site: str) -> None:
    with pytest.raises(ConfigError, match="site"):
        Contract(site, "1")


def test_times_are_utc_with_milliseconds() -> None:
    assert iso(NOON + 0.0004) == "2026-11-21T12:00:00.000Z"


def test_another_daemon_with_the_same_site_is_noticed() -> None:
    other = Contract("kitchen", "ffffffff").state(STATE)
    own = CONTRACT.state(STATE)
    assert "another Sayso speaks for site 'kitchen'" in CONTRACT.other_publisher(other.topic, other.payload, False)
    assert CONTRACT.other_publisher(own.topic, own.payload, False) == ""
    assert CONTRACT.other_publisher(other.topic, other.payload, True) == "", "what was kept may be our own last run's"
    assert CONTRACT.other_publisher("sayso/kitchen/set/mute", b"on", False) == ""


@pytest.mark.parametrize("payload", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_nonsense_on_the_state_topic_is_noticed_and_does_no_harm(payload: bytes) -> None:
    assert "somebody else publishes here" in CONTRACT.other_publisher("sayso/kitchen/state", payload, False)


@pytest.mark.parametrize(
    ("name", "payload", "request_"),
    [
        ("set/mute", "on", requests.SetMute(True)),
        ("set/mute", "OFF", requests.SetMute(False)),
        ("set/mute", "true", requests.SetMute(True)),
        ("set/mute", '"on"', requests.SetMute(True)),
        ("set/mode", "push", requests.SetMode("push")),
        ("set/listen", "", requests.Listen(8.0)),
        ("set/listen", "PRESS", requests.Listen(8.0)),
        ("set/listen", "2.5", requests.Listen(2.5)),
        ("set/listen", "off", requests.Listen(0.0)),
        ("set/reload", "PRESS", requests.Reload()),
        ("set/live", "", requests.ShowLive(20.0)),
        ("set/live", "60", requests.ShowLive(60.0)),
        ("set/live", "off", requests.ShowLive(0.0)),
        ("set/min_confidence", "0.85", requests.SetMinConfidence(0.85)),
    ],
)
def test_requests_are_understood(name: str, payload: str, request_: requests.Request) -> None:
    assert requests.parse(name, payload.encode(), False) == request_


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic.direction == "in"], ids=lambda topic: topic.name)
def test_what_the_schema_of_a_request_allows_is_obeyed(topic: Topic) -> None:
    rules = schema(topic)
    numbers = [0, 0.5, 1, rules.get("maximum", 0)] if "number" in str(rules) else []
    for payload in ["", "on", "off", "always", "wake", "push", "PRESS", *numbers]:
        if Draft202012Validator(rules).is_valid(payload):
            requests.parse(topic.name, str(payload).encode(), False)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("set/mute", b"maybe"),
        ("set/mute", b""),
        ("set/mute", b"\xff\xfe"),
        ("set/mute", b'"on'),
        ("set/mode", b"never"),
        ("set/listen", b"61"),
        ("set/listen", b"-1"),
        ("set/listen", b"nan"),
        ("set/min_confidence", b"1.1"),
        ("set/min_confidence", b"NaN"),
        ("set/min_confidence", b"inf"),
        ("set/min_confidence", b"../../etc/passwd"),
        ("set/live", b"61"),
        ("set/reload", b"x" * 257),
        ("set/volume", b"1"),
    ],
)
def test_a_wrong_request_is_one_line_that_names_the_topic(name: str, payload: bytes) -> None:
    with pytest.raises(BrokerError) as caught:
        requests.parse(name, payload, False)
    assert str(caught.value).startswith(f"{name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [topic.name for topic in TOPICS if topic.direction == "in"])
def test_a_retained_request_is_not_obeyed(name: str) -> None:
    with pytest.raises(BrokerError, match="retained"):
        requests.parse(name, b"on", True)


@given(name=st.sampled_from([topic.name for topic in TOPICS]), payload=st.binary(max_size=400))
def test_no_payload_does_harm(name: str, payload: bytes) -> None:
    line = ""
    try:
        requests.parse(name, payload, False)
    except BrokerError as error:
        line = str(error)
    assert line == "" or line.isprintable()
    assert len(line) < 300
