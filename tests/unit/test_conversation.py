"""Who asks by Hermes is answered, once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sayso.errors import BrokerError
from sayso.mqtt.contract import Contract, Stamp
from sayso.mqtt.conversation import LONGEST_SENTENCE, Conversation, Messages
from sayso.mqtt.hermes import Hermes, HermesSettings
from sayso.records import Command, Rejection, Wake

STAMP = Stamp("0f8e7d6c5b4a", heard=1_795_262_400.0, now=1_795_262_400.05)
COMMAND = Command("lights on", "HassTurnOn", {}, {}, 0.9, start=0, end=16_000, decided=20_000)
TIMEOUT = 10.0


def rejection(reason: str) -> Rejection:
    return Rejection(reason, "", "", 0.1, start=0, end=16_000, decided=20_000)


class Flow:
    """Somebody else's flow, and its clock."""

    def __init__(self, *, enabled: bool = True) -> None:
        hermes = Hermes(Contract("kitchen", "1a2b"), HermesSettings(enabled=enabled))
        self.sayso = Conversation(hermes, TIMEOUT, {"lights on": COMMAND}.get)
        self.now = 100.0

    def sends(self, verb: str, **fields: Any) -> list[tuple[str, Any]]:
        payload = json.dumps({"siteId": "kitchen", **fields}).encode()
        return answers(self.sayso.heard(f"hermes/{verb}", payload, False, self.now))


def answers(messages: Messages) -> list[tuple[str, Any]]:
    """Return each message's topic and session."""
    return [(message.topic, json.loads(message.payload).get("sessionId")) for message in messages]


def silence(session: str | None) -> list[tuple[str, Any]]:
    return [("hermes/asr/textCaptured", session), ("hermes/nlu/intentNotRecognized", session)]


UNDERSTOOD = [("hermes/asr/textCaptured", "s1"), ("hermes/intent/HassTurnOn", "s1")]


def test_who_asks_gets_what_was_said_and_the_next_sentence_is_nobodys() -> None:
    flow = Flow()
    assert flow.sends("asr/startListening", sessionId="s1") == []
    assert flow.sayso.listening
    assert answers(flow.sayso.answer(COMMAND, STAMP)) == UNDERSTOOD
    assert not flow.sayso.listening
    assert answers(flow.sayso.answer(COMMAND, STAMP))[0] == ("hermes/asr/textCaptured", None)


def test_what_is_no_command_is_answered_with_silence() -> None:
    flow = Flow()
    flow.sends("asr/startListening", sessionId="s1")
    assert answers(flow.sayso.answer(rejection("not_a_command"), STAMP)) == silence("s1")


@pytest.mark.parametrize("reason", ["no_speech", "not_addressed"])
def test_a_noise_or_talk_with_others_is_no_answer(reason: str) -> None:
    flow = Flow()
    flow.sends("asr/startListening", sessionId="s1")
    assert flow.sayso.answer(rejection(reason), STAMP) == ()
    assert answers(flow.sayso.answer(COMMAND, STAMP)) == UNDERSTOOD


def test_who_asks_while_another_waits_takes_over_and_the_other_is_told() -> None:
    flow = Flow()
    flow.sends("asr/startListening", sessionId="s0")
    assert flow.sends("asr/startListening", sessionId="s1") == silence("s0")
    assert answers(flow.sayso.answer(COMMAND, STAMP)) == UNDERSTOOD


def test_who_stops_is_answered_once() -> None:
    flow = Flow()
    flow.sends("asr/startListening", sessionId="s1")
    assert flow.sends("asr/stopListening", sessionId="another") == []
    assert flow.sends("asr/stopListening", sessionId="s1") == silence("s1")
    assert flow.sends("asr/stopListening", sessionId="s1") == []


def test_who_waits_in_vain_is_told_but_nobody_is_interrupted() -> None:
    flow = Flow()
    flow.sends("asr/startListening", sessionId="s1")
    end = flow.now + TIMEOUT
    assert flow.sayso.timed_out(end - 0.1, hearing=False) == ()
    assert flow.sayso.timed_out(end, hearing=True) == ()
    assert answers(flow.sayso.timed_out(end, hearing=False)) == silence("s1")
    assert flow.sayso.timed_out(end, hearing=False) == ()


def test_a_gate_that_never_closes_does_not_keep_anybody_waiting_for_ever() -> None:
    flow = Flow()
    flow.sends("asr/startListening", sessionId="s1")
    assert answers(flow.sayso.timed_out(flow.now + TIMEOUT + LONGEST_SENTENCE, hearing=True)) == silence("s1")


def test_who_asks_the_deaf_hears_why() -> None:
    flow = Flow()
    assert flow.sayso.deaf("muted") == ()
    flow.sends("asr/startListening", sessionId="s1")
    assert answers(flow.sayso.deaf("muted")) == [("hermes/error/asr", "s1"), *silence("s1")]


def test_nothing_is_recognised_while_a_reason_holds() -> None:
    flow = Flow()
    flow.sends("hotword/toggleOff")
    assert not flow.sayso.silenced
    flow.sends("asr/toggleOff", reason="playAudio")
    flow.sends("asr/toggleOff", reason="ttsSay")
    flow.sends("asr/toggleOn", reason="ttsSay")
    assert flow.sayso.silenced
    flow.sends("asr/toggleOn", reason="playAudio")
    assert not flow.sayso.silenced


def test_a_text_is_understood_without_a_sound() -> None:
    flow = Flow()
    parsed = flow.sends("nlu/query", input="lights on", sessionId="s1")
    assert parsed == [("hermes/nlu/intentParsed", "s1"), ("hermes/intent/HassTurnOn", "s1")]
    assert flow.sends("nlu/query", input="sing") == [("hermes/nlu/intentNotRecognized", None)]


def test_other_sites_are_left_alone_and_nonsense_is_named() -> None:
    flow = Flow()
    assert flow.sends("asr/startListening", siteId="bath") == []
    assert not flow.sayso.listening
    with pytest.raises(BrokerError, match="hermes/nlu/query"):
        flow.sends("nlu/query", input=3)


def test_disabled_it_neither_hears_nor_speaks() -> None:
    sayso = Flow(enabled=False).sayso
    assert sayso.subscriptions == ()
    assert sayso.answer(COMMAND, STAMP) == ()


def test_a_wake_phrase_is_told_unless_somebody_asked_for_silence() -> None:
    flow = Flow()
    wake = Wake("hey house", 0.9, start=0, end=16_000, decided=16_000)
    (message,) = flow.sayso.woken(wake)
    assert message.topic == "hermes/hotword/hey house/detected"
    assert json.loads(message.payload)["modelId"] == "hey house"
    flow.sends("hotword/toggleOff", reason="dialogueSession")
    assert flow.sayso.woken(wake) == ()
    assert not flow.sayso.silenced
    flow.sends("hotword/toggleOn", reason="dialogueSession")
    assert flow.sayso.woken(wake)
    assert Flow(enabled=False).sayso.woken(wake) == ()
