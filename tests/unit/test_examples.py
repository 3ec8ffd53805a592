"""The examples speak of topics and fields that there are, and the shell script does what it says with a real broker."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time
import uuid
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from house import Listener, until
from private_broker import PrivateBroker

from sayso.mqtt.contract import TOPICS, Contract, Stamp
from sayso.records import Command

EXAMPLES = Path(__file__).resolve().parents[2] / "config" / "examples"
FILES = sorted(path for path in EXAMPLES.rglob("*") if path.is_file())
CONTRACT = Contract("home", "1a2b3c4d")


def fields(topic: str) -> set[str]:
    schema = files("sayso.mqtt").joinpath("schema", f"{topic.replace('/', '_')}.json")
    return set(json.loads(schema.read_text(encoding="utf-8")).get("properties", {}))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_topics_of_the_examples_exist(path: Path) -> None:
    names = re.findall(r"sayso/(?:home|\+|\$site)/([a-z_/]+)", path.read_text(encoding="utf-8"))
    assert set(names) <= {topic.name for topic in TOPICS}
    if path.suffix in (".things", ".json", ".sh"):
        assert "command" in names


def test_the_fields_that_openhab_reads_exist() -> None:
    things = (EXAMPLES / "openhab" / "sayso.things").read_text(encoding="utf-8")
    read = re.findall(r'stateTopic="sayso/home/(\w+)", transformationPattern="JSONPATH:\$\.(\w+)"', things)
    assert len(read) == 9
    for topic, field in read:
        assert field in fields(topic), f"{topic}: {field}"
    rules = (EXAMPLES / "openhab" / "sayso.rules").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\.(\w+)", rules)) <= fields("command")


def test_the_channels_that_openhab_links_exist() -> None:
    things, items, rules = (
        (EXAMPLES / "openhab" / f"sayso.{kind}").read_text(encoding="utf-8") for kind in ("things", "items", "rules")
    )
    channels = set(re.findall(r"Type \w+ +: (\w+)", things))
    used = set(re.findall(r"mqtt:topic:house:sayso:(\w+)", items + rules))
    assert used == channels


def test_the_fields_that_home_assistant_reads_exist() -> None:
    timers = (EXAMPLES / "home-assistant" / "timers.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"payload_json\.(\w+)", timers)) <= fields("command")
    own = yaml.safe_load((EXAMPLES.parent / "commands" / "timers.yaml").read_text(encoding="utf-8"))
    assert set(re.findall(r"Hass\w+", timers)) <= set(own["intents"])
    assert set(re.findall(r"slots\.get\('(\w+)'", timers)) == {"hours", "minutes", "seconds"}


def test_the_nodes_of_the_flow_are_wired_to_each_other() -> None:
    nodes = json.loads((EXAMPLES / "node-red.json").read_text(encoding="utf-8"))
    known = {node["id"] for node in nodes}
    assert len(known) == len(nodes)
    for node in nodes:
        assert {end for wires in node.get("wires", []) for end in wires} <= known
        assert node.get("broker", "sayso-broker") in known or node["type"] == "mqtt-broker"


def command(intent: str, name: str, age: float = 0.0, *, repeated: bool = False) -> tuple[str, bytes]:
    now = time.time() - age
    said = Command(f"{intent} {name}", intent, {"name": name}, {}, 0.9, 0, 1, 2, repeated=repeated)
    message = CONTRACT.outcome(said, Stamp(uuid.uuid4().hex, now, now))
    return message.topic, message.payload


def test_the_script_acts_on_what_is_fresh_and_new_and_runs_nothing_of_what_was_said(broker: PrivateBroker) -> None:
    script = [str(EXAMPLES / "on-command.sh"), "home", "127.0.0.1", str(broker.port)]
    with (
        Listener(broker.port, "nothing") as listener,
        subprocess.Popen(script, stdout=subprocess.PIPE, text=True, start_new_session=True) as running,
    ):
        try:
            assert running.stdout is not None
            output = running.stdout
            until(lambda: listener.publish(*command("Probe", "")) or select.select([output], [], [], 0.2)[0], "a line")
            listener.publish(*command("HassTurnOn", "late", age=60.0))
            listener.publish(*command("HassTurnOn", "twice", repeated=True))
            listener.publish(*command("HassTurnOff", "$(touch /tmp/sayso-was-here) `id` kitchen"))
            listener.publish(*command("HassTurnOn", "kitchen light"))
            lines = list(iter(output.readline, "on: kitchen light\n"))
        finally:
            os.killpg(running.pid, signal.SIGTERM)
    assert {line for line in lines if "Probe" not in line} == {"off: $(touch /tmp/sayso-was-here) `id` kitchen\n"}
    assert not Path("/tmp/sayso-was-here").exists()  # noqa: S108 - that is where it would be
