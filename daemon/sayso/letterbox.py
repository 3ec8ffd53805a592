"""Where messages from the broker wait for the main thread.

Rule of this file: only so many wait. A flood is not obeyed to the end, it is said once, and the daemon goes on.
"""

from __future__ import annotations

from queue import SimpleQueue
from typing import Callable

MAX_WAITING = 64
"""Steps of the main thread that may wait; a house asks for one thing at a time."""


class Letterbox:
    """Takes messages in one thread and leaves them to another's inbox."""

    def __init__(self, inbox: SimpleQueue[Callable[[], None]], complain: Callable[[str], None]) -> None:
        """Given the inbox, and who tells a line about a flood there, stand ready."""
        self._inbox = inbox
        self._complain = complain
        self._flooded = False

    def put(self, topic: str, step: Callable[[], None]) -> None:
        """Given where a message came from and what is to be done about it, leave that to the inbox if it has room."""
        waiting = self._inbox.qsize()
        if waiting < MAX_WAITING:
            self._flooded = self._flooded and waiting > 0
            self._inbox.put(step)
        elif not self._flooded:
            self._flooded = True
            line = f"{topic}: more than {MAX_WAITING} requests at once, some are not obeyed (find out who sends them)"
            self._inbox.put(lambda: self._complain(line))
