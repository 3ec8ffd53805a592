"""Sentences as people and transcripts write them, read by the grammar."""

from __future__ import annotations

import pytest
from small_grammars import acceptor, contents

from sayso.grammar.graph import DecodingGraph, build_graph
from sayso.grammar.pronounce import Pronunciation
from sayso.grammar.readings import Readings
from sayso.grammar.spelling import spell
from sayso.grammar.tags import TAG
from sayso.grammar.written import spelled_forms
from sayso.reading import read_text
from sayso.recognition.precedence import read_path

LETTERS = (" ", *"abcdefghijklmnopqrstuvwxyz", "'")


def _compiled() -> tuple[DecodingGraph, dict[str, Pronunciation]]:
    lists = {"n": {"range": {"from": 20, "to": 60, "step": 1}}}
    sentences = ["set [the] {n:level} %", "set tv", "dial {n:level} [{0..9:digit}]", "what's on", "whats off"]
    words = acceptor(contents(sentences, lists=lists))
    said = {label for _, label, _ in words.arcs if label and not label.startswith(TAG)}
    spelled = spell(said, LETTERS, {})
    return build_graph(words, spelled, (*LETTERS, "<blank>"), len(LETTERS)), spelled


def transcribed(text: str) -> list[dict[str, object]]:
    """Given a transcript, return the slots of what it means."""
    graph, spelled = _compiled()
    return [dict(read_path(graph, output).slots) for output in Readings(graph, spelled_forms(spelled))(text.split())]


def written(text: str) -> list[tuple[str, dict[str, object]]]:
    """Given what somebody wrote, return the sentence that it is, and its slots."""
    return [(one.text, dict(one.slots)) for one in read_text(_compiled()[0], text)]


def test_a_transcripts_numbers_and_signs_are_read_as_they_are_said() -> None:
    assert transcribed("set the fifty one percent") == [{"level": 51}]
    assert transcribed("set twenty percent") == [{"level": 20}]
    assert transcribed("set t v") == [{}]


def test_what_cannot_be_said_means_nothing() -> None:
    for text in ("set fifty", "set seventy percent", ""):
        assert transcribed(text) == []
        assert written(text) == []


@pytest.mark.parametrize("text", ["set 51 %", "Set 51%", "set 51 percent", "set fifty-one percent.", "set fifty one %"])
def test_people_write_numbers_and_signs_either_way(text: str) -> None:
    assert written(text) == [("set 51 %", {"level": 51})]


@pytest.mark.parametrize("text", ["what's on", "Whats on?", "what’s on"])
def test_people_leave_out_apostrophes(text: str) -> None:
    assert written(text) == [("what's on", {})]


def test_people_write_apostrophes_that_a_template_leaves_out() -> None:
    assert written("what's off") == written("whats off") == [("whats off", {})]


def test_people_spell_what_is_spelled() -> None:
    assert written("set t v") == written("set TV") == [("set tv", {})]


def test_a_number_is_read_whole_where_it_can_be() -> None:
    assert written("dial twenty one") == [("dial 21", {"level": 21})]
    assert written("dial 20 1") == [("dial 20 1", {"level": 20, "digit": 1})]
