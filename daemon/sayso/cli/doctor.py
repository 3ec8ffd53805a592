"""`sayso doctor`: what is well, what isn't, and what to do; safe to attach to a bug report."""

from __future__ import annotations

import json
import platform
from typing import Callable, Dict, Iterable, Iterator, List

import click
from rich.console import Console

from sayso import __version__
from sayso.assembly import Model, load_grammar, load_model, make_contract, make_microphone, mqtt_settings
from sayso.audio.device import find_device, list_devices
from sayso.cli.settings import settings
from sayso.config import Config
from sayso.diagnosis.accelerator import look_at_accelerator
from sayso.diagnosis.broker import Visit
from sayso.diagnosis.computer import look_at_computer
from sayso.diagnosis.finding import BAD, NOTE, OK, Finding, trouble
from sayso.diagnosis.sound import listen, look_at_device
from sayso.errors import ConfigError, SaysoError
from sayso.recognition.tflite import runtime_name
from sayso.records import SAMPLE_RATE

SLOW = 0.5
"""A network that needs more than this share of the time that a chunk lasts leaves too little for the rest."""

_MARKS = {OK: ("ok", "green"), NOTE: ("..", "yellow"), BAD: ("no", "red")}

Look = Callable[[], Iterable[Finding]]


@click.command()
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(0.5, 60), help="How long to listen.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(context: click.Context, seconds: float, as_json: bool) -> None:
    """Look at the computer, microphone, Edge TPU, model, sentences and broker; say what to do about what isn't well.

    Listens for a few seconds and keeps nothing of it. Prints no password, no user's name and no sentence. Exit 0 if
    nothing keeps Sayso from working.
    """
    findings: List[Finding] = []
    for what, look in _looks(_config(context, findings), seconds).items():
        try:
            findings.extend(look())
        except SaysoError as error:
            findings.extend(trouble(what, error))
    if as_json:
        click.echo(json.dumps(_described(findings), ensure_ascii=False))
    else:
        _show(findings)
    if any(one.level == BAD for one in findings):
        context.exit(1)


def _config(context: click.Context, findings: List[Finding]) -> Config:
    """Return the settings; where they are wrong, say so and go on with the defaults."""
    try:
        config = settings(context)
    except ConfigError as error:
        findings.extend(trouble("settings", error))
        return Config()
    findings.append(Finding("settings", OK, "valid"))
    return config


def _looks(config: Config, seconds: float) -> Dict[str, Look]:
    loaded: List[Model] = []
    return {
        "computer": look_at_computer,
        "microphone": lambda: _microphone(config, seconds),
        "interpreter": lambda: look_at_accelerator(runtime_name(), config.model.accelerator),
        "model": lambda: _model(config, loaded),
        "sentences": lambda: _sentences(config, loaded),
        "broker": lambda: _broker(config),
    }


def _microphone(config: Config, seconds: float) -> Iterator[Finding]:
    yield look_at_device(find_device(list_devices(), config.audio.device))
    yield from listen(make_microphone(config), seconds)


def _model(config: Config, loaded: List[Model]) -> Iterator[Finding]:
    model = load_model(config)
    loaded.append(model)
    try:
        yield Finding("model", OK, f"{model.bundle.label} on {model.accelerator}")
        needed = model.network.chunk_ms
        lasts = model.bundle.manifest.network.stride * model.bundle.manifest.features.step / SAMPLE_RATE * 1000
        shown = f"{needed:.1f} ms for a chunk of {lasts:.0f} ms"
        if needed > SLOW * lasts:
            yield Finding("speed", BAD, shown, "use a smaller model, or an Edge TPU; `sayso bench` compares them")
        else:
            yield Finding("speed", OK, shown)
    finally:
        model.network.close()


def _sentences(config: Config, loaded: List[Model]) -> Iterator[Finding]:
    if not loaded:
        return
    grammar = load_grammar(config, loaded[0].bundle)
    counts = f"{grammar.graph.sentences:,} sentences in {len(grammar.files)} files"
    guessed = sum(said.source == "guessed" for said in grammar.pronunciations.values())
    if guessed:
        remedy = "`sayso check` lists them; write under `pronunciations:` how they are said"
        yield Finding("sentences", NOTE, f"{counts}; how {guessed} words are said is guessed", remedy)
    else:
        yield Finding("sentences", OK, counts)


def _broker(config: Config) -> Iterator[Finding]:
    prefix = config.home_assistant.prefix if config.home_assistant.discovery else ""
    yield from Visit(mqtt_settings(config), make_contract(config, "doctor"), prefix).findings()


def _described(findings: List[Finding]) -> Dict[str, object]:
    return {
        "sayso": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "ok": not any(one.level == BAD for one in findings),
        "findings": [
            {"what": one.what, "level": one.level, "detail": one.detail, "remedy": one.remedy} for one in findings
        ],
    }


def _show(findings: List[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"Sayso {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for one in findings:
        mark, colour = _MARKS[one.level]
        console.print(mark, style=colour, end="")
        console.print(f"  {one.what:<14}  {one.detail}")
        if one.remedy:
            console.print(f"{'':<18}  -> {one.remedy}")
