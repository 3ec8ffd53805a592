"""The sound of utterances, written down for debugging while its owner wants that.

Rule of this file: nothing unless it was asked for, for hours and not for ever, and never more than so much; what is
over goes. `through` and `keep` belong to the worker's thread, the rest to the main thread. Times are Unix seconds.
"""

from __future__ import annotations

import logging
import os
import wave
from collections import deque
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Deque, Optional

from sayso.records import SAMPLE_RATE, AudioFrame, Heard, Wake

logger = logging.getLogger(__name__)

MARGIN = 5.0
"""What is kept in mind beyond the longest utterance [s]: the pauses before and after it."""


class Keeping:
    """Keeps the newest sound of one daemon."""

    def __init__(self, folder: Path, hours: float, size: float, longest: float, now: float) -> None:
        """Given where to write, for how many hours from now on (0: never), how much at most [MiB] and how long an
        utterance can be [s], begin; what an earlier start has kept for longer than that is removed."""
        self._folder = folder
        self._hours = hours
        self._size = int(size * 2**20)
        self._until = now + hours * 3600
        self._failed = False
        self._recent: Deque[AudioFrame] = deque(maxlen=int((longest + MARGIN) * SAMPLE_RATE / 320))
        self.expire(now)

    def until(self, now: float) -> str:
        """Return when it ends, as ISO 8601; empty while nothing is kept."""
        if not self._hours or self._failed or now >= self._until:
            return ""
        return datetime.fromtimestamp(self._until, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def through(self, read: Callable[[float], Optional[AudioFrame]]) -> Callable[[float], Optional[AudioFrame]]:
        """Given what waits for the next frame, return the same, watched; itself if nothing is to be kept."""
        if not self._hours:
            return read

        def watched(timeout: float) -> Optional[AudioFrame]:
            frame = read(timeout)
            if frame is not None:
                self._recent.append(frame)
            return frame

        return watched

    def keep(self, heard: Heard, id_: str, now: float) -> None:
        """Given what was heard and the id under which it was published, write its sound down."""
        if isinstance(heard, Wake) or not self.until(now):
            return
        frames = [one for one in self._recent if one.start < heard.end and one.start + len(one.samples) > heard.start]
        name = datetime.fromtimestamp(now, timezone.utc).strftime("%Y%m%dT%H%M%S") + f"-{id_}.wav"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            target = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(target, "wb") as file, wave.open(file, "wb") as sound:
                sound.setnchannels(1)
                sound.setsampwidth(2)
                sound.setframerate(SAMPLE_RATE)
                sound.writeframes(b"".join(one.samples.astype("<i2").tobytes() for one in frames))
            self._make_room()
        except OSError as error:
            logger.warning("%s: no more sound is kept, what is there stays its time: %s", self._folder, error.strerror)
            self._failed = True

    def expire(self, now: float) -> None:
        """Remove what has been kept for long enough: all of it, where nothing is to be kept."""
        for file in self._files():
            try:
                if now - file.stat().st_mtime >= self._hours * 3600:
                    file.unlink()
            except OSError as error:
                logger.warning("%s: can't be removed: %s", file, error.strerror)

    def _make_room(self) -> None:
        files = self._files()
        size = sum(file.stat().st_size for file in files)
        for file in files:
            if size <= self._size:
                return
            size -= file.stat().st_size
            file.unlink()

    def _files(self) -> list[Path]:
        """Return what is kept, oldest first: names begin with the time."""
        return sorted(self._folder.glob("*.wav"))
