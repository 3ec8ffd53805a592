"""Sayso beside PocketSphinx: runs both on the same recordings, each in a process of its own, and prints a table.

Rule of this file: nothing is asserted about time. What is right is decided by the templates: the one command heard must
mean what the recording says.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Mapping, Sequence

import clips
from jsgf import write_jsgf
from meaning import Reader, meaning
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sayso.errors import SaysoError
from sayso.grammar.files import find_template_files, read_template_files
from sayso.grammar.pronounce import pronounce
from sayso.grammar.tags import TAG
from sayso.grammar.templates import Templates, parse_templates
from sayso.grammar.words import build_word_acceptor

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ENVIRONMENT = ROOT / ".cache" / "bench-venv"
POCKETSPHINX = "pocketsphinx==5.1.1"
ROUND_NUMBERS = ("1", "2", "5", "10", "15", "20", "30", "45", "60", "100")
"""Numbers that PocketSphinx gets beside those that are said."""
MOST_WAYS = 3
"""Pronunciations that PocketSphinx gets for a word that its dictionary lacks."""


@dataclass(frozen=True)
class Result:
    """What one recogniser needs and gives."""

    name: str
    model: str
    start: float
    """From the start of the process until it listens [s]."""
    ready_memory: float
    """Resident memory when it starts to listen [MiB]."""
    memory: float
    """Most resident memory [MiB]."""
    speech_cpu: float
    """Processor seconds per second of speech, all of an utterance counted, end pointing included."""
    silence_cpu: float
    """Processor seconds per second of silence."""
    latency: float
    """Median time from the end of speech to the command, of commands got right [ms]."""
    latency_p95: float
    right: int
    """Recordings of a command where exactly that was heard."""
    wrong: int
    """Recordings of a command where another one, or more than one, was heard."""
    nothing: int
    commands: int
    interval: tuple[float, float]
    """Wilson's 95 % interval of the share of right ones."""
    false: int
    """Recordings of other speech where a command was heard."""
    others: int
    misheard: dict[str, list[str]]
    """Recording -> what was heard instead."""


def main() -> None:
    options = _options()
    console = Console(stderr=options.json, width=100)
    with tempfile.TemporaryDirectory() as name, console.status("") as status:
        folder = Path(name)
        status.update("Recordings and grammar")
        recordings = clips.prepare(ROOT / "tests" / "data" / "speech", folder)
        silence = clips.write_silence(folder)
        templates = parse_templates(read_template_files(find_template_files(options.commands)))
        reader = Reader(build_word_acceptor(templates, {}))
        uncovered = [one.said for one in recordings if one.said and not reader.read(one.said)]
        results, missing = [], []
        if options.only != "pocketsphinx":
            status.update("Sayso")
            report = _run([sys.executable, "hear_sayso.py", str(options.commands), *options.model], recordings, silence)
            results.append(_judge(report, recordings, silence, reader))
        if options.only != "sayso":
            status.update("PocketSphinx")
            report = _run(_pocketsphinx(templates, recordings, folder), recordings, silence)
            missing = report["missing"]
            results.append(_judge(report, recordings, silence, reader))
    notes = _notes(recordings, uncovered, missing)
    if options.json:
        print(json.dumps({**_machine(), "results": [asdict(one) for one in results], "notes": notes}, indent=2))
        return
    console.print(_table(results))
    _print_misheard(console, results)
    for note in notes:
        console.print(f"· {note}", style="dim", highlight=False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--commands", type=Path, default=ROOT / "config" / "commands", help="sentence templates")
    parser.add_argument("--model", action="append", default=[], help="model bundle, instead of the shipped one")
    parser.add_argument("--only", choices=("sayso", "pocketsphinx"), help="run only one of the two")
    return parser.parse_args()


def _environment() -> Path:
    """Make PocketSphinx's environment where it is not there yet, return its interpreter."""
    python = ENVIRONMENT / "bin" / "python"
    check = "import importlib.metadata as m; print('pocketsphinx==' + m.version('pocketsphinx'))"
    if not python.exists() or _output([str(python), "-c", check]) != POCKETSPHINX:
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", POCKETSPHINX], check=True)
    return python


def _output(command: Sequence[str]) -> str:
    """Given a command, return what it prints; nothing where it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _pocketsphinx(templates: Templates, recordings: Sequence[clips.Clip], folder: Path) -> list[str]:
    """Write what PocketSphinx needs, return the command that runs it."""
    python = _environment()
    where = "import pocketsphinx; print(pocketsphinx.get_model_path('en-us/cmudict-en-us.dict'))"
    dictionary = Path(_output([str(python), "-c", where]))
    phrases = [one.said for one in recordings if one.said]
    numbers = {word for phrase in phrases for word in phrase.split() if word[-1].isdigit()} | set(ROUND_NUMBERS)
    files = {
        "commands.jsgf": write_jsgf(templates, numbers),
        "words.json": json.dumps(_words(templates, dictionary, folder)),
        "phrases.json": json.dumps(phrases),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [str(python), "hear_pocketsphinx.py", *(str(folder / name) for name in files)]


def _words(templates: Templates, dictionary: Path, folder: Path) -> dict[str, list[str]]:
    """Given PocketSphinx's dictionary, return each word's pronunciations, put together from it by Sayso's rules."""
    lexicon = folder / "lexicon.gz"
    phones: set[str] = set()
    with gzip.open(lexicon, "wt", encoding="utf-8") as out:
        for line in dictionary.read_text(encoding="utf-8").splitlines():
            word, _, said = line.partition(" ")
            phones.update(said.split())
            out.write(f"{re.sub(r'[(][0-9]+[)]$', '', word)}\t{said}\n")
    words = {label for _, label, _ in build_word_acceptor(templates, {}).arcs if label and not label.startswith(TAG)}
    found = pronounce(words, lexicon, sorted(phones), templates.pronunciations)
    return {word: [" ".join(way) for way in one.ways[:MOST_WAYS]] for word, one in found.items()}


def _run(command: Sequence[str], recordings: Sequence[clips.Clip], silence: Path) -> dict[str, Any]:
    """Given a recogniser's command, let it hear all recordings, return its report. Raise SaysoError where it fails."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        ready = process.stdout.readline().strip() == "ready"
        start = time.monotonic() - began
        if ready:
            process.stdin.write("".join(f"{path}\n" for path in (*(one.path for one in recordings), silence)))
            process.stdin.close()
            report = process.stdout.read()
    if not ready or process.returncode:
        raise SaysoError("the recogniser ended early", where=Path(command[1]).name, remedy="see what it said above")
    return {**json.loads(report), "start": start}


def _judge(report: Mapping[str, Any], recordings: Sequence[clips.Clip], silence: Path, reader: Reader) -> Result:
    heard = {one["name"]: one for one in report["clips"]}
    right = wrong = false = 0
    latencies = []
    misheard = {}
    for recording in recordings:
        found = heard[recording.path.stem]["heard"]
        meanings = [_meanings(one, reader) for one in found]
        wanted = reader.read(recording.said) if recording.said else set()
        if wanted and len(found) == 1 and meanings[0] & wanted:
            right += 1
            latencies.append((found[0]["known"] - recording.end) * 1000)
            continue
        wrong += bool(wanted and found)
        false += bool(found and not recording.said)
        if wanted or found:
            misheard[recording.path.stem] = [one["text"] for one in found]
    commands = sum(1 for one in recordings if one.said)
    speech = [one for one in report["clips"] if one["name"] != silence.stem]
    return Result(
        name=report["name"],
        model=report["model"],
        start=report["start"],
        ready_memory=report["ready_mib"],
        memory=report["peak_mib"],
        speech_cpu=sum(one["cpu"] for one in speech) / sum(one.speech for one in recordings),
        silence_cpu=heard[silence.stem]["cpu"] / clips.SILENCE,
        latency=median(latencies) if latencies else float("nan"),
        latency_p95=quantiles(latencies, n=20)[-1] if len(latencies) > 1 else float("nan"),
        right=right,
        wrong=wrong,
        nothing=commands - right - wrong,
        commands=commands,
        interval=wilson(right, commands),
        false=false,
        others=len(recordings) - commands,
        misheard=misheard,
    )


def _meanings(command: Mapping[str, Any], reader: Reader) -> set[tuple[str, str]]:
    """What a command means: as the recogniser says, or, where it gives words only, by the templates."""
    if "intent" in command:
        return {meaning(command["intent"], command["slots"])}
    return reader.read(command["text"])


def wilson(right: int, of: int) -> tuple[float, float]:
    """Given a count, return the 95 % interval of the share (Wilson, 1927), as shares of 1."""
    z = 1.96
    share = right / of
    middle, half = share + z * z / (2 * of), z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, (middle - half) / (1 + z * z / of)), min(1.0, (middle + half) / (1 + z * z / of))


def _machine() -> dict[str, str]:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    return {"processor": model.group(1) if model else platform.machine(), "python": platform.python_version()}


def _table(results: Sequence[Result]) -> Table:
    table = Table(title=f"On {_machine()['processor']}, one thread each")
    table.add_column("")
    for one in results:
        table.add_column(f"{one.name}\n{one.model}", justify="right")
    if len(results) == 2:
        table.add_column(f"{results[1].name.split()[0]} / {results[0].name.split()[0]}", justify="right")
    for label, key, form in (
        ("start-up [s]", "start", "{:.2f}"),
        ("memory when ready [MiB]", "ready_memory", "{:.0f}"),
        ("most memory [MiB]", "memory", "{:.0f}"),
        ("CPU s per s of speech", "speech_cpu", "{:.4f}"),
        ("CPU s per s of silence", "silence_cpu", "{:.5f}"),
        ("end to command, median [ms]", "latency", "{:.0f}"),
        ("end to command, 95 % [ms]", "latency_p95", "{:.0f}"),
    ):
        values = [getattr(one, key) for one in results]
        ratio = [f"{values[1] / values[0]:.2f}"] if len(values) == 2 and values[0] else []
        table.add_row(escape(label), *(form.format(value) for value in values), *ratio)
    table.add_section()
    table.add_row("commands right", *(f"{one.right} of {one.commands}" for one in results))
    table.add_row("  95 % interval", *(f"{one.interval[0]:.0%} – {one.interval[1]:.0%}" for one in results))
    table.add_row("commands taken for another", *(str(one.wrong) for one in results))
    table.add_row("commands not heard", *(str(one.nothing) for one in results))
    table.add_row("other speech taken for a command", *(f"{one.false} of {one.others}" for one in results))
    return table


def _print_misheard(console: Console, results: Sequence[Result]) -> None:
    for one in results:
        for name, heard in one.misheard.items():
            what = " + ".join(heard) or "(nothing)"
            console.print(f"{one.name.split()[0]}: {name.replace('_', ' ')} → {what}", style="dim", highlight=False)


def _notes(recordings: Sequence[clips.Clip], uncovered: Sequence[str], missing: Sequence[str]) -> list[str]:
    seconds = sum(one.speech for one in recordings)
    notes = [
        f"{len(recordings)} recordings, {seconds:.0f} s of speech; {clips.SILENCE:.0f} s of silence (faint noise).",
        "All costs are processor time. Latency: audio time of the decision plus processing, less the end of speech, "
        "which is where the recording was last 8 dB above its own noise.",
        "A command is right if it is the only one heard and means what was said (intent and slots).",
        "PocketSphinx: Endpointer and Decoder at their defaults, JSGF of the same templates, made easier for it: no "
        'skip words ("please"), and of long lists of numbers only those that are said and '
        f"{', '.join(ROUND_NUMBERS)}. Words that its dictionary lacks are put together from it, up to {MOST_WAYS} "
        "ways each.",
    ]
    notes += [f"The templates don't hold: {phrase}" for phrase in uncovered]
    notes += [f"PocketSphinx's grammar doesn't hold: {phrase}" for phrase in missing]
    return notes


if __name__ == "__main__":
    try:
        main()
    except SaysoError as error:
        print(f"tests/bench/run: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
