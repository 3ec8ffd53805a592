"""Recordings judged by their names, and the threshold that they speak for."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_grammars import acceptor, contents, graph

from sayso.judging import Trial, interval, make_trial, recommend, tabulate
from sayso.records import Command, Heard, Rejection, Wake

GRAPH = graph(acceptor(contents(["set ten", "let {what}"], lists={"what": {"values": ["two", "ten", "net"]}})))


def _command(text: str, confidence: float, **slots: str) -> Command:
    return Command(text, "Do", slots, {}, confidence, 0, 1, 2)


def _low(text: str, confidence: float, reason: str = "low_confidence") -> Rejection:
    return Rejection(reason, text, "Do", confidence, 0, 1, 2)


def _trial(name: str, *heard: Heard, own: dict[str, float] | None = None) -> Trial:
    return make_trial(Path(f"/x/{name}.wav"), heard, GRAPH, own or {})


@pytest.mark.parametrize("name", ["set_ten", "Set ten", "set_ten-2", "set_ten (3)"])
def test_a_files_name_is_what_is_said_in_it(name: str) -> None:
    trial = _trial(name, _command("set ten", 0.9))
    assert trial.expected
    assert trial.verdict(0.5) == "right"
    assert trial.verdict(0.95) == "refused"


def test_the_intent_and_every_slot_must_be_right() -> None:
    assert _trial("let_two", _command("let two", 0.9, what="two")).verdict(0.5) == "right"
    assert _trial("let_two", _command("let ten", 0.9, what="ten")).verdict(0.5) == "wrong"


def test_two_commands_out_of_one_recording_are_wrong() -> None:
    assert _trial("set_ten", _command("set ten", 0.9), _command("set ten", 0.6)).verdict(0.5) == "wrong"
    assert _trial("set_ten", _command("set ten", 0.9), _command("set ten", 0.6)).verdict(0.7) == "right"


def test_a_recording_that_is_no_sentence_must_yield_none() -> None:
    assert _trial("television-1", _command("set ten", 0.6)).verdict(0.5) == "wrong"
    assert _trial("television-1", _command("set ten", 0.6)).verdict(0.7) == "right"
    assert _trial("television-1", Rejection("no_speech", "", "", 0.0, 0, 1, 2)).verdict(0.1) == "right"


def test_what_was_rejected_counts_at_thresholds_that_would_have_let_it_through() -> None:
    trial = _trial("set_ten", _low("set ten", 0.3))
    assert [trial.verdict(threshold) for threshold in (0.2, 0.4)] == ["right", "refused"]
    assert _trial("set_ten", _low("set ten", 0.3, "ambiguous")).verdict(0.1) == "refused"


def test_an_intents_own_threshold_holds_at_every_threshold() -> None:
    trial = _trial("set_ten", _command("set ten", 0.9), own={"Do": 0.8})
    assert [trial.verdict(threshold) for threshold in (0.1, 0.95)] == ["right", "right"]


def test_a_wake_phrase_is_no_command() -> None:
    assert _trial("set_ten", Wake("hey", 0.9, 0, 1, 2), _command("set ten", 0.9)).verdict(0.5) == "right"


def test_the_threshold_lies_between_what_is_wrong_and_what_is_right() -> None:
    trials = [_trial("set_ten", _command("set ten", 0.9)), _trial("let_net", _command("let net", 0.7, what="net"))]
    wrong = [_trial("television", _command("set ten", 0.5)), _trial("radio", _low("set ten", 0.2))]
    best = recommend(trials + wrong)
    assert best is not None
    assert (best.threshold, best.right, best.refused, best.wrong) == (pytest.approx(0.6), 2, 0, 0)


def test_one_refused_command_is_better_than_one_wrong() -> None:
    trials = [_trial("set_ten", _command("set ten", 0.4)), _trial("television", _command("set ten", 0.6))]
    best = recommend(trials)
    assert best is not None
    assert (best.right, best.refused, best.wrong) == (0, 1, 0)


def test_without_a_wrong_one_nothing_is_recommended() -> None:
    assert recommend([_trial("set_ten", _command("set ten", 0.9))]) is None
    assert recommend([]) is None


_CONFIDENCE = st.integers(1, 998).map(lambda number: number / 1000)


@given(st.lists(_CONFIDENCE, min_size=1, max_size=8), st.lists(_CONFIDENCE, max_size=8))
def test_no_threshold_is_better_than_the_recommended_one(right: Sequence[float], wrong: Sequence[float]) -> None:
    trials = [_trial("set_ten", _command("set ten", one)) for one in right]
    trials += [_trial("television", _command("set ten", one)) for one in wrong]
    best = recommend(trials)
    rows = tabulate(trials, sorted({0.0005, *(one + 0.0005 for one in (*right, *wrong))}))
    if best is None:
        assert not any(row.wrong for row in rows)
    else:
        assert all(best.worth >= row.worth for row in rows)


def test_the_interval_is_wilsons() -> None:
    assert interval(8, 10) == pytest.approx((0.490, 0.943), abs=0.001)
    assert interval(0, 0) == (0.0, 1.0)
