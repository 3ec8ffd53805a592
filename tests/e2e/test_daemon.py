"""The daemon as a process: a real microphone, a real broker, real signals, a real NOTIFY_SOCKET."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable

import pytest
from private_broker import PrivateBroker
from running_daemon import PATIENCE, House, Listener, is_listening, until


def test_a_spoken_command_becomes_an_event(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    assert listener.last("status") == "online"
    house.say("cancel_timer")
    command = until(listener.commands, "a command")[0]
    assert command["text"] == "cancel timer"
    assert command["intent"] == "HassCancelTimer"
    assert command["site"] == "home"
    assert command["start"] < command["end"] <= command["time"] < command["expires_at"]
    assert not any(retained for name, _, retained in listener.messages if name in ("command", "rejected"))


def test_systemd_hears_of_readiness_of_life_and_of_the_end(house: House, listener: Listener) -> None:
    until(lambda: house.notify.count("READY=1"), "READY=1")
    assert is_listening(listener) or until(lambda: is_listening(listener), "listening")
    before = house.notify.count("WATCHDOG=1")
    until(lambda: house.notify.count("WATCHDOG=1") > before + 1, "the watchdog being fed")
    house.process.send_signal(signal.SIGTERM)
    assert house.process.wait(5) == 0
    assert house.notify.count("STOPPING=1") == 1
    until(lambda: listener.last("status") == "offline", "offline")


def test_a_capture_that_stands_still_starves_the_watchdog(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    house.microphone.freeze()
    try:
        # Closing hangs with the server: the daemon ends, so that systemd can start a new one.
        assert house.process.wait(PATIENCE) == 74
    finally:
        house.microphone.thaw()


def test_a_changed_sentence_is_understood_after_sighup(
    start: Callable[..., House], broker: PrivateBroker, listener: Listener
) -> None:
    house = start(broker.port, watch=False)
    until(lambda: is_listening(listener), "listening")
    before = listener.last("state")["grammar"]
    (house.commands / "timers.yaml").write_text(
        "language: en\nintents:\n  StopAll:\n    data: [{sentences: [cancel timer]}]\n"
    )
    house.process.send_signal(signal.SIGHUP)
    until(lambda: listener.last("state")["grammar"] != before, "a new grammar")
    house.say("cancel_timer")
    assert until(listener.commands, "a command")[0]["intent"] == "StopAll"


def test_broken_sentences_leave_the_last_good_ones_at_work(
    start: Callable[..., House], broker: PrivateBroker, listener: Listener
) -> None:
    house = start(broker.port, watch=False)
    until(lambda: is_listening(listener), "listening")
    before = listener.last("state")["grammar"]
    (house.commands / "timers.yaml").write_text("language: en\nintents:\n  X:\n    data: [{sentences: ['(open']}]\n")
    house.process.send_signal(signal.SIGHUP)
    error = until(lambda: listener.last("state")["last_error"], "an error")
    assert "timers.yaml:4" in error
    assert listener.last("state")["grammar"] == before
    house.say("cancel_timer")
    assert until(listener.commands, "a command")[0]["intent"] == "HassCancelTimer"


def test_broken_sentences_at_the_start_leave_the_last_good_ones_at_work_until_they_are_mended(
    house: House, listener: Listener
) -> None:
    until(lambda: is_listening(listener), "listening")
    timers = house.commands / "timers.yaml"
    written = timers.read_text()
    timers.write_text("language: en\nintents:\n  X:\n    data: [{sentences: ['(open']}]\n")
    until(lambda: "timers.yaml:4" in listener.last("state")["last_error"], "an error")
    before = len(listener.all("state"))
    house.die_and_start_again()
    until(lambda: is_listening(listener) and len(listener.all("state")) > before + 1, "listening all the same")
    error = listener.last("state")["last_error"]
    assert error.startswith("the sentences are broken, the last good ones are at work: ")
    assert "timers.yaml:4" in error
    house.say("cancel_timer")
    assert until(listener.commands, "a command")[0]["intent"] == "HassCancelTimer"
    timers.write_text(written)
    until(lambda: listener.last("state")["last_error"] == "", "them being read again")


def test_muting_closes_the_microphone_until_it_is_opened_again_whatever_happens(
    house: House, listener: Listener
) -> None:
    until(lambda: is_listening(listener), "listening")
    assert house.microphone.listeners() == 1
    listener.ask("set/mute", "on")
    until(lambda: listener.last("state")["muted"], "muted")
    assert house.microphone.listeners() == 0
    house.die_and_start_again()
    until(lambda: listener.all("status")[-2:] == ["offline", "online"], "a new start")
    until(lambda: listener.last("state")["microphone"] == "muted", "still muted")
    assert house.microphone.listeners() == 0
    listener.ask("set/mute", "off")
    until(lambda: not listener.last("state")["muted"] and is_listening(listener), "listening again")


def test_who_mutes_in_the_middle_of_a_sentence_has_said_nothing(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    saying = threading.Thread(target=house.say, args=("cancel_timer",))
    saying.start()
    until(lambda: listener.last("state")["hearing"], "somebody speaking")
    listener.ask("set/mute", "on")
    until(lambda: listener.last("state")["muted"] and not listener.last("state")["hearing"], "nobody speaking")
    saying.join()
    listener.ask("set/mute", "off")
    until(lambda: is_listening(listener), "listening again")
    house.say("cancel_timer")
    until(listener.commands, "a command")
    assert listener.all("rejected") == []


def test_an_unplugged_microphone_is_reported_and_found_again(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    house.microphone.unplug()
    until(lambda: not is_listening(listener), "that nothing is heard")
    house.microphone.plug_in()
    until(lambda: is_listening(listener), "listening again")
    house.say("cancel_timer")
    assert until(listener.commands, "a command")[0]["intent"] == "HassCancelTimer"


def test_without_a_broker_it_listens_and_what_was_said_meanwhile_is_never_delivered(
    house: House, listener: Listener, broker: PrivateBroker
) -> None:
    until(lambda: is_listening(listener), "listening")
    broker.kill()
    house.say("cancel_timer")
    time.sleep(2.5)  # the command's time to live
    broker.start()
    until(
        lambda: listener.messages[-1] and listener.last("health") and listener.last("health")["dropped"],
        "a dropped command",
    )
    house.say("whats_the_weather")
    until(listener.commands, "a command")
    assert [command["text"] for command in listener.commands()] == ["what's the weather"]


def test_what_is_said_to_a_broker_that_hangs_is_never_delivered(
    house: House, listener: Listener, broker: PrivateBroker
) -> None:
    until(lambda: is_listening(listener), "listening")
    broker.freeze()
    try:
        house.say("cancel_timer")
        until(lambda: "sayso/home/command: not delivered" in house.log.read_text(), "the command to be dropped")
    finally:
        broker.thaw()
    until(lambda: (listener.last("health") or {}).get("dropped"), "a dropped command")
    house.say("whats_the_weather")
    until(listener.commands, "a command")
    assert [command["text"] for command in listener.commands()] == ["what's the weather"]


def test_bad_settings_end_it_with_one_line(tmp_path: Path) -> None:
    settings = tmp_path / "sayso.toml"
    settings.write_text('[mqtt]\nhots = "x"\n')
    program = str(Path(sys.executable).parent / "sayso")
    done = subprocess.run([program, "--config", str(settings), "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert done.stderr.splitlines() == [f"sayso: {settings}:2: [mqtt] hots: unknown key (did you mean `host`?)"]


def test_a_changed_file_is_read_by_itself(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    before = listener.last("state")["grammar"]
    timers = house.commands / "timers.yaml"
    written = timers.read_text()
    timers.write_text("language: en\nintents:\n  X:\n    data: [{sentences: ['(open']}]\n")
    assert "timers.yaml:4" in until(lambda: listener.last("state")["last_error"], "an error")
    assert listener.last("state")["grammar"] == before
    timers.write_text(f"{written}\n# mended\n")
    until(lambda: listener.last("state")["grammar"] != before, "a new grammar")
    assert listener.last("state")["last_error"] == ""
    until(lambda: house.notify.count("RELOADING=1") == 2 and house.notify.count("READY=1") == 3, "systemd being told")


def test_what_the_rules_of_the_broker_deny_is_shown(start: Callable[..., House]) -> None:
    with PrivateBroker(acl="topic readwrite #\ntopic deny sayso/home/health\n") as broker:
        start(broker.port)
        listener = Listener(broker.port)
        error = until(lambda: (listener.last("state") or {}).get("last_error"), "an error")
        assert error.startswith("sayso/home/health: Sayso may not publish it")
        until(lambda: is_listening(listener), "listening all the same")
        listener.close()


HIDDEN = {
    "defaultACLAccess": {"publishClientSend": True, "publishClientReceive": True, "subscribe": True},
    "anonymousGroup": "anybody",
    "groups": [{"groupname": "anybody", "roles": [{"rolename": "guest"}]}],
    "roles": [{"rolename": "guest", "acls": [{"acltype": "subscribePattern", "topic": "homeassistant/#"}]}],
}
"""Rules of mosquitto's plugin: nobody may subscribe to Home Assistant's topics. An acl_file has no such rules."""


@pytest.mark.parametrize("wanted", [True, False])
def test_rules_that_hide_home_assistant_matter_only_where_it_is_wanted(
    start: Callable[..., House], wanted: bool
) -> None:
    [plugin] = Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")
    private = PrivateBroker(options=f"plugin {plugin}\nplugin_opt_config_file {{folder}}/rules.json")
    (private.folder / "rules.json").write_text(json.dumps(HIDDEN))
    with private as broker:
        start(broker.port, more=f"[home_assistant]\ndiscovery = {str(wanted).lower()}\n")
        listener = Listener(broker.port)
        until(lambda: is_listening(listener), "listening")
        listener.ask("set/listen", "1")  # heard only after the subscriptions are answered
        until(lambda: listener.last("state").get("answer"), "an answer")
        error = listener.last("state")["last_error"]
        assert ("homeassistant/" in error and "may not subscribe" in error) if wanted else error == ""
        listener.close()


def test_a_flood_of_requests_does_no_harm(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    house.process.send_signal(signal.SIGSTOP)
    for number in range(1000):
        listener.ask("set/min_confidence", str(number % 2))
    house.process.send_signal(signal.SIGCONT)
    until(lambda: listener.last("state")["min_confidence"] in (0, 1), "some being obeyed")

    def muted() -> bool:
        listener.ask("set/mute", "on")  # it may be among those that are not read
        return bool(listener.last("state")["muted"])

    until(muted, "obedience after the flood")
    assert house.process.poll() is None
