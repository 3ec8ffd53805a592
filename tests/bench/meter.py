"""How a recogniser's time and memory are measured, the same for each.

Rule of this file: standard library only, since it also runs in PocketSphinx's environment. Cost is counted in processor
time, so that a busy machine doesn't change it. Latency is that of a live microphone: a frame is there when its last
sample has been spoken, and waits until the processor is done with the one before.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterable

RATE = 16_000
"""Samples per second of the recordings, int16 mono."""

Listen = Callable[[bytes], Iterable[dict[str, Any]]]
"""Given a frame (empty: the recording is over), return the commands that it decides."""


def serve(frame_bytes: int, listen: Listen, about: dict[str, Any]) -> None:
    """Given a recogniser that is ready, say so, let it hear each recording named on standard input, and print a report.

    Lines on standard output: `ready`, then one JSON object.
    """
    ready_memory = _memory("VmRSS")
    ready_cpu = time.process_time()
    print("ready", flush=True)
    paths = [line.strip() for line in sys.stdin]
    clips = [_hear(Path(path), frame_bytes, listen) for path in paths]
    memory = {"ready_mib": ready_memory, "peak_mib": _memory("VmHWM")}
    print(json.dumps({**about, "start_cpu": ready_cpu, **memory, "clips": clips}))


def _hear(path: Path, frame_bytes: int, listen: Listen) -> dict[str, Any]:
    """Given a recording, return the processor seconds it took and what was heard, times in seconds from its start."""
    sound = path.read_bytes()
    frames = [sound[at : at + frame_bytes] for at in range(0, len(sound) - frame_bytes + 1, frame_bytes)]
    cpu = done = 0.0
    heard: list[dict[str, Any]] = []
    for number, frame in enumerate([*frames, b""], 1):
        arrived = min(number, len(frames)) * frame_bytes / 2 / RATE
        began = time.process_time()
        commands = list(listen(frame))
        spent = time.process_time() - began
        cpu += spent
        done = max(done, arrived) + spent
        heard.extend({**command, "decided": arrived, "known": done} for command in commands)
    return {"name": path.stem, "cpu": cpu, "heard": heard}


def _memory(what: str) -> float:
    """Given VmRSS (now) or VmHWM (at most so far), return it [MiB]; rusage would count the parent's before exec."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found, f"no {what} in /proc/self/status"
    return int(found.group(1)) / 1024
