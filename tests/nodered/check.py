"""Whether the example flow does in a real Node-RED what it says, in front of a daemon that is spoken to."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from private_broker import PrivateBroker
from running_daemon import ROOT, House, Listener, is_listening, until
from virtual_microphone import VirtualMicrophone

from sayso.mqtt.contract import Contract, Stamp
from sayso.records import Command

FLOW = ROOT / "config" / "examples" / "node-red.json"
LAMP = "home/bed_light/set"


@contextmanager
def node_red(program: str, folder: Path, port: int) -> Iterator[Path]:
    """Given Node-RED, a folder of its own and the broker's port, run the flow; yield what it prints."""
    nodes = json.loads(FLOW.read_text(encoding="utf-8"))
    (broker,) = [node for node in nodes if node["type"] == "mqtt-broker"]
    broker["port"] = str(port)
    (folder / "flow.json").write_text(json.dumps(nodes))
    (folder / "settings.js").write_text("module.exports = {telemetry: {enabled: false, updateNotification: false}};")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        web = probe.getsockname()[1]
    command = [program, "--userDir", str(folder), "--settings", str(folder / "settings.js"), "--port", str(web)]
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen([*command, str(folder / "flow.json")], stdout=output, stderr=output) as process,
    ):
        try:
            yield log
        except BaseException:
            print(log.read_text(errors="replace"))
            raise
        finally:
            process.terminate()
            process.wait(20)


def say(listener: Listener, intent: str, name: str, age: float = 0.0, *, repeated: bool = False) -> None:
    """Publish what the daemon would, `age` seconds ago."""
    now = time.time() - age
    command = Command(f"{intent} {name}", intent, {"name": name}, {}, 0.9, 0, 1, 2, repeated=repeated)
    message = Contract("home", "1a2b3c4d").outcome(command, Stamp(uuid.uuid4().hex, now, now))
    listener.publish(message.topic, message.payload.decode())


def main(program: str) -> None:
    """Run the flow, speak to the daemon, look what comes out."""
    with (
        tempfile.TemporaryDirectory(prefix="sayso-nodered-") as temporary,
        PrivateBroker() as broker,
        VirtualMicrophone() as microphone,
    ):
        listener = Listener(broker.port)
        (flows := Path(temporary) / "node-red").mkdir()
        (daemon := Path(temporary) / "daemon").mkdir()
        with node_red(program, flows, broker.port) as log:
            until(lambda: "Connected to broker" in log.read_text(errors="replace"), "Node-RED to connect")
            print("a command of a minute ago and one said again are left alone, a fresh one is not")
            off = until(
                lambda: say(listener, "HassTurnOff", "probe") or listener.last("home/probe/set"), "the flow at work"
            )
            assert off["state"] == "OFF"
            say(listener, "HassTurnOn", "late light", age=60.0)
            say(listener, "HassTurnOn", "same light", repeated=True)
            say(listener, "HassTurnOn", "bed light")
            assert until(lambda: listener.last(LAMP), "the lamp's topic")["state"] == "ON"
            assert listener.last("home/late_light/set") is listener.last("home/same_light/set") is None

            print("the daemon, spoken to")
            house = House(daemon, microphone, broker.port)
            try:
                until(lambda: is_listening(listener), "listening")
                house.say("turn_on_Standing_Light")
                command = until(lambda: [one for one in listener.commands() if one["words"]], "a command")[0]
                place = str(command["slots"].get("name") or command["slots"].get("area"))
                said = until(lambda: listener.last(f"home/{place.replace(' ', '_')}/set"), f"what is done in {place}")
                assert said == {"state": "ON", "id": command["id"]}
                print(f"  {command['text']!r} -> home/{place}/set {said}")
            finally:
                house.end()
        listener.close()
    print("Node-RED does what the flow says")


if __name__ == "__main__":
    main(sys.argv[1])
