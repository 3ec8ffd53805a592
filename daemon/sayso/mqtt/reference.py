"""The public contract as a document: every topic, every field, an example.

Rule of this file: nothing is said here that a schema doesn't say. `sayso contract` prints it, and CONTRACT.md beside
this file is it.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Iterator

from sayso.mqtt.contract import TOPICS, Topic


def schema(topic: Topic) -> dict[str, Any]:
    """Given a topic, return the JSON Schema of its payload; bare text counts as a JSON string."""
    text = (files("sayso.mqtt") / "schema" / topic.schema).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def document() -> str:
    """Return the contract in Markdown."""
    lines = [
        "# What Sayso says and hears on MQTT",
        "",
        "Made from the schemas in `schema/` by `sayso contract`. Topics are below `sayso/<site>/`; payloads are JSON",
        "or bare text, in UTF-8.",
    ]
    for topic in TOPICS:
        lines += ["", *_topic(topic)]
    return "\n".join(lines) + "\n"


def _topic(topic: Topic) -> Iterator[str]:
    rules = schema(topic)
    yield f"## `{topic.name}`"
    yield ""
    yield f"{'From' if topic.direction == 'out' else 'To'} Sayso: {topic.meaning}."
    expires = ", expires after the time to live" if topic.expires else ""
    yield f"QoS {topic.qos}, {'retained' if topic.retained else 'not retained'}{expires}."
    rows = list(_fields(rules, rules, ""))
    if rows:
        yield ""
        yield "| field | type | meaning |"
        yield "|---|---|---|"
        yield from rows
    else:
        yield ""
        yield f"{rules.get('description', rules['title'] + '.')} Payload: {_type(rules, rules)}."
    yield ""
    yield "```json" if rows else "```"
    for example in rules["examples"]:
        yield example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
    yield "```"


def _fields(rules: dict[str, Any], whole: dict[str, Any], prefix: str) -> Iterator[str]:
    """Yield a row for each field of an object, those of objects within it, too."""
    for name, given in rules.get("properties", {}).items():
        field = _resolved(given, whole)
        optional = "" if name in rules.get("required", ()) else " Not always there."
        meaning = f"{field.get('description', field.get('title', ''))}{optional}".strip().replace("|", "\\|")
        yield f"| `{prefix}{name}` | {_type(field, whole)} | {meaning} |"
        inner = _resolved(field.get("items", {}), whole)
        yield from _fields(inner, whole, f"{prefix}{name}[].")
        yield from _fields(field, whole, f"{prefix}{name}.")


def _resolved(rules: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Return rules with what they refer to, as far as they don't say otherwise."""
    reference = rules.get("$ref", "")
    if not reference:
        return rules
    return {**whole["$defs"][reference.rsplit("/", 1)[-1]], **rules}


def _type(rules: dict[str, Any], whole: dict[str, Any]) -> str:
    if "enum" in rules:
        return ", ".join(f"`{value}`" if value != "" else "nothing" for value in rules["enum"])
    if "anyOf" in rules:
        return "; or ".join(_type(_resolved(one, whole), whole) for one in rules["anyOf"])
    kinds = rules.get("type", "anything")
    text = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    limits = [str(rules[key]) for key in ("minimum", "maximum") if key in rules]
    if len(limits) == 2:
        return f"{text}, {limits[0]} to {limits[1]}"
    return f"{text}, at least {limits[0]}" if "minimum" in rules else text
