"""The Hermes dialect: what Rhasspy's and Snips's flows say is understood, and they get the answers they wait for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.errors import BrokerError, ConfigError
from sayso.mqtt.contract import Contract, Stamp
from sayso.mqtt.hermes import (
    MAX_PAYLOAD,
    SUBSCRIPTIONS,
    Ask,
    Hermes,
    HermesSettings,
    Query,
    Session,
    StartListening,
    StopListening,
    Toggle,
)
from sayso.records import Command, Message, Rejection, Timings, Word, samples

CONTRACT = Contract("kitchen", "1a2b3c4d")
HERMES = Hermes(CONTRACT, HermesSettings(enabled=True))
MANAGED = Hermes(CONTRACT, HermesSettings(enabled=True, dialogue_manager=True))
STAMP = Stamp("0f8e7d6c5b4a", heard=1_795_262_400.0, now=1_795_262_400.05)
COMMAND = Command(
    text="set the bedroom light to forty percent",
    intent="HassLightSet",
    slots={"name": "bedroom light", "brightness": 40},
    raw_slots={"name": "bedroom light", "brightness": "forty"},
    confidence=0.9,
    start=samples(5.0),
    end=samples(6.0),
    decided=samples(6.5),
    words=(Word("set", samples(5.0), samples(5.2)), Word("the", samples(5.2), samples(5.25))),
    timings=Timings(final=20.0),
)
REJECTION = Rejection("not_a_command", "set the bedroom light", "HassLightSet", 0.1, 0, 1, 2)
SESSION = Session("kitchen", "s1", "porcupine", "en")


def read(message: Message) -> Any:
    assert not message.retain
    assert message.expires == CONTRACT.time_to_live, "an answer that comes late is wrong"
    return json.loads(message.payload)


def topics(messages: tuple[Message, ...]) -> list[str]:
    return [message.topic for message in messages]


def ask(verb: str, **fields: Any) -> Ask | None:
    return HERMES.parse(f"hermes/{verb}", json.dumps(fields).encode(), False)


# What comes in


def test_start_and_stop_listening_carry_their_session() -> None:
    fields = {"siteId": "kitchen", "sessionId": "s1", "wakewordId": "porcupine", "lang": None, "stopOnSilence": True}
    assert ask("asr/startListening", **fields) == StartListening(SESSION)
    assert ask("asr/stopListening", **fields) == StopListening(SESSION)


def test_a_message_for_another_site_is_not_ours() -> None:
    assert ask("asr/startListening", siteId="bathroom") is None
    assert ask("asr/startListening") is None, "a missing site means the site `default`"


def test_several_sites_can_be_served() -> None:
    two = Hermes(CONTRACT, HermesSettings(sites=("default", "kitchen")))
    assert isinstance(two.parse("hermes/asr/startListening", b"", False), StartListening)
    assert isinstance(two.parse("hermes/asr/startListening", b'{"siteId":"kitchen"}', False), StartListening)
    assert read(two.answer(COMMAND, STAMP, None)[0])["siteId"] == "default"


def test_toggles_add_up_and_one_without_a_reason_overrides_all() -> None:
    off: frozenset[str] = frozenset()
    for verb, reason, works in (
        ("asr/toggleOff", "playAudio", False),
        ("asr/toggleOff", "ttsSay", False),
        ("asr/toggleOn", "ttsSay", False),
        ("asr/toggleOn", "playAudio", True),
        ("asr/toggleOff", "", False),
        ("asr/toggleOff", "ttsSay", False),
        ("asr/toggleOn", "", True),
    ):
        toggle = ask(verb, siteId="kitchen", reason=reason)
        assert isinstance(toggle, Toggle)
        off = toggle.applied(off)
        assert (not off) == works


def test_wake_words_are_toggled_apart() -> None:
    assert ask("hotword/toggleOff", siteId="kitchen") == Toggle("hotword", False, "")


def test_a_query_carries_its_text_and_filter() -> None:
    asked = ask("nlu/query", input="lights on", siteId="kitchen", id="q", intentFilter=["A", "B"], sessionId="s")
    assert asked == Query("lights on", "q", Session("kitchen", "s", "", "en", ("A", "B")))


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("hermes/nlu/query", b'{"siteId":"kitchen"}'),
        ("hermes/nlu/query", b'{"siteId":"kitchen","input":3}'),
        ("hermes/nlu/query", b'{"siteId":"kitchen","input":"' + b"x" * 501 + b'"}'),
        ("hermes/nlu/query", b'{"siteId":"kitchen","input":"\\ud800"}'),
        ("hermes/nlu/query", b'{"siteId":"kitchen","input":"on","intentFilter":"A"}'),
        ("hermes/asr/startListening", b"{"),
        ("hermes/asr/startListening", b"[]"),
        ("hermes/asr/startListening", b"\xff"),
        ("hermes/asr/startListening", b"[" * 10_000),
        ("hermes/asr/startListening", b'{"siteId":["kitchen"]}'),
        ("hermes/asr/startListening", b" " * (MAX_PAYLOAD + 1)),
        ("hermes/asr/toggleOff", b'{"siteId":"kitchen","reason":{}}'),
    ],
)
def test_a_wrong_payload_is_one_line_that_names_the_topic(topic: str, payload: bytes) -> None:
    with pytest.raises(BrokerError) as caught:
        HERMES.parse(topic, payload, False)
    assert str(caught.value).startswith(f"{topic}: ")
    assert str(caught.value).isprintable()


def test_a_retained_request_is_not_obeyed() -> None:
    with pytest.raises(BrokerError, match="retained"):
        HERMES.parse("hermes/asr/startListening", b'{"siteId":"kitchen"}', True)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_KEYS = st.sampled_from(["siteId", "sessionId", "input", "id", "intentFilter", "reason", "lang", "wakewordId"])


@given(topic=st.sampled_from(SUBSCRIPTIONS), fields=st.dictionaries(_KEYS, _JSON), own=st.booleans())
def test_no_payload_does_harm_and_any_question_can_be_answered(topic: str, fields: dict[str, Any], own: bool) -> None:
    payload = json.dumps({**fields, "siteId": "kitchen"} if own else fields).encode()
    try:
        asked = HERMES.parse(topic, payload, False)
    except BrokerError:
        return
    if isinstance(asked, Query):
        HERMES.meaning(asked, None)
    elif isinstance(asked, (StartListening, StopListening)):
        HERMES.silence(asked.session)


# What goes out


def test_a_command_in_a_session_is_captured_and_understood() -> None:
    captured, intent = HERMES.answer(COMMAND, STAMP, SESSION)
    assert captured.topic == "hermes/asr/textCaptured"
    assert intent.topic == "hermes/intent/HassLightSet"
    payload = read(captured)
    assert payload["text"] == COMMAND.text
    assert payload["likelihood"] == 0.9
    assert (payload["siteId"], payload["sessionId"], payload["wakewordId"]) == ("kitchen", "s1", "porcupine")
    assert payload["asrTokens"][0][1] == {
        "value": "the",
        "confidence": 0.9,
        "rangeStart": 4,
        "rangeEnd": 7,
        "time": {"start": 0.2, "end": 0.25},
    }
    payload = read(intent)
    assert payload["input"] == COMMAND.text
    assert payload["intent"] == {"intentName": "HassLightSet", "confidenceScore": 0.9}
    assert payload["sessionId"] == "s1"
    slots = {slot["slotName"]: slot for slot in payload["slots"]}
    assert {name: slot["value"]["value"] for name, slot in slots.items()} == {"name": "bedroom light", "brightness": 40}
    place = slots["brightness"]["range"]
    assert COMMAND.text[place["start"] : place["end"]] == slots["brightness"]["rawValue"] == "forty"


def test_a_spontaneous_command_is_told_and_spontaneous_noise_is_not() -> None:
    assert topics(HERMES.answer(COMMAND, STAMP, None)) == ["hermes/asr/textCaptured", "hermes/intent/HassLightSet"]
    assert HERMES.answer(REJECTION, STAMP, None) == ()


def test_somebody_who_asked_gets_an_answer_even_if_nothing_was_understood() -> None:
    for answers in (HERMES.answer(REJECTION, STAMP, SESSION), HERMES.silence(SESSION)):
        assert topics(answers) == ["hermes/asr/textCaptured", "hermes/nlu/intentNotRecognized"]
        assert read(answers[0])["text"] == ""
        assert read(answers[1])["sessionId"] == "s1"


def test_with_a_dialogue_manager_the_intent_waits_for_its_query() -> None:
    assert topics(MANAGED.answer(COMMAND, STAMP, SESSION)) == ["hermes/asr/textCaptured"]
    assert topics(MANAGED.answer(REJECTION, STAMP, SESSION)) == ["hermes/asr/textCaptured"]
    query = Query(COMMAND.text, "", SESSION)
    assert topics(MANAGED.meaning(query, COMMAND)) == ["hermes/nlu/intentParsed", "hermes/intent/HassLightSet"]


def test_an_intent_that_the_session_does_not_want_is_not_recognised() -> None:
    session = Session("kitchen", "s1", intents=("HassTurnOn",))
    assert "hermes/nlu/intentNotRecognized" in topics(HERMES.answer(COMMAND, STAMP, session))
    assert topics(HERMES.meaning(Query("x", "", session), COMMAND)) == ["hermes/nlu/intentNotRecognized"]


def test_a_query_that_means_nothing_is_answered_with_its_text_and_id() -> None:
    (answer,) = HERMES.meaning(Query("make me a sandwich", "q7", SESSION), None)
    assert answer.topic == "hermes/nlu/intentNotRecognized"
    assert (read(answer)["input"], read(answer)["id"]) == ("make me a sandwich", "q7")


def test_a_wake_word_and_an_error_are_told() -> None:
    detected = HERMES.detected("hey house", 0.5)
    assert detected.topic == "hermes/hotword/hey house/detected"
    assert read(detected)["modelId"] == "hey house"
    error = HERMES.error("asr", "the microphone is missing", SESSION)
    assert error.topic == "hermes/error/asr"
    assert read(error) == {
        "error": "the microphone is missing",
        "context": None,
        "siteId": "kitchen",
        "sessionId": "s1",
    }


@given(st.text(min_size=1))
def test_any_intent_is_one_level_of_a_topic(intent: str) -> None:
    command = Command("x", intent, {}, {}, 0.5, 0, 1, 2)
    topic = HERMES.answer(command, STAMP, None)[1].topic
    assert topic.count("/") == 2
    assert not set("+#\0") & set(topic)


@pytest.mark.parametrize("site", ["", "a/b", "#", "x" * 600])
def test_a_site_that_is_no_topic_level_is_refused(site: str) -> None:
    with pytest.raises(ConfigError, match="sites"):
        HermesSettings(sites=(site,))
