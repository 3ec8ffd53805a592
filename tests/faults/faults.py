"""The faults. Each is brought about for real, watched, and mended; the table says what was seen and how long it took.

Rule of this file: a fault is one function; its docstring's first line is its name in the table. It returns what was
seen, and the seconds from the mending (or from the daemon's own end) until commands were taken again.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Callable, Iterator

from means import (
    Seen,
    SkippedError,
    accelerator,
    begin,
    clock,
    needs_root,
    no_room,
    short,
    understood,
    without_broker,
)
from scene import Limited, Scene, fill, make_read_only, wait

from sayso.assembly import SHIPPED_MODEL

MEMORY = 300 * 2**20
DAY = 86_400.0


def microphone_unplugged() -> Seen:
    """microphone unplugged, plugged in again"""
    with Scene() as scene:
        begin(scene)
        scene.microphone.unplug()
        wait(lambda: not scene.is_listening(), "the state topic saying that the microphone is gone")
        seen = scene.state("microphone")
        scene.microphone.plug_in()
        took = wait(scene.is_listening, "listening again")
        return f"the state topic says: {seen}", understood(scene, took)


def microphone_rerouted() -> Seen:
    """microphone unplugged, the sound server puts digital silence in its place"""
    with Scene(other_source=True) as scene:
        begin(scene)
        scene.microphone.unplug()
        wait(lambda: not scene.is_listening(), "the zeros being noticed")
        seen = scene.state("microphone")
        scene.microphone.plug_in()
        took = wait(scene.is_listening, "listening again")
        return f"the state topic says: {seen}", understood(scene, took)


def microphone_hangs() -> Seen:
    """sound server hangs, and so does closing the microphone"""
    with Scene() as scene:
        begin(scene)
        scene.microphone.freeze()
        ended = wait(lambda: not scene.is_alive(), "the daemon giving way to a new one")
        code = scene.house.process.returncode
        assert code == 74, f"exit status {code}"
        scene.microphone.thaw()
        begun = time.monotonic()
        scene.restart()
        wait(lambda: "listening:" in scene.log() and scene.is_listening(), "a new daemon that listens")
        return f"ends with status 74 after {ended:.1f} s, for systemd to start it again", understood(
            scene, time.monotonic() - begun
        )


def broker_gone() -> Seen:
    """broker killed, a command said meanwhile, broker back"""
    with Scene() as scene:
        begin(scene)
        return without_broker(scene, scene.broker.kill, scene.broker.start)


def broker_hangs() -> Seen:
    """broker hangs, a command said meanwhile, broker goes on"""
    with Scene() as scene:
        begin(scene)
        return without_broker(scene, scene.broker.freeze, scene.broker.thaw)


def broker_refuses() -> Seen:
    """broker refuses the password, until it is put right"""
    with Scene(users={"sayso": "right"}) as scene:
        secret = scene.folder / "password"
        secret.write_text("wrong\n")
        login = f'username = "sayso"\npassword_file = "{secret}"\n'
        scene.start(more=login)
        wait(lambda: "does not let this user in" in scene.log(), "a line that says why")
        seen = next(line for line in scene.log().splitlines() if "does not let" in line)
        wait(lambda: scene.house.notify.count("READY=1"), "readiness without a broker")
        assert scene.is_alive()
        assert "wrong" not in scene.log(), "the password is in the log"
        secret.write_text("right\n")
        took = wait(lambda: "broker connected" in scene.log(), "a connection")
        return f"goes on listening; the log says: {short(seen)}", took


def accelerator_hangs() -> Seen:
    """Edge TPU hangs while somebody speaks, then works again (stand-in library)"""
    return accelerator("hangs")


def accelerator_crashes() -> Seen:
    """Edge TPU's library crashes while somebody speaks, then works again (stand-in library)"""
    return accelerator("crashes")


def accelerator_gone() -> Seen:
    """Edge TPU reports errors and is gone, then plugged in again (stand-in library)"""
    return accelerator("errs", "absent")


def disk_full() -> Seen:
    """disk full where the daemon keeps notes"""
    return no_room(fill)


def disk_read_only() -> Seen:
    """disk read-only where the daemon keeps notes"""
    return no_room(make_read_only)


def clock_forward() -> Seen:
    """clock set forward by a day while it listens"""
    return clock("+1d", DAY)


def clock_back() -> Seen:
    """clock set back by a day while it listens"""
    return clock("-1d", -DAY)


def sentences_broken() -> Seen:
    """sentence templates broken while it runs, then mended"""
    with Scene() as scene:
        begin(scene)
        lights = scene.house.commands / "lights.yaml"
        good = lights.read_text()
        lights.write_text(good + "  - [\n")
        wait(lambda: "lights.yaml" in (scene.state("last_error") or ""), "the file's name on the state topic")
        seen = scene.state("last_error")
        assert scene.is_understood(), "the last good sentences are not at work"
        lights.write_text(good)
        took = wait(lambda: not scene.state("last_error"), "the mended file being read")
        return f"the last good ones stay at work; the state topic says: {short(seen)}", understood(scene, took)


def settings_broken() -> Seen:
    """settings broken while it runs, then started anew, then mended"""
    with Scene() as scene:
        begin(scene)
        settings = scene.house.folder / "sayso.toml"
        good = settings.read_text()
        settings.write_text(good + "\n[mqtt\n")
        assert scene.is_understood(), "a running daemon minds its file"
        scene.house.process.terminate()
        wait(lambda: not scene.is_alive(), "the end")
        scene.start(more="\n[mqtt\n")
        wait(lambda: not scene.is_alive(), "the daemon ending")
        code, line = scene.house.process.returncode, scene.log().splitlines()[-1]
        assert code == 78, f"exit status {code}: {line}"
        begun = time.monotonic()
        scene.start()
        wait(lambda: "listening:" in scene.log(), "listening again")
        return f"goes on; a new start ends with status 78: {short(line)}", understood(scene, time.monotonic() - begun)


def model_truncated() -> Seen:
    """model file truncated while it runs, then started anew, then mended"""
    with Scene() as scene:
        model = scene.folder / "en"
        shutil.copytree(SHIPPED_MODEL, model)
        more = f'[model]\npath = "{model}"\n'
        begin(scene, more=more)
        network = model / "model.tflite"
        whole = network.read_bytes()
        os.truncate(network, 4096)
        assert scene.is_understood(), "a running daemon minds its model's file"
        assert scene.is_alive()
        scene.house.process.terminate()
        wait(lambda: not scene.is_alive(), "the end")
        scene.start(more=more)
        wait(lambda: not scene.is_alive(), "the daemon ending")
        code, line = scene.house.process.returncode, scene.log().splitlines()[-1]
        assert code == 66, f"exit status {code}: {line}"
        network.write_bytes(whole)
        begun = time.monotonic()
        scene.start(more=more)
        wait(lambda: "listening:" in scene.log(), "listening again")
        return f"goes on; a new start ends with status 66: {short(line)}", understood(scene, time.monotonic() - begun)


def little_memory() -> Seen:
    """300 MiB of memory and no more"""
    needs_root()
    limited = Limited(MEMORY)
    with Scene() as scene:
        with limited.inside():
            scene.start()
        took = wait(scene.is_listening, "listening")
        assert scene.is_understood()
        (scene.house.commands / "lights.yaml").touch()
        scene.house.process.send_signal(1)
        wait(lambda: "sentences reloaded" in scene.log(), "sentences read again")
        understood(scene, 0)
        assert limited.kills == 0, "the kernel ended it"
        peak = limited.peak / 2**20
    limited.close()
    return f"starts, recognises and reads its sentences again within {peak:.0f} MiB", took


def microphone_and_broker() -> Seen:
    """two at once: microphone unplugged and broker killed, both back"""
    with Scene() as scene:
        begin(scene)
        before = len(scene.listener.commands())
        scene.microphone.unplug()
        scene.broker.kill()
        time.sleep(5)
        assert scene.is_alive()
        scene.broker.start()
        scene.microphone.plug_in()
        told = len(scene.listener.all("state"))
        took = wait(lambda: len(scene.listener.all("state")) > told and scene.is_listening(), "listening again")
        assert len(scene.listener.commands()) == before, "something was replayed"
        return "goes on alone, nothing is replayed", understood(scene, took)


def sentences_and_sound_server() -> Seen:
    """two at once: templates broken and sound server killed, both mended"""
    with Scene() as scene:
        begin(scene)
        lights = scene.house.commands / "lights.yaml"
        good = lights.read_text()
        lights.write_text("nonsense: [\n")
        wait(lambda: "lights.yaml" in (scene.state("last_error") or ""), "the file's name on the state topic")
        scene.microphone.kill()
        wait(lambda: not scene.is_listening() or not scene.is_alive(), "the missing microphone being noticed")
        time.sleep(8)  # closing what is dead may hang; then the daemon gives way to a new one
        ended = not scene.is_alive()
        assert not ended or scene.house.process.returncode == 74
        lights.write_text(good)
        scene.microphone.start()
        begun = time.monotonic()
        if ended:
            scene.restart()
            wait(lambda: "listening:" in scene.log(), "a new daemon that listens")
        wait(lambda: scene.is_listening() and not scene.state("last_error"), "all well again")
        how = "ends with status 74, for systemd to start it again" if ended else "goes on"
        return f"both are told, the daemon {how}", understood(scene, time.monotonic() - begun)


FAULTS: tuple[Callable[[], Seen], ...] = (
    microphone_unplugged, microphone_rerouted, microphone_hangs,
    broker_gone, broker_hangs, broker_refuses,
    accelerator_hangs, accelerator_crashes, accelerator_gone,
    disk_full, disk_read_only, clock_forward, clock_back,
    sentences_broken, settings_broken, model_truncated, little_memory,
    microphone_and_broker, sentences_and_sound_server,
)  # fmt: skip


def chosen(words: list[str]) -> Iterator[Callable[[], Seen]]:
    """Given words, return the faults whose names hold one; all where there are none."""
    return (fault for fault in FAULTS if not words or any(word in fault.__name__ for word in words))


def main() -> int:
    """Bring all of them about. Return the exit status: 1 if one was not survived."""
    rows = ["| fault | what is seen | back after |", "|---|---|---|"]
    failed = 0
    for fault in chosen(sys.argv[1:]):
        name = (fault.__doc__ or fault.__name__).strip()
        try:
            seen, took = fault()
        except SkippedError as why:
            print(f"SKIPPED  {name}: {why}", flush=True)
            rows.append(f"| {name} | not tried: {why} | |")
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed += 1
            traceback.print_exc()
            print(f"FAILED  {name}: {error}", flush=True)
            rows.append(f"| {name} | **{error}** | |")
        else:
            back = f"{took:.1f} s" if took else "never away"
            print(f"ok  {name}: {seen} ({back})", flush=True)
            rows.append(f"| {name} | {seen} | {back} |")
    table = Path("build/faults.md")
    table.parent.mkdir(exist_ok=True)
    table.write_text("\n".join(rows) + "\n")
    print(f"{table} has the table")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
