"""When a sentence is taken to be over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recordings import RATE, Sound, frames, joined, recording, synthesised

from sayso.assembly import Model, load_grammar, load_model, make_pipeline, make_recognizer
from sayso.config import Config, parse_config
from sayso.records import Command

SENTENCES = Path(__file__).resolve().parents[2] / "config" / "commands"
WORDS = "language: en\nintents: {Play: {data: [{sentences: [play]}]}, Day: {data: [{sentences: [day]}]}}\n"
LAMPS = "language: en\nintents: {On: {data: [{sentences: ['turn on the (living room|kitchen) (lamp|light|fan)']}]}}\n"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(Config())


def _commands(sentences: Path, model: Model, sound: Sound) -> list[Command]:
    config = parse_config(f'[commands]\npath = "{sentences}"', "test")
    pipeline = make_pipeline(config, make_recognizer(config, model, load_grammar(config, model.bundle)))
    outcomes = []
    for frame in frames(sound):
        outcomes += pipeline.feed(frame)
    return [one for one in outcomes + pipeline.finish() if isinstance(one, Command)]


def _written(folder: Path, sentences: str) -> Path:
    path = folder / "sentences.yaml"
    path.write_text(sentences)
    return path


def _among(noise: Sound, said: Sound, decibels: float) -> Sound:
    """Noise, so much quieter than what is said in it after two seconds, and for three seconds after that."""
    power = np.sqrt(np.mean(np.square(said, dtype=np.float64)) / np.mean(np.square(noise, dtype=np.float64)))
    mix = np.resize(noise, len(said) + 5 * RATE) * power * 10 ** (-decibels / 20)
    mix[2 * RATE : 2 * RATE + len(said)] += said
    return np.clip(np.rint(mix), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("name", ["cancel_timer", "whats_the_weather", "whats_the_temperature", "next"])
def test_in_noise_that_was_there_before_a_command_is_decided_soon_after_it(model: Model, name: str) -> None:
    said, after = recording(name), []
    for seed in range(7):  # a phone comes out a row sooner or later, as the noise has it
        noise = np.random.default_rng(seed).normal(0, 20, 10 * RATE).astype(np.int16)
        [command] = _commands(SENTENCES, model, _among(noise, said, 12))
        assert command.text.replace("'", "").replace(" ", "_") == name
        after.append(command.decided - (2 * RATE + len(said)))
    assert np.median(after) < 0.6 * RATE


@pytest.mark.parametrize("speed", [60, 80, 100, 150])
def test_a_vowel_that_goes_on_is_no_second_command(model: Model, tmp_path: Path, speed: int) -> None:
    found = _commands(_written(tmp_path, WORDS), model, joined(1.0, synthesised("play", speed), 1.5))
    assert [one.text for one in found] == ["play"]


@pytest.mark.parametrize(("said", "meant"), [("lamb", "lamp"), ("lum", "lamp"), ("lack", "light"), ("lime", "light")])
def test_a_last_word_that_was_said_indistinctly_is_not_waited_for(
    model: Model, tmp_path: Path, said: str, meant: str
) -> None:
    sound = joined(1.0, synthesised(f"turn on the living room {said}"), 2.0)
    [command] = _commands(_written(tmp_path, LAMPS), model, sound)
    assert command.text == f"turn on the living room {meant}"
    assert command.decided - (len(sound) - 3 * RATE) < 0.6 * RATE


def test_a_sentence_may_be_hesitated_in(model: Model, tmp_path: Path) -> None:
    sound = joined(1.0, synthesised("turn on the living room"), 0.4, synthesised("light"), 2.0)
    assert [one.text for one in _commands(_written(tmp_path, LAMPS), model, sound)] == ["turn on the living room light"]


@pytest.mark.parametrize("said", ["turn on the kitchen", "turn on the living room"])
@pytest.mark.parametrize("speed", [100, 130, 160])
def test_an_end_that_nobody_said_is_not_made_up(model: Model, tmp_path: Path, said: str, speed: int) -> None:
    sound = joined(1.0, synthesised(said, speed), 2.0)
    assert _commands(_written(tmp_path, LAMPS), model, sound) == []
    [command] = _commands(_written(tmp_path, LAMPS), model, joined(1.0, synthesised(f"{said} light", speed), 2.0))
    assert command.text == f"{said} light"


@pytest.mark.parametrize(
    ("name", "until"),
    [
        ("is_the_Garage_Door_open", 0.72),
        ("what_time_is_it", 0.6),
        ("lock_the_Front_Door", 0.7),
        ("set_Kitchen_lights_to_green", 0.75),
    ],
)
def test_half_of_a_recording_is_no_command(model: Model, name: str, until: float) -> None:
    said = recording(name)
    assert _commands(SENTENCES, model, joined(1.0, said[: round(until * len(said))], 2.0)) == []


@pytest.mark.parametrize(
    ("name", "until"),
    [("is_the_Garage_Door_open", 0.72), ("lock_the_Front_Door", 0.7), ("set_Kitchen_lights_to_green", 0.75)],
)
def test_nor_is_half_of_one_in_noise_that_may_have_hidden_the_rest(model: Model, name: str, until: float) -> None:
    said = recording(name)
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(0, 20, 10 * RATE).astype(np.int16)
        assert _commands(SENTENCES, model, _among(noise, said[: round(until * len(said))], 12)) == []
