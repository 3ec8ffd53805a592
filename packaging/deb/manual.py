"""The manual pages, from the program itself: sayso(1) out of its command line, sayso.toml(5) out of its settings.

Rule of this file: nothing that the program says of itself is written a second time. `python3 manual.py FOLDER DATE`
writes both pages there; it needs what Sayso needs.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Iterator

import click

from sayso import __version__, errors
from sayso.cli.main import sayso
from sayso.config import template

_INTRODUCTION = (
    "Sayso listens to a microphone and turns what is said into MQTT messages. Only sentences that its owner wrote"
    " down can come out; everything else is rejected, with the reason. Nothing leaves the house, and no sound is"
    " stored."
)
_FILES = {
    "/etc/sayso/sayso.toml": "the settings, see sayso.toml(5)",
    "/etc/sayso/commands/": "the sentences, in Home Assistant's template format; a change is noticed by itself",
    "/usr/share/sayso/models/en/": "the model that comes with Sayso (package sayso-model-en)",
    "/usr/share/doc/sayso/": "licences of everything that is shipped, and a bill of materials (CycloneDX)",
}
_SIGNALS = {"SIGHUP": "read the sentences again (systemctl reload sayso)", "SIGTERM": "stop"}
_EXAMPLES = {
    "sayso check": "Settings, model, sentences, microphone: is all of it well?",
    "sayso recognize recording.wav": "What a sound file says, one JSON object a line.",
    "journalctl -u sayso SAYSO_INTENT=HassTurnOn": "Every time that something was turned on.",
}


def main() -> None:
    """Write both pages."""
    folder, date = Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sayso.1").write_text("\n".join(command_page(date)) + "\n", encoding="utf-8")
    (folder / "sayso.toml.5").write_text("\n".join(settings_page(date)) + "\n", encoding="utf-8")


def command_page(date: str) -> Iterator[str]:
    """Given a date, return the lines of sayso(1)."""
    yield f'.TH SAYSO 1 "{date}" "Sayso {__version__}" "User Commands"'
    yield from (".SH NAME", r"sayso \- offline voice commands: from a microphone to an MQTT event")
    yield from (".SH SYNOPSIS", r".B sayso", r"[\fB\-\-config\fR \fIFILE\fR] \fICOMMAND\fR [\fIOPTION\fR…]")
    yield from (".SH DESCRIPTION", text(_INTRODUCTION))
    yield ".SH OPTIONS"
    context = click.Context(sayso, info_name="sayso")
    yield from _options(sayso, context)
    yield ".SH COMMANDS"
    yield from _commands(sayso, context, "sayso")
    yield ".SH EXIT STATUS"
    yield from _definitions({"0": "success", **dict(_exit_codes())})
    yield ".SH SIGNALS"
    yield from _definitions(_SIGNALS)
    yield ".SH ENVIRONMENT"
    yield from _definitions({"SAYSO_CONFIG": "the settings file, where --config does not name one"})
    yield ".SH FILES"
    yield from _definitions(_FILES)
    yield ".SH EXAMPLES"
    yield from _definitions(_EXAMPLES)
    yield from (".SH SEE ALSO", r".BR sayso.toml (5), mosquitto (8), systemd.service (5)")


def settings_page(date: str) -> Iterator[str]:
    """Given a date, return the lines of sayso.toml(5), from the commented file that the settings' schema writes."""
    yield f'.TH SAYSO.TOML 5 "{date}" "Sayso {__version__}" "File Formats"'
    yield from (".SH NAME", r"sayso.toml \- settings of Sayso")
    yield from (".SH SYNOPSIS", r".I /etc/sayso/sayso.toml", ".SH DESCRIPTION")
    blocks = [block.splitlines() for block in template().strip().split("\n\n")]
    yield text("A TOML file. " + " ".join(map(_uncomment, blocks[0])))
    yield text(
        "The daemon reads it when it starts (systemctl restart sayso). `sayso check` names every mistake with its line."
    )
    for lines in blocks[1:]:
        if lines[0].startswith("["):
            yield f'.SH "{text(lines[0])}"'
            yield text(" ".join(map(_uncomment, lines[1:])))
            continue
        *about, setting = map(_uncomment, lines)
        yield from (".TP", rf"\fB{text(setting)}\fR", text(" ".join(about)))
    yield from (".SH SEE ALSO", r".BR sayso (1)")


def text(plain: str) -> str:
    """Given plain text, return it so that troff prints it as it is."""
    escaped = plain.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return r"\&" + escaped if escaped.startswith(".") else escaped


def _commands(group: click.Group, parent: click.Context, path: str) -> Iterator[str]:
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=parent)
        usage = " ".join(command.collect_usage_pieces(context))
        yield from (f'.SS "{text(f"{path} {name} {usage}".strip())}"', text(_one_paragraph(command.help or "")))
        yield from _options(command, context)
        if isinstance(command, click.Group):
            yield from _commands(command, context, f"{path} {name}")


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            names, meaning = record
            yield from (".TP", rf"\fB{text(names)}\fR", text(_one_paragraph(meaning)))


def _definitions(meanings: dict[str, str]) -> Iterator[str]:
    for name, meaning in meanings.items():
        yield from (".TP", rf"\fB{text(name)}\fR", text(meaning))


def _exit_codes() -> Iterator[tuple[str, str]]:
    found = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.SaysoError)]
    for error in sorted(found, key=lambda one: one.exit_code):
        yield (
            str(error.exit_code),
            (error.__doc__ or "").splitlines()[0]
            if error is not errors.SaysoError
            else ("something else that a person can act on; the message says what"),
        )


def _one_paragraph(wrapped: str) -> str:
    return re.sub(r"\s+", " ", wrapped.replace("\b", "")).strip()


def _uncomment(line: str) -> str:
    return line.removeprefix("#").strip()


if __name__ == "__main__":
    main()
