"""Which of several errors is shown, and for how long."""

from __future__ import annotations

from sayso.complaints import Complaints


def test_the_newest_error_is_shown_and_the_one_before_it_again_once_that_is_over() -> None:
    complaints = Complaints()
    assert complaints.newest == ""
    complaints.add("the broker is gone", "broker")
    complaints.add("a template is broken", "sentences")
    assert complaints.newest == "a template is broken"
    complaints.settle("sentences")
    assert complaints.newest == "the broker is gone"
    complaints.settle("broker")
    assert complaints.newest == ""


def test_that_one_source_is_well_again_mends_nothing_of_another() -> None:
    complaints = Complaints()
    complaints.add("set/mute: neither on nor off", "request")
    complaints.settle("sentences")
    assert complaints.newest == "set/mute: neither on nor off"


def test_a_newer_error_of_one_source_takes_the_place_of_the_older() -> None:
    complaints = Complaints()
    for line in ("refused", "unknown host"):
        complaints.add(line, "broker")
    complaints.settle("broker")
    assert complaints.newest == ""


def test_what_merely_happened_is_shown_until_something_newer_is() -> None:
    complaints = Complaints()
    complaints.add("the broker is gone", "broker")
    complaints.add("a command was not delivered")
    assert complaints.newest == "a command was not delivered"
    complaints.add("a template is broken", "sentences")
    complaints.settle("sentences")
    assert complaints.newest == "the broker is gone"
