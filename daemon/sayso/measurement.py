"""How fast a network is on this machine, and what it costs.

Rule of this file: each way of running a network is measured in a process of its own, so that neither memory nor threads
of one are counted for another. What is fed is noise: a network's work doesn't depend on what it hears.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import List, Tuple

import numpy as np

from sayso import machine
from sayso.errors import SaysoError
from sayso.recognition.acoustic import Network
from sayso.recognition.bundle import Bundle, open_bundle
from sayso.recognition.device import DeviceNetwork
from sayso.recognition.tflite import TfliteNetwork
from sayso.records import SAMPLE_RATE

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from sayso.measurement import main; main(sys.argv[2])"
)

_WARM_UP = 5
"""Chunks that are not counted: the first ones fetch weights into the caches, or onto the Edge TPU."""

_DEVICE_START, _DEVICE_ANSWER = 60.0, 10.0
"""What the Edge TPU may take to be there, and for a chunk [s]."""

_BEYOND = 120.0
"""What a measurement may take more than its limit [s]: loading, and a last chunk."""


@dataclass(frozen=True)
class Way:
    """A way of running a network."""

    model: str
    """Path of a bundle, or of a DeepSpeech model."""
    threads: int = 1
    edgetpu: bool = False
    device: str = ""
    """Of libedgetpu; empty: any."""

    @property
    def label(self) -> str:
        """Return it for people."""
        if self.edgetpu:
            return f"Edge TPU {self.device}".strip()
        return f"CPU, {self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass(frozen=True)
class Figures:
    """What came of a way; times are those of a wall clock."""

    chunk_sound: float
    """Sound that a chunk holds [ms]."""
    chunk_median: float
    """[ms]"""
    chunk_p95: float
    """[ms]"""
    second: float
    """What a second of sound takes [ms]; a thousandth of it is the real-time factor."""
    processor: float
    """Processor time for a second of sound [s]: 1 is one core at work all the time while somebody speaks."""
    memory: float
    """What loading and running it added [MiB], the Edge TPU's own process included."""


def measure(way: Way, seconds: float, limit: float) -> Figures:
    """Given a way, for how much sound and how long at most [s], measure it in a process of its own.

    Raise SaysoError where it can't be run.
    """
    job = json.dumps({"way": asdict(way), "seconds": seconds, "limit": limit})
    command = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path), job]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit + _BEYOND, check=False)
    except subprocess.TimeoutExpired:
        raise SaysoError(f"no end after {limit + _BEYOND:.0f} s", where=way.model, remedy="") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"])[-1]
        raise SaysoError(last)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def main(job: str) -> None:
    """In the process: measure, print the figures as JSON, or the error as one line and exit 1."""
    asked = json.loads(job)
    try:
        figures = _measure(Way(**asked["way"]), asked["seconds"], asked["limit"])
    except SaysoError as error:
        sys.stderr.write(f"{error.problems[0].what}\n")
        sys.exit(1)
    sys.stdout.write(f"{json.dumps(asdict(figures))}\n")


def _measure(way: Way, seconds: float, limit: float) -> Figures:
    bundle = open_bundle(Path(way.model))
    before = machine.resident(os.getpid())
    if not way.edgetpu:
        return _time(TfliteNetwork(bundle.model, bundle, way.threads), bundle, seconds, limit, [os.getpid()], before)
    if bundle.edgetpu_model is None:
        raise SaysoError("not compiled for the Edge TPU")
    formats = TfliteNetwork(bundle.model, bundle, 1).state_formats
    before = machine.resident(os.getpid())
    device = DeviceNetwork(bundle, way.device, formats, _DEVICE_ANSWER)
    try:
        device.open(_DEVICE_START)
        return _time(device, bundle, seconds, limit, [os.getpid(), device.pid], before)
    finally:
        device.close()


def _time(
    network: Network, bundle: Bundle, seconds: float, limit: float, pids: List[int], memory_before: float
) -> Figures:
    settings = bundle.manifest.network
    sound = settings.stride * bundle.manifest.features.step / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(size=(settings.window, bundle.manifest.features.bands)).astype(np.float32)
    states = network.initial_states()
    for _ in range(_WARM_UP):
        _, states = network.run(noise, states)
    began, processor = time.monotonic(), _processor(pids)
    spent: List[float] = []
    while not spent or (len(spent) * sound < seconds and time.monotonic() - began < limit):
        asked = time.perf_counter()
        _, states = network.run(noise, states)
        spent.append(time.perf_counter() - asked)
    heard = len(spent) * sound
    return Figures(
        chunk_sound=sound * 1000,
        chunk_median=median(spent) * 1000,
        chunk_p95=sorted(spent)[int(0.95 * len(spent))] * 1000,
        second=sum(spent) / heard * 1000,
        processor=(_processor(pids) - processor) / heard,
        memory=sum(machine.resident(pid) for pid in pids) - memory_before,
    )


def _processor(pids: List[int]) -> float:
    return sum(machine.processor_seconds(pid) for pid in pids)


def ways(models: List[str], threads: int, device: str) -> Tuple[Way, ...]:
    """Given models, up to how many threads, and a device of libedgetpu, return the ways to run them here."""
    found: List[Way] = []
    for model in models:
        found.extend(Way(model, count) for count in range(1, threads + 1))
        if open_bundle(Path(model)).edgetpu_model is not None:
            found.append(Way(model, edgetpu=True, device=device))
    return tuple(found)
