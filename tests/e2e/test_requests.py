"""What others ask of the daemon over MQTT, what it answers, and what it lets them see."""

from __future__ import annotations

import time
from typing import Any, Callable

import pytest
from private_broker import PrivateBroker
from running_daemon import House, Listener, is_listening, until


def answered(listener: Listener, name: str, payload: str) -> Any:
    """Ask, and return the state that holds the answer."""
    before = (listener.last("state") or {}).get("answer")
    listener.ask(name, payload)

    def answer() -> Any:
        state = listener.last("state")
        return state if state["answer"] not in (None, before) and state["answer"]["request"] == name else None

    return until(answer, f"an answer to {name} {payload!r}")


@pytest.mark.usefixtures("house")
def test_every_request_is_answered_on_the_state_topic(listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    assert listener.last("state")["answer"] is None
    for name, good, wrong in (
        ("set/min_confidence", "0.35", "2"),
        ("set/mode", "always", "never"),
        ("set/listen", "1", "61"),
        ("set/live", "1", "for ever"),
        ("set/reload", "", "x" * 257),
        ("set/mute", "on", "perhaps"),
    ):
        state = answered(listener, name, wrong)
        assert state["answer"]["error"].startswith(f"{name}: ")
        assert state["last_error"] == state["answer"]["error"]
        state = answered(listener, name, good)
        assert state["answer"]["error"] == ""
        assert state["last_error"] == ""
    assert listener.last("state")["min_confidence"] == 0.35
    assert listener.last("state")["muted"]


def test_push_to_talk_listens_for_so_long_and_no_longer(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    answered(listener, "set/mode", "push")
    until(lambda: not is_listening(listener), "the microphone being closed")
    answered(listener, "set/listen", "1.5")
    until(lambda: is_listening(listener), "listening")
    until(lambda: not is_listening(listener), "the end of the time")
    answered(listener, "set/listen", "30")
    until(lambda: is_listening(listener), "listening again")
    house.say("cancel_timer")
    until(listener.commands, "a command")
    until(lambda: not is_listening(listener), "the end after one command")


def test_whoever_asks_sees_how_loud_it_is_and_the_words_so_far(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    house.say("cancel_timer")
    until(listener.commands, "a command")
    assert listener.all("live") == [], "nobody had asked"
    listener.ask("set/live", "30")
    until(lambda: listener.all("live"), "the first look")
    quiet = listener.last("live")
    house.say("set_a_timer_for_3_hours_and_10_minutes")
    until(lambda: len(listener.commands()) == 2, "the second command")
    seen = listener.all("live")
    assert max(live["level"] for live in seen) > quiet["level"] + 20
    assert any(live["hearing"] and live["text"].startswith("set") for live in seen), seen
    assert all(live["hearing"] or not live["text"] for live in seen)
    listener.ask("set/live", "off")
    until(lambda: (listener.last("state")["answer"] or {}).get("request") == "set/live", "the answer")
    time.sleep(0.5)
    before = len(listener.all("live"))
    time.sleep(0.6)
    assert len(listener.all("live")) == before


def test_two_daemons_with_one_site_notice_each_other(
    start: Callable[..., House], broker: PrivateBroker, listener: Listener
) -> None:
    first, second = start(broker.port), start(broker.port)

    def complained(house: House) -> bool:
        return "another Sayso speaks for site 'home'" in house.log.read_text()

    until(lambda: complained(first) and complained(second), "both to notice")

    def said() -> bool:
        states = [state for state in listener.all("state") if "another Sayso" in state["last_error"]]
        return len({state["instance"] for state in states}) == 2

    until(said, "both to say so")
    time.sleep(1.0)
    before = len(listener.all("state"))
    time.sleep(1.5)
    assert len(listener.all("state")) - before < 5, "they don't shout at each other"


def test_health_counts_what_happened(house: House, listener: Listener, broker: PrivateBroker) -> None:
    until(lambda: is_listening(listener), "listening")
    house.say("cancel_timer")
    until(listener.commands, "a command")
    broker.restart()
    health = until(lambda: (listener.last("health") or {}).get("reconnects") and listener.last("health"), "health")
    assert (health["commands"], health["dropped"]) == (1, 0)
    assert health["utterances"] == 1 + sum(health["rejections"].values())
    assert 0 < health["latency_p50"] <= health["latency_p95"]
    assert health["memory"] > 10
