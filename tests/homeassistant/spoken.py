"""The daemon, hearing recorded commands, in front of a real Home Assistant.

Nothing is faked: the sound goes through PyAudio from a microphone of PulseAudio's, `sayso run` is the program of
.venv, and what Home Assistant makes of it is read back from its APIs. Commands are acted upon by its own conversation
API: of the owner's sentences one that locks a door, then, with no sentences but Home Assistant's own, for the house as
it has just told it, such that switch lamps. What nobody has recorded espeak-ng says.
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
context = {{area = "office"}}
{house}
[mqtt]
host = "127.0.0.1"
port = {port}
[home_assistant]
intents = true
automated = ["HassStartTimer", "HassCancelTimer", "HassCancelAllTimers", "HassPauseTimer", "HassUnpauseTimer"]
url = "{url}"
token_file = "{token}"
"""

TO_WAV = "import soundfile, sys; soundfile.write(sys.argv[2], *soundfile.read(sys.argv[1], dtype='int16'))"

DOOR = "lock.front_door"
TIMER = "timer.kitchen"
LAMP = "light.standing_light"
OFFICE = ("light.desk_lamp", "light.ceiling_lamp")
EVENT = "event.sayso_home_voice_command"


class Speaker:
    """Somebody before a microphone, a daemon behind it, and a Home Assistant to hand commands to."""

    def __init__(self, folder: Path, microphone: VirtualMicrophone, house: HouseAssistant, port: int) -> None:
        """Given a folder for files, what hears, whom commands are handed to, and the broker's port."""
        self._folder, self._microphone, self._house, self._port = folder, microphone, house, port
        self._settings = folder / "sayso.toml"
        (folder / "token").write_text(house.token)

    @contextmanager
    def daemon(self, commands: Path, house: str = "") -> Iterator[None]:
        """Given a folder of sentences and what the settings say of the house, run the daemon."""
        known = {"port": self._port, "url": self._house.url, "token": self._folder / "token"}
        self._settings.write_text(SETTINGS.format_map({**known, "commands": commands, "house": house}))
        environment = {**os.environ, **self._microphone.environment, "PYTHONPATH": str(ROOT / "daemon")}
        command = [str(BIN / "sayso"), "--config", str(self._settings), "run"]
        with (
            (self._folder / "log").open("wb") as log,
            subprocess.Popen(command, env=environment, stderr=log) as process,
        ):
            try:
                yield
            except BaseException:
                print((self._folder / "log").read_text(errors="replace"))
                raise
            finally:
                process.terminate()
                process.wait(10)

    async def play(self, name: str) -> None:
        """Given a recording's name, play it."""
        wav = self._folder / "said.wav"
        subprocess.run([str(BIN / "python"), "-c", TO_WAV, str(SPEECH / f"{name}.opus"), str(wav)], check=True)
        await asyncio.to_thread(self._microphone.play, wav)

    async def say(self, text: str) -> None:
        """Given a sentence, say it."""
        wav = self._folder / "said.wav"
        subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", str(wav), text], check=True)
        await asyncio.to_thread(self._microphone.play, wav)

    async def told(self) -> str:
        """Return what Home Assistant says of the house, as settings."""
        command = [str(BIN / "sayso"), "--config", str(self._settings), "commands", "house"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
        print("  " + done.stdout.strip().replace("\n", "\n  "))
        return done.stdout


async def speak(house: HouseAssistant, port: int) -> None:
    """Given a running Home Assistant and the port of its broker, speak to a daemon there. Raise AssertionError."""
    with tempfile.TemporaryDirectory(prefix="sayso-spoken-") as temporary, VirtualMicrophone() as microphone:
        speaker = Speaker(Path(temporary), microphone, house, port)
        with speaker.daemon(ROOT / "config" / "commands"):
            told = await _owners_sentences(house, speaker, microphone)
        print("the end")
        await house.shows("switch.sayso_home_mute", "unavailable")
        (Path(temporary) / "none").mkdir()
        with speaker.daemon(Path(temporary) / "none", told):
            await _its_own_sentences(house, speaker)


async def _owners_sentences(house: HouseAssistant, speaker: Speaker, microphone: VirtualMicrophone) -> str:
    """Speak to a daemon with the shipped sentences; return what Home Assistant tells of the house."""
    print("the daemon")
    await house.shows("sensor.sayso_home_microphone", "ok: default")
    await house.shows("sensor.sayso_home_last_error", "none")

    print("a spoken command")
    await _subscribe(house, "HassCancelTimer")
    # As it happens: a cough a moment later would be the newer event.
    recognised = {"entity_id": EVENT, "attribute": "event_type", "to": "recognised"}
    await house.ask("subscribe_trigger", trigger={"platform": "state", **recognised})
    await speaker.play("cancel_timer")
    fired = {trigger["platform"]: trigger for trigger in [await house.triggered() for _ in range(2)]}
    assert fired["state"]["to_state"]["attributes"]["text"] == "cancel timer", fired
    assert next(one for name, one in fired.items() if name != "state")["payload_json"]["text"] == "cancel timer"
    await house.shows("sensor.sayso_home_last_phrase", "cancel timer")
    assert float(await house.state("sensor.sayso_home_confidence") or 0) > 40

    print("speech that is none")
    await speaker.play("oov_3")
    await _attribute(house, EVENT, "event_type", "rejected")
    assert await house.state("sensor.sayso_home_last_phrase") == "cancel timer"

    print("the example: a timer")
    await speaker.play("set_a_timer_for_5_minutes")
    await house.shows(TIMER, "active")
    assert (await house.attributes(TIMER))["duration"] == "0:05:00"
    for said, then in (("pause_timer", "paused"), ("resume_timer", "active"), ("cancel_timer", "idle")):
        await speaker.play(said)
        await house.shows(TIMER, then)
    await house.shows("sensor.sayso_home_last_error", "none")

    print("a command that Home Assistant acts upon")
    await house.expose(DOOR, LAMP, *OFFICE)
    await house.shows(DOOR, "unlocked")
    await speaker.play("lock_the_Front_Door")
    await house.shows(DOOR, "locked")

    print("what there is in the house")
    await house.furnish("Office", *OFFICE)
    told = await speaker.told()
    for line in ('areas = ["office"]', 'lock = ["front door"]', '"standing light"'):
        assert line in told.casefold(), told
    assert "Mute" not in told, told

    print("mute")
    await house.call("switch.turn_on", entity_id="switch.sayso_home_mute")
    await house.shows("sensor.sayso_home_microphone", "muted")
    assert microphone.listeners() == 0
    await house.call("switch.turn_off", entity_id="switch.sayso_home_mute")
    await house.shows("sensor.sayso_home_microphone", "ok: default")
    return told


async def _its_own_sentences(house: HouseAssistant, speaker: Speaker) -> None:
    """Speak to a daemon with no sentences but Home Assistant's."""
    print("Home Assistant's own sentences")
    await house.shows("sensor.sayso_home_microphone", "ok: default")
    await house.shows("sensor.sayso_home_last_error", "none")
    await house.shows(LAMP, "off")
    await speaker.say("turn on the standing light")
    await house.shows(LAMP, "on")
    for lamp in OFFICE:
        await house.call("light.turn_on", entity_id=lamp)
    for lamp in OFFICE:
        await house.shows(lamp, "on")
    await speaker.say("turn off the lights in the office")
    for lamp in OFFICE:
        await house.shows(lamp, "off")
    await house.shows(LAMP, "on")
    print("the room that listens, and a reply")
    await house.ask("subscribe_trigger", trigger={"platform": "mqtt", "topic": "sayso/home/reply"})
    await speaker.say("turn on the lights")
    for lamp in OFFICE:
        await house.shows(lamp, "on")
    reply = (await house.triggered())["payload_json"]
    assert reply["text"] == "turn on the office lights", reply
    assert reply["done"], reply
    assert reply["reply"] == "Turned on the lights", reply
    print(f"  {reply['text']}: {reply['reply']}")


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
