"""When a sentence is taken to be over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recordings import RATE, Sound, joined, quiet, recording, synthesised

from sayso.assembly import Model, load_grammar, load_model, make_pipeline, make_recognizer
from sayso.config import Config, parse_config
from sayso.records import FRAME_SAMPLES, AudioFrame, Command

SENTENCES = Path(__file__).resolve().parents[2] / "config" / "commands"
WORDS = "language: en\nintents: {Play: {data: [{sentences: [play]}]}, Day: {data: [{sentences: [day]}]}}\n"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(Config())


def _commands(config: Config, model: Model, sound: Sound) -> list[Command]:
    pipeline = make_pipeline(config, make_recognizer(config, model, load_grammar(config, model.bundle)))
    frames = range(0, len(sound) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    outcomes = [
        one for start in frames for one in pipeline.feed(AudioFrame(sound[start : start + FRAME_SAMPLES], start))
    ]
    return [one for one in outcomes + pipeline.finish() if isinstance(one, Command)]


def _among(noise: Sound, said: Sound, decibels: float) -> Sound:
    """Noise, so much quieter than what is said in it after two seconds, and for three seconds after that."""
    power = np.sqrt(np.mean(np.square(said, dtype=np.float64)) / np.mean(np.square(noise, dtype=np.float64)))
    mix = np.resize(noise, len(said) + 5 * RATE) * power * 10 ** (-decibels / 20)
    mix[2 * RATE : 2 * RATE + len(said)] += said
    return np.clip(np.rint(mix), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("name", ["cancel_timer", "whats_the_weather", "whats_the_temperature", "next"])
def test_in_noise_that_was_there_before_a_command_is_decided_soon_after_it(model: Model, name: str) -> None:
    said = recording(name)
    [command] = _commands(
        parse_config(f'[commands]\npath = "{SENTENCES}"', "test"), model, _among(quiet(10.0), said, 12)
    )
    assert command.text.replace("'", "").replace(" ", "_") == name
    assert command.decided - (2 * RATE + len(said)) < 0.6 * RATE


@pytest.mark.parametrize("speed", [60, 80, 100, 150])
def test_a_vowel_that_goes_on_is_no_second_command(model: Model, tmp_path: Path, speed: int) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(WORDS)
    sound = joined(1.0, synthesised("play", speed), 1.5)
    assert [one.text for one in _commands(parse_config(f'[commands]\npath = "{path}"', "test"), model, sound)] == [
        "play"
    ]
