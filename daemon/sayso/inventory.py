"""What there is in a house, as its Home Assistant tells: the names and areas for [house].

Rule of this file: it asks once and changes nothing. What it returns can be said: signs that mean something in a
template are left out of the names.

Source of the request: Home Assistant's developer documentation, "REST API", /api/template.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence

from sayso.assist import AssistSettings, ask, strange
from sayso.grammar.text import words

DOMAINS = (
    "light", "switch", "fan", "cover", "lock", "climate", "media_player", "vacuum", "lawn_mower", "valve", "scene",
    "script",
)  # fmt: skip
"""Kinds of devices that people speak of; sensors are many, and mostly nobody does."""

TIMERS = (
    "HassStartTimer", "HassCancelTimer", "HassCancelAllTimers", "HassIncreaseTimer", "HassDecreaseTimer",
    "HassPauseTimer", "HassUnpauseTimer", "HassTimerStatus",
)  # fmt: skip
"""Intents that Home Assistant carries out only for a device of its own that can ring: "timers are not supported on this
device", it answers to its conversation API."""

LARGEST = 2 * 1024 * 1024
"""Bytes of an answer that are read: some ten thousand devices."""

_TEMPLATE = """
{%- set found = namespace(names=[]) -%}
{%- for one in states if one.domain in DOMAINS and not is_hidden_entity(one.entity_id)
    and device_attr(one.entity_id, "manufacturer") != "Sayso" -%}
  {%- set found.names = found.names + [[one.domain, one.name]] -%}
{%- endfor -%}
{{ {"areas": areas() | map("area_name") | list, "floors": floors() | map("floor_name") | list,
    "names": found.names} | to_json }}
"""


@dataclass(frozen=True)
class Inventory:
    """What can be spoken of."""

    names: Mapping[str, Sequence[str]]
    """Domain -> names of devices."""
    areas: Sequence[str]
    floors: Sequence[str]


def take_inventory(settings: AssistSettings, domains: Sequence[str] = DOMAINS) -> Inventory:
    """Given where Home Assistant is, return what it has of these domains. Raise HandOverError."""
    template = _TEMPLATE.replace("DOMAINS", json.dumps(list(domains)))
    answer = ask(settings, "/api/template", {"template": template}, LARGEST)
    try:
        pairs = [(str(domain), str(name)) for domain, name in answer["names"]]
        areas, floors = ([str(name) for name in answer[kind]] for kind in ("areas", "floors"))
    except (KeyError, TypeError, ValueError):
        raise strange(settings) from None
    names: Dict[str, List[str]] = {domain: _sayable(name for one, name in pairs if one == domain) for domain in domains}
    return Inventory({domain: its for domain, its in names.items() if its}, _sayable(areas), _sayable(floors))


def _sayable(names: Any) -> List[str]:
    """Given names, return each that has a word in it once, without what a template would take for more than text."""
    plain = (" ".join(re.sub(r"[()\[\]{}<>|;:\\]", " ", name).split()) for name in names)
    return sorted({name.casefold(): name for name in plain if words(name)}.values(), key=str.casefold)
