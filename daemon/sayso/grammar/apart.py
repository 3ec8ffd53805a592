"""The sentences, compiled by a process of its own: what that takes of memory is gone with it, and who listens goes on.

Rule of this file: what comes of it lies in a graph cache afterwards. The process is the first that a machine short of
memory loses; where it may, it lets others go first.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sayso.errors import CompilerLostError, GrammarError, Problem

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from sayso.grammar.apart import main; main(json.load(sys.stdin))"
)
"""Finds what this process finds, wherever it is installed, and nothing in the current folder."""

_WRONG = 65
"""Exit status where the sentences are wrong; the problems are on standard output, as JSON."""


def compile_apart(folder: Path, path: Path, job: dict[str, Any]) -> None:
    """Given where graphs are kept, where the sentences are written, and the other arguments of
    compiler.compile_grammar, have a process compile them into there. Raise GrammarError for what is wrong with them,
    CompilerLostError where the process has died."""
    command = [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path)]
    try:
        asked = json.dumps({"folder": folder, "path": path, **job}, default=str)
        done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    except OSError:
        return  # no process to be had: whoever asks compiles by itself
    if done.returncode == _WRONG:
        raise GrammarError(problems=[Problem(**one) for one in json.loads(done.stdout)])
    if done.returncode:
        remedy = "write fewer sentences, e.g. [house] leave_out, or give it more memory"
        raise CompilerLostError(_end(done), where=str(path), remedy=remedy)


def _end(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -signal.SIGKILL:
        return "compiling was killed: there was not enough memory"
    last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    return f"compiling ended with {last}"


def main(job: dict[str, Any]) -> None:
    """In the process: compile; print what is wrong as JSON and exit."""
    from sayso.grammar.cache import GraphCache  # here, because compiler.py needs this file
    from sayso.grammar.compiler import Phonology, compile_grammar
    from sayso.grammar.house import House

    with contextlib.suppress(OSError):  # the unit's sandbox forbids it
        os.nice(10)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    phonology, house = job["phonology"], job["house"]
    lexicon = Path(phonology["lexicon"]) if phonology["lexicon"] else None
    try:
        compile_grammar(
            Path(job["path"]),
            Phonology(tuple(phonology["tokens"]), phonology["blank"], lexicon),
            job["context"],
            job["wake_phrases"],
            House(**house) if house else None,
            GraphCache(Path(job["folder"])),
        )
    except GrammarError as error:
        json.dump([asdict(one) for one in error.problems], sys.stdout)
        sys.exit(_WRONG)
