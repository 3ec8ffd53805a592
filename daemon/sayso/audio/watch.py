"""What to do about the microphone: when to open it, when it has gone wrong, when to give up.

Rule of this file: no thread, no clock, no device. `Watch.tick` is told the time and what the device's thread reports,
and answers with one thing to do. A dead stream shows itself only by missing frames, or by nothing but zeros; closing it
may hang, and what hangs can't be repaired from within the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True)
class MicrophoneSettings:
    """Which microphone, and how long to be patient with it. Times in seconds."""

    device: str = ""
    """Name, part of a name, or number; empty: the system's default."""
    channel: int | None = None
    """Which channel to hear, from 0; None: the average of all."""
    rate: int | None = None
    """Sample rate to open it at [Hz]; None: its native one."""
    startup: float = 3.0
    """Not open for so long, or no frame for so long after it is: stalled. Sound servers take 2 s for the first."""
    stall: float = 1.0
    """No frame for so long while running: stalled. A healthy stream pauses for up to 0.13 s on a busy machine."""
    silence: float = 10.0
    """Nothing but zeros for so long: silent. The noise of a real microphone is never zero; 0 turns the check off."""
    closing: float = 5.0
    """Closing takes longer than this: beyond repair. PortAudio itself gives up on a vanished device after 2.5 s."""
    first_retry: float = 0.5
    """Pause before opening it again."""
    last_retry: float = 10.0
    """The pause doubles with every failure up to this."""


@dataclass(frozen=True)
class Report:
    """What the thread that owns the device has seen. Times by the monotonic clock [s]."""

    name: str = ""
    """The device's name, once it is known."""
    opened: float | None = None
    first_frame: float | None = None
    last_frame: float | None = None
    last_sound: float | None = None
    """When a sample last differed from zero."""
    error: str = ""
    """Why it ended by itself."""
    ended: bool = False
    """Whether the device is closed and the thread is over."""


class Phase(Enum):
    """How far the microphone is."""

    CLOSED = auto()
    WAITING = auto()
    STARTING = auto()
    RUNNING = auto()
    CLOSING = auto()
    LOST = auto()


class Action(Enum):
    """What to do now."""

    NOTHING = auto()
    OPEN = auto()
    """Start a thread that opens the device. There is none at the moment."""
    CLOSE = auto()
    """Ask the thread to close the device."""
    GIVE_UP = auto()
    """The thread hangs for good; only the end of the process frees the device."""


class Watch:
    """Supervises one microphone."""

    def __init__(self, settings: MicrophoneSettings) -> None:
        self.phase = Phase.CLOSED
        self.status = "closed"
        """One word and why: `ok: <name>`, `closed`, `starting`, `missing: …`, `stalled: …`, `silent: …`."""
        self._settings = settings
        self._since = 0.0
        self._failures = 0

    def tick(self, now: float, wanted: bool, report: Report) -> Action:
        """Given the time [s], whether the microphone should be open, and the latest report, return what to do."""
        if self.phase is Phase.CLOSED:
            return self._open(now) if wanted else Action.NOTHING
        if self.phase is Phase.WAITING:
            return self._wait(now, wanted)
        if self.phase is Phase.STARTING:
            return self._start(now, wanted, report)
        if self.phase is Phase.RUNNING:
            return self._run(now, wanted, report)
        if self.phase is Phase.CLOSING:
            return self._close(now, wanted, report)
        return Action.GIVE_UP

    def _open(self, now: float) -> Action:
        self._enter(Phase.STARTING, now)
        if self.status == "closed":
            self.status = "starting"
        return Action.OPEN

    def _wait(self, now: float, wanted: bool) -> Action:
        if not wanted:
            return self._closed(now)
        pause = self._settings.first_retry * 2 ** min(self._failures - 1, 30)
        return self._open(now) if now - self._since >= min(pause, self._settings.last_retry) else Action.NOTHING

    def _start(self, now: float, wanted: bool, report: Report) -> Action:
        if report.ended or not wanted:
            return self._leave(now, wanted, report, "missing")
        if report.first_frame is not None:
            self._enter(Phase.RUNNING, now)
            return self._run(now, wanted, report)
        since = report.opened if report.opened is not None else self._since
        if now - since > self._settings.startup:
            who = report.name or "the sound system"
            return self._fault(now, f"stalled: {who} gives no sound, {self._settings.startup:g} s after opening")
        return Action.NOTHING

    def _run(self, now: float, wanted: bool, report: Report) -> Action:
        if report.ended or not wanted:
            return self._leave(now, wanted, report, "stalled")
        assert report.first_frame is not None
        assert report.last_frame is not None
        if now - report.last_frame > self._settings.stall:
            return self._fault(now, f"stalled: {report.name} stopped sending, {self._settings.stall:g} s ago")
        heard = report.last_sound if report.last_sound is not None else report.first_frame
        if 0 < self._settings.silence < now - heard:
            return self._fault(
                now, f"silent: {report.name} sends nothing but zeros (muted at the device, or routed to another?)"
            )
        if report.last_sound is not None:
            self._failures = 0
        if report.last_sound is not None or not self.status.startswith("silent"):
            self.status = f"ok: {report.name}"
        return Action.NOTHING

    def _close(self, now: float, wanted: bool, report: Report) -> Action:
        if report.ended:
            return self._closed(now) if not wanted else self._retry(now)
        if now - self._since > self._settings.closing:
            self._enter(Phase.LOST, now)
            self.status = f"stalled: {report.name or 'the sound system'} can't be closed"
            return Action.GIVE_UP
        return Action.NOTHING

    def _leave(self, now: float, wanted: bool, report: Report, word: str) -> Action:
        """Given that the thread has ended, or shall, return what to do. `word` says what its end means."""
        if not report.ended:
            self._enter(Phase.CLOSING, now)
            return Action.CLOSE
        if not wanted:
            return self._closed(now)
        self.status = f"{word}: {report.error}"
        return self._retry(now)

    def _fault(self, now: float, status: str) -> Action:
        self.status = status
        self._enter(Phase.CLOSING, now)
        return Action.CLOSE

    def _retry(self, now: float) -> Action:
        self._failures += 1
        self._enter(Phase.WAITING, now)
        return Action.NOTHING

    def _closed(self, now: float) -> Action:
        self._failures = 0
        self.status = "closed"
        self._enter(Phase.CLOSED, now)
        return Action.NOTHING

    def _enter(self, phase: Phase, now: float) -> None:
        self.phase = phase
        self._since = now
