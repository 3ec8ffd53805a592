"""The daemon among others: Home Assistant finds it by itself, Hermes flows get their answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest
from assistant import TOKEN, Assistant
from private_broker import PrivateBroker
from running_daemon import House, Listener, is_listening, until

ENTRY = "homeassistant/device/sayso_home/config"
HERMES = "[hermes]\nenabled = true\ntimeout = 5.0\n"


def ask_hermes(listener: Listener, verb: str, **fields: Any) -> None:
    listener.publish(f"hermes/{verb}", json.dumps({"siteId": "home", **fields}))


def test_home_assistant_finds_it_and_is_told_again_when_it_has_started(house: House, listener: Listener) -> None:
    entry = until(lambda: listener.last(ENTRY), "the entry")
    assert "intent_HassCancelTimer" in entry["components"]
    until(lambda: is_listening(listener), "listening")
    listener.publish("homeassistant/status", "online")
    until(lambda: len(listener.all(ENTRY)) > 1, "the entry again")
    assert listener.last(ENTRY) == entry
    house.say("cancel_timer")
    event = until(lambda: listener.last("event"), "an event")
    assert event["event_type"] == "recognised"
    assert event["id"] == until(listener.commands, "a command")[0]["id"]


def test_triggers_of_sentences_that_are_no_more_are_taken_back(house: House, listener: Listener) -> None:
    before = until(lambda: listener.last(ENTRY), "the entry")["components"]["intent_HassCancelTimer"]
    assert before["subtype"] == "HassCancelTimer"
    until(lambda: is_listening(listener), "listening")
    (house.commands / "timers.yaml").unlink()
    until(
        lambda: listener.last(ENTRY)["components"]["intent_HassCancelTimer"] == {"platform": "device_automation"},
        "the trigger being taken back",
    )


def test_switched_off_it_takes_back_what_was_introduced_before(
    start: Callable[..., House], broker: PrivateBroker, listener: Listener
) -> None:
    listener.publish(ENTRY, '{"components":{"mute":{"platform":"switch"}}}', retain=True)
    until(lambda: listener.last(ENTRY), "an earlier entry")
    start(broker.port, more="[home_assistant]\ndiscovery = false\n")
    until(lambda: listener.last(ENTRY) == "", "the entry being taken back")
    until(lambda: is_listening(listener), "listening")
    assert len(listener.all(ENTRY)) == 2


def test_a_command_that_could_not_be_handed_to_home_assistant_is_shown(
    start: Callable[..., House], broker: PrivateBroker, listener: Listener, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("ey.secret")
    more = f'[home_assistant]\nintents = true\nurl = "http://127.0.0.1:1"\ntoken_file = "{tmp_path}/token"\n'
    house = start(broker.port, more=more)
    until(lambda: is_listening(listener), "listening")
    house.say("cancel_timer")
    error = until(lambda: listener.last("state")["last_error"], "an error")
    assert error.startswith("http://127.0.0.1:1: not handed over to Home Assistant: connection refused")
    until(listener.commands, "the command all the same")
    assert house.log.read_text().count("not handed over") == 1
    assert "ey.secret" not in house.log.read_text()


def test_what_home_assistant_replies_is_published_and_what_automations_do_is_not_handed_over(
    start: Callable[..., House], broker: PrivateBroker, listener: Listener, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with Assistant() as assistant:
        where = f'url = "{assistant.url}"\ntoken_file = "{tmp_path}/token"\n'
        house = start(broker.port, more=f'[home_assistant]\nintents = true\nautomated = ["HassPauseTimer"]\n{where}')
        until(lambda: is_listening(listener), "listening")
        house.say("pause_timer")
        until(listener.commands, "a command")
        house.say("cancel_timer")
        reply = until(lambda: listener.last("reply"), "a reply")
        assert [one["text"] for one in assistant.told] == ["cancel timer"]
        assert (reply["text"], reply["reply"], reply["done"]) == ("cancel timer", "Turned on the light", True)
        assert reply["id"] == listener.commands()[-1]["id"]
        assert listener.last("state")["last_error"] == ""
        assistant.shutdown()


@pytest.fixture
def hermes(start: Callable[..., House], broker: PrivateBroker, listener: Listener) -> House:
    """A daemon that speaks Hermes, listening."""
    house = start(broker.port, more=HERMES)
    until(lambda: is_listening(listener), "listening")
    return house


def test_a_question_by_hermes_is_answered_with_what_was_said_or_with_silence(hermes: House, listener: Listener) -> None:
    ask_hermes(listener, "asr/startListening", sessionId="s1")
    captured = until(lambda: listener.last("hermes/asr/textCaptured"), "an answer")
    assert (captured["text"], captured["sessionId"]) == ("", "s1")
    ask_hermes(listener, "asr/startListening", sessionId="s2")
    hermes.say("cancel_timer")
    intent = until(lambda: listener.last("hermes/intent/HassCancelTimer"), "the intent")
    assert intent["input"] == "cancel timer"
    assert intent["sessionId"] == listener.last("hermes/asr/textCaptured")["sessionId"] == "s2"


def test_hermes_can_ask_what_a_text_means_and_for_silence(hermes: House, listener: Listener) -> None:
    ask_hermes(listener, "nlu/query", input="Cancel timer", id="q")
    parsed = until(lambda: listener.last("hermes/nlu/intentParsed"), "the meaning")
    assert parsed["intent"]["intentName"] == "HassCancelTimer"
    ask_hermes(listener, "asr/toggleOff", reason="ttsSay")
    until(lambda: listener.last("state")["microphone"].startswith("silenced"), "silence")
    until(lambda: hermes.microphone.listeners() == 0, "the microphone being closed")
    ask_hermes(listener, "asr/toggleOn", reason="ttsSay")
    until(lambda: is_listening(listener), "listening again")


@pytest.mark.usefixtures("hermes")
def test_while_it_listens_on_request_only_hermes_may_request(listener: Listener) -> None:
    listener.ask("set/mode", "push")
    until(lambda: not is_listening(listener), "the microphone being closed")
    ask_hermes(listener, "asr/startListening", sessionId="s1")
    until(lambda: is_listening(listener), "listening")
    ask_hermes(listener, "asr/stopListening", sessionId="s1")
    until(lambda: listener.last("hermes/asr/textCaptured"), "silence")
    until(lambda: not is_listening(listener), "the microphone being closed again")
