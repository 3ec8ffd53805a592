"""What holds in a room, and what a sentence makes of it: requires_context, excludes_context.

Rule of this file: pure; the rules are Home Assistant's (hassil's check_required_context and its like). A value of a
condition is a scalar, a list of which one must hold, nothing (any value will do), or a mapping with `value` and `slot`.
"""

from __future__ import annotations

from typing import Any, Mapping

Context = Mapping[str, Any]


def contradicts(context: Context, required: Context, excluded: Context) -> bool:
    """Whether a context, the room's or a list value's, rules a sentence out; what it doesn't mention, it doesn't."""
    broken = any(key in context and not _holds(context[key], want) for key, want in required.items())
    return broken or any(key in context and _equals(context[key], bad) for key, bad in excluded.items())


def met(context: Context, required: Context) -> frozenset[str]:
    """Given a context and conditions, return the keys of those that it fulfils."""
    return frozenset(key for key, want in required.items() if _known(context.get(key)) and _holds(context[key], want))


def missing(context: Context, required: Context) -> frozenset[str]:
    """Given the room's context and conditions, return the keys that list values will have to bring."""
    return frozenset(required) - met(context, required)


def slots_from(context: Context, required: Context) -> dict[str, Any]:
    """Given the room's context, return the slots that conditions take from it (`slot: true`, or another name)."""
    return {
        key if want["slot"] is True else str(want["slot"]): _value(context[key])
        for key, want in required.items()
        if isinstance(want, Mapping) and want.get("slot") and key in met(context, required)
    }


def _holds(have: Any, want: Any) -> bool:
    return _value(want) is None or _equals(have, want)


def _equals(have: Any, want: Any) -> bool:
    wanted = _value(want)
    any_of = wanted if isinstance(wanted, (list, tuple, set)) else (wanted,)
    return any(bool(_value(have) == one) for one in any_of)


def _known(value: Any) -> bool:
    return _value(value) is not None


def _value(written: Any) -> Any:
    return written.get("value") if isinstance(written, Mapping) else written
