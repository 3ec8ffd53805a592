"""`sayso recognize`: sound files through the shipped path, as fast as it goes."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import click
from rich.console import Console
from rich.progress import track

from sayso.assembly import channel, load_grammar, load_model, make_pipeline, make_recognizer
from sayso.audio.capture import AudioSource
from sayso.audio.files import PcmStream, SoundFile
from sayso.cli.settings import commands_option, model_option, overrides, settings
from sayso.config import Config
from sayso.errors import AudioError
from sayso.recognition.recognizer import Recognizer
from sayso.records import Command, Heard, Rejection, Wake, seconds

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")


@click.command()
@commands_option
@model_option
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.pass_context
def recognize(context: click.Context, commands: Optional[Path], model: Optional[Path], files: Tuple[str, ...]) -> None:
    """Print what is said in sound FILEs (or folders of them; - is raw 16 kHz int16 from standard input).

    One JSON object a line for each outcome. A file that can't be read is named on standard error and in a line
    of type "error"; the others are recognised all the same.
    """
    config = settings(context, overrides(commands, model))
    loaded = load_model(config)
    recognizer = make_recognizer(config, loaded, load_grammar(config, loaded.bundle))
    failure: Optional[AudioError] = None
    for file in progress(list(sound_files(files))):
        try:
            for heard in hear(config, recognizer, file):
                click.echo(json.dumps(describe(file, heard), ensure_ascii=False))
        except AudioError as error:
            failure = error
            click.echo(f"sayso: {error}", err=True)
            click.echo(json.dumps({"file": file, "type": "error", "reason": str(error)}, ensure_ascii=False))
    if failure is not None:
        sys.exit(failure.exit_code)


def sound_files(names: Sequence[str]) -> Iterator[str]:
    """Given files and folders, yield the sound files. Raise AudioError for a folder without one."""
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(str(one) for one in path.rglob("*") if one.suffix.lower() in SOUND_SUFFIXES)
            if not found:
                raise AudioError(
                    "no sound file in this folder", where=name, remedy=f"it takes {' '.join(SOUND_SUFFIXES)}"
                )
            yield from found
        else:
            yield name


def progress(files: List[str]) -> Iterator[str]:
    """Yield files, and show a person who watches how far they are."""
    console = Console(stderr=True)
    watched = console.is_terminal and len(files) > 1 and not sys.stdout.isatty()
    yield from track(files, "Recognising", console=console, disable=not watched)


def hear(config: Config, recognizer: Recognizer, file: str) -> Iterator[Heard]:
    """Given a file, yield what is heard in it; one `no_speech` where nothing is. Raise AudioError."""
    source: AudioSource = PcmStream() if file == "-" else SoundFile(Path(file), channel(config))
    pipeline = make_pipeline(config, recognizer)
    length = 0
    silent = True
    with closing(source):
        source.open()
        for frame in source:
            length = frame.start + len(frame.samples)
            for heard in pipeline.feed(frame):
                silent = False
                yield heard
    for heard in pipeline.finish():
        silent = False
        yield heard
    if silent:
        yield Rejection("no_speech", "", "", 0.0, start=0, end=length, decided=length)


def describe(file: str, outcome: Heard) -> Dict[str, Any]:
    """Given what was heard, return it as one flat object; times in seconds from the file's start."""
    if isinstance(outcome, Wake):
        times = {name: round(seconds(getattr(outcome, name)), 3) for name in ("start", "end", "decided")}
        said = {"phrase": outcome.phrase, "confidence": round(outcome.confidence, 4)}
        return {"file": file, "type": "wake", **said, **times}
    command = isinstance(outcome, Command)
    return {
        "file": file,
        "type": "command" if command else "rejected",
        "text": outcome.text,
        "intent": outcome.intent,
        "slots": dict(outcome.slots) if isinstance(outcome, Command) else {},
        "raw_slots": dict(outcome.raw_slots) if isinstance(outcome, Command) else {},
        "confidence": round(outcome.confidence, 4),
        "reason": "" if isinstance(outcome, Command) else outcome.reason,
        "start": round(seconds(outcome.start), 3),
        "end": round(seconds(outcome.end), 3),
        "decided": round(seconds(outcome.decided), 3),
        "alternatives": [asdict(one) for one in outcome.alternatives],
        "timings": {stage: round(spent, 2) for stage, spent in asdict(outcome.timings).items()},
    }
