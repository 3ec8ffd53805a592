"""One thing that the doctor found.

Rule of this file: a finding can be attached to a bug report; it holds no password, no name of a user, no sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

from sayso.errors import SaysoError

OK = "ok"
NOTE = "note"
"""Works, and could be better."""
BAD = "bad"
"""Keeps Sayso from working, or from working well."""


@dataclass(frozen=True)
class Finding:
    """What was looked at, and how it is."""

    what: str
    level: str
    """`ok`, `note` or `bad`."""
    detail: str
    remedy: str = ""
    """What to do; empty only where all is well."""


def trouble(what: str, error: SaysoError) -> Iterator[Finding]:
    """Given what was looked at and what went wrong, yield its problems as findings."""
    for problem in error.problems:
        place = f"{problem.where}: " if problem.where else ""
        yield Finding(what, BAD, f"{place}{problem.what}", problem.remedy or "`sayso check` looks at it again")
