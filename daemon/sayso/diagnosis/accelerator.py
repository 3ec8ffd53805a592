"""Is there an Edge TPU, does its library fit, and does the model run on it.

Rule of this file: nothing of the driver is loaded into this process: it might crash it.
"""

from __future__ import annotations

import ctypes.util
import subprocess
from typing import Iterator, Optional, Tuple

from sayso.diagnosis.finding import BAD, NOTE, OK, Finding
from sayso.diagnosis.libedgetpu import CRASHES, WORKS, judge_pair
from sayso.recognition.usb import FRESH, SLOW, EdgeTpu, edge_tpus

_PACKAGES = ("libedgetpu1-std", "libedgetpu1-max")

_GET_IT = "install a libedgetpu1-std that is built for this interpreter's TensorFlow"


def look_at_accelerator(
    interpreter: str, wanted: str, plugged: Optional[Tuple[EdgeTpu, ...]] = None, library: Optional[str] = None
) -> Iterator[Finding]:
    """Given the interpreter's name and version and `[model] accelerator`, return what is there of an Edge TPU.

    `plugged` and `library` (its version) are found out where they are not given.
    """
    devices = edge_tpus() if plugged is None else plugged
    version = installed_library() if library is None else library
    yield Finding("interpreter", OK, interpreter)
    yield from _device(devices, wanted)
    if not version:
        level = BAD if devices or wanted == "edgetpu" else OK
        yield Finding("libedgetpu", level, "not installed", "" if level == OK else _GET_IT)
        return
    verdict = judge_pair(interpreter, version)
    level = {WORKS: OK, CRASHES: BAD}.get(verdict.known, NOTE)
    remedy = {OK: "", BAD: _GET_IT}.get(level, "try it: a crash costs one chunk's time, the processor takes over")
    yield Finding("libedgetpu", level, f"{version}; {verdict.why}", remedy)


def _device(devices: Tuple[EdgeTpu, ...], wanted: str) -> Iterator[Finding]:
    if not devices:
        level = BAD if wanted == "edgetpu" else OK
        remedy = 'plug it in, or set [model] accelerator = "cpu"' if level == BAD else ""
        yield Finding("Edge TPU", level, "none on USB or PCI: the processor does it", remedy)
    for device in devices:
        yield _one(device)


def _one(device: EdgeTpu) -> Finding:
    speed = f", {device.speed} Mbit/s" if device.speed is not None else ""
    new = ", its firmware is not loaded yet" if device.identity == FRESH else ""
    detail = f"{device.place} ({device.identity}{speed}{new})"
    if device.speed is not None and device.speed <= SLOW:
        return Finding("Edge TPU", NOTE, f"{detail}: USB 2", "use a USB 3 port (blue) and its own cable")
    return Finding("Edge TPU", OK, detail)


def installed_library() -> str:
    """Return the version of the installed libedgetpu; `unknown` where no package holds it, empty: none."""
    for package in _PACKAGES:
        query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package]
        try:
            done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            break
        status, _, version = done.stdout.partition(" ")
        if status == "installed":
            return version
    return "unknown" if ctypes.util.find_library("edgetpu") else ""
