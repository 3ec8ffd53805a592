"""Wake phrases, said by real people before real commands, through the shipped path."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from recordings import Sound, frames, joined, recording, synthesised

from sayso.assembly import Model, load_grammar, load_model, make_pipeline, make_recognizer
from sayso.config import Config, parse_config
from sayso.errors import GrammarError
from sayso.recognition.pipeline import Pipeline
from sayso.records import Command, Heard, Rejection, Wake, seconds

COMMANDS = Path(__file__).resolve().parents[2] / "config" / "commands"
PHRASE = "can you hear me"
"""What is said in the recording that stands for a wake phrase."""

Listen = Callable[..., "list[Heard]"]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(Config())


@pytest.fixture(scope="module")
def wake() -> Sound:
    return recording("cv_7")


@pytest.fixture
def command() -> Sound:
    return recording("cancel_timer")


def _pipeline(model: Model, listening: str, phrase: str = PHRASE) -> Pipeline:
    text = f'[commands]\npath = "{COMMANDS / "timers.yaml"}"\n[listening]\nwake_phrases = ["{phrase}"]\n{listening}'
    config = parse_config(text, "test")
    return make_pipeline(config, make_recognizer(config, model, load_grammar(config, model.bundle)))


def _hear(pipeline: Pipeline, sound: Sound) -> list[Heard]:
    """Given sound, return what is heard in it, but for noises."""
    found: list[Heard] = []
    for frame in frames(sound):
        found += pipeline.feed(frame)
    found += pipeline.finish()
    return [one for one in found if not (isinstance(one, Rejection) and one.reason == "no_speech")]


def _told(found: list[Heard]) -> list[str]:
    """Each thing heard in a word: the phrase that woke, the command's text, or why it is none."""
    named = {Wake: "phrase", Command: "text", Rejection: "reason"}
    return [getattr(one, named[type(one)]) for one in found]


def test_a_wake_phrase_and_a_command_in_one_breath(model: Model, wake: Sound, command: Sound) -> None:
    found = _hear(_pipeline(model, 'mode = "wake"'), joined(wake, 0.05, command))
    assert _told(found) == [PHRASE, "cancel timer"]
    woken, said = found
    assert isinstance(woken, Wake)
    assert isinstance(said, Command)
    assert said.wake == woken
    assert [word.text for word in said.words] == ["cancel", "timer"]
    assert woken.start < woken.end <= said.words[0].start
    assert seconds(woken.end - woken.start) == pytest.approx(0.5, abs=0.3)


def test_a_command_some_seconds_after_the_wake_phrase_and_only_one(model: Model, wake: Sound, command: Sound) -> None:
    found = _hear(_pipeline(model, 'mode = "wake"'), joined(wake, 3.0, command, 2.0, command))
    assert _told(found) == [PHRASE, "cancel timer", "not_addressed"]


def test_the_window_closes(model: Model, wake: Sound, command: Sound) -> None:
    found = _hear(_pipeline(model, 'mode = "wake"\nwake_window = 2.0'), joined(wake, 4.0, command))
    assert _told(found) == [PHRASE, "not_addressed"]


def test_what_is_not_meant_for_us_is_nobodys_business(model: Model, command: Sound) -> None:
    pipeline = _pipeline(model, 'mode = "wake"')
    (found,) = _hear(pipeline, joined(command))
    assert isinstance(found, Rejection)
    assert (found.reason, found.text, found.intent, found.alternatives) == ("not_addressed", "", "", ())


def test_a_sentence_that_was_not_understood_may_be_said_again(model: Model, wake: Sound, command: Sound) -> None:
    found = _hear(_pipeline(model, 'mode = "wake"'), joined(wake, 0.05, recording("cv_2"), 1.5, command))
    assert _told(found) in ([PHRASE, "not_a_command", "cancel timer"], [PHRASE, "low_confidence", "cancel timer"])


def test_in_mode_always_the_wake_phrase_may_be_left_out(model: Model, command: Sound) -> None:
    pipeline = _pipeline(model, 'mode = "always"', "hey house")
    found = _hear(pipeline, joined(command, 2.5, synthesised("hey house"), 0.05, command))
    assert _told(found) == ["cancel timer", "hey house", "cancel timer"]


def test_the_wake_phrase_has_a_threshold_of_its_own(model: Model, wake: Sound, command: Sound) -> None:
    found = _hear(_pipeline(model, 'mode = "wake"\nwake_confidence = 1.0'), joined(wake, 0.05, command))
    assert _told(found) == ["not_addressed"]


def test_other_words_before_a_command_are_no_wake_phrase(model: Model, command: Sound) -> None:
    found = _hear(_pipeline(model, 'mode = "always"'), joined(recording("cv_6"), 0.05, command))
    assert not any(isinstance(one, (Wake, Command)) for one in found)


def test_a_wake_phrase_may_be_a_word_that_no_dictionary_has(model: Model, command: Sound) -> None:
    pipeline = _pipeline(model, 'mode = "wake"', "hello zorbitron")
    assert _told(_hear(pipeline, joined(synthesised("hello zorbitron"), 0.05, command))) == [
        "hello zorbitron",
        "cancel timer",
    ]


def test_recordings_without_the_phrase_wake_nobody(model: Model) -> None:
    pipeline = _pipeline(model, 'mode = "wake"', "computer")
    names = ["cv_1", "cv_2", "cv_3", "cv_4", "cv_5", "cv_8", "oov_1", "oov_2", "oov_3", "oov_4", "whats_the_weather"]
    found = _hear(pipeline, joined(*(part for name in names for part in (recording(name), 1.0))))
    assert len(found) >= len(names)
    assert not any(isinstance(one, (Wake, Command)) for one in found)


def test_the_same_command_at_once_is_marked_as_repeated(model: Model, command: Sound) -> None:
    found = _hear(_pipeline(model, ""), joined(command, 1.2, command, 4.0, command))
    assert [one.repeated for one in found if isinstance(one, Command)] == [False, True, False]


@pytest.mark.parametrize(
    ("phrase", "complaint"),
    [
        ("cancel timer", '[listening] wake_phrases: "cancel timer" is a sentence, too'),
        ("hey (house|home)", '[listening] wake_phrases: "hey (house|home)" is no plain text'),
        ("?!", '[listening] wake_phrases: "?!" is no plain text'),
    ],
)
def test_a_phrase_that_can_be_none_is_refused(model: Model, phrase: str, complaint: str) -> None:
    with pytest.raises(GrammarError) as caught:
        _pipeline(model, "", phrase)
    assert str(caught.value).startswith(complaint)
