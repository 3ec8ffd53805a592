"""What is taken for speech, on recordings of people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sayso.audio.capture import Framer
from sayso.audio.files import SoundFile
from sayso.audio.gate import Gate
from sayso.audio.vad import Vad
from sayso.errors import ConfigError
from sayso.records import UtteranceEnd, UtteranceStart, samples, seconds

SPEECH = Path(__file__).parent.parent / "data" / "speech"
CLIP = "whats_the_weather.opus"
WORDS = (3.1, 4.3)
"""Where the words lie in `in_noise` [s]."""


def in_noise(rms: float) -> np.ndarray:
    """Given a loudness, return the clip with noise of a telephone's band in it and 3 s before and after, int16 [n]."""
    with SoundFile(SPEECH / CLIP) as source:
        clip = np.concatenate([frame.samples for frame in source]).astype(float)
    size = clip.size + samples(6.0)
    spectrum = np.fft.rfft(np.random.default_rng(7).normal(size=size))
    hertz = np.fft.rfftfreq(size, 1 / 16_000)
    noise = np.fft.irfft(spectrum * ((hertz > 200) & (hertz < 3500)), size)
    sound = noise * rms / noise.std()
    sound[samples(3.0) : samples(3.0) + clip.size] += clip
    return np.rint(sound).clip(-32768, 32767).astype(np.int16)


def place(event: UtteranceStart | UtteranceEnd) -> int:
    """Return the index that an event is about."""
    return event.end if isinstance(event, UtteranceEnd) else event.start


def utterances(vad: Vad, sound: np.ndarray) -> list[UtteranceStart | UtteranceEnd]:
    gate = Gate()
    events = [event for frame in Framer().feed(sound) for event in gate.feed(frame, vad.is_speech(frame))]
    return [event for event in events + gate.finish() if isinstance(event, (UtteranceStart, UtteranceEnd))]


@pytest.mark.parametrize("aggressiveness", [0, 1, 2, 3])
def test_words_are_speech_and_a_quiet_room_is_not(aggressiveness: int) -> None:
    vad = Vad(aggressiveness)
    flags = [vad.is_speech(frame) for frame in Framer().feed(in_noise(3))]
    assert not any(flags[25:145])
    assert sum(flags[155:215]) > 30


@pytest.mark.parametrize("rms", [3, 300, 600, 1200])
def test_a_command_in_steady_noise_is_one_utterance(rms: float) -> None:
    start, end = (event for event in utterances(Vad(), in_noise(rms)) if seconds(place(event)) > 2.0)
    assert isinstance(start, UtteranceStart)
    assert isinstance(end, UtteranceEnd)
    assert seconds(start.start) < WORDS[0]
    assert seconds(start.speech) > 2.8
    assert WORDS[1] - 0.1 < seconds(end.end) < 5.2
    assert end.reason == "silence"


def test_without_the_noise_floor_an_utterance_in_loud_noise_does_not_end() -> None:
    (_, end) = utterances(Vad(noise_margin=None), in_noise(1200))
    assert isinstance(end, UtteranceEnd)
    assert end.reason == "stopped"


def test_the_beginning_of_a_source_is_not_taken_for_a_word() -> None:
    assert not utterances(Vad(1), in_noise(100)[: samples(2.5)])


@pytest.mark.parametrize("aggressiveness", [-1, 4])
def test_there_are_four_degrees_of_aggressiveness(aggressiveness: int) -> None:
    with pytest.raises(ConfigError, match="is not one of 0, 1, 2, 3"):
        Vad(aggressiveness)
