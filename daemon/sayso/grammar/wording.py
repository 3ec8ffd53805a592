"""How what Rhasspy's sentences say is written in hassil's templates, and what values become.

Rule of this file: pure; text in, text out.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping, Sequence

_CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": lambda text: text.strip().casefold() not in ("", "0", "false", "no", "off"),
    "lower": str.lower,
    "upper": str.upper,
}

_SPECIAL = re.compile(r"([()\[\]{}<>|;\\])")


class Untranslatable(Exception):  # noqa: N818 - whoever translates names it with its line
    """What a template can't say."""


def converted(said: str, out: Any, converters: Sequence[str]) -> Any:
    """Given what is said, what it stands for (None: itself) and converters, return what those make of it.

    Raise Untranslatable.
    """
    for converter in converters:
        if converter not in _CONVERTERS:
            raise Untranslatable(f"converter !{converter} is a program of yours")
        text = words(said) if out is None else str(out)
        try:
            out = _CONVERTERS[converter](text)
        except ValueError:
            raise Untranslatable(f'"{text}" can\'t be converted by !{converter}') from None
    return out


def entry(said: str, out: Any) -> Any:
    """Given what is said and what the slot becomes, return a list's value as it is written."""
    return said if out is None or out == said else {"in": said, "out": out}


def words(template: str) -> str:
    """Given a template that says one thing, return it as plain text. Raise Untranslatable for one that says more."""
    if re.search(r"(?<!\\)[(\[{<|]", template):
        raise Untranslatable(f"`{template}` within a tag may be several things where one is needed")
    return re.sub(r"\\(.)", r"\1", template)


def escaped(text: str) -> str:
    """Given a word, return it so that no template's sign is one."""
    return _SPECIAL.sub(r"\\\1", text)


def slot_name(name: str) -> str:
    """Given a tag's name, return one that a list and a slot may have."""
    return re.sub(r"[^\w.]+", "_", name) or "slot"


def tidy(text: str) -> str:
    """Given text, return it with single spaces."""
    return " ".join(text.split())


def is_bracketed(text: str) -> bool:
    """Whether all of a template is one group: its brackets can be exchanged."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place == len(text) - 1
    return False
