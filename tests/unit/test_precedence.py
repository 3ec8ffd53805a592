"""Which of several meanings of the same words is taken."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import pytest
from small_grammars import CLASHING, acceptor, contents, graph

from sayso.grammar.tags import TAG
from sayso.reading import read_text
from sayso.recognition.precedence import Meanings


def taken(text: str, *intents: Sequence[str]) -> list[tuple[str, Mapping[str, Any]]]:
    """Given a sentence and templates, each intent's, return what it is taken for."""
    written = {f"Do{n}": {"data": [{"sentences": list(one)}]} for n, one in enumerate(intents)}
    words = acceptor({**contents([]), "intents": written, "lists": CLASHING})
    return [(one.intent, dict(one.slots)) for one in read_text(graph(words), text)]


def test_a_device_of_that_name_goes_before_all_of_an_area() -> None:
    area, name = "set {area} nets", "set {name}"
    for templates in ([area, name], [name, area]):
        assert taken("set ten nets", templates) == [("Do0", {"name": "ten nets"})]
    assert taken("set tin nets", [area, name]) == [("Do0", {"area": "tin"})]


def test_the_longer_name_goes_before_the_shorter() -> None:
    assert taken("set ten nets", ["set {name} nets"], ["set {name}"]) == [("Do1", {"name": "ten nets"})]


def test_what_is_written_out_goes_before_what_fills_a_slot() -> None:
    assert taken("set ten", ["set {area}"], ["set ten"]) == [("Do1", {})]


def test_slots_side_by_side_are_filled_as_they_were_written() -> None:
    assert taken("set two", ["set [{first}] [{second}]"]) == [("Do0", {"first": "two"})]


@pytest.mark.parametrize("templates", [(["set sun"], ["set sun"]), (["set {lamp}"],)])
def test_where_nothing_decides_all_are_told(templates: Sequence[Sequence[str]]) -> None:
    assert len(taken("set sun", *templates)) == 2


def test_a_path_means_what_its_words_are_taken_for_whichever_way_it_went() -> None:
    words = acceptor(contents(["set {area} nets", "set {name}"], lists=CLASHING))
    compiled = graph(words)
    meaning = Meanings(compiled)
    ways = {("set", f"{TAG}{{{slot}") for slot in ("area", "name")}
    outputs = [output for output in _outputs(compiled) if output[:2] in ways and "nets" in output and "ten" in output]
    assert len(outputs) == 2
    assert [dict(meaning(output).slots) for output in outputs] == [{"name": "ten nets"}] * 2


def _outputs(compiled: Any) -> list[tuple[str, ...]]:
    found, todo = [], [(compiled.start, ())]
    while todo:
        state, output = todo.pop()
        if not compiled.grammar[state]:
            found.append(output)
        todo.extend((to, (*output, compiled.symbols[label])) for label, to in compiled.grammar[state].items())
    return found
