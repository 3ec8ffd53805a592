"""Is the daemon alive, how has it fared, and who is told (systemd).

Rule of this file: life is progress. The watchdog is fed only when the capture and the worker have both
moved on since it was last fed; the broker is no part of it. Time is monotonic.
"""

from __future__ import annotations

import os
import resource
import time
from collections import Counter, deque
from pathlib import Path
from typing import Callable, Deque, Mapping, Optional, Sequence

import systemd.daemon

from sayso.records import Command, Health, Outcome

LATENCIES = 1000
"""Outcomes that the latencies' percentiles are taken over."""

_THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")


class Watchdog:
    """Feeds systemd's watchdog while everything makes progress."""

    def __init__(self, progress: Mapping[str, Callable[[], int]]) -> None:
        """`progress` names what must move on: name -> a number that grows while it does."""
        self._progress = progress
        self._seen = dict.fromkeys(progress, -1)
        self.interval = _watchdog_seconds() / 4
        """How often `feed` should be called [s]; a quarter of systemd's patience."""

    def feed(self) -> Sequence[str]:
        """Tell systemd that all is well if it is; return the names of what has stood still since the last time."""
        now = {name: read() for name, read in self._progress.items()}
        stuck = [name for name, count in now.items() if count == self._seen[name]]
        if not stuck:
            self._seen = now
            systemd.daemon.notify("WATCHDOG=1")
        return stuck


def _watchdog_seconds() -> float:
    """Return systemd's patience [s]; a minute where it has none with us (sd_watchdog_enabled(3))."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 60.0
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdigit() and int(text) else 60.0


def ready(status: str) -> None:
    """Tell systemd that the daemon is up."""
    systemd.daemon.notify(f"READY=1\nSTATUS={status}")


def reloading() -> None:
    """Tell systemd that a reload begins; `ready` ends it."""
    systemd.daemon.notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def say(status: str) -> None:
    """Tell systemd, and so `systemctl status`, what the daemon is doing."""
    systemd.daemon.notify(f"STATUS={status}")


def stopping() -> None:
    """Tell systemd that the daemon is going down."""
    systemd.daemon.notify("STOPPING=1\nSTATUS=stopping")


class Record:
    """Counts what happens. Written in one thread, read in any."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._utterances = 0
        self._commands = 0
        self._handed_over = 0
        self._not_handed_over = 0
        self._rejections: Counter[str] = Counter()
        self._latencies: Deque[float] = deque(maxlen=LATENCIES)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self._utterances += 1
        if isinstance(outcome, Command):
            self._commands += 1
            self._latencies.append(outcome.timings.delay + outcome.timings.final)
        else:
            self._rejections[outcome.reason] += 1

    def add_hand_over(self, failed: bool) -> None:
        """Count a command that Home Assistant acted on, or did not."""
        self._handed_over += not failed
        self._not_handed_over += failed

    def health(self, dropped: int, reconnects: int) -> Health:
        """Given what the broker's connection counted, return all of it."""
        latencies = sorted(self._latencies)
        return Health(
            uptime=time.monotonic() - self._started,
            utterances=self._utterances,
            commands=self._commands,
            rejections=dict(self._rejections),
            dropped=dropped,
            gaps=self._rejections["audio_gap"],
            reconnects=reconnects,
            latency_p50=_percentile(latencies, 0.50),
            latency_p95=_percentile(latencies, 0.95),
            load=os.getloadavg()[0],
            memory=_resident_mebibytes(),
            temperature=_temperature(),
            handed_over=self._handed_over,
            not_handed_over=self._not_handed_over,
        )


def _percentile(ordered: Sequence[float], share: float) -> Optional[float]:
    """Nearest-rank percentile; None of nothing."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _resident_mebibytes() -> float:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 2**20


def _temperature() -> Optional[float]:
    try:
        return int(_THERMAL.read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None
