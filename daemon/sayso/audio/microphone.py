"""A microphone that looks after itself: opened in a thread, watched, opened again.

Rule of this file: whoever reads is never blocked by the device. One thread owns the device from opening to closing; a
bounded queue takes its frames to the reader, and the reader's calls drive the watch. What doesn't fit into the queue is
lost, and the next frame says so. The monotonic clock is read here and in device.py only.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import replace

from sayso.audio.capture import AudioSource, Block, Converter, Framer
from sayso.audio.device import InputStream
from sayso.audio.watch import Action, MicrophoneSettings, Phase, Report, Watch
from sayso.errors import AudioError, SaysoError
from sayso.native_stderr import Collected
from sayso.records import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, Samples, samples

logger = logging.getLogger(__name__)

QUEUE = 3.0
"""Sound that may wait for the reader [s]. Whoever is further behind would answer too late to be of use."""

_TURN = 0.1
"""How often a waiting reader looks after the microphone [s]."""


class FrameQueue:
    """Frames on their way from one thread to another, at most `capacity` of them."""

    def __init__(self, capacity: int = samples(QUEUE) // FRAME_SAMPLES) -> None:
        self.dropped = 0
        """Frames that found the queue full, ever."""
        self._capacity = capacity
        self._frames: deque[AudioFrame] = deque()
        self._lost = 0
        self._changed = threading.Condition()

    def put(self, frame: AudioFrame) -> None:
        """Given the next frame, queue it; if there is no room, lose it and let the next one that fits say so."""
        with self._changed:
            if len(self._frames) >= self._capacity:
                self.dropped += 1
                self._lost += frame.lost + frame.samples.size
                return
            self._frames.append(replace(frame, lost=frame.lost + self._lost) if self._lost else frame)
            self._lost = 0
            self._changed.notify()

    def get(self, timeout: float) -> AudioFrame | None:
        """Return the oldest frame; None if there is none within `timeout` [s]."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames, timeout)
            return self._frames.popleft() if self._frames else None

    def clear(self) -> None:
        """Lose all that waits."""
        with self._changed:
            self._lost += sum(frame.lost + frame.samples.size for frame in self._frames)
            self._frames.clear()


class Track:
    """The microphone's sound from its first opening to the end, over all pauses: numbers the samples."""

    def __init__(self, queue: FrameQueue) -> None:
        self._framer = Framer()
        self._queue = queue
        self._until: float | None = None

    def pause(self, now: float, seconds: float) -> int:
        """Given the time at which a device's first block of some seconds came, return the samples missed since the
        last block of the device before."""
        return 0 if self._until is None else max(0, samples(now - seconds - self._until))

    def add(self, block: Samples, now: float, lost: int = 0) -> int:
        """Given samples, when they came and how many were lost before them, queue them; return the frames made."""
        self._until = now
        if lost:
            self._framer.lose(lost)
        frames = self._framer.feed(block)
        for frame in frames:
            self._queue.put(frame)
        return len(frames)


class Session:
    """One opening of the device, in a thread of its own that opens, reads and closes it."""

    def __init__(self, settings: MicrophoneSettings, track: Track) -> None:
        self.frames = 0
        """Frames captured up to now."""
        self._settings = settings
        self._track = track
        self._report = Report()
        self._failure: Exception | None = None
        self._stop = threading.Event()
        self._stderr: Collected | None = None
        self._converter: Converter | None = None
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def report(self) -> Report:
        """Return what was seen up to now. Raise what ended the thread, if it is a fault of the program."""
        if self._failure is not None:
            raise self._failure
        ended = not self._thread.is_alive()  # asked first: what the thread saw last must be in the report
        return replace(self._report, ended=ended)

    def wait(self, timeout: float) -> None:
        """Return when the thread is over, or after `timeout` [s]."""
        self._thread.join(timeout)

    def stop(self) -> None:
        """Ask the thread to close the device. It may take its time, or never come to it."""
        self._stop.set()

    def abandon(self) -> None:
        """Take back what a thread that hangs has borrowed: stderr, and the resampler, which complains at the
        interpreter's exit of being held."""
        self._converter = None
        if self._stderr is not None:
            self._stderr.release()

    def _run(self) -> None:
        try:
            with Collected() as self._stderr:
                stream = InputStream(self._settings.device, self._settings.channel, self._settings.rate)
            self._report = replace(self._report, name=stream.device.name, opened=time.monotonic())
            try:
                self._capture(stream)
            finally:
                stream.close()
        except SaysoError as error:
            self._report = replace(self._report, error=str(error))
        except Exception as error:  # noqa: BLE001 - raised in the reader's thread by report()
            self._failure = error

    def _capture(self, stream: InputStream) -> None:
        """Given the opened stream, read until asked to stop."""
        self._converter = self._new_converter(stream)
        while True:
            block, missing = stream.read()
            if self._stop.is_set():
                return
            self._take(stream, block, missing)

    def _take(self, stream: InputStream, block: Block, missing: int) -> None:
        """Given a block, int16 [n, channels], and the samples lost before it at the stream's rate, hand it on."""
        assert self._converter is not None
        now = time.monotonic()
        lost = round(missing * SAMPLE_RATE / stream.rate)
        if self._report.first_frame is None:
            lost = self._track.pause(now, len(block) / stream.rate)
            self._report = replace(self._report, first_frame=now, last_frame=now)
        elif lost:
            # What the resampler still holds belongs before the gap.
            self._track.add(self._converter.feed(block[:0], last=True), now)
            self._converter = self._new_converter(stream)
        heard = self._converter.feed(block)
        self.frames += self._track.add(heard, now, lost)
        self._report = replace(self._report, last_frame=now, last_sound=now if heard.any() else self._report.last_sound)

    def _new_converter(self, stream: InputStream) -> Converter:
        where = f"microphone {stream.device.name!r}"
        return Converter(stream.rate, stream.channels, self._settings.channel, where=where)


class Microphone(AudioSource):
    """The microphone, as long as somebody reads: `read` gives frames, and mends what can be mended meanwhile.

    `open` and `close` may be called from another thread than `read`; closed means that the device is given back.
    """

    def __init__(self, settings: MicrophoneSettings | None = None) -> None:
        self.settings = settings or MicrophoneSettings()
        self.name = self.settings.device or "default"
        self._queue = FrameQueue()
        self._track = Track(self._queue)
        self._watch = Watch(self.settings)
        self._session: Session | None = None
        self._wanted = False
        self._turns = 0
        self._captured = 0
        self._lock = threading.RLock()

    @property
    def status(self) -> str:
        """Return one word and why: `ok: <name>`, `closed`, `starting`, `missing: …`, `stalled: …`, `silent: …`."""
        return self._watch.status

    @property
    def progress(self) -> int:
        """Return a number that grows while all is well: with every captured frame, and while there can be none, with
        every look after the microphone. It stands still when the reader or the capture hangs."""
        session = self._session
        return self._turns + self._captured + (session.frames if session else 0)

    @property
    def dropped(self) -> int:
        """Return how many frames came while the reader was too far behind."""
        return self._queue.dropped

    def open(self) -> None:
        """Want the microphone open. It is opened by `read`, as often as it takes; a missing one is no error here."""
        with self._lock:
            self._wanted = True
            self._look_after()

    def read(self, timeout: float | None = None) -> AudioFrame | None:
        """Return the next frame; None if none came within `timeout` [s], or the microphone is closed.

        Raise AudioError when the device hangs so that only the end of the process frees it.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._look_after()
            left = _TURN if deadline is None else min(_TURN, deadline - time.monotonic())
            frame = self._queue.get(max(0.0, left))
            if frame is not None or left < 0 or (deadline is None and not self._wanted):
                return frame

    def close(self, timeout: float | None = None) -> None:
        """Give the device back, and forget what nobody has read yet. Return when that is done, or after `timeout` [s]
        (default: the settings' `closing`) if it hangs; `read` raises then."""
        deadline = time.monotonic() + (self.settings.closing if timeout is None else timeout)
        self._wanted = False
        while self._watch.phase not in (Phase.CLOSED, Phase.LOST) and time.monotonic() < deadline:
            with self._lock:
                session = self._session
                self._tick()
            if session is not None:
                session.wait(_TURN)
        self._queue.clear()

    def _look_after(self) -> None:
        """Do what the watch says. Raise AudioError when it has given up."""
        with self._lock:
            if self._tick() is Action.GIVE_UP:
                raise AudioError(
                    f"{self.status}: its sound server hangs",
                    where="microphone",
                    remedy="restart this program, and if that doesn't help, the sound server",
                )

    def _tick(self) -> Action:
        """Let the watch look once and carry out what it says; return it."""
        before = self.status
        report = self._session.report() if self._session else Report()
        action = self._watch.tick(time.monotonic(), self._wanted, report)
        if self._watch.phase is not Phase.RUNNING:
            self._turns += 1
        if report.ended and self._session:
            self._captured += self._session.frames
            self._session = None
        if action is Action.OPEN:
            self._session = Session(self.settings, self._track)
        elif action is Action.CLOSE and self._session:
            self._session.stop()
        elif action is Action.GIVE_UP and self._session:
            self._session.abandon()
        if self.status != before:
            level = logging.INFO if self.status.startswith(("ok", "closed", "starting")) else logging.WARNING
            logger.log(level, "microphone %s", self.status)
        return action
