"""The daemon, hearing recorded commands, in front of a real Home Assistant.

Nothing is faked: the sound goes through PyAudio from a microphone of PulseAudio's, `sayso run` is the program of
.venv, and what Home Assistant makes of it is read back from its APIs. The last command is acted upon, by its own
conversation API: it locks a door.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

from house_assistant import HouseAssistant
from virtual_microphone import VirtualMicrophone

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
SPEECH = ROOT / "tests" / "data" / "speech"

SETTINGS = """
[commands]
path = "{commands}"
[mqtt]
host = "127.0.0.1"
port = {port}
[home_assistant]
intents = true
url = "{url}"
token_file = "{token}"
"""

TO_WAV = "import soundfile, sys; soundfile.write(sys.argv[2], *soundfile.read(sys.argv[1], dtype='int16'))"

DOOR = "lock.front_door"
EVENT = "event.sayso_home_voice_command"


@contextmanager
def daemon(folder: Path, microphone: VirtualMicrophone, house: HouseAssistant, port: int) -> Iterator[None]:
    """Given where to keep files, what it hears, whom it hands commands to and the broker's port, run the daemon."""
    (folder / "token").write_text(house.token)
    settings = folder / "sayso.toml"
    known = {"commands": ROOT / "config" / "commands", "port": port, "url": house.url, "token": folder / "token"}
    settings.write_text(SETTINGS.format_map(known))
    environment = {**os.environ, **microphone.environment, "PYTHONPATH": str(ROOT / "daemon")}
    command = [str(BIN / "sayso"), "--config", str(settings), "run"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=environment, stderr=log) as process:
        try:
            yield
        except BaseException:
            print((folder / "log").read_text(errors="replace"))
            raise
        finally:
            process.terminate()
            process.wait(10)


async def speak(house: HouseAssistant, port: int) -> None:
    """Given a running Home Assistant and the port of its broker, speak to a daemon there. Raise AssertionError."""
    with tempfile.TemporaryDirectory(prefix="sayso-spoken-") as temporary, VirtualMicrophone() as microphone:
        folder = Path(temporary)

        async def say(name: str) -> None:
            wav = folder / f"{name}.wav"
            subprocess.run([str(BIN / "python"), "-c", TO_WAV, str(SPEECH / f"{name}.opus"), str(wav)], check=True)
            await asyncio.to_thread(microphone.play, wav)

        with daemon(folder, microphone, house, port):
            print("the daemon")
            await house.shows("sensor.sayso_home_microphone", "ok: default")
            await house.shows("sensor.sayso_home_last_error", "none")

            print("a spoken command")
            await _subscribe(house, "HassCancelTimer")
            # As it happens: a cough a moment later would be the newer event.
            recognised = {"entity_id": EVENT, "attribute": "event_type", "to": "recognised"}
            await house.ask("subscribe_trigger", trigger={"platform": "state", **recognised})
            await say("cancel_timer")
            fired = {trigger["platform"]: trigger for trigger in [await house.triggered() for _ in range(2)]}
            assert fired["state"]["to_state"]["attributes"]["text"] == "cancel timer", fired
            assert next(one for name, one in fired.items() if name != "state")["payload_json"]["text"] == "cancel timer"
            await house.shows("sensor.sayso_home_last_phrase", "cancel timer")
            assert float(await house.state("sensor.sayso_home_confidence") or 0) > 40

            print("speech that is none")
            await say("oov_3")
            await _attribute(house, EVENT, "event_type", "rejected")
            assert await house.state("sensor.sayso_home_last_phrase") == "cancel timer"

            print("what there is in the house")
            command = [str(BIN / "sayso"), "--config", str(folder / "sayso.toml"), "commands", "house"]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
            assert 'lock = ["front door"]' in done.stdout.casefold(), done.stdout
            print("  " + done.stdout.strip().replace("\n", "\n  "))

            print("a command that Home Assistant acts upon")
            await house.ask(
                "homeassistant/expose_entity", assistants=["conversation"], entity_ids=[DOOR], should_expose=True
            )
            await house.shows(DOOR, "unlocked")
            await say("lock_the_Front_Door")
            await house.shows(DOOR, "locked")

            print("mute")
            await house.call("switch.turn_on", entity_id="switch.sayso_home_mute")
            await house.shows("sensor.sayso_home_microphone", "muted")
            assert microphone.listeners() == 0
            await house.call("switch.turn_off", entity_id="switch.sayso_home_mute")
            await house.shows("sensor.sayso_home_microphone", "ok: default")
        print("the end")
        await house.shows("switch.sayso_home_mute", "unavailable")


async def _subscribe(house: HouseAssistant, intent: str) -> None:
    """Have the device trigger of an intent reported."""
    (found,) = [one for one in await house.ask("config/device_registry/list") if one["name"] == "Sayso home"]
    triggers = await house.ask("device_automation/trigger/list", device_id=found["id"])
    (wanted,) = [one for one in triggers if one.get("type") == "command" and one["subtype"] == intent]
    await house.ask("subscribe_trigger", trigger={key: value for key, value in wanted.items() if key != "metadata"})


async def _attribute(house: HouseAssistant, entity: str, name: str, value: Any) -> None:
    async def right() -> bool:
        return (await house.attributes(entity)).get(name) == value

    await house.until(right, f"{entity} to carry {name} {value!r}")
    print(f"  {entity}: {name} {value}")
