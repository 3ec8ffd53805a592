"""Models with DeepSpeech's interface through the shipped path.

Two of the networks know a few of the recordings by heart (packaging/model/deepspeech recite): what they prove is the
path from samples to a command, features, context, states, alphabet, grammar, and not how well anybody is understood.
The third, full integer with n_hidden 512, was trained on other people's speech (packaging/model/README.md).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sayso.assembly import load_grammar, load_model, make_recognizer
from sayso.config import Config, parse_config
from sayso.records import Command, Outcome, UtteranceEnd, UtteranceStart

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "tests" / "data" / "speech"
MODELS = {
    "full integer, a step a call, features outside": "deepspeech_recital_integer.tflite",
    "as released: 8-bit weights, 16 steps, features and metadata in the graph": "deepspeech_recital_released.tflite",
}
KNOWN = {
    "pause": "pause",
    "cancel_timer": "cancel timer",
    "lock_the_Front_Door": "lock the front door",
    "run_Party_Time": "run party time",
}

TRAINED = ROOT / "tests" / "data" / "tflite" / "deepspeech_trained.tflite"
ENOUGH = 15
"""Of the 31 commands, how many must be the likeliest sentence by the trained network; 19 were."""


def configured(model: str) -> Config:
    file, commands = ROOT / "tests" / "data" / "tflite" / MODELS[model], ROOT / "config" / "commands"
    text = f'[model]\npath = "{file}"\naccelerator = "cpu"\n[commands]\npath = "{commands}"\nmin_confidence = 0.5\n'
    return parse_config(text, "test")


@pytest.mark.parametrize("model", MODELS)
def test_what_the_network_knows_comes_out_as_commands(model: str, tmp_path: Path) -> None:
    settings = tmp_path / "sayso.toml"
    config = configured(model)
    settings.write_text(
        f'[model]\npath = "{config.model.path}"\n[commands]\npath = "{config.commands.path}"\nmin_confidence = 0.5\n',
        encoding="utf-8",
    )
    sayso = [str(Path(sys.executable).with_name("sayso")), "--config", str(settings), "recognize"]
    files = [str(SPEECH / f"{name}.opus") for name in KNOWN]
    done = subprocess.run([*sayso, *files], capture_output=True, check=True, timeout=100, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    heard = {Path(line["file"]).stem: line["text"] for line in lines if line["type"] == "command"}
    assert heard == KNOWN
    slots = next(line["slots"] for line in lines if line["text"] == "lock the front door")
    assert slots["name"] == "front door"


@pytest.mark.parametrize("model", MODELS)
def test_the_outcome_does_not_depend_on_the_pieces_the_sound_comes_in(model: str) -> None:
    config = configured(model)
    loaded = load_model(config)
    recognizer = make_recognizer(config, loaded, load_grammar(config, loaded.bundle))
    samples, _ = soundfile.read(SPEECH / "lock_the_Front_Door.opus", dtype="int16")
    outcomes: list[Outcome] = []
    for seed in range(3):
        chance = np.random.default_rng(seed)
        recognizer.begin(UtteranceStart(0, 0))
        cuts = sorted(chance.integers(0, len(samples), 40 * seed))
        for number, piece in enumerate(np.split(samples, cuts)):
            recognizer.hear(piece)
            if number % 10 == 5:
                recognizer.glimpse()  # looking ahead changes nothing
        end = UtteranceEnd(len(samples), len(samples), len(samples), "silence")
        found = recognizer.end(end)
        assert isinstance(found, Command), found
        outcomes.append(found)
    assert [one.text for one in outcomes] == ["lock the front door"] * 3
    assert max(one.confidence for one in outcomes) - min(one.confidence for one in outcomes) < 1e-4


def test_the_trained_network_understands_people_it_never_heard(tmp_path: Path) -> None:
    settings = tmp_path / "sayso.toml"
    settings.write_text(
        f'[model]\npath = "{TRAINED}"\naccelerator = "cpu"\n'
        f'[commands]\npath = "{ROOT / "config" / "commands"}"\nmin_confidence = 0.0\n',
        encoding="utf-8",
    )
    said = [file for file in sorted(SPEECH.glob("*.opus")) if not file.stem.startswith(("oov", "cv_"))]
    sayso = [str(Path(sys.executable).with_name("sayso")), "--config", str(settings), "recognize"]
    done = subprocess.run([*sayso, *map(str, said)], capture_output=True, check=True, timeout=100, text=True)
    heard: dict[str, str] = {}
    for line in map(json.loads, done.stdout.splitlines()):
        heard[Path(line["file"]).stem] = heard.get(Path(line["file"]).stem, "") + line["text"]
    right = [name for name, text in heard.items() if _plain(text) == _plain(name)]
    assert len(said) == 31
    assert len(right) >= ENOUGH, right


def _plain(text: str) -> str:
    return "".join(re.findall("[a-z0-9]", text.casefold()))
