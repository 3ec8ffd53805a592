"""What is wrong: the newest error that still stands, for the state topic.

Rule of this file: an error goes when its own source says that all is well again, never because another's is; one that
merely happened goes when anything newer is told.
"""

from __future__ import annotations

from typing import Dict

HAPPENED = ""
"""The source of what happened once and can't be mended."""


class Complaints:
    """Errors by their sources, in the order in which they came. Belongs to one thread."""

    def __init__(self) -> None:
        self._standing: Dict[str, str] = {}

    @property
    def newest(self) -> str:
        """Return the newest error that stands; empty: none."""
        return next(reversed(self._standing.values()), "")

    def add(self, line: str, source: str = HAPPENED) -> None:
        """Given an error and who has it, let it stand, instead of an older one of the same source."""
        self._standing.pop(HAPPENED, None)
        self._standing.pop(source, None)
        self._standing[source] = line

    def settle(self, source: str) -> None:
        """Given a source, forget its error, if it had one."""
        self._standing.pop(source, None)
