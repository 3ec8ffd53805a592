"""The daemon as a process: a real microphone, a real broker, real signals, a real NOTIFY_SOCKET."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import paho.mqtt.client as mqtt
import pytest
import soundfile
from private_broker import PrivateBroker
from virtual_microphone import VirtualMicrophone

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "tests" / "data" / "speech"
PATIENCE = 30.0


class NotifySocket:
    """What systemd hears of a service."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.lines += self._socket.recv(4096).decode().splitlines()

    def count(self, line: str) -> int:
        return self.lines.count(line)

    def close(self) -> None:
        self._socket.close()


class Listener:
    """A subscriber of everything that Sayso publishes."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, Any, bool]] = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("sayso/#", 1)
        self._client.on_message = self._heard
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _heard(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        text = message.payload.decode()
        payload = json.loads(text) if text.startswith("{") else text
        self.messages.append((message.topic.removeprefix("sayso/home/"), payload, bool(message.retain)))

    def say(self, topic: str, payload: str) -> None:
        self._client.publish(f"sayso/home/{topic}", payload, 1)

    def last(self, topic: str) -> Any:
        return next((payload for name, payload, _ in reversed(self.messages) if name == topic), None)

    def commands(self) -> list[Any]:
        return [payload for name, payload, _ in self.messages if name == "command"]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for something that a user would see; fail with what it was."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"never seen: {what}")


class House:
    """A daemon at work, and everything around it."""

    def __init__(self, folder: Path, microphone: VirtualMicrophone, port: int) -> None:
        self.folder = folder
        self.microphone = microphone
        self.commands = folder / "commands"
        shutil.copytree(ROOT / "config" / "commands", self.commands)
        self.notify = NotifySocket(folder / "notify")
        settings = folder / "sayso.toml"
        settings.write_text(
            f'[audio]\nsilence = 1.0\n[commands]\npath = "{self.commands}"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        )
        self.log = folder / "log"
        environment = {
            **{name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"},
            **microphone.environment,
            "NOTIFY_SOCKET": str(self.notify.path),
            "WATCHDOG_USEC": "2000000",
        }
        program = str(Path(sys.executable).parent / "sayso")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([program, "--config", str(settings), "run"], env=environment, stderr=log)

    def say(self, name: str) -> None:
        """Play a recording into the microphone."""
        samples, rate = soundfile.read(SPEECH / f"{name}.opus", dtype="int16")
        wav = self.folder / f"{name}.wav"
        soundfile.write(wav, samples, rate)
        self.microphone.play(wav)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.notify.close()


@pytest.fixture
def house(tmp_path: Path, virtual_microphone: VirtualMicrophone, broker: PrivateBroker) -> Iterator[House]:
    """A daemon that listens to the virtual microphone and speaks to the test's broker."""
    house = House(tmp_path, virtual_microphone, broker.port)
    yield house
    house.end()


@pytest.fixture
def listener(broker: PrivateBroker) -> Iterator[Listener]:
    """A subscriber of the test's broker."""
    listener = Listener(broker.port)
    yield listener
    listener.close()


def is_listening(listener: Listener) -> bool:
    return bool((listener.last("state") or {}).get("listening"))


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


def test_a_changed_sentence_is_understood_after_sighup(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    before = listener.last("state")["grammar"]
    (house.commands / "timers.yaml").write_text(
        "language: en\nintents:\n  StopAll:\n    data: [{sentences: [cancel timer]}]\n"
    )
    house.process.send_signal(signal.SIGHUP)
    until(lambda: listener.last("state")["grammar"] != before, "a new grammar")
    house.say("cancel_timer")
    assert until(listener.commands, "a command")[0]["intent"] == "StopAll"


def test_broken_sentences_leave_the_last_good_ones_at_work(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    before = listener.last("state")["grammar"]
    (house.commands / "timers.yaml").write_text("language: en\nintents:\n  X:\n    data: [{sentences: ['(open']}]\n")
    house.process.send_signal(signal.SIGHUP)
    error = until(lambda: listener.last("state")["last_error"], "an error")
    assert "timers.yaml:4" in error
    assert listener.last("state")["grammar"] == before
    house.say("cancel_timer")
    assert until(listener.commands, "a command")[0]["intent"] == "HassCancelTimer"


def test_muting_closes_the_microphone(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    assert house.microphone.listeners() == 1
    listener.say("set/mute", "on")
    until(lambda: listener.last("state")["muted"], "muted")
    assert house.microphone.listeners() == 0
    listener.say("set/mute", "off")
    until(lambda: not listener.last("state")["muted"] and is_listening(listener), "listening again")


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


def test_bad_settings_end_it_with_one_line(tmp_path: Path) -> None:
    settings = tmp_path / "sayso.toml"
    settings.write_text('[mqtt]\nhots = "x"\n')
    program = str(Path(sys.executable).parent / "sayso")
    done = subprocess.run([program, "--config", str(settings), "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert done.stderr.splitlines() == [f"sayso: {settings}:2: [mqtt] hots: unknown key (did you mean `host`?)"]
