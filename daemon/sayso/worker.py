"""The worker thread: the microphone's frames in, what was heard out.

Rule of this file: while it runs, the pipeline is its own; all that it tells, it tells in its own thread. A thread that
dies says of what.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Callable, Optional

from sayso.live import Watched
from sayso.partials import Partials
from sayso.recognition.pipeline import Pipeline
from sayso.records import AudioFrame, Heard, Live

TICK = 0.25
"""How long it waits for a frame before it looks whether it shall end [s]."""


@dataclass(frozen=True)
class Ears:
    """Who is told, in the worker's thread."""

    heard: Callable[[Heard], None]
    words: Callable[[str], None]
    """The words so far of a sentence that goes on."""
    live: Callable[[Live], None]
    died: Callable[[BaseException], None]


class Worker:
    """Runs one pipeline."""

    def __init__(
        self, read: Callable[[float], Optional[AudioFrame]], pipeline: Pipeline, partials: bool, ears: Ears
    ) -> None:
        """Given what waits for the next frame for so long [s], the pipeline, whether the words so far are told while
        somebody speaks, and whom to tell."""
        self._read = read
        self._pipeline = pipeline
        self._partials = Partials(partials)
        self._ears = ears
        self._stop = threading.Event()
        self._forget = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self.watched = Watched()
        """What is shown of the sound while somebody asks."""
        self.turns = 0
        """Grows while the thread makes progress."""

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def forget(self) -> None:
        """From any thread: what is being said is nobody's business any more."""
        self._forget.set()

    def stop(self, timeout: float) -> None:
        """End after the frame at hand, within `timeout` [s]."""
        self._stop.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                frame = self._read(TICK)
                self.turns += 1
                if self._forget.is_set():
                    self._forget.clear()
                    self._pipeline.forget()
                if frame is not None:
                    self._hear(frame)
        except BaseException as error:  # noqa: BLE001 - a thread must not die unheard
            self._ears.died(error)

    def _hear(self, frame: AudioFrame) -> None:
        pipeline = self._pipeline
        for heard in pipeline.feed(frame):
            self._ears.heard(heard)
        words = self._partials.hear(frame, pipeline.hearing, pipeline.so_far)
        if words is not None:
            self._ears.words(words)
        live = self.watched.hear(frame, pipeline.hearing, pipeline.so_far, time.monotonic())
        if live is not None:
            self._ears.live(live)
