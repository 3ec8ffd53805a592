"""Home Assistant's own sentences, for the names and areas of one house.

Rule of this file: the only one that reads the package home-assistant-intents. What a closed grammar can't hear (lists
that stand for any text) and what this house doesn't have is left out, and counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from sayso.errors import GrammarError
from sayso.grammar.files import Contents, TemplateFile

_PACKAGE = "home_assistant_intents"
_LIST = re.compile(r"\{([^{}:]+)(?::([^{}]+))?\}")
_RULE = re.compile(r"<([^<>]+)>")
_EVERYWHERE = frozenset(("homeassistant", "assist_satellite", "shopping_list", "weather"))
"""Domains of intents that need no device of that kind to be named."""


@dataclass(frozen=True)
class House:
    """What there is to be spoken of."""

    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Domain (`light`, `lock`, …) -> names of devices; each is a template of its own: "bed[side] light"."""
    areas: Sequence[str] = ()
    floors: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    """Intents that are not wanted."""
    sentences: bool = True
    """Whether Home Assistant's sentences are wanted; else the owner's may name its lists and rules all the same."""


@dataclass(frozen=True)
class HouseSentences:
    """Home Assistant's sentences for a house, and the lists and rules that others may name, too."""

    file: TemplateFile
    left_out: Mapping[str, int]
    """Why sentences were left out -> how many."""


def read_house_sentences(house: House, language: str = "en") -> HouseSentences:
    """Given what a house has, return Home Assistant's sentences for it. Raise GrammarError where the package is
    missing, or nothing is left."""
    path, source, data, domains = _read(language)
    left_out: Counter[str] = Counter()
    intents: dict[str, Any] = {}
    sieve = _Sieve(house, data, left_out)
    for intent, content in data["intents"].items() if house.sentences else ():
        if intent in house.leave_out:
            continue
        blocks = [block for one in content["data"] if (block := sieve.block(one, domains.get(intent, "")))]
        if blocks:
            intents[intent] = {"data": blocks}
    if not intents and house.sentences:
        remedy = "fill in [house] names and areas"
        raise GrammarError("none of Home Assistant's sentences fits this house", where=str(path), remedy=remedy)
    contents = {
        "language": language,
        "intents": intents,
        "lists": {**data["lists"], **sieve.lists},
        "expansion_rules": data["expansion_rules"],
        "skip_words": data["skip_words"] if house.sentences else [],
    }
    file = TemplateFile(path, Contents.model_validate(contents), {}, source, own=False)
    return HouseSentences(file, dict(left_out))


def _read(language: str) -> tuple[Path, bytes, dict[str, Any], dict[str, str]]:
    """Return where the data is, as it is there and as it is meant, and each intent's domain."""
    try:
        package = files(_PACKAGE)
        path = Path(str(package / "data" / f"{language}.json"))
        source = path.read_bytes()
        data = json.loads(source)
        about = json.loads((package / "intents.json").read_text(encoding="utf-8"))
    except (ImportError, OSError, ValueError):
        remedy = "install the Python package home-assistant-intents, or set [house] sentences = false"
        raise GrammarError("Home Assistant's sentences are not installed", where="[house]", remedy=remedy) from None
    return path, source, data, {intent: one.get("domain", "") for intent, one in about.items()}


class _Sieve:
    """Keeps the sentences that can be said in a house."""

    def __init__(self, house: House, data: Mapping[str, Any], left_out: Counter[str]) -> None:
        self._house = house
        self._rules: Mapping[str, str] = data["expansion_rules"]
        self._left_out = left_out
        self._owned = {domain for domain, names in house.names.items() if names}
        self._wildcards = {name for name, one in data["lists"].items() if one.get("wildcard")}
        self.lists: dict[str, Any] = {name: one for name, one in data["lists"].items() if name not in self._wildcards}
        named = [
            {"in": name, "out": _plain(name), "context": {"domain": domain}}
            for domain, names in house.names.items()
            for name in names
        ]
        own = {"name": named, "area": _values(house.areas), "floor": _values(house.floors)}
        self.lists.update((name, {"values": values}) for name, values in own.items() if values)

    def block(self, block: Mapping[str, Any], intent_domain: str) -> dict[str, Any] | None:
        """Given a block of sentences and their intent's domain, return what of it can be said; None: nothing."""
        domains = _domains(block) or {intent_domain} - _EVERYWHERE - {""}
        if domains and not domains & self._owned:
            self._left_out[f"no {' or '.join(sorted(domains))} is named"] += len(block["sentences"])
            return None
        kept = [text for text in block["sentences"] if self._can_be_said(text)]
        if not kept:
            return None
        known = ("slots", "requires_context", "excludes_context")
        return {"sentences": kept, **{key: block[key] for key in known if key in block}}

    def _can_be_said(self, text: str) -> bool:
        for name in sorted(set(self._lists_of(text, frozenset()))):
            if name in self._wildcards:
                self._left_out[f"{{{name}}} may be any text"] += 1
                return False
            if name not in self.lists:
                self._left_out[f"no {name} is named"] += 1
                return False
        return True

    def _lists_of(self, text: str, inside: frozenset[str]) -> Iterator[str]:
        yield from (match.group(1) for match in _LIST.finditer(text) if ".." not in match.group(1))
        for match in _RULE.finditer(text):
            rule = match.group(1)
            if rule in self._rules and rule not in inside:
                yield from self._lists_of(self._rules[rule], inside | {rule})


def _domains(block: Mapping[str, Any]) -> set[str]:
    """The kinds of devices that a block speaks of."""
    asked = block.get("requires_context", {}).get("domain", block.get("slots", {}).get("domain", ()))
    if isinstance(asked, Mapping):
        asked = asked.get("value", ())
    return {asked} if isinstance(asked, str) else set(asked)


def _values(names: Sequence[str]) -> list[Any]:
    return [{"in": name, "out": _plain(name)} for name in names]


def _plain(name: str) -> str | None:
    """What the slot holds: the name, where it is one; else the words that were said."""
    return None if set(name) & set("()[]{}<>|") else name
