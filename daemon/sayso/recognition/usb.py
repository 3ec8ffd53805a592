"""Which Edge TPUs are plugged in, as Linux tells it.

Rule of this file: it reads /sys and /dev and opens no device. A Coral stick has one USB identity until its firmware has
been loaded (1a6e:089a) and another after (18d1:9302); both mean that it is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

USB = Path("/sys/bus/usb/devices")
DEV = Path("/dev")

FRESH = "1a6e:089a"
LOADED = "18d1:9302"

SLOW = 480
"""Speed of USB 2 [Mbit/s]; on USB 3 it is 5000, and an inference takes a quarter of the time."""


@dataclass(frozen=True)
class EdgeTpu:
    """One that is there."""

    place: str
    """Name in /sys, or device file."""
    identity: str
    """USB vendor:product; `pci` for the others."""
    speed: Optional[int] = None
    """Of the USB connection [Mbit/s]; None where it isn't known."""


def edge_tpus(usb: Path = USB, dev: Path = DEV) -> Tuple[EdgeTpu, ...]:
    """Return the Edge TPUs that are there, on USB and on PCI."""
    found: List[EdgeTpu] = []
    for folder in _entries(usb, "*"):
        identity = f"{_text(folder / 'idVendor')}:{_text(folder / 'idProduct')}"
        if identity in (FRESH, LOADED):
            speed = _text(folder / "speed")
            found.append(EdgeTpu(folder.name, identity, int(float(speed)) if speed else None))
    found.extend(EdgeTpu(str(file), "pci") for file in _entries(dev, "apex_*"))
    return tuple(found)


def _entries(folder: Path, pattern: str) -> List[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _text(file: Path) -> str:
    """Return a file's one line; empty where it is gone, as it may be at any time."""
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
