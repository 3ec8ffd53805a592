"""Whoever watches sees how loud it is and what was understood so far; while nobody does, nothing is looked at."""

from __future__ import annotations

from typing import List

import numpy as np

from sayso.live import FLOOR, Watched, decibels
from sayso.records import FRAME_SAMPLES, AudioFrame, Live

FRAME_SECONDS = 0.02


def frames(amplitude: int, count: int) -> List[AudioFrame]:
    """A square wave: its root mean square and its peak are both its amplitude."""
    wave = np.tile(np.array([amplitude, -amplitude], np.int16), FRAME_SAMPLES // 2)
    return [AudioFrame(wave, number * FRAME_SAMPLES) for number in range(count)]


def watch(watched: Watched, sound: List[AudioFrame], begin: float, hearing: bool = False) -> List[Live]:
    seen = (
        watched.hear(frame, hearing, lambda: "turn on the", begin + number * FRAME_SECONDS)
        for number, frame in enumerate(sound)
    )
    return [live for live in seen if live is not None]


def test_nothing_is_seen_by_nobody() -> None:
    watched = Watched()
    assert watch(watched, frames(100, 100), 50.0) == []
    watched.ask(60.0, 52.0)
    watched.ask(0.0, 53.0)
    assert watch(watched, frames(100, 100), 54.0) == []


def test_five_looks_a_second_until_the_time_is_over() -> None:
    watched = Watched()
    watched.ask(2.0, 50.0)
    assert 9 <= len(watch(watched, frames(100, 500), 50.0)) <= 10


def test_the_level_is_that_of_the_sound_since_the_last_look() -> None:
    watched = Watched()
    watched.ask(10.0, 50.0)
    loud, quiet = watch(watched, frames(16384, 11) + frames(0, 11), 50.0)
    assert (loud.level, loud.peak) == (-6.0, -6.0)
    assert (quiet.level, quiet.peak) == (FLOOR, FLOOR)


def test_the_words_so_far_are_shown_only_while_somebody_speaks() -> None:
    watched = Watched()
    watched.ask(10.0, 50.0)
    assert watch(watched, frames(100, 12), 50.0)[0].text == ""
    assert watch(watched, frames(100, 12), 51.0, hearing=True)[0].text == "turn on the"


def test_what_was_heard_before_a_pause_is_not_mixed_into_what_comes_after() -> None:
    watched = Watched()
    watched.ask(60.0, 50.0)
    assert watch(watched, frames(16384, 5), 50.0) == []
    assert [live.peak for live in watch(watched, frames(0, 12), 70.0)] == [FLOOR]


def test_full_scale_is_0_and_silence_has_a_floor() -> None:
    assert decibels(32768) == 0.0
    assert decibels(1) == -90.3
    assert decibels(0) == FLOOR
