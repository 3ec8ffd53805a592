"""Transcripts read by the grammar, as they write what the templates have in figures."""

from __future__ import annotations

from small_grammars import acceptor, contents

from sayso.grammar.graph import build_graph
from sayso.grammar.spelling import spell
from sayso.grammar.tags import TAG
from sayso.grammar.written import read_written, written_forms
from sayso.recognition.interpret import read_tags

LETTERS = (" ", *"abcdefghijklmnopqrstuvwxyz", "'")


def meanings(text: str) -> list[dict[str, object]]:
    lists = {"n": {"range": {"from": 20, "to": 60, "step": 1}}}
    words = acceptor(contents(["set [the] {n:level} %", "set tv"], lists=lists))
    said = {label for _, label, _ in words.arcs if label and not label.startswith(TAG)}
    spelled = spell(said, LETTERS, {})
    graph = build_graph(words, spelled, (*LETTERS, "<blank>"), len(LETTERS))
    found = read_written(graph, written_forms(spelled), text.split())
    return [dict(read_tags(output, graph.slot_ends, graph.sentence_ends).slots) for output in found]


def test_numbers_and_signs_are_read_as_they_are_said() -> None:
    assert meanings("set the fifty one percent") == [{"level": 51}]
    assert meanings("set twenty percent") == [{"level": 20}]
    assert meanings("set t v") == [{}]


def test_what_cannot_be_said_means_nothing() -> None:
    assert meanings("set fifty") == []
    assert meanings("set seventy percent") == []
    assert meanings("") == []
