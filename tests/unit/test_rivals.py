"""What else a sentence may have been, and by how much that is less likely."""

from __future__ import annotations

import pytest

from sayso.recognition.interpret import Belief, Meaning
from sayso.recognition.rivals import AMBIGUITY, rivals_of, shares


def _meaning(intent: str, text: str = "") -> Meaning:
    return Meaning(text or intent, intent, {}, {}, "")


ON, OFF, UP = _meaning("On"), _meaning("Off"), _meaning("Up")


def test_a_rival_is_as_much_dearer_as_it_costs_more_whatever_it_is_called() -> None:
    found = [(ON, 10.0), (_meaning("On", "switch on"), 10.5), (OFF, 11.5), (_meaning("Off", "out"), 12.0), (UP, 14.0)]
    assert rivals_of(ON, 10.0, found) == [(OFF, pytest.approx(1.5)), (UP, pytest.approx(4.0))]


def test_where_the_best_is_missing_others_are_compared_with_it_all_the_same() -> None:
    assert rivals_of(ON, 10.0, [(OFF, 13.0), (UP, 13.5)]) == [(OFF, pytest.approx(3.0)), (UP, pytest.approx(3.5))]


def test_a_rival_that_is_found_cheaper_is_as_likely_but_does_not_make_it_ambiguous() -> None:
    assert rivals_of(ON, 10.0, [(OFF, 9.0)]) == [(OFF, AMBIGUITY)]


def test_what_means_nothing_is_no_rival() -> None:
    assert rivals_of(ON, 10.0, [(ON, 10.0), (_meaning("", "hey house"), 10.1)]) == []
    assert rivals_of(ON, 10.0, []) == []


def test_what_is_left_of_certainty_is_shared_among_the_rivals() -> None:
    first, second = shares([(OFF, 1.0), (UP, 2.0)], 3, Belief(1.0, 0.7, 1.0))
    assert first.confidence > second.confidence
    assert first.confidence + second.confidence == pytest.approx(0.3)
