"""From what a source delivers to frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.audio.capture import Converter, Framer
from sayso.errors import AudioError
from sayso.records import FRAME_SAMPLES


def tone(hertz: float, rate: int, seconds: float = 0.5) -> np.ndarray:
    """Given a frequency, a sample rate and a length, return a tone, int16 [n, 1]."""
    return np.rint(8000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)[:, None]


def test_sound_that_is_already_16_khz_mono_is_left_alone() -> None:
    sound = np.array([[-32768], [-1], [0], [1], [32767]], np.int16)
    assert Converter(16_000, 1).feed(sound).tolist() == sound[:, 0].tolist()
    assert Converter(16_000, 1).feed((sound / np.float32(32768)).astype(np.float32)).tolist() == sound[:, 0].tolist()


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 96_000])
def test_a_tone_keeps_its_pitch_and_place_at_any_rate(rate: int) -> None:
    heard = Converter(rate, 1).feed(tone(440, rate), last=True)
    expected = tone(440, 16_000)[:, 0]
    assert abs(heard.size - expected.size) <= 1
    middle = slice(1000, 7000)
    assert np.abs(heard[middle].astype(int) - expected[middle]).max() < 80  # 1 % of its amplitude


def test_what_16_khz_cannot_hold_is_filtered_out_and_not_folded_back() -> None:
    heard = Converter(48_000, 1).feed(tone(10_000, 48_000), last=True)
    assert np.abs(heard[1000:7000]).max() < 8


def test_one_channel_or_the_average_of_all() -> None:
    sound = np.array([[100, 300], [-100, -300]], np.int16)
    assert Converter(16_000, 2, channel=1).feed(sound).tolist() == [300, -300]
    assert Converter(16_000, 2).feed(sound).tolist() == [200, -200]


def test_a_channel_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(AudioError, match=r"there is no channel 2 .*choose one of 0 to 1"):
        Converter(16_000, 2, channel=2)


def test_too_loud_is_clipped_and_does_not_wrap_around() -> None:
    assert Converter(16_000, 1).feed(np.array([[1.5], [-1.5]], np.float32)).tolist() == [32767, -32768]


@given(rate=st.sampled_from([8_000, 16_000, 44_100, 48_000]), data=st.data())
def test_the_same_sound_in_any_blocks_gives_the_same_frames(rate: int, data: st.DataObject) -> None:
    sound = np.random.default_rng(0).integers(-20_000, 20_000, (rate // 5, 2), np.int16)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sound)), max_size=10)))

    def heard(blocks: list[np.ndarray]) -> list[tuple[int, bytes]]:
        converter, framer = Converter(rate, 2), Framer()
        frames = [frame for block in blocks for frame in framer.feed(converter.feed(block))]
        frames += framer.feed(converter.feed(sound[:0], last=True)) + framer.finish()
        return [(frame.start, frame.samples.tobytes()) for frame in frames]

    assert heard([sound]) == heard(np.split(sound, cuts))


def test_samples_around_a_gap_are_never_in_one_frame_and_the_next_one_tells() -> None:
    framer = Framer()
    assert framer.feed(np.full(100, 1, np.int16)) == []
    framer.lose(1000)
    framer.lose(20)
    first, second = framer.feed(np.full(2 * FRAME_SAMPLES, 2, np.int16))
    assert (first.start, first.lost, set(first.samples.tolist())) == (1120, 1120, {2})
    assert (second.start, second.lost) == (1120 + FRAME_SAMPLES, 0)


def test_a_frame_cannot_be_written_to_and_does_not_change_with_its_source() -> None:
    sound = np.ones(FRAME_SAMPLES, np.int16)
    (frame,) = Framer().feed(sound)
    sound[:] = 2
    assert frame.samples.tolist() == [1] * FRAME_SAMPLES
    assert not frame.samples.flags.writeable
