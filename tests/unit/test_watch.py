"""The microphone's supervision, told in times and reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sayso.audio.watch import Action, MicrophoneSettings, Report, Watch

SETTINGS = MicrophoneSettings(startup=3.0, stall=1.0, silence=10.0, closing=5.0, first_retry=0.5, last_retry=4.0)
FINE = Report(name="USB", opened=0.1, first_frame=0.5, last_frame=0.5, last_sound=0.5)


def running(now: float = 0.5) -> Watch:
    """Return the watch of a microphone that has been heard since `now`."""
    watch = Watch(SETTINGS)
    assert watch.tick(0.0, True, Report()) is Action.OPEN
    assert watch.tick(now, True, replace(FINE, last_frame=now, last_sound=now)) is Action.NOTHING
    assert watch.status == "ok: USB"
    return watch


def test_it_is_opened_when_wanted_and_closed_when_not() -> None:
    watch = Watch(SETTINGS)
    assert watch.tick(0.0, False, Report()) is Action.NOTHING
    assert watch.status == "closed"
    watch = running()
    assert watch.tick(1.0, False, FINE) is Action.CLOSE
    assert watch.tick(1.1, False, replace(FINE, ended=True)) is Action.NOTHING
    assert watch.status == "closed"
    assert watch.tick(9.0, True, Report()) is Action.OPEN


def test_one_that_is_not_there_is_looked_for_again_less_and_less_often() -> None:
    watch = Watch(SETTINGS)
    opened = []
    report = Report()
    for tenth in range(200):
        action = watch.tick(tenth / 10, True, report)
        report = Report(error="no microphone named 'x'", ended=True) if action is Action.OPEN else Report()
        if action is Action.OPEN:
            opened.append(tenth)
    pauses = [later - earlier for earlier, later in zip(opened, opened[1:])]
    assert watch.status == "missing: no microphone named 'x'"
    assert pauses == sorted(pauses)
    assert max(pauses) <= 42
    assert len(opened) == 7


def test_a_slow_start_is_no_fault() -> None:
    watch = Watch(SETTINGS)
    watch.tick(0.0, True, Report())
    assert watch.tick(2.9, True, Report()) is Action.NOTHING
    assert watch.tick(5.8, True, Report(name="USB", opened=2.9)) is Action.NOTHING
    assert watch.status == "starting"


@pytest.mark.parametrize("report", [Report(), Report(name="USB", opened=0.0)])
def test_one_that_opens_and_gives_nothing_is_stalled(report: Report) -> None:
    watch = Watch(SETTINGS)
    watch.tick(0.0, True, Report())
    assert watch.tick(3.1, True, report) is Action.CLOSE
    assert watch.status.startswith("stalled: ")


def test_a_pause_is_no_fault_and_a_longer_one_is() -> None:
    watch = running()
    assert watch.tick(1.4, True, FINE) is Action.NOTHING
    assert watch.status == "ok: USB"
    assert watch.tick(1.6, True, FINE) is Action.CLOSE
    assert watch.status == "stalled: USB stopped sending, 1 s ago"
    assert watch.tick(2.0, True, replace(FINE, ended=True)) is Action.NOTHING
    assert watch.tick(2.6, True, Report()) is Action.OPEN


def test_one_that_reports_its_own_end_is_opened_again() -> None:
    watch = running()
    watch.tick(1.0, True, replace(FINE, error="is gone", ended=True))
    assert watch.status == "stalled: is gone"
    assert watch.tick(1.6, True, Report()) is Action.OPEN


def test_nothing_but_zeros_is_silent_until_a_sound_is_heard() -> None:
    watch = running()
    assert watch.tick(10.4, True, replace(FINE, last_frame=10.4)) is Action.NOTHING
    assert watch.tick(10.6, True, replace(FINE, last_frame=10.6)) is Action.CLOSE
    assert watch.status.startswith("silent: USB ")
    watch.tick(10.7, True, replace(FINE, ended=True))
    assert watch.tick(12.0, True, Report()) is Action.OPEN
    zeros = Report(name="USB", opened=12.0, first_frame=12.1, last_frame=12.2)
    watch.tick(12.2, True, zeros)
    assert watch.status.startswith("silent: USB ")
    watch.tick(12.3, True, replace(zeros, last_frame=12.3, last_sound=12.3))
    assert watch.status == "ok: USB"


def test_a_silent_start_counts_from_the_first_frame() -> None:
    watch = Watch(SETTINGS)
    watch.tick(0.0, True, Report())
    zeros = Report(name="USB", opened=0.0, first_frame=2.0, last_frame=11.9)
    assert watch.tick(11.9, True, zeros) is Action.NOTHING
    assert watch.tick(12.1, True, replace(zeros, last_frame=12.1)) is Action.CLOSE


def test_silence_can_be_allowed() -> None:
    watch = Watch(replace(SETTINGS, silence=0.0))
    watch.tick(0.0, True, Report())
    zeros = Report(name="USB", opened=0.0, first_frame=0.1, last_frame=1000.0)
    assert watch.tick(1000.0, True, zeros) is Action.NOTHING
    assert watch.status == "ok: USB"


@pytest.mark.parametrize("wanted", [True, False])
def test_one_that_cannot_be_closed_is_beyond_repair(wanted: bool) -> None:
    watch = running()
    assert watch.tick(2.0, wanted, FINE) is Action.CLOSE
    assert watch.tick(6.9, wanted, FINE) is Action.NOTHING
    assert watch.tick(7.1, wanted, FINE) is Action.GIVE_UP
    assert watch.tick(99.0, wanted, FINE) is Action.GIVE_UP
    assert watch.status == "stalled: USB can't be closed"
