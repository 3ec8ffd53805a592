"""What the tags of a path mean, and when a path is believed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.grammar.tags import ALL_SAID, SENTENCE_ENDS, SLOT_BEGINS, SLOT_ENDS, SentenceEnd, SlotEnd
from sayso.recognition.interpret import Belief, Calibration, Logistic, believe, read_tags, reason_to_reject, weigh
from sayso.records import Hypothesis, Word

SLOTS = (SlotEnd("name", "light.kitchen"), SlotEnd("level", 50), SlotEnd("name", None), SlotEnd("outer", "o"))
SENTENCES = (SentenceEnd("HassTurnOn", {"domain": "light", "name": "all"}, "turn on [{name}]", "a.yaml:1"),)
END = f"{SENTENCE_ENDS}0"

HEARD = Hypothesis(
    words=(Word("go", 0, 1000),), tags=("go", ALL_SAID, END), complete=True, acoustic=-10.0, free=-8.0, cost=5.0,
    advantage=-1.0, outside=2.0, phones=8, free_phones=8, evident=6, freedom=3.5, steps=30,
)  # fmt: skip


def test_slots_get_their_values_and_keep_their_words() -> None:
    output = ("turn", "on", f"{SLOT_BEGINS}name", "kitchen", "light", f"{SLOT_ENDS}0", ALL_SAID, "please", END)
    meaning = read_tags(output, SLOTS, SENTENCES)
    assert (meaning.text, meaning.intent) == ("turn on kitchen light please", "HassTurnOn")
    assert dict(meaning.slots) == {"domain": "light", "name": "light.kitchen"}
    assert dict(meaning.raw_slots) == {"name": "kitchen light"}
    assert meaning.template == "turn on [{name}]"


def test_what_is_taken_for_granted_stands_where_nothing_was_said() -> None:
    meaning = read_tags(("turn", "on", ALL_SAID, END), SLOTS, SENTENCES)
    assert dict(meaning.slots) == {"domain": "light", "name": "all"}
    assert dict(meaning.raw_slots) == {}


def test_a_slot_without_a_value_becomes_what_was_said() -> None:
    meaning = read_tags((f"{SLOT_BEGINS}name", "big", "one", f"{SLOT_ENDS}2", END), SLOTS, SENTENCES)
    assert meaning.slots["name"] == "big one"


def test_a_slot_within_a_slot_keeps_its_own_words() -> None:
    output = (f"{SLOT_BEGINS}outer", "a", f"{SLOT_BEGINS}level", "50", f"{SLOT_ENDS}1", "b", f"{SLOT_ENDS}3", END)
    meaning = read_tags(output, SLOTS, SENTENCES)
    assert dict(meaning.raw_slots) == {"outer": "a 50 b", "level": "50"}


def test_of_a_slot_that_is_said_twice_the_last_counts() -> None:
    output = (f"{SLOT_BEGINS}name", "x", f"{SLOT_ENDS}0", f"{SLOT_BEGINS}name", "y", f"{SLOT_ENDS}2", END)
    assert read_tags(output, SLOTS, SENTENCES).slots["name"] == "y"


def test_half_a_sentence_has_no_intent() -> None:
    meaning = read_tags(("turn", f"{SLOT_BEGINS}name", "kitchen"), SLOTS, SENTENCES)
    assert (meaning.text, meaning.intent, dict(meaning.slots)) == ("turn kitchen", "", {})


def test_evidence_is_counted_per_phone_and_in_all() -> None:
    evidence = weigh(HEARD)
    assert evidence.distance == pytest.approx(0.25)
    assert evidence.outside == pytest.approx(0.25)
    assert evidence.advantage == pytest.approx(-0.125)
    assert evidence.log_ratio == pytest.approx(-1.0)
    assert evidence.evident == pytest.approx(0.75)
    assert evidence.unclear == pytest.approx(1.0)
    assert evidence.freedom == pytest.approx(3.5)
    assert evidence.chance == pytest.approx(3.5 * 1.25)
    assert evidence.phones == 8


@given(st.floats(0, 1000), st.integers(0, 200), st.floats(-9, 9), st.floats(-9, 0), st.floats(0, 9))
def test_confidence_is_a_probability_that_falls_with_the_distance(
    behind: float, phones: int, bias: float, distance: float, advantage: float
) -> None:
    calibration = Calibration(spoken=Logistic(bias=bias, distance=distance, advantage=advantage))
    heard = replace(HEARD, free=-8.0, acoustic=-8.0 - behind, phones=phones)
    found = believe(weigh(heard), calibration).confidence
    assert 0 <= found <= 1
    assert believe(weigh(replace(heard, acoustic=heard.acoustic - 5)), calibration).confidence <= found
    assert believe(weigh(replace(heard, advantage=heard.advantage - 5)), calibration).confidence <= found


def test_who_has_a_rival_is_believed_less() -> None:
    alone = believe(weigh(HEARD), Calibration())
    rivalled = believe(weigh(HEARD, [0.1]), Calibration())
    assert rivalled.confidence < alone.confidence
    assert rivalled.rivals > alone.rivals


def test_nobody_is_surer_of_one_of_several_than_their_likelihoods_are() -> None:
    sure = Calibration(chosen=Logistic(bias=9.0))
    found = [believe(weigh(HEARD, [margin]), sure).chosen for margin in (0.0, 1.0, 3.0)]
    assert found == [pytest.approx(1 / (1 + math.exp(-margin))) for margin in (0.0, 1.0, 3.0)]
    assert believe(weigh(HEARD, [0.0, 0.0, 0.0]), sure).chosen == pytest.approx(1 / 4)
    assert believe(weigh(HEARD), sure).chosen > 0.999


def test_the_likelier_a_beginning_the_less_its_end_is_believed() -> None:
    found = [believe(weigh(HEARD, unended=dearer), Calibration()) for dearer in (0.0, 2.0, 4.0, 10.0, 20.0)]
    assert [one.broken_off for one in found] == [False, False, True, True, True]
    assert sorted((one.confidence for one in found), reverse=True) == [one.confidence for one in found]


SURE = Belief(0.95, 0.95, 0.99)


@pytest.mark.parametrize(
    ("heard", "belief", "reason"),
    [
        (HEARD, SURE, ""),
        (HEARD, Belief(0.7, 0.9, 0.99), ""),
        (HEARD, Belief(0.9, 0.6, 0.99), "low_confidence"),
        (HEARD, Belief(0.4, 0.8, 0.99), "not_a_command"),
        (HEARD, Belief(0.55, 0.6, 0.99), "low_confidence"),
        (HEARD, Belief(0.95, 0.95, 0.3), "unfinished"),
        (HEARD, Belief(0.95, 0.5, 0.3), "low_confidence"),
        (HEARD, Belief(0.4, 0.95, 0.3), "not_a_command"),
        (replace(HEARD, complete=False), SURE, "unfinished"),
        (replace(HEARD, complete=False), Belief(0.4, 0.8, 0.99), "not_a_command"),
        (replace(HEARD, words=()), SURE, "not_a_command"),
        (replace(HEARD, words=(Word("go", 0, 16_000 * 3),)), SURE, "not_a_command"),
        (replace(HEARD, outside=19.0), SURE, ""),
        (replace(HEARD, outside=21.0), SURE, "not_a_command"),
        (replace(HEARD, outside=39.0, phones=20), SURE, ""),
        (replace(HEARD, outside=41.0, phones=20), SURE, "not_a_command"),
        (replace(HEARD, free_phones=0), SURE, "no_speech"),
        (None, Belief(), "no_speech"),
    ],
)
def test_a_rejection_says_why(heard: Hypothesis | None, belief: Belief, reason: str) -> None:
    assert reason_to_reject(heard, belief, 0.6) == reason
