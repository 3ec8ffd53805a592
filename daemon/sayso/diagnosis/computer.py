"""Is the computer fit for it: processor, heat, power, memory.

Rule of this file: numbers in, findings out; machine.py reads them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Tuple

from sayso import machine
from sayso.diagnosis.finding import BAD, NOTE, OK, Finding

HOT, WARM = 80.0, 70.0
"""From 80 °C on a Raspberry Pi slows its processor down; 70 is near enough for a summer's day [°C]."""

LITTLE_MEMORY = 100.0
"""What must be left for a reload of large sentences [MiB]."""

BUSY = 0.8
"""Load per core from which on an answer may come late."""


def look_at_computer(root: Path = machine.ROOT) -> Iterator[Finding]:
    """Return how the computer fares."""
    yield Finding("computer", OK, f"{machine.name(root)}, {machine.cores()} cores")
    yield from _load()
    yield _governor(machine.governors(root))
    yield _temperature(root)
    throttling = machine.held_back(root)
    if throttling is not None:
        yield _throttling(*throttling)
    yield _memory(root)
    clock = machine.clock_is_set(root)
    if clock is not None:
        yield _clock(clock)


def _load() -> Iterator[Finding]:
    load, cores = os.getloadavg()[0], machine.cores()
    if load > BUSY * cores:
        what = f"load {load:.1f} on {cores} cores"
        yield Finding("load", NOTE, what, "find out what keeps it busy (top): answers may come late")


def _governor(governors: Tuple[str, ...]) -> Finding:
    if not governors:
        return Finding("governor", OK, "the machine doesn't tell")
    if "powersave" in governors:
        return Finding(
            "governor",
            NOTE,
            "powersave: the processor stays at its lowest frequency",
            "echo ondemand | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor",
        )
    return Finding("governor", OK, ", ".join(governors))


def _temperature(root: Path) -> Finding:
    degrees = machine.temperature(root)
    if degrees is None:
        return Finding("temperature", OK, "the machine doesn't tell")
    shown = f"{degrees:.0f} °C"
    if degrees >= HOT:
        return Finding("temperature", BAD, f"{shown}: the processor is slowed down", "give it a heat sink, or air")
    if degrees >= WARM:
        return Finding("temperature", NOTE, shown, "give it a heat sink, or air: from 80 °C on it is slowed down")
    return Finding("temperature", OK, shown)


def _throttling(now: Tuple[str, ...], ever: Tuple[str, ...]) -> Finding:
    remedy = "give it a heat sink, or air"
    if "under-voltage" in (*now, *ever):
        remedy = "use a stronger power supply and a shorter cable"
    if now:
        return Finding("power and heat", BAD, ", ".join(now), remedy)
    if ever:
        return Finding("power and heat", NOTE, f"since its start: {', '.join(ever)}", remedy)
    return Finding("power and heat", OK, "nothing holds it back")


def _clock(is_set: bool) -> Finding:
    if is_set:
        return Finding("clock", OK, "set by the network")
    what = "not set by the network since the start: receivers elsewhere may take events for expired"
    return Finding("clock", NOTE, what, "timedatectl says why; it needs a time server, on the internet or in the house")


def _memory(root: Path) -> Finding:
    memory = machine.memory(root)
    if memory is None:
        return Finding("memory", OK, "the machine doesn't tell")
    shown = f"{memory.available:.0f} of {memory.total:.0f} MiB to be had"
    if memory.available < LITTLE_MEMORY:
        return Finding("memory", BAD, shown, "stop something else on this machine")
    return Finding("memory", OK, shown)
