"""When the daemon listens: wake phrases, the modes and switching between them, the words so far."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import soundfile
from private_broker import PrivateBroker
from recordings import RATE, Sound, joined, recording, synthesised
from running_daemon import House, Listener, is_listening, until

SETTINGS = """partial = true
[listening]
mode = "wake"
wake_phrases = ["hey house"]
"""


def _play(house: House, sound: Sound) -> None:
    wav = house.folder / "said.wav"
    soundfile.write(wav, sound, RATE)
    house.microphone.play(wav)


def test_a_wake_phrase_opens_the_ear_and_modes_can_be_switched(
    start: Callable[..., House], broker: PrivateBroker, listener: Listener
) -> None:
    house = start(broker.port, more=SETTINGS)
    until(lambda: is_listening(listener), "listening")
    assert listener.last("state")["mode"] == "wake"
    time.sleep(1.0)  # at first all sound stands out, and the room's noise may pass for an utterance
    command = recording("cancel_timer")
    _play(house, joined(command))
    rejected = until(lambda: listener.last("rejected"), "a rejection")
    assert (rejected["reason"], rejected["text"], rejected["intent"]) == ("not_addressed", "", "")
    assert not listener.all("partial")
    _play(house, joined(synthesised("hey house"), 0.05, command))
    woken = until(lambda: listener.last("wake"), "the wake phrase")
    assert woken["phrase"] == "hey house"
    said = until(listener.commands, "a command")[0]
    assert (said["text"], said["wake_phrase"], said["repeated"]) == ("cancel timer", "hey house", False)
    assert woken["start"] < woken["end"] <= said["start"] < said["end"]
    assert [event["event_type"] for event in listener.all("event")] == ["rejected", "wake", "recognised"]
    assert until(lambda: listener.all("partial"), "the words so far")[-1]["text"].startswith("cancel")
    listener.ask("set/mode", "push")
    until(lambda: listener.last("state")["mode"] == "push" and not is_listening(listener), "a closed microphone")
    listener.ask("set/mode", "always")
    until(lambda: listener.last("state")["mode"] == "always" and is_listening(listener), "listening again")
    _play(house, joined(command))
    until(lambda: len(listener.commands()) == 2, "a command without the wake phrase")
    assert listener.commands()[1]["wake_phrase"] == ""


@pytest.mark.usefixtures("house")
def test_without_a_wake_phrase_there_is_no_such_mode(listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    listener.ask("set/mode", "wake")
    error = until(lambda: listener.last("state")["last_error"], "a refusal")
    assert error.startswith("set/mode: no wake phrase is configured (write [listening] wake_phrases")
    assert listener.last("state")["mode"] == "always"


def test_the_daemon_says_why(house: House, listener: Listener) -> None:
    until(lambda: is_listening(listener), "listening")
    _play(house, joined(recording("cv_2"), 1.5, recording("cancel_timer")))
    until(listener.commands, "a command")
    program = Path(sys.executable).with_name("sayso")
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(house.folder / "run")}

    def why(*options: str) -> str:
        command = [str(program), "--config", str(house.folder / "sayso.toml"), "why", *options]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def noted() -> List[Dict[str, Any]]:
        notes = [json.loads(line) for line in why("--json").splitlines()]
        return notes if any(note["what"] == "command" for note in notes) else []

    notes = until(noted, "a note")
    assert [(one["text"], one["id"]) for one in notes if one["what"] == "command"] == [
        ("cancel timer", listener.commands()[0]["id"])
    ]
    rejected = [one for one in notes if one["what"] == "rejected"]
    assert rejected
    assert all(one["text"] == "" and one["reason"] in ("not_a_command", "low_confidence") for one in rejected)
    assert 'command  "cancel timer"  HassCancelTimer' in why()
