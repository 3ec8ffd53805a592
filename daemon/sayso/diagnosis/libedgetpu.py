"""Which libedgetpu goes with which interpreter.

Rule of this file: pure. The library is built against one TensorFlow, and an interpreter of another may crash in it.
What is known comes from its makers and from reports of users; nothing here was tried on a device by this project.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

WORKS, CRASHES, UNKNOWN = "works", "crashes", "unknown"

_GOOGLES_TENSORFLOW = (2, 5)
"""What Google's own release 16.0 was built with."""

_LAST_WITH_GOOGLES = (2, 11)
"""Newest interpreter that users report to work with it; from 2.12 on they report segmentation faults."""

_ALSO = {(2, 13): ((2, 13), (2, 14), (2, 15))}
"""Library's TensorFlow -> further interpreters that users report to work."""

_TRIED = ((2, 13), (2, 15), (2, 16), (2, 17))
"""TensorFlow versions of which users report the same on both sides to work."""


@dataclass(frozen=True)
class Verdict:
    """Whether a pair is known to work."""

    known: str
    """`works`, `crashes` or `unknown`."""
    why: str


def judge_pair(interpreter: str, library: str) -> Verdict:
    """Given an interpreter's name and version (`tflite-runtime 2.14.0`) and the library's package version (`16.0`,
    `16.0tf2.17.1-1`), return whether they go together."""
    package, _, version = interpreter.partition(" ")
    ours = _version(version)
    theirs = _built_with(library)
    if package != "tflite-runtime" or ours is None:
        return Verdict(UNKNOWN, f"nobody has reported on {interpreter} with libedgetpu")
    if theirs is None:
        return Verdict(UNKNOWN, f"it can't be told what TensorFlow libedgetpu {library} was built with")
    built = ".".join(map(str, theirs))
    if theirs == _GOOGLES_TENSORFLOW:
        if ours <= _LAST_WITH_GOOGLES:
            return Verdict(WORKS, f"libedgetpu {library} is reported to work with interpreters up to 2.11")
        return Verdict(CRASHES, f"libedgetpu {library} (TensorFlow 2.5) is reported to crash interpreters from 2.12 on")
    if ours in _ALSO.get(theirs, ()) or (ours == theirs and theirs in _TRIED):
        return Verdict(WORKS, f"libedgetpu for TensorFlow {built} is reported to work with {interpreter}")
    if ours == theirs:
        return Verdict(UNKNOWN, f"libedgetpu for TensorFlow {built} is made for {interpreter}, but nobody has reported")
    return Verdict(UNKNOWN, f"libedgetpu for TensorFlow {built} and {interpreter} differ, and nobody has reported")


def _built_with(library: str) -> Optional[Tuple[int, int]]:
    """Given a package version, return the TensorFlow it was built with: named in rebuilds, known of Google's own."""
    named = re.search(r"tf(\d+)\.(\d+)", library)
    if named:
        return int(named.group(1)), int(named.group(2))
    return _GOOGLES_TENSORFLOW if re.match(r"1[3-6]\.", library) else None


def _version(text: str) -> Optional[Tuple[int, int]]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None
