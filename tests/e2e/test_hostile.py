"""A client on the broker that means harm, and a journal that keeps what it was not meant to hear to itself."""

from __future__ import annotations

import json
import random
from typing import Callable

from private_broker import PrivateBroker
from running_daemon import House, Listener, is_listening, until

from sayso.mqtt.contract import TOPICS
from sayso.mqtt.hermes import SUBSCRIPTIONS

PASSWORD = "open sesame"  # noqa: S105 - of a broker that lives for seconds
HERMES = "[hermes]\nenabled = true\ntimeout = 1.0\n"
ENTRY = "homeassistant/device/sayso_home/config"

NASTY = (
    "", "on", "0", "-1", "1e999", "NaN", "null", "true", "../../etc/passwd", "/etc/shadow", "$(reboot)", "`id`", "%s%n",
    "{}", "[]", "[" * 5000, '{"siteId": "home"}', '{"siteId": "home", "input": "\\ud800", "sessionId": "a/b#"}',
    '{"siteId": "home", "input": 5}', '{"siteId": "home", "intentFilter": {"a": 1}}', "\x00\x1b[2J", "x" * 60_000,
    '{"components": {"mute": {"platform": "switch"}, "../x": {"platform": "y z"}}}', '{"components": [5]}',
    '{"instance": "somebody else"}',
)  # fmt: skip


def test_a_hostile_client_can_do_nothing_but_ask(start: Callable[..., House], broker: PrivateBroker) -> None:
    house = start(broker.port, more=HERMES)
    listener = Listener(broker.port)
    until(lambda: is_listening(listener), "listening")
    chance = random.Random(6)  # noqa: S311 - the same every time
    topics = [f"sayso/home/{topic.name}" for topic in TOPICS] + [*SUBSCRIPTIONS, ENTRY, "homeassistant/status"]
    attacks = [(topic, payload) for topic in topics for payload in NASTY]
    chance.shuffle(attacks)
    for topic, payload in attacks:
        listener.publish(topic, payload, retain=chance.random() < 0.1)
    for verb in ("toggleOn", "toggleOff"):
        listener.publish(f"hermes/asr/{verb}", json.dumps({"siteId": "home"}))
    listener.publish("hermes/asr/toggleOn", json.dumps({"siteId": "home"}))

    def obeys() -> bool:
        for name, payload in (("set/mute", "off"), ("set/mode", "always"), ("set/min_confidence", "0.3")):
            listener.ask(name, payload)
        listener.publish("hermes/asr/toggleOn", json.dumps({"siteId": "home"}))
        # Among the states that somebody else made up are those of the daemon.
        state = next(one for one in reversed(listener.all("state")) if isinstance(one, dict) and "version" in one)
        return bool(state["listening"]) and state["min_confidence"] == 0.3

    until(obeys, "obedience after the attack")
    before = len(listener.commands())
    # Among the commands that somebody else made up is the daemon's.
    said = {"text": "cancel timer", "intent": "HassCancelTimer"}

    def told() -> bool:
        """Whether it was understood; said again, since the microphone has only just been opened anew."""
        obeys()  # of a flood, the daemon drops what is too much
        house.say("cancel_timer")
        found = listener.commands()[before:]
        return any(isinstance(one, dict) and said.items() <= one.items() for one in found)

    until(told, "the command")
    assert house.process.poll() is None
    log = house.log.read_text(errors="replace")
    assert "Traceback" not in log
    assert "root:" not in log
    assert all(line.isprintable() for line in log.splitlines())
    listener.close()


def test_the_journal_has_neither_secrets_nor_what_was_not_a_command(start: Callable[..., House]) -> None:
    with PrivateBroker(users={"sayso": PASSWORD}) as broker:
        house = start(broker.port, more=f'username = "sayso"\npassword_file = "{broker.folder}/secret"\n')
        (broker.folder / "secret").write_text(f"wrong {PASSWORD}\n")
        until(lambda: "correct [mqtt] username and password_file" in house.log.read_text(), "the refusal")
        (broker.folder / "secret").write_text(f"{PASSWORD}\n")
        until(lambda: "broker connected" in house.log.read_text(), "the connection")
        house.say("oov_3")
        until(lambda: "rejected: " in house.log.read_text(), "a rejection")
        house.say("cancel_timer")
        until(lambda: "HassCancelTimer" in house.log.read_text(), "a command")
        log = house.log.read_text()
    assert PASSWORD not in log
    for line in log.splitlines():
        if "rejected" in line:
            reason, confidence = line.partition("rejected: ")[2].split(" ")
            assert reason.replace("_", "").isalpha()
            assert confidence.startswith("(")
