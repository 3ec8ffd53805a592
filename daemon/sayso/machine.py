"""What this computer is and how it fares: processor, memory, heat, and what holds it back.

Rule of this file: it only reads what Linux tells in /proc and /sys, and systemd in /run; what a machine doesn't tell is
None or empty.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

ROOT = Path("/")

_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
"""The Raspberry Pi's own register, hexadecimal; the same as `vcgencmd get_throttled`."""

_NOW = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
"""Bits of that register which hold at this moment; 16 bits higher, the same since the machine was started."""


@dataclass(frozen=True)
class Memory:
    """All in MiB."""

    total: float
    available: float


def name(root: Path = ROOT) -> str:
    """Return what kind of machine it is: the board where it says so, and the processor."""
    board = _text(root / "proc/device-tree/model").rstrip("\0")
    processor = next((value for key, value in _pairs(root / "proc/cpuinfo") if key == "model name"), "")
    return ", ".join(part for part in (board, processor or platform.machine()) if part)


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0))


def governors(root: Path = ROOT) -> Tuple[str, ...]:
    """Return the frequency governors that are in force, each once."""
    files = sorted((root / "sys/devices/system/cpu/cpufreq").glob("policy*/scaling_governor"))
    return tuple(sorted({_text(file) for file in files} - {""}))


def temperature(root: Path = ROOT) -> Optional[float]:
    """Return the highest temperature of any zone [°C]."""
    found: List[float] = []
    for file in sorted((root / "sys/class/thermal").glob("thermal_zone*/temp")):
        text = _text(file)
        if text.lstrip("-").isdigit():
            found.append(int(text) / 1000)
    return max(found, default=None)


def clock_is_set(root: Path = ROOT) -> Optional[bool]:
    """Return whether systemd-timesyncd has set the clock since the start; None: it isn't at work here."""
    told = root / "run/systemd/timesync"
    return (told / "synchronized").exists() if told.is_dir() else None


def held_back(root: Path = ROOT) -> Optional[Tuple[Tuple[str, ...], Tuple[str, ...]]]:
    """Return what holds a Raspberry Pi back now, and what has since its start; None on other machines."""
    text = _text(root / _THROTTLED)
    try:
        bits = int(text, 16)
    except ValueError:
        return None
    now = tuple(what for bit, what in _NOW.items() if bits >> bit & 1)
    ever = tuple(what for bit, what in _NOW.items() if bits >> (bit + 16) & 1)
    return now, ever


def memory(root: Path = ROOT) -> Optional[Memory]:
    """Return the machine's memory."""
    values: Dict[str, str] = dict(_pairs(root / "proc/meminfo"))
    try:
        total, available = (int(values[key].split()[0]) / 1024 for key in ("MemTotal", "MemAvailable"))
    except (KeyError, ValueError, IndexError):
        return None
    return Memory(total, available)


def resident(pid: int, what: str = "VmRSS", root: Path = ROOT) -> float:
    """Given a process, return its memory [MiB]: `VmRSS` now, `VmHWM` at most so far; 0 where it is gone."""
    value = dict(_pairs(root / f"proc/{pid}/status")).get(what, "0")
    return int(value.split()[0]) / 1024


def processor_seconds(pid: int, root: Path = ROOT) -> float:
    """Given a process, return the processor time that it has used [s]: to the nanosecond of this one, of others in
    hundredths (proc(5), fields 14 and 15)."""
    if pid == os.getpid() and root == ROOT:
        return time.process_time()
    fields = _text(root / f"proc/{pid}/stat").rpartition(")")[2].split()
    return sum(int(one) for one in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def _pairs(file: Path) -> List[Tuple[str, str]]:
    lines = (line.partition(":") for line in _text(file).splitlines())
    return [(key.strip(), value.strip()) for key, colon, value in lines if colon]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
