"""The demo behind packaging/demo: real recordings into a microphone, MQTT events out of a broker.

Rule of this file: nothing is faked. The sound goes through PyAudio, `sayso run` is the installed program, the events
are what a subscriber of the broker receives. Only the sound card and the broker are this demo's own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Dict, List, Optional, Tuple

import click
import paho.mqtt.client as mqtt
import soundfile
from private_broker import PrivateBroker
from rich.console import Console
from rich.table import Table
from virtual_microphone import NAME, VirtualMicrophone

from sayso.assembly import SHIPPED_MODEL, load_grammar
from sayso.config import read_config
from sayso.reading import read_text
from sayso.recognition.bundle import load_bundle

ROOT = Path(__file__).resolve().parent.parent
SPEECH = ROOT / "tests" / "data" / "speech"
RATE = 48_000
"""Of the virtual microphone [Hz]: that of most sound cards, so that the daemon resamples as it would at home."""

SITE = "demo"

ENOUGH = 0.9
"""Share of the commands that must be right."""

START_SECONDS = 60.0
EVENT_SECONDS = 2.5
"""How long after the end of a recording its event is waited for."""


@dataclass
class Result:
    """One recording, and what came of it."""

    file: Path
    said: Optional[str]
    """None: no command, nothing should happen."""
    meant: Tuple[str, Dict[str, Any]] = ("", {})
    """Intent and slots that it should give."""
    events: List[Tuple[Dict[str, Any], float]] = field(default_factory=list)
    """Each event with the wall time at which the subscriber had it."""

    @property
    def commands(self) -> List[Dict[str, Any]]:
        return [event for event, _ in self.events if "confidence" in event and "reason" not in event]

    @property
    def heard(self) -> str:
        return "; ".join(event["text"] for event in self.commands)

    @property
    def right(self) -> bool:
        """Whether exactly what was said was understood: the intent and every slot, and nothing besides."""
        return [(event["intent"], event["slots"]) for event in self.commands] == ([self.meant] if self.said else [])


def recordings() -> List[Result]:
    """Return what is played: commands first by name, then what is no command.

    A recording's name is what it says; what that means is asked of the grammar.
    """
    config = read_config(ROOT / "config" / "sayso.toml")
    commands = config.commands.model_copy(update={"path": str(ROOT / "config" / "commands")})
    graph = load_grammar(config.model_copy(update={"commands": commands}), load_bundle(SHIPPED_MODEL)).graph
    results = []
    for file in sorted(SPEECH.glob("*.opus")):
        if re.match("(oov|cv)_", file.stem):
            results.append(Result(file, None))
            continue
        said = file.stem.replace("_", " ")
        [meaning] = read_text(graph, said)
        results.append(Result(file, said, (meaning.intent, dict(meaning.slots))))
    return sorted(results, key=lambda result: (result.said is None, result.file.name))


class Subscriber:
    """A client of the broker like any other."""

    def __init__(self, port: int) -> None:
        self.events: SimpleQueue[Tuple[str, Dict[str, Any], float]] = SimpleQueue()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._received
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([(f"sayso/{SITE}/{name}", 1) for name in ("command", "rejected", "state")])
        self._client.loop_start()

    def _received(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.events.put((message.topic.rsplit("/", 1)[-1], json.loads(message.payload), time.time()))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_until_listening(self, daemon: subprocess.Popen[bytes]) -> None:
        """Return when the daemon listens. Raise RuntimeError if it ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if daemon.poll() is not None:
                raise RuntimeError(f"sayso ended with status {daemon.returncode}")
            try:
                topic, state, _ = self.events.get(timeout=0.2)
            except Empty:
                continue
            if topic == "state" and state["listening"]:
                return
        raise RuntimeError("sayso does not listen")


def settings(folder: Path, port: int) -> Path:
    """Write the daemon's settings, return the file."""
    file = folder / "sayso.toml"
    file.write_text(
        f'[audio]\ndevice = "{NAME}"\n[commands]\npath = "{ROOT / "config" / "commands"}"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\nsite = "{SITE}"\n'
    )
    return file


def play(result: Result, microphone: VirtualMicrophone, subscriber: Subscriber, folder: Path) -> None:
    """Play one recording and gather what is published about it."""
    samples, rate = soundfile.read(result.file, dtype="int16")
    wav = folder / "play.wav"
    soundfile.write(wav, samples, rate)
    microphone.play(wav)
    deadline = time.monotonic() + EVENT_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            topic, event, arrived = subscriber.events.get(timeout=left)
        except Empty:
            break
        if topic != "state":
            result.events.append((event, arrived))
            if topic == "command":
                # A second event would come within the time that a sentence may pause.
                deadline = min(deadline, time.monotonic() + 0.8)


def milliseconds(result: Result) -> str:
    """From the end of speech to the subscriber's having the event."""
    delays = []
    for event, arrived in result.events:
        ended = time_of(event["end"])
        delays.append(f"{(arrived - ended) * 1000:.0f}")
    return ", ".join(delays)


def time_of(iso: str) -> float:
    """Given a time as the event says it, return it in Unix seconds."""
    return datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()


def show(console: Console, result: Result) -> None:
    """One line for one recording."""
    said = result.said or f"(no command: {result.file.stem})"
    reasons = "; ".join(event["reason"] for event, _ in result.events if "reason" in event)
    heard = result.heard or (f"rejected: {reasons}" if reasons else "nothing")
    confidences = ", ".join(f"{event['confidence']:.2f}" for event, _ in result.events)
    mark = "right" if result.right else "WRONG"
    console.print(
        f"{mark:5}  {said:42.42}  {heard:46.46}  {confidences:11}  {milliseconds(result):>9}",
        highlight=False,
        markup=False,
    )


@click.command()
@click.option("--most", type=int, default=None, help="Play only so many recordings.")
def main(most: Optional[int]) -> None:
    """Play recordings of real people to Sayso and show the MQTT events."""
    console = Console(width=max(Console().width, 124))
    results = recordings()[:most]
    with (
        tempfile.TemporaryDirectory(prefix="sayso-demo-") as temporary,
        PrivateBroker() as broker,
        VirtualMicrophone(rate=RATE) as microphone,
    ):
        folder = Path(temporary)
        environment = {**os.environ, **microphone.environment}
        command = [str(Path(sys.executable).parent / "sayso"), "--config", str(settings(folder, broker.port)), "run"]
        subscriber = Subscriber(broker.port)
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen(command, env=environment, stderr=log)
            try:
                subscriber.wait_until_listening(daemon)
                console.print(f"[bold]{'':5}  {'said':42}  {'heard':46}  {'confidence':11}  {'ms to event':>9}[/]")
                for result in results:
                    play(result, microphone, subscriber, folder)
                    show(console, result)
            except RuntimeError as error:
                console.print(f"{error}:\n{(folder / 'log').read_text()}", markup=False)
                sys.exit(1)
            finally:
                subscriber.close()
                daemon.send_signal(signal.SIGTERM)
                daemon.wait(10)
    sys.exit(0 if summary(console, results) else 1)


def summary(console: Console, results: List[Result]) -> bool:
    """Print what it came to; return whether it is good enough."""
    commands = [result for result in results if result.said]
    others = [result for result in results if not result.said]
    right = sum(result.right for result in commands)
    quiet = sum(result.right for result in others)
    delays = sorted(
        (arrived - time_of(event["end"])) * 1000
        for result in commands
        for event, arrived in result.events
        if "reason" not in event
    )
    table = Table(box=None, show_header=False)
    table.add_row("commands understood", f"{right} of {len(commands)}")
    table.add_row("other speech left alone", f"{quiet} of {len(others)}")
    if delays:
        table.add_row("end of speech to event, median", f"{delays[len(delays) // 2]:.0f} ms")
    console.print(table)
    return right >= ENOUGH * len(commands) and quiet == len(others)


if __name__ == "__main__":
    main()
