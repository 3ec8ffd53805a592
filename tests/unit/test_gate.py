"""The gate: where utterances start and end, told in flags."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sayso.audio.capture import Framer
from sayso.audio.gate import Gate, GateSettings
from sayso.records import (
    FRAME_SAMPLES,
    AudioFrame,
    GateEvent,
    UtteranceAudio,
    UtteranceEnd,
    UtteranceStart,
    samples,
)

SETTINGS = GateSettings(
    pre_roll=0.1, onset_speech=2, onset_window=3, hangover=0.2, shortest=0.1, longest=2.0
)  # 5 frames, 2 of 3, 10 frames, 5 frames, 100 frames


def sound(flags: str, gaps: dict[int, int] | None = None) -> list[tuple[AudioFrame, bool]]:
    """Given one letter a frame (`s` speech, `.` silence) and frame -> samples lost before it, return frames and flags.

    Each sample's value is its frame's number, so that what the gate hands on can be told apart.
    """
    framer = Framer()
    frames = []
    for number, _ in enumerate(flags):
        if gaps and number in gaps:
            framer.lose(gaps[number])
        frames += framer.feed(np.full(FRAME_SAMPLES, number, np.int16))
    return [(frame, flag == "s") for frame, flag in zip(frames, flags)]


def run(gate: Gate, frames: Sequence[tuple[AudioFrame, bool]]) -> list[GateEvent]:
    """Given frames and flags, return all events, the end of the source included."""
    events = [event for frame, is_speech in frames for event in gate.feed(frame, is_speech)]
    return events + gate.finish()


def told(events: Sequence[GateEvent]) -> list[tuple[list[int], UtteranceEnd]]:
    """Given events, return for each utterance the numbers of its frames, and its end. Fail if they are out of order."""
    utterances = []
    heard: list[int] = []
    at: int | None = None
    for event in events:
        if isinstance(event, UtteranceStart):
            assert at is None
            heard, at = [], event.start
        elif isinstance(event, UtteranceAudio):
            assert event.start == at, "audio of an utterance is contiguous"
            at += event.samples.size
            heard += event.samples[::FRAME_SAMPLES].tolist()
        else:
            assert at is not None
            at = None
            utterances.append((heard, event))
    return utterances


def test_an_utterance_has_pre_roll_and_ends_after_the_hangover() -> None:
    ((heard, end),) = told(run(Gate(SETTINGS), sound("." * 20 + "s" * 10 + "." * 20)))
    assert heard == list(range(15, 40))
    assert end == UtteranceEnd(30 * FRAME_SAMPLES, 40 * FRAME_SAMPLES, 10 * FRAME_SAMPLES, "silence")


def test_the_start_says_where_speech_began() -> None:
    events = run(Gate(SETTINGS), sound("." * 20 + "s" * 10))
    assert events[0] == UtteranceStart(start=15 * FRAME_SAMPLES, speech=20 * FRAME_SAMPLES)


def test_a_wide_onset_outlives_an_utterance_in_which_nothing_was_heard() -> None:
    gate = Gate(GateSettings(pre_roll=0.1, onset_speech=2, onset_window=30, hangover=0.2, shortest=0.1, longest=2.0))
    frames = sound("ssssss" + "." * 60)
    events = [event for frame, is_speech in frames[:12] for event in gate.feed(frame, is_speech)]
    events += gate.close("nothing")
    ((heard, _),) = told(events + run(gate, frames[12:]))
    assert heard == list(range(12))


def test_a_click_opens_nothing() -> None:
    assert run(Gate(SETTINGS), sound("...s..s...s...")) == []


def test_an_onset_may_have_a_hole() -> None:
    ((heard, _),) = told(run(Gate(SETTINGS), sound("......s.ssssss")))
    assert heard[0] == 1


def test_a_pause_shorter_than_the_hangover_is_within_the_utterance() -> None:
    ((heard, end),) = told(run(Gate(SETTINGS), sound("ssssss.........ssssss..........")))
    assert heard == list(range(31))
    assert end.speech == 12 * FRAME_SAMPLES


def test_a_pause_as_long_as_the_hangover_makes_two() -> None:
    first, second = told(run(Gate(SETTINGS), sound("ssssss" + "." * 10 + "ssssss" + "." * 10)))
    assert first[0] == list(range(16))
    assert second[0] == list(range(11, 32)), "the silence between may be pre-roll, the speech before it not"


def test_little_speech_is_too_short() -> None:
    ((_, end),) = told(run(Gate(SETTINGS), sound("ssss" + "." * 10)))
    assert end.reason == "too_short"


def test_endless_speech_is_cut_and_goes_on_as_another_utterance_without_a_frame_twice() -> None:
    first, second = told(run(Gate(SETTINGS), sound("s" * 150)))
    assert (first[0], first[1].reason) == (list(range(100)), "too_long")
    assert (second[0], second[1].reason) == (list(range(100, 150)), "stopped")


def test_the_end_of_the_source_ends_the_utterance() -> None:
    ((_, end),) = told(run(Gate(SETTINGS), sound("ssssss..")))
    assert end == UtteranceEnd(6 * FRAME_SAMPLES, 8 * FRAME_SAMPLES, 6 * FRAME_SAMPLES, "stopped")


def test_after_the_source_has_ended_another_may_begin() -> None:
    gate = Gate(SETTINGS)
    clip = sound("...ssssss..")
    assert told(run(gate, clip)) == told(run(gate, clip))


def test_sound_behind_a_gap_is_not_handed_on_and_the_utterance_ends_as_broken() -> None:
    ((heard, end),) = told(run(Gate(SETTINGS), sound("ssssss" + "ssssss" + "." * 10, {6: 100})))
    assert heard == list(range(6))
    assert end.reason == "audio_gap"
    assert end.end == 12 * FRAME_SAMPLES + 100


def test_a_gap_longer_than_the_hangover_separates_two_utterances() -> None:
    first, second = told(run(Gate(SETTINGS), sound("ssssss" + "ssssss" + "." * 10, {6: samples(0.2)})))
    assert (first[0], first[1].reason) == (list(range(6)), "audio_gap")
    assert (second[0], second[1].reason) == (list(range(6, 22)), "silence")


def test_a_gap_between_utterances_cuts_the_pre_roll() -> None:
    ((heard, end),) = told(run(Gate(SETTINGS), sound("......" + ".ssssss" + "." * 10, {6: 1})))
    assert heard[0] == 6
    assert end.reason == "silence"


def test_a_jump_in_the_index_is_a_gap_too() -> None:
    gate = Gate(SETTINGS)
    frames = sound("ssssssssss")
    events = [event for frame, flag in frames[:6] + frames[7:] for event in gate.feed(frame, flag)]
    assert not [event for event in events if isinstance(event, UtteranceAudio) and event.start > frames[5][0].start]


def test_whoever_knows_the_sentence_can_close_it() -> None:
    gate = Gate(SETTINGS)
    frames = sound("ssssss" + "." * 12)
    events = [event for frame, flag in frames[:9] for event in gate.feed(frame, flag)] + gate.close("grammar")
    ((_, end),) = told(events)
    assert end == UtteranceEnd(6 * FRAME_SAMPLES, 9 * FRAME_SAMPLES, 6 * FRAME_SAMPLES, "grammar")
    assert gate.close() == []
    assert run(gate, frames[9:]) == []


def test_where_nobody_heard_anything_the_next_utterance_may_begin_within_it() -> None:
    for reason, again in (("grammar", []), ("nothing", [13])):
        gate = Gate(SETTINGS)
        frames = sound("." * 10 + "s" * 4 + "." * 4 + "s" * 4 + "." * 12)
        events = [event for frame, flag in frames[:18] for event in gate.feed(frame, flag)] + gate.close(reason)
        (_, first), (heard, _) = told([*events, *run(gate, frames[18:])])
        assert first.reason == reason
        assert heard[: len(again)] == again, "the last of the pre-roll was speech for the gate"
        assert heard[len(again)] == 14


def test_speech_that_the_listener_has_not_heard_yet_belongs_to_the_next_utterance() -> None:
    frames = sound("." * 6 + "s" * 4 + "." * 6 + "s" * 6 + "." * 12)
    for still, ends, begins in ((0, 18, 18), (8, 10, 13)):
        gate = Gate(SETTINGS)
        events = [event for frame, flag in frames[:18] for event in gate.feed(frame, flag)]
        events += gate.close("grammar", still * FRAME_SAMPLES)
        (_, first), (heard, second) = told([*events, *run(gate, frames[18:])])
        assert first.end == ends * FRAME_SAMPLES
        assert (heard[0], second.end) == (begins, 22 * FRAME_SAMPLES)


def test_the_hangover_can_be_changed_for_the_open_utterance_only() -> None:
    gate = Gate(SETTINGS)
    events: list[GateEvent] = []
    for frame, flag in sound(("ssssss" + "." * 14) * 2):
        events += gate.feed(frame, flag)
        if gate.is_open and len(told(events)) == 0:
            gate.hangover = samples(0.1)
    first, second = told(events)
    assert first[1].decided - first[1].end == samples(0.1)
    assert second[1].decided - second[1].end == samples(0.2)


def test_what_is_handed_on_cannot_be_written_to() -> None:
    events = run(Gate(SETTINGS), sound("...ssssss"))
    assert not any(event.samples.flags.writeable for event in events if isinstance(event, UtteranceAudio))


FLAGS = st.text("s.", max_size=200) | st.lists(st.tuples(st.sampled_from("s."), st.integers(1, 40)), max_size=12).map(
    lambda runs: "".join(letter * count for letter, count in runs)
)


@given(
    flags=FLAGS,
    gaps=st.dictionaries(st.integers(0, 200), st.integers(1, 10_000), max_size=3),
    closed_after=st.dictionaries(st.integers(0, 200), st.integers(0, 20), max_size=3),
    settings=st.builds(
        GateSettings,
        pre_roll=st.sampled_from([0.0, 0.1, 0.3]),
        onset_speech=st.integers(1, 3),
        onset_window=st.integers(3, 5),
        hangover=st.sampled_from([0.0, 0.06, 0.2]),
        shortest=st.sampled_from([0.0, 0.1]),
        longest=st.sampled_from([0.3, 2.0]),
    ),
)
def test_whatever_comes_utterances_are_whole_in_order_and_hold_no_speech_twice(
    flags: str, gaps: dict[int, int], closed_after: dict[int, int], settings: GateSettings
) -> None:
    frames = sound(flags, gaps)
    gate = Gate(settings)
    events = []
    unheard: set[int] = set()
    """Frames in which the listener had heard nothing."""
    for number, (frame, is_speech) in enumerate(frames):
        events += gate.feed(frame, is_speech)
        if number in closed_after:
            still = closed_after[number]
            events += gate.close("grammar", still * FRAME_SAMPLES)
            # After a gap, so many samples reach further back than as many frames.
            since = frame.start + (1 - still) * FRAME_SAMPLES
            unheard |= {other for other, (one, _) in enumerate(frames[: number + 1]) if one.start >= since}
    utterances = told(events + gate.finish())
    spoken = [number for heard, _ in utterances for number in heard if flags[number] == "s" and number not in unheard]
    assert spoken == sorted(set(spoken))
    ends = [end.end for _, end in utterances]
    assert ends == sorted(ends)
    lost_before = {number for number, (frame, _) in enumerate(frames) if frame.lost}
    assert not [number for heard, _ in utterances for number in heard[1:] if number in lost_before]
    assert all(end.end <= end.decided and end.speech <= end.decided for _, end in utterances)


@given(
    loudness=st.lists(st.tuples(st.booleans(), st.integers(1, 9_000)), max_size=6),
    data=st.data(),
)
def test_the_same_sound_in_any_blocks_gives_the_same_events(
    loudness: list[tuple[bool, int]], data: st.DataObject
) -> None:
    heard = np.concatenate([np.zeros(0, np.int16)] + [np.full(count, loud, np.int16) for loud, count in loudness])
    cuts = sorted(data.draw(st.lists(st.integers(0, heard.size), max_size=20)))

    def events(blocks: list[np.ndarray]) -> list[object]:
        framer, gate = Framer(), Gate(SETTINGS)
        frames = [frame for block in blocks for frame in framer.feed(block)] + framer.finish()
        found = run(gate, [(frame, bool(frame.samples[0])) for frame in frames])
        return [(e.start, e.samples.tobytes()) if isinstance(e, UtteranceAudio) else e for e in found]

    assert events([heard]) == events(np.split(heard, cuts))
