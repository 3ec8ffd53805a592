"""The decoding graph holds the templates' sentences, however many, and stays as small as they are written."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_grammars import SAID, acceptor, contents, graph, paths, random_path

from sayso.grammar.tags import TAG

_WORD = st.sampled_from(sorted(SAID))
_TEMPLATE = st.recursive(
    _WORD,
    lambda parts: st.one_of(
        st.lists(parts, min_size=2, max_size=3).map(" ".join),
        st.lists(parts, min_size=2, max_size=3).map(lambda one: f"({'|'.join(one)})"),
        st.lists(parts, min_size=1, max_size=2).map(lambda one: f"a [{' '.join(one)}]"),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(sentences=st.lists(_TEMPLATE, min_size=1, max_size=3))
def test_sentences_are_counted_without_being_written_out(sentences: list[str]) -> None:
    words = acceptor(contents(sentences))
    assert graph(words).sentences == len(set(paths(words)))


def test_a_hundred_million_sentences_are_compiled_without_being_written_out() -> None:
    one = "(tin|ten|net|set|let|lid|kid|tool|sun|ill)"
    sizes = {count: graph(acceptor(contents([" ".join([one] * count)]))) for count in (2, 4, 8)}
    assert [found.sentences for found in sizes.values()] == [10**2, 10**4, 10**8]
    # Twice the length is twice the size, while the sentences are squared.
    assert sizes[8].states < 2.2 * sizes[4].states < 5 * sizes[2].states
    assert sizes[8].states < 600
    assert sizes[8].arcs < 6_000


def test_long_lists_cost_what_their_values_cost() -> None:
    said = sorted(SAID)
    values = [f"{one} {other}" for one in said for other in said]
    found = graph(acceptor(contents(["do {x} to {x:y} see {x:z}"], lists={"x": {"values": values}})))
    assert found.sentences == len(values) ** 3 > 10**8
    assert found.states < 40 * len(values)


def test_words_that_begin_and_end_alike_share_states() -> None:
    apart = [graph(acceptor(contents([one]))).states for one in ("tool", "tools", "to")]
    assert graph(acceptor(contents(["(tool|tools|to)"]))).states < sum(apart) * 2 / 3


def test_the_same_templates_give_the_same_graph() -> None:
    first, second = (graph(acceptor(contents(["set [two|ten] nets", "let a kids"]))) for _ in "ab")
    assert (first.symbols, first.states, first.arcs, str(first.fst)) == (
        second.symbols,
        second.states,
        second.arcs,
        str(second.fst),
    )


@pytest.mark.parametrize(
    ("said", "goes_on"),
    [
        ("set two", True),
        ("set two nets", False),
        ("see", False),
        ("let", True),
        ("let kids", True),
        ("let kids do", False),
    ],
)
def test_it_knows_whether_a_sentence_can_go_on(said: str, goes_on: bool) -> None:
    words = acceptor(
        contents(["set two [nets]", "see", "let [{x} [do]]"], lists={"x": {"values": ["kids"]}}, skip_words=["a"])
    )
    searched = graph(words)
    outputs = [one for one in paths(words) if " ".join(s for s in one if not s.startswith(TAG)) == said]
    assert outputs
    assert {searched.goes_on(output) for output in outputs} == {goes_on}


def test_words_that_another_sentence_understands_otherwise_can_go_on() -> None:
    lists = {"x": {"values": ["two nets"]}, "y": {"values": ["two"]}}
    words = acceptor(contents(["set {x}", "set {y} nets do"], lists=lists))
    searched = graph(words)
    told = {" ".join(s for s in one if not s.startswith(TAG)): searched.goes_on(one) for one in paths(words)}
    assert told == {"set two nets": True, "set two nets do": False}


def test_it_knows_how_much_choice_there_was() -> None:
    words = acceptor(contents(["(set|let) {x}", "see"], lists={"x": {"values": ["two", "ten", "tools", "kids"]}}))
    searched = graph(words)
    ways = {
        " ".join(symbol for symbol in one if not symbol.startswith(TAG)): math.exp(searched.freedom(one))
        for one in paths(words)
    }
    assert ways["see"] == pytest.approx(3)
    assert ways["let ten"] == ways["set kids"] == pytest.approx(3 * 4)
    (chosen,) = [one for one in paths(words) if "let" in one and "ten" in one]
    assert searched.freedom(chosen) == searched.freedom(chosen[:3]) + searched.freedom(chosen, 3)


def test_politeness_does_not_go_on() -> None:
    words = acceptor(contents(["set two [nets]"], skip_words=["a"]))
    searched = graph(words)
    for seed in range(20):
        output = random_path(words, random.Random(seed))  # noqa: S311
        said = [symbol for symbol in output if not symbol.startswith(TAG) and symbol != "a"]
        assert searched.goes_on(output) == (said == ["set", "two"])
