"""What holds in a room decides what can be said there."""

from __future__ import annotations

from typing import Any, Mapping

import pytest
from small_grammars import acceptor, said_by, the_meaning

from sayso.errors import GrammarError


def _conditional(block: Mapping[str, Any], values: Any = ("x",)) -> dict[str, Any]:
    return {
        "language": "en",
        "lists": {"name": {"values": list(values)}},
        "intents": {"Do": {"data": [{"sentences": ["do {name}"], **block}]}, "Else": {"data": [{"sentences": ["or"]}]}},
    }


@pytest.mark.parametrize(
    ("required", "context", "possible"),
    [
        ({"area": "hall"}, {"area": "hall"}, True),
        ({"area": "hall"}, {"area": "attic"}, False),
        ({"area": "hall"}, {}, False),
        ({"area": ["hall", "attic"]}, {"area": "attic"}, True),
        ({"area": None}, {"area": "attic"}, True),
        ({"area": None}, {}, False),
        ({"area": {"slot": True}}, {"area": "attic"}, True),
        ({"area": {"value": "hall"}}, {"area": "attic"}, False),
        ({"area": "hall", "floor": 1}, {"area": "hall"}, False),
    ],
)
def test_a_sentence_that_requires_a_context_is_heard_only_there(
    required: dict[str, Any], context: dict[str, Any], possible: bool
) -> None:
    assert ("do x" in said_by(acceptor(_conditional({"requires_context": required}), context=context))) == possible


@pytest.mark.parametrize(
    ("excluded", "context", "possible"),
    [
        ({"area": "hall"}, {"area": "hall"}, False),
        ({"area": ["hall", "attic"]}, {"area": "attic"}, False),
        ({"area": "hall"}, {"area": "attic"}, True),
        ({"area": "hall"}, {}, True),
    ],
)
def test_a_sentence_that_excludes_a_context_is_not_heard_there(
    excluded: dict[str, Any], context: dict[str, Any], possible: bool
) -> None:
    assert ("do x" in said_by(acceptor(_conditional({"excludes_context": excluded}), context=context))) == possible


def test_list_values_bring_the_context_that_a_sentence_requires() -> None:
    values = [
        {"in": "lamp", "context": {"domain": "light"}},
        {"in": "blind", "context": {"domain": "cover"}},
        "thing",
    ]
    assert said_by(acceptor(_conditional({"requires_context": {"domain": "light"}}, values))) == {"do lamp", "or"}
    assert said_by(acceptor(_conditional({"excludes_context": {"domain": "light"}}, values))) == {
        "do blind",
        "do thing",
        "or",
    }


def test_a_context_that_is_asked_for_as_a_slot_becomes_one() -> None:
    block = {"requires_context": {"area": {"slot": True}, "floor": {"slot": "level"}}, "slots": {"domain": "light"}}
    written = acceptor(_conditional(block), context={"area": "hall", "floor": 2})
    assert dict(the_meaning(written, "do x").slots) == {"area": "hall", "level": 2, "domain": "light", "name": "x"}


@pytest.mark.parametrize("value", [float("nan"), ["hall", "attic"], object()])
def test_a_context_that_no_event_can_hold_is_refused_as_a_slot(value: Any) -> None:
    with pytest.raises(GrammarError, match=r"the slot area would be .*, which no event can hold"):
        acceptor(_conditional({"requires_context": {"area": {"slot": True}}}), context={"area": value})


def test_a_room_in_which_nothing_can_be_said_is_refused() -> None:
    block = {
        "language": "en",
        "intents": {"Do": {"data": [{"sentences": ["go"], "requires_context": {"area": "hall"}}]}},
    }
    with pytest.raises(GrammarError, match="no sentence can be said in this room"):
        acceptor(block, context={"area": "attic"})
