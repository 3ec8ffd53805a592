"""How faults are brought about that several share, and how it is seen that all is well again."""

from __future__ import annotations

import os
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Callable, Tuple

from edge_tpu import EdgeTpu, compiled
from scene import SENTENCE, Scene, small_disk, wait

from sayso.assembly import SHIPPED_MODEL

Seen = Tuple[str, float]
"""What was seen, and the seconds until commands were taken again."""

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


class SkippedError(Exception):
    """This machine can't bring the fault about; the text says why."""


def begin(scene: Scene, **settings: object) -> None:
    scene.start(**settings)  # type: ignore[arg-type]
    wait(scene.is_listening, "listening")


def understood(scene: Scene, took: float) -> float:
    assert scene.is_understood(), "commands are not taken any more"
    return took


def without_broker(scene: Scene, stop: Callable[[], None], go_on: Callable[[], None]) -> Seen:
    before = len(scene.listener.commands())
    heard = scene.log().count("-> Hass")
    stop()
    time.sleep(1)
    scene.house.say(SENTENCE)
    wait(lambda: scene.log().count("-> Hass") > heard, "the command in the log")
    time.sleep(3)  # longer than a command lives
    begun = time.monotonic()
    connected = scene.log().count("broker connected")
    go_on()
    wait(
        lambda: scene.log().count("broker connected") > connected or "not delivered" in scene.log(), "its loss noticed"
    )
    wait(lambda: is_back(scene), "the broker being spoken to again")
    took = time.monotonic() - begun
    time.sleep(3)
    assert len(scene.listener.commands()) == before, "a command was replayed"
    return "the command said meanwhile is dropped and reported, never replayed", understood(scene, took)


def is_back(scene: Scene) -> bool:
    """Ask for something harmless, and see whether it is done."""
    now = round(0.2 + time.monotonic() % 0.05, 4)
    scene.listener.ask("set/min_confidence", str(now))
    time.sleep(0.5)
    found = scene.state("min_confidence") == now
    if found:
        scene.listener.ask("set/min_confidence", "0.4")
    return found


def accelerator(fault: str, after: str = "") -> Seen:
    with Scene() as scene:
        (scene.folder / "library").mkdir()
        device = EdgeTpu(scene.folder / "library")
        model = compiled(SHIPPED_MODEL, scene.folder / "en")
        more = f'[model]\npath = "{model}"\naccelerator = "edgetpu"\ndevice = "usb:0"\n'
        begin(scene, more=more, environment=device.environment)
        wait(lambda: (scene.state("accelerator") or "").startswith("edgetpu"), "the accelerator at work")
        before = len(scene.listener.commands())
        device.tell(fault)
        scene.house.say(SENTENCE)
        wait(lambda: len(scene.listener.commands()) > before, "the command, in spite of it")
        if after:
            device.tell(after)
        wait(lambda: scene.state("accelerator").startswith("cpu"), "the processor taking over")
        seen = scene.state("accelerator")
        device.tell("works")
        took = wait(lambda: scene.state("accelerator").startswith("edgetpu"), "the accelerator at work again")
        return f"the command comes all the same; then {seen}", understood(scene, took)


def no_room(spoil: Callable[[Path], None]) -> Seen:
    needs_root()
    with Scene() as scene:
        notes = scene.folder / "0" / "run"
        notes.mkdir(parents=True)
        with small_disk(notes):
            begin(scene)
            spoil(notes)
            assert scene.is_understood(), "no room for notes, no commands"
            assert scene.is_understood()
            assert scene.is_alive()
            seen = [line for line in scene.log().splitlines() if "no notes" in line]
            assert len(seen) <= 1, seen
            scene.house.process.terminate()
            wait(lambda: not scene.is_alive(), "the end")
            assert scene.house.process.returncode == 0
        said = f": {short(seen[0])}" if seen else ""
        return f"commands come as ever, the log says so once{said}", 0.0


def clock(step: str, seconds: float) -> Seen:
    if FAKETIME is None:
        raise SkippedError("libfaketime is not installed")
    with Scene() as scene:
        its = scene.folder / "clock"
        its.write_text("+0")
        environment = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(its),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as the kernel has it: only the wall clock is ever set
        }
        begin(scene, environment=environment)
        assert scene.is_understood()
        fed = scene.house.notify.count("WATCHDOG=1")
        its.write_text(step)
        assert scene.is_understood(), "commands are not taken any more"
        command = scene.listener.commands()[-1]
        off = unix(command["time"]) - time.time() - seconds
        assert abs(off) < 60, f"stamped {command['time']}"
        lives = unix(command["expires_at"]) - unix(command["time"])
        assert 1 < lives <= 2, f"expires {lives} s after it was said"
        wait(lambda: scene.house.notify.count("WATCHDOG=1") > fed, "the watchdog being fed")
        return f"the next command has the new time and lives {lives:.1f} s; the watchdog is fed", 0.0


def unix(stamp: str) -> float:
    """Given a time of an event, return it in Unix seconds."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


def needs_root() -> None:
    if os.getuid() != 0:
        raise SkippedError("only root can bring it about")


def short(line: str) -> str:
    """Given a line, return it without its time and the folders of this run."""
    plain = re.sub(r"^[\d-]+ [\d:,]+ \w+ [\w.]+: ", "", line)
    return re.sub(r"/\S*/", "", plain)[:150]
