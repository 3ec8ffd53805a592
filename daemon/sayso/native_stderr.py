"""Keeps what native libraries print while they start out of the journal, and nothing else.

Rule of this file: file descriptor 2 is borrowed for a moment and every line comes back. ALSA, JACK and PortAudio report
each device they can't open on stderr, from C, and interpreters what they are made of; those lines are logged at level
DEBUG. All others are written to the real stderr, late but whole.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from typing import Pattern, TextIO

logger = logging.getLogger(__name__)

SOUND = re.compile(
    r"\s*$|ALSA lib |Expression '|Cannot connect to server|jack server is not running|JackShm"
    r"|attempt to connect to server|connect\(2\) call to |Cannot lock down .* byte memory area"
    r"|Cannot use real-time scheduling"
)
"""What sound libraries say of devices that are not there."""

INTERPRETER = re.compile(r"INFO: ")
"""What TensorFlow Lite says when all is well; its warnings and errors begin otherwise."""

_STDERR = 2


def unborrowed() -> TextIO:
    """Return a stream of its own to what is stderr now, for our own lines: libraries print theirs in pieces, and what
    came between two pieces would be taken for theirs."""
    try:
        own = os.dup(_STDERR)
    except OSError:  # started without a stderr
        own = os.open(os.devnull, os.O_WRONLY)
    return os.fdopen(own, "w", buffering=1, encoding="utf-8", errors="backslashreplace")


class Collected:
    """Collects what is printed on stderr from its creation to `release`; one at a time in a process."""

    def __init__(self, chatter: Pattern[str] = SOUND) -> None:
        self._chatter = chatter
        self._lock = threading.Lock()
        self._real: int | None = None
        try:
            self._real = os.dup(_STDERR)
        except OSError:  # started without a stderr: nothing to protect
            return
        self._spool = os.memfd_create("stderr")
        os.dup2(self._spool, _STDERR)

    def release(self) -> None:
        """Give stderr back and sort what was collected. Any thread may call it, and more than once: the one that
        collects may be hanging in a library."""
        with self._lock:
            if self._real is None:
                return
            os.dup2(self._real, _STDERR)
            size = os.lseek(self._spool, 0, os.SEEK_END)
            lines = os.pread(self._spool, size, 0).splitlines(keepends=True)
            os.write(self._real, b"".join(line for line in lines if not self._is_chatter(line)))
            os.close(self._spool)
            os.close(self._real)
            self._real = None
        for line in filter(self._is_chatter, lines):
            logger.debug("%s", line.decode(errors="replace").rstrip())

    def __enter__(self) -> Collected:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _is_chatter(self, line: bytes) -> bool:
        return self._chatter.match(line.decode(errors="replace")) is not None
