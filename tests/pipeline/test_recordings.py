"""Recordings of real people through the shipped path: a recording's name is what must be heard."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from sayso.assembly import Model, load_grammar, load_model, make_recognizer
from sayso.config import Config, parse_config
from sayso.records import Command, Outcome, Samples, UtteranceEnd, UtteranceStart

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "tests" / "data" / "speech"
SAYSO = Path(sys.executable).with_name("sayso")
COMMANDS = ROOT / "config" / "commands"

ENOUGH = 27
"""Of the 31 commands, how many must be right."""

_OTHERS = ("oov", "cv_")
"""How the names of recordings begin that hold no command."""

Line = dict[str, Any]


def _recognize(*files: Path | str, stdin: bytes | None = None) -> tuple[int, list[Line], str]:
    """Given files, return what `sayso recognize` gives: exit code, lines, and its complaints."""
    command = [str(SAYSO), "recognize", "--commands", str(COMMANDS), *map(str, files)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=110)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def _plain(text: str) -> str:
    return " ".join(re.findall("[a-z0-9]+", text.casefold().replace("'", "")))


def _samples(name: str) -> Samples:
    # As floats, and rounded here: libsndfile's own integers are one off in places.
    samples, rate = soundfile.read(SPEECH / f"{name}.opus", dtype="float32")
    assert (rate, samples.ndim) == (16_000, 1)
    found: npt.NDArray[np.int16] = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    return found


@pytest.fixture(scope="module")
def heard() -> dict[str, list[Line]]:
    """Name of each recording -> the lines that came of it, all recognised in one process."""
    code, lines, complaints = _recognize(SPEECH)
    assert (code, complaints) == (0, "")
    result: dict[str, list[Line]] = {file.stem: [] for file in sorted(SPEECH.glob("*.opus"))}
    for line in lines:
        result[Path(line["file"]).stem].append(line)
    return result


def _commands(lines: list[Line]) -> list[str]:
    return [_plain(line["text"]) for line in lines if line["type"] == "command"]


def _meaning(said: str) -> tuple[str, dict[str, Any]]:
    """Given a sentence, return what `sayso commands test` says it means."""
    command = [str(SAYSO), "commands", "test", "--json", "--commands", str(COMMANDS), said]
    (meaning,) = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    return meaning["intent"], meaning["slots"]


def test_commands_are_understood_as_they_were_said(heard: dict[str, list[Line]]) -> None:
    """The intent and every slot; whether somebody said "a timer" or "the timer" is nobody's concern."""
    wanted = {name: re.sub("^whats ", "what's ", name.replace("_", " ")) for name in heard if name[:3] not in _OTHERS}
    assert len(wanted) == 31
    understood = {
        name: [(line["intent"], line["slots"]) for line in heard[name] if line["type"] == "command"] for name in wanted
    }
    wrong = {name: heard[name] for name, said in wanted.items() if understood[name] != [_meaning(said)]}
    report = "\n".join(
        f"{name}: {[(line['type'], line['text'], line['reason'], line['confidence']) for line in lines]}"
        for name, lines in wrong.items()
    )
    assert len(wanted) - len(wrong) >= ENOUGH, report


def test_what_is_in_no_sentence_of_the_owner_gives_no_command(heard: dict[str, list[Line]]) -> None:
    given = {name: _commands(lines) for name, lines in heard.items() if name.startswith("oov_")}
    assert len(given) == 4
    assert not any(given.values()), given


def test_sentences_that_are_no_commands_give_none(heard: dict[str, list[Line]]) -> None:
    given = {name: _commands(lines) for name, lines in heard.items() if name.startswith("cv_")}
    assert len(given) == 8
    assert not any(given.values()), given


def test_every_file_gives_at_least_one_whole_line_with_times_in_order(heard: dict[str, list[Line]]) -> None:
    keys = {"file", "type", "text", "intent", "slots", "confidence", "reason", "start", "end", "decided"}
    keys |= {"raw_slots", "alternatives", "timings"}
    for name, lines in heard.items():
        assert lines, name
        length = len(_samples(name)) / 16_000
        for line in lines:
            assert set(line) == keys, name
            assert line["type"] in ("command", "rejected"), name
            assert (line["reason"] == "") == (line["type"] == "command"), name
            assert 0 <= line["confidence"] <= 1, name
            assert 0 <= line["start"] <= line["end"] <= line["decided"] <= length + 0.02, name


def test_a_command_says_its_intent_and_slots(heard: dict[str, list[Line]]) -> None:
    (line,) = [line for line in heard["whats_the_weather"] if line["type"] == "command"]
    assert (line["intent"], line["slots"]) == ("HassGetWeather", {})
    (line,) = [line for line in heard["lock_the_Front_Door"] if line["type"] == "command"]
    assert (line["intent"], line["slots"]) == ("HassLock", {"name": "front door", "domain": "lock"})


def test_raw_samples_on_standard_input_give_what_the_file_gives(heard: dict[str, list[Line]]) -> None:
    code, lines, complaints = _recognize("-", stdin=_samples("lock_the_Front_Door").tobytes())
    assert (code, complaints) == (0, "")
    different = ("file", "timings")
    assert [{key: value for key, value in line.items() if key not in different} for line in lines] == [
        {key: value for key, value in line.items() if key not in different} for line in heard["lock_the_Front_Door"]
    ]


def test_broken_and_silent_files_are_told_apart_from_speech(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "whole.wav", _samples("whats_the_weather"), 16_000)
    whole = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "header.wav").write_bytes(whole[:20])
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("turn on the kitchen light")
    soundfile.write(tmp_path / "none.wav", np.zeros(0, np.int16), 16_000)
    soundfile.write(tmp_path / "silence.wav", np.zeros(32_000, np.int16), 16_000)
    noise = np.random.default_rng(0).normal(0, 3000, 48_000).astype(np.int16)
    soundfile.write(tmp_path / "noise.wav", noise, 16_000)
    code, lines, complaints = _recognize(tmp_path)
    found = {Path(line["file"]).stem: line for line in lines}
    errors = {"cut", "empty", "header", "none", "text"}
    assert code == 74
    assert {name for name, line in found.items() if line["type"] == "error"} == errors
    assert len(complaints.splitlines()) == len(errors)
    assert all(line.startswith("sayso: ") for line in complaints.splitlines())
    assert found["whole"]["type"] == "command"
    assert [found[name]["type"] for name in ("silence", "noise")] == ["rejected"] * 2
    assert found["silence"]["reason"] == "no_speech"


def test_several_who_talk_at_once_give_no_command(tmp_path: Path) -> None:
    """A television, a party: sound that fits nothing, and so anything a little."""
    names = sorted(file.stem for file in SPEECH.glob("*.opus") if file.stem.startswith(_OTHERS))
    talk = np.concatenate([_samples(name) for name in names]).astype(np.float64)
    for voices in (2, 6):
        mix = np.sum([np.roll(talk, voice * len(talk) // voices) for voice in range(voices)], axis=0) / voices**0.5
        soundfile.write(tmp_path / f"{voices}.wav", np.clip(mix, -32768, 32767).astype(np.int16), 16_000)
    code, lines, complaints = _recognize(tmp_path)
    assert (code, complaints) == (0, "")
    assert {Path(line["file"]).stem for line in lines} == {"2", "6"}
    assert _commands(lines) == []


@pytest.fixture(scope="module")
def config() -> Config:
    return parse_config(f'[commands]\npath = "{COMMANDS}"', "test")


@pytest.fixture(scope="module")
def model(config: Config) -> Model:
    return load_model(config)


@pytest.mark.parametrize("name", ["whats_the_weather", "set_a_timer_for_5_minutes", "oov_1"])
def test_the_same_sound_in_any_chunks_gives_the_same_outcome(config: Config, model: Model, name: str) -> None:
    samples = _samples(name)
    recognizer = make_recognizer(config, model, load_grammar(config, model.bundle))
    chance = random.Random(name)  # noqa: S311

    def judge(cuts: list[int]) -> Outcome:
        recognizer.begin(UtteranceStart(0, 0))
        for begin, end in zip([0, *cuts], [*cuts, len(samples)]):
            recognizer.hear(samples[begin:end])
        return recognizer.end(UtteranceEnd(len(samples), len(samples), len(samples), "silence"))

    whole = judge([])
    for pieces in (3, 50, 400):
        cut = judge(sorted(chance.sample(range(1, len(samples)), pieces)))
        assert cut.text == whole.text
        assert cut.confidence == pytest.approx(whole.confidence, abs=1e-5)
        assert [one.text for one in cut.alternatives] == [one.text for one in whole.alternatives]
        if isinstance(whole, Command):
            assert isinstance(cut, Command)
            assert (cut.words, cut.slots) == (whole.words, whole.slots)
