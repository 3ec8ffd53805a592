"""Errors that a person can act on.

Rule of this file: every error that leaves a module is one of these, and its text is one line:
where it happened, what is wrong, what to do. The exit codes follow sysexits(3), so that systemd and
scripts can tell the classes apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong."""

    where: str
    """File, key, or `file:line:column`; empty when there is no place to name."""
    what: str
    remedy: str = ""
    """What the reader can do; empty only where nothing can be done."""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return f"{place}{self.what}{remedy}"


class SaysoError(Exception):
    """Base of all errors with a sentence for a person. `exit_code` is the process's exit status."""

    exit_code = 70  # EX_SOFTWARE

    def __init__(self, what: str = "", *, where: str = "", remedy: str = "", problems: Sequence[Problem] = ()) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems) or (Problem(where, what, remedy),)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class ConfigError(SaysoError):
    """sayso.toml can't be used."""

    exit_code = 78  # EX_CONFIG


class GrammarError(SaysoError):
    """The owner's templates can't be used."""

    exit_code = 65  # EX_DATAERR


class CompilerLostError(SaysoError):
    """The process that compiles the templates has died; another attempt may succeed."""

    exit_code = 75  # EX_TEMPFAIL


class ModelError(SaysoError):
    """A model bundle can't be used."""

    exit_code = 66  # EX_NOINPUT


class AcceleratorError(SaysoError):
    """An Edge TPU was asked for and can't be used."""

    exit_code = 69  # EX_UNAVAILABLE


class AcceleratorLostError(AcceleratorError):
    """The Edge TPU is gone, hangs or has failed; it may be back at the next attempt."""


class AudioError(SaysoError):
    """A microphone, a sound file or a stream of samples can't be read."""

    exit_code = 74  # EX_IOERR


class BrokerError(SaysoError):
    """The MQTT broker said no."""

    exit_code = 76  # EX_PROTOCOL


class HandOverError(SaysoError):
    """Home Assistant was not told of a command, or could not act on it."""

    exit_code = 69  # EX_UNAVAILABLE


class NoteError(SaysoError):
    """What the running daemon has noted down can't be read."""

    exit_code = 66  # EX_NOINPUT
