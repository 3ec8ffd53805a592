"""One real recording, judged against different sentences and thresholds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from sayso.assembly import Model, load_grammar, load_model, make_recognizer
from sayso.config import Config, parse_config
from sayso.records import Command, Outcome, Rejection, UtteranceEnd, UtteranceStart

SPEECH = Path(__file__).resolve().parents[1] / "data" / "speech"


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(Config())


@pytest.fixture(scope="module")
def said() -> npt.NDArray[np.int16]:
    """ "What's the weather?" """
    samples: npt.NDArray[np.int16] = soundfile.read(SPEECH / "whats_the_weather.opus", dtype="int16")[0]
    return samples


def _judge(
    model: Model,
    samples: npt.NDArray[np.int16],
    folder: Path,
    intents: str,
    settings: str = "",
    reason: str = "silence",
) -> Outcome:
    path = folder / "a.yaml"
    path.write_text(f"language: en\nintents:\n{intents}")
    config = parse_config(f'[commands]\npath = "{path}"\n{settings}', "test")
    recognizer = make_recognizer(config, model, load_grammar(config, model.bundle))
    recognizer.begin(UtteranceStart(0, 1600))
    for begin in range(0, len(samples), 320):
        recognizer.hear(samples[begin : begin + 320])
    return recognizer.end(UtteranceEnd(len(samples) - 3200, len(samples), len(samples) // 2, reason))


WEATHER = "  Weather: {data: [{sentences: ['(what is|what''s) the (weather|time)']}]}\n"


def test_a_command_says_when_each_word_was_heard(model: Model, said: npt.NDArray[np.int16], tmp_path: Path) -> None:
    found = _judge(model, said, tmp_path, WEATHER)
    assert isinstance(found, Command)
    assert (found.text, found.intent) == ("what's the weather", "Weather")
    assert [word.text for word in found.words] == ["what's", "the", "weather"]
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert (found.start, found.end, found.decided) == (1600, len(said) - 3200, len(said))
    assert found.timings.delay == pytest.approx(200)
    assert found.timings.acoustic > 0


@pytest.mark.parametrize("alternatives", [0, 3])
def test_one_sentence_with_two_meanings_is_ambiguous_whatever_is_shown(
    model: Model, said: npt.NDArray[np.int16], tmp_path: Path, alternatives: int
) -> None:
    twice = f"{WEATHER}  Forecast: {{data: [{{sentences: ['what''s the weather']}}]}}\n"
    found = _judge(model, said, tmp_path, twice, f"[decoder]\nalternatives = {alternatives}")
    assert isinstance(found, Rejection)
    assert found.reason == "ambiguous"
    assert {found.intent, *(one.intent for one in found.alternatives)} <= {"Weather", "Forecast"}
    assert len(found.alternatives) == min(1, alternatives)


def test_of_two_meanings_that_which_names_a_device_is_taken(
    model: Model, said: npt.NDArray[np.int16], tmp_path: Path
) -> None:
    named = "  Named: {data: [{sentences: ['what''s the {name}'], lists: {name: {values: [weather]}}}]}\n"
    for intents in (WEATHER + named, named + WEATHER):
        found = _judge(model, said, tmp_path, intents)
        assert isinstance(found, Command)
        assert (found.intent, found.slots) == ("Named", {"name": "weather"})
        assert not [one for one in found.alternatives if one.text == found.text]


def test_a_sentence_whose_words_also_begin_a_longer_one_is_as_sure_as_alone(
    model: Model, said: npt.NDArray[np.int16], tmp_path: Path
) -> None:
    longer = (
        "  Later: {data: [{sentences: ['{question} tomorrow'], lists: {question: {values: [what's the weather]}}}]}\n"
    )
    alone, beside = _judge(model, said, tmp_path, WEATHER), _judge(model, said, tmp_path, WEATHER + longer)
    assert isinstance(alone, Command)
    assert isinstance(beside, Command)
    assert beside.confidence == pytest.approx(alone.confidence, abs=0.03)


def test_one_sentence_written_twice_with_one_meaning_is_a_command(
    model: Model, said: npt.NDArray[np.int16], tmp_path: Path
) -> None:
    twice = WEATHER.replace("]}]}", ', "what\'s the weather", "what\'s [the] weather"]}]}')
    assert isinstance(_judge(model, said, tmp_path, twice), Command)


def test_an_intents_own_threshold_outranks_the_one_of_all(
    model: Model, said: npt.NDArray[np.int16], tmp_path: Path
) -> None:
    strict = WEATHER.replace("{data", "{min_confidence: 1.0, data")
    found = _judge(model, said, tmp_path, strict, "min_confidence = 0.0")
    assert isinstance(found, Rejection)
    assert (found.reason, found.intent) == ("low_confidence", "Weather")
    lenient = WEATHER.replace("{data", "{min_confidence: 0.0, data")
    assert isinstance(_judge(model, said, tmp_path, lenient, "min_confidence = 1.0"), Command)


@pytest.mark.parametrize(
    ("ended", "reason"), [("audio_gap", "audio_gap"), ("too_long", "too_long"), ("too_short", "no_speech")]
)
def test_what_was_not_heard_whole_is_no_command(
    model: Model, said: npt.NDArray[np.int16], tmp_path: Path, ended: str, reason: str
) -> None:
    found = _judge(model, said, tmp_path, WEATHER, reason=ended)
    assert isinstance(found, Rejection)
    assert found.reason == reason


def test_silence_is_no_speech(model: Model, tmp_path: Path) -> None:
    found = _judge(model, np.zeros(16_000, np.int16), tmp_path, WEATHER)
    assert isinstance(found, Rejection)
    assert (found.reason, found.text) == ("no_speech", "")


def test_another_sentence_is_not_made_to_fit(model: Model, said: npt.NDArray[np.int16], tmp_path: Path) -> None:
    found = _judge(model, said, tmp_path, "  Do: {data: [{sentences: ['open the garage door', 'lights off']}]}\n")
    assert isinstance(found, Rejection)
    assert found.reason == "not_a_command"
