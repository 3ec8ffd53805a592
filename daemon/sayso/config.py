"""sayso.toml, read, checked and printed.

Rule of this file: values only; nothing is opened or built from them here. The schema in sections.py makes the
commented file in config/ (`sayso config --template`), checks what the owner wrote, and reports all
that is wrong at once, each with its key, line and the nearest known name.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
from pathlib import Path
from typing import Any, Iterator, List, Literal, Optional, Tuple, Type, get_args, get_origin

from pydantic import BaseModel, ValidationError

from sayso.errors import ConfigError, Problem
from sayso.sections import SETTINGS_FOLDER, CommandsConfig, Config, DecoderConfig, ModelConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "CommandsConfig", "Config", "DecoderConfig", "ModelConfig", "parse_config", "read_config", "render", "template",
]  # fmt: skip

DEFAULT_PATH = SETTINGS_FOLDER / "sayso.toml"


def read_config(path: Optional[Path]) -> Config:
    """Given a file, return its settings; given None, those of the default path, or the defaults where there is none.

    Raise ConfigError that holds every problem.
    """
    file = path or DEFAULT_PATH
    try:
        text = file.read_text(encoding="utf-8-sig")  # some editors begin with a byte order mark
    except FileNotFoundError:
        if path is None:
            return Config()
        raise ConfigError("no such file", where=str(file), remedy="check the path, or leave --config out") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read: {error}", where=str(file), remedy="check its permissions") from None
    return parse_config(text, str(file), file.absolute().parent)


def parse_config(text: str, where: str, folder: Path = SETTINGS_FOLDER) -> Config:
    """Given the text of a file, its name, and the folder that paths in it start from, return its settings.

    Raise ConfigError that holds every problem.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"not TOML: {error}", where=where, remedy="strings need quotes, sections [brackets]"
        ) from None
    try:
        # A section that isn't there is read as an empty one: its default paths start from the folder, too.
        return Config.model_validate({**{name: {} for name, _ in _sections()}, **data}, context=folder)
    except ValidationError as error:
        problems = [_problem(finding, text, where) for finding in error.errors()]
        raise ConfigError(problems=sorted(problems, key=_written_order)) from None


def template() -> str:
    """Return sayso.toml with every key, commented out, with its default, unit and range."""
    lines = [
        "# Sayso's settings. Every key stands here with its default; change what you need, leave the rest out.",
        "# `sayso config` shows what is in force, `sayso check` whether all of it works.",
    ]
    for name, section in _sections():
        lines += ["", f"[{name}]", f"# {' '.join((section.__doc__ or '').split())}"]
        for key, about in section.model_fields.items():
            default = about.get_default(call_default_factory=True)
            value = "0.5  # an example: it is unset" if default is None else _toml(default)
            said = f"# {about.description}{_choices(about.annotation)}{_range(about.metadata)}"
            lines += ["", said, f"# {key} = {value}"]
    return "\n".join(lines) + "\n"


def render(config: Config) -> str:
    """Given settings, return them as TOML; an unset key is left out."""
    lines: List[str] = []
    for name, section in config:
        lines.append(f"[{name}]")
        lines.extend(f"{key} = {_toml(value)}" for key, value in section if value is not None)
        lines.append("")
    return "\n".join(lines)


def _choices(annotation: Any) -> str:
    return f" (one of {', '.join(get_args(annotation))})" if get_origin(annotation) is Literal else ""


def _range(metadata: List[Any]) -> str:
    limits = [f"{getattr(one, name):g}" for one in metadata for name in ("ge", "gt", "le", "lt") if hasattr(one, name)]
    return f" ({' to '.join(limits)})" if limits else ""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    return str(value)


def _problem(finding: Any, text: str, where: str) -> Problem:
    location = tuple(part for part in finding["loc"] if part not in ("str", "int"))
    place = f"{where}{_line(text, location)}: {_key(location)}"
    if finding["type"] == "extra_forbidden":
        return Problem(place, "unknown key" if len(location) > 1 else "unknown section", _did_you_mean(location))
    if finding["type"] == "model_type":
        return Problem(place, "is a section", f"write [{location[-1]}] on a line of its own, its keys below")
    if finding["type"] == "value_error":
        return Problem(place, str(finding["ctx"]["error"]), "see the comments in the shipped sayso.toml")
    wrong = finding.get("input")
    shown = f" (it is {wrong!r})" if isinstance(wrong, (str, int, float, bool)) else ""
    return Problem(
        place,
        f"{finding['msg'][0].lower()}{finding['msg'][1:]}{shown}",
        "see the comment above it in the shipped sayso.toml",
    )


def _written_order(problem: Problem) -> int:
    line = re.search(r":(\d+): ", problem.where)
    return int(line.group(1)) if line else 0


def _key(location: Tuple[Any, ...]) -> str:
    section, *rest = (str(part) for part in location)
    return f"[{section}] {'.'.join(rest)}" if rest else f"[{section}]"


def _line(text: str, location: Tuple[Any, ...]) -> str:
    """Given a key's path, return `:line` of where it is written; TOML's parser doesn't tell."""
    wanted, section = (str(location[0]), ""), ""
    if len(location) > 1:
        wanted = (str(location[0]), str(location[1]))
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([\w-]+)\s*\]", line)
        key = re.match(r"\s*([\w-]+)\s*=", line)
        if header:
            section = header.group(1)
        here = (section, key.group(1)) if key and section else (key.group(1) if key else section, "")
        if here == wanted and (header or key):
            return f":{number}"
    return ""


def _did_you_mean(location: Tuple[Any, ...]) -> str:
    name = str(location[-1])
    if len(location) == 1:
        known = list(Config.model_fields)
        homes = [f"[{section}] {name}" for section, model in _sections() if name in model.model_fields]
        if homes:
            return f"it belongs to {homes[0]}"
    else:
        known = list(dict(_sections())[str(location[0])].model_fields)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(known)}"


def _sections() -> Iterator[Tuple[str, Type[BaseModel]]]:
    for name, field in Config.model_fields.items():
        assert isinstance(field.annotation, type)
        yield name, field.annotation
