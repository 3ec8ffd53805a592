"""`sayso check`: whether everything that the daemon needs is there and fits, before it is started."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Optional

import click

from sayso.assembly import Model, assist_settings, load_grammar, load_model, mqtt_settings
from sayso.assist import greet
from sayso.audio.device import find_device, list_devices
from sayso.cli.settings import commands_option, model_option, overrides, settings
from sayso.config import Config
from sayso.errors import SaysoError


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    what: str
    ok: bool
    detail: str


@click.command()
@commands_option
@model_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(context: click.Context, commands: Optional[Path], model: Optional[Path], as_json: bool) -> None:
    """Check the settings, the model, the sentences and the microphone. Exit 0 only if all are well."""
    config = settings(context, overrides(commands, model))
    findings: List[Finding] = []
    error: Optional[SaysoError] = None
    loaded: List[Model] = []

    def examine(what: str, look: Callable[[], str]) -> None:
        nonlocal error
        try:
            findings.append(Finding(what, True, look()))
        except SaysoError as found:
            error = error or found
            findings.extend(Finding(what, False, str(problem)) for problem in found.problems)

    examine("settings", lambda: _settings(config))
    examine("model", lambda: _model(config, loaded))
    if loaded:
        examine("sentences", lambda: _sentences(config, loaded[0]))
    examine("microphone", lambda: _microphone(config))
    if config.home_assistant.intents:
        examine("home assistant", lambda: _home_assistant(config))
    _show(findings, as_json)
    if error is not None:
        context.exit(error.exit_code)


def _settings(config: Config) -> str:
    mqtt_settings(config)
    return "valid"


def _model(config: Config, loaded: List[Model]) -> str:
    model = load_model(config)
    loaded.append(model)
    return f"{model.bundle.label} on {model.accelerator}"


def _microphone(config: Config) -> str:
    device = find_device(list_devices(), config.audio.device)
    return f"{device.name}, {device.rate} Hz, {device.channels} channels"


def _home_assistant(config: Config) -> str:
    settings = assist_settings(config, "en")
    greet(settings)
    return f"{settings.address} takes commands"


def _sentences(config: Config, model: Model) -> str:
    grammar = load_grammar(config, model.bundle)
    guessed = sorted(word for word, said in grammar.pronunciations.items() if said.source == "guessed")
    note = f"; pronunciation guessed: {', '.join(guessed)}" if guessed else ""
    return (
        f"{len(grammar.files)} files, {len(grammar.pronunciations)} words, {grammar.graph.sentences:,} sentences{note}"
    )


def _show(findings: List[Finding], as_json: bool) -> None:
    if as_json:
        rows = [{"check": one.what, "ok": one.ok, "detail": one.detail} for one in findings]
        click.echo(json.dumps({"ok": all(one.ok for one in findings), "checks": rows}, ensure_ascii=False))
        return
    for one in findings:
        mark = click.style("ok", "green") if one.ok else click.style("no", "red")
        click.echo(f"{mark}  {one.what:<14}  {one.detail}")
