"""A daemon at work as a process, and everything around it: a real microphone, a real broker, a real NOTIFY_SOCKET."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from importlib.resources import files
from pathlib import Path
from typing import Any, Callable

import paho.mqtt.client as mqtt
import pytest
import soundfile
from jsonschema import Draft202012Validator
from virtual_microphone import VirtualMicrophone

from sayso.mqtt.contract import TOPICS

ROOT = Path(__file__).resolve().parents[1]
SPEECH = ROOT / "tests" / "data" / "speech"
PATIENCE = 60.0
"""How long anything may take before a test fails [s]."""

SETTINGS = """
[audio]
silence = 1.0
[commands]
path = "{commands}"
watch = {watch}
[mqtt]
host = "127.0.0.1"
port = {port}
"""


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
    """A subscriber of everything; topics below sayso/home/ go by their last part."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, Any, bool]] = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_message = self._heard
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _heard(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        text = message.payload.decode()
        payload = json.loads(text) if text.startswith("{") else text
        self.messages.append((message.topic.removeprefix("sayso/home/"), payload, bool(message.retain)))

    def ask(self, name: str, payload: str) -> None:
        """Send a request to the daemon."""
        self.publish(f"sayso/home/{name}", payload)

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        self._client.publish(topic, payload, 1, retain)

    def last(self, topic: str) -> Any:
        return next((payload for name, payload, _ in reversed(self.messages) if name == topic), None)

    def all(self, topic: str) -> list[Any]:
        return [payload for name, payload, _ in self.messages if name == topic]

    def commands(self) -> list[Any]:
        return self.all("command")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def assert_contract(listener: Listener) -> None:
    """Given all that was heard, check that whatever a daemon said is what the contract promises."""
    topics = {topic.name: topic for topic in TOPICS if topic.direction == "out"}
    schemas = {
        name: json.loads(files("sayso.mqtt").joinpath("schema", topic.schema).read_text(encoding="utf-8"))
        for name, topic in topics.items()
    }
    for name, payload, retained in listener.messages:
        if name in topics:
            Draft202012Validator(schemas[name]).validate(payload)
            assert topics[name].retained or not retained, f"{name} was kept by the broker"


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

    def __init__(
        self, folder: Path, microphone: VirtualMicrophone, port: int, *, watch: bool = True, more: str = ""
    ) -> None:
        """Given where to keep its files, what it hears, the broker's port and more settings (TOML), start it."""
        self.folder = folder
        self.microphone = microphone
        self.commands = folder / "commands"
        shutil.copytree(ROOT / "config" / "commands", self.commands)
        self.notify = NotifySocket(folder / "notify")
        settings = folder / "sayso.toml"
        known = {"commands": self.commands, "watch": str(watch).lower(), "port": port}
        settings.write_text(SETTINGS.format_map(known) + more)
        self.log = folder / "log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"},
            **microphone.environment,
            "RUNTIME_DIRECTORY": str(folder / "run"),
            "STATE_DIRECTORY": str(folder / "state"),
            # Shared by all that a run of the tests starts: the same sentences are compiled once.
            "CACHE_DIRECTORY": str(folder.parents[1] / "cache"),
            "NOTIFY_SOCKET": str(self.notify.path),
            "WATCHDOG_USEC": "2000000",
        }
        self._command = [str(Path(sys.executable).parent / "sayso"), "--config", str(settings), "run"]
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(self._command, env=self._environment, stderr=log)

    def die_and_start_again(self) -> None:
        """As after a power cut."""
        self.process.kill()
        self.process.wait()
        self.process = self._start()

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
        print(self.log.read_text(errors="replace"))  # pytest shows it where a test has failed


def is_listening(listener: Listener) -> bool:
    return bool((listener.last("state") or {}).get("listening"))
