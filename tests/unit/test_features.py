"""Features: TensorFlow's numbers, in any chunking, and the normalisation that training relies on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Union

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.recognition.features import LogMel, LogMelSettings, Mfcc, MfccSettings

REFERENCE = np.load(Path(__file__).parent / "data" / "features-tensorflow.npz")
SAMPLES: npt.NDArray[np.int16] = REFERENCE["samples"]
MEAN = tuple(float(value) for value in REFERENCE["log_mel"].mean(axis=0))
LOG_MEL = LogMelSettings(mean=MEAN, scale=(3.0,) * 40)

Stream = Union[LogMel, Mfcc]


def streams() -> list[Stream]:
    return [LogMel(LOG_MEL), Mfcc(MfccSettings())]


def whole(stream: Stream, samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    stream.reset()
    return np.concatenate((stream.feed(samples), stream.flush()))


def test_log_mel_equals_tensorflow() -> None:
    # A prior that outweighs any utterance, and a mean of 0, leave the bare energies.
    frames = LogMel(LogMelSettings(prior_frames=1e15)).feed(SAMPLES)
    np.testing.assert_allclose(frames, REFERENCE["log_mel"], atol=1e-4, rtol=0)


def test_mfcc_equals_tensorflow() -> None:
    np.testing.assert_allclose(Mfcc(MfccSettings()).feed(SAMPLES), REFERENCE["mfcc"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("stream", streams(), ids=["log-mel", "mfcc"])
@settings(deadline=None, max_examples=40)
@given(cuts=st.lists(st.integers(0, len(SAMPLES)), max_size=30))
def test_frames_do_not_depend_on_the_pieces_the_sound_comes_in(stream: Stream, cuts: list[int]) -> None:
    expected = whole(stream, SAMPLES)
    stream.reset()
    pieces = np.split(SAMPLES, sorted(cuts))
    heard = np.concatenate([*(stream.feed(piece) for piece in pieces), stream.flush()])
    np.testing.assert_array_equal(heard, expected)


@pytest.mark.parametrize("stream", streams(), ids=["log-mel", "mfcc"])
def test_a_reset_stream_forgets_the_utterance_before(stream: Stream) -> None:
    expected = whole(stream, SAMPLES[:5000])
    stream.feed(SAMPLES[5000:])
    np.testing.assert_array_equal(whole(stream, SAMPLES[:5000]), expected)


@pytest.mark.parametrize("length", [1, 399, 400, 401, 559, 560, 561, 719, 720])
def test_flush_lets_every_last_sample_count_once(length: int) -> None:
    stream = LogMel(LOG_MEL)
    frames = whole(stream, SAMPLES[4000 : 4000 + length])
    assert len(frames) == max(1, -(-(length - 400) // 160) + 1)
    louder = SAMPLES[4000 : 4000 + length].copy()
    louder[-1] = 20_000
    if length > 1:  # the window's first value is 0
        assert not np.array_equal(whole(stream, louder)[-1], frames[-1])


@pytest.mark.parametrize("stream", streams(), ids=["log-mel", "mfcc"])
def test_no_sound_gives_no_frames(stream: Stream) -> None:
    nothing = np.zeros(0, np.int16)
    assert stream.feed(nothing).shape[0] == 0
    assert stream.flush().shape[0] == 0


def test_digital_silence_stays_finite() -> None:
    silence = np.zeros(16_000, np.int16)
    for stream in streams():
        assert np.isfinite(whole(stream, silence)).all()


def test_the_mean_is_the_prior_at_first_and_the_utterance_in_the_end() -> None:
    energies = LogMel(LogMelSettings(prior_frames=1e15)).feed(SAMPLES).astype(np.float64)
    prior = replace(LOG_MEL, mean=(7.0,) * 40, scale=(2.0,) * 40, prior_frames=10.0)
    frames = LogMel(prior).feed(SAMPLES)
    sounding = energies.max(axis=1) > np.log(2e-6)  # digital silence tells nothing of the room
    assert sounding.any()
    for place in (0, 1, 50, len(frames) - 1):
        counted = energies[: place + 1][sounding[: place + 1]]
        mean = (7.0 * 10.0 + counted.sum(axis=0)) / (10.0 + len(counted))
        np.testing.assert_allclose(frames[place], (energies[place] - mean) / 2.0, atol=1e-4)


def test_digital_silence_before_a_sound_hardly_changes_it() -> None:
    stream = LogMel(LOG_MEL)
    alone = stream.feed(SAMPLES)
    stream.reset()
    after = stream.feed(np.concatenate((np.zeros(16_000, np.int16), SAMPLES)))
    # The two windows in which it begins count, so a little is left; with the silence it would be more than 2.
    np.testing.assert_allclose(after[-len(alone) + 3 :], alone[3:], atol=0.1)


def test_later_sound_changes_nothing_earlier() -> None:
    stream = LogMel(LOG_MEL)
    before = stream.feed(SAMPLES[:8000])
    stream.reset()
    np.testing.assert_array_equal(stream.feed(SAMPLES)[: len(before)], before)
