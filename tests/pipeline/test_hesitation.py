"""A sentence said in two goes, through the shipped path."""

from __future__ import annotations

from pathlib import Path

import pytest
from recordings import RATE, Sound, frames, joined, recording, synthesised

from sayso.assembly import Model, load_grammar, load_model, make_pipeline, make_recognizer
from sayso.config import Config, parse_config
from sayso.recognition.pipeline import Pipeline
from sayso.records import Command, Heard, Rejection, Wake

SENTENCES = """
language: en
intents:
  On: {data: [{sentences: ["turn on the (living room|kitchen) (lamp|light|fan)"]}]}
  Weather: {data: [{sentences: ["what's the weather"]}]}
"""
LONG = 1.4
"""Longer than a sentence is waited for in its middle [s]."""


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(Config())


@pytest.fixture(scope="module")
def first() -> Sound:
    return synthesised("turn on the living room")


@pytest.fixture(scope="module")
def second() -> Sound:
    return synthesised("light")


def _pipeline(model: Model, folder: Path, settings: str = "") -> Pipeline:
    (folder / "sentences.yaml").write_text(SENTENCES)
    config = parse_config(f'[commands]\npath = "{folder}"\n{settings}', "test")
    return make_pipeline(config, make_recognizer(config, model, load_grammar(config, model.bundle)))


def _feed(pipeline: Pipeline, sound: Sound, first: int = 0) -> list[Heard]:
    found: list[Heard] = []
    for frame in frames(sound, first):
        found += pipeline.feed(frame)
    return found


def _commands(found: list[Heard]) -> list[str]:
    return [one.text for one in found if isinstance(one, Command)]


def test_what_was_refused_goes_on_after_a_pause(model: Model, tmp_path: Path, first: Sound, second: Sound) -> None:
    refused, command = _feed(_pipeline(model, tmp_path), joined(1.0, first, LONG, second, 1.0))
    assert isinstance(refused, Rejection)
    assert refused.reason == "unfinished"
    assert isinstance(command, Command)
    assert command.text == "turn on the living room light"
    assert command.start == refused.start
    room, light = (next(one for one in command.words if one.text == text) for text in ("room", "light"))
    assert light.start - room.end == pytest.approx(LONG * RATE, abs=0.4 * RATE)


def test_real_people_pause_too(model: Model, tmp_path: Path) -> None:
    said = recording("whats_the_weather")
    middle = round(0.36 * len(said))
    found = _feed(_pipeline(model, tmp_path), joined(1.0, said[:middle], LONG, said[middle:], 1.0))
    assert _commands(found) == ["what's the weather"]


@pytest.mark.parametrize(("pause", "settings"), [(3.0, ""), (LONG, "[endpoint]\nrejoin = 0")])
def test_what_comes_later_than_that_is_another_matter(
    model: Model, tmp_path: Path, first: Sound, second: Sound, pause: float, settings: str
) -> None:
    found = _feed(_pipeline(model, tmp_path, settings), joined(1.0, first, pause, second, 1.0))
    assert [type(one) for one in found] == [Rejection, Rejection]


def test_what_was_taken_for_a_command_is_no_half_of_another(
    model: Model, tmp_path: Path, first: Sound, second: Sound
) -> None:
    sound = joined(1.0, first, 1.2, recording("whats_the_weather"), 1.2, second, 1.0)
    patient = _pipeline(model, tmp_path, "[endpoint]\nrejoin = 5")
    assert _commands(_feed(patient, sound)) == ["what's the weather"]


def test_who_mutes_it_in_between_has_said_nothing(model: Model, tmp_path: Path, first: Sound, second: Sound) -> None:
    pipeline = _pipeline(model, tmp_path)
    before, after = joined(1.0, first, 0.1), joined(second, 1.0)
    assert _commands(_feed(pipeline, before)) == []
    pipeline.forget()
    assert _commands(_feed(pipeline, after, len(before))) == []


def test_the_wake_phrase_may_be_in_the_first_half(model: Model, tmp_path: Path, first: Sound, second: Sound) -> None:
    settings = '[listening]\nmode = "wake"\nwake_phrases = ["hey chatterbox"]'
    said = synthesised("hey chatterbox turn on the living room")
    found = _feed(_pipeline(model, tmp_path, settings), joined(1.0, said, LONG, second, 1.0))
    assert [type(one) for one in found] == [Wake, Rejection, Command]
    assert _commands(found) == ["turn on the living room light"]
    unwoken = _feed(_pipeline(model, tmp_path, settings), joined(1.0, first, LONG, second, 1.0))
    assert [getattr(one, "reason", "") for one in unwoken] == ["not_addressed", "not_addressed"]
