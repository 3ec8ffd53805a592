"""A command that takes the room for granted, told to whoever doesn't know the room: Home Assistant's sentences."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sayso.assembly import configured_bundle, load_grammar
from sayso.config import parse_config
from sayso.grammar.graph import DecodingGraph
from sayso.inventory import TIMERS
from sayso.reading import read_text, with_the_room
from sayso.records import Command

ROOM = {"area": "Kitchen"}
LARGE = [*TIMERS, "HassSetVolume", "HassSetVolumeRelative"]


def _settings(folder: Path, lights: list[str]) -> str:
    own = "{sentences: ['[big] party in [the] kitchen', party], requires_context: {area: {slot: true}}}"
    (folder / "own.yaml").write_text(f"language: en\nintents: {{Party: {{data: [{own}]}}}}\n")
    return (
        f'[commands]\npath = "{folder}"\ncontext = {{area = "Kitchen"}}\n'
        '[listening]\nwake_phrases = ["hey house"]\n[house]\nsentences = true\n'
        f'areas = ["kitchen", "attic"]\nleave_out = {json.dumps(LARGE)}\n'
        f'[house.names]\nlight = {json.dumps(lights)}\nclimate = ["thermostat"]\nfan = ["big fan"]\n'
    )


def _graph(folder: Path, lights: list[str]) -> DecodingGraph:
    config = parse_config(_settings(folder, lights), "test")
    return load_grammar(config, configured_bundle(config)).graph


def _command(graph: DecodingGraph, text: str) -> Command:
    [found] = read_text(graph, text)
    return Command(found.text, found.intent, found.slots, found.raw_slots, 0.9, 0, 1, 2)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> DecodingGraph:
    return _graph(tmp_path_factory.mktemp("house"), ["bed light"])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("turn off the lights", "turn off the kitchen lights"),
        ("turn on the lights please", "turn on the kitchen lights please"),
        ("turn off all the lights in here", "turn off all the lights in the kitchen"),
        ("what's the temperature", "what's the kitchen temperature"),
        ("set the temperature to 20 degrees", "set the kitchen temperature to 20 degrees"),
        ("turn the fan on", "turn the kitchen fan on"),
    ],
)
def test_the_room_is_named_in_the_nearest_words_that_mean_the_same(graph: DecodingGraph, said: str, told: str) -> None:
    command = _command(graph, said)
    assert command.slots["area"] == "Kitchen"
    assert "area" not in command.raw_slots
    assert with_the_room(graph, command, ROOM) == told
    [meaning] = read_text(graph, told)
    assert meaning.intent == command.intent
    assert {**meaning.slots, **ROOM} == dict(command.slots)


@pytest.mark.parametrize(
    "said", ["turn on the bed light", "turn off the lights in the attic", "what time is it", "party"]
)
def test_what_needs_no_room_or_is_no_sentence_of_home_assistants_stays(graph: DecodingGraph, said: str) -> None:
    assert with_the_room(graph, _command(graph, said), ROOM) == _command(graph, said).text


def test_words_that_would_mean_something_else_are_none(tmp_path: Path) -> None:
    graph = _graph(tmp_path, ["kitchen lights"])
    [device] = read_text(graph, "turn off the kitchen lights")
    assert device.slots["name"] == "kitchen lights"
    told = with_the_room(graph, _command(graph, "turn off the lights"), ROOM)
    assert told != "turn off the kitchen lights"
    [meaning] = read_text(graph, told)
    assert {name: str(value).casefold() for name, value in meaning.slots.items()} == {
        "domain": "light",
        "area": "kitchen",
    }


def test_the_command_line_tells_what_home_assistant_is_told(tmp_path: Path) -> None:
    settings = tmp_path / "sayso.toml"
    home = '[home_assistant]\nintents = true\nurl = "http://127.0.0.1:1"\n'
    settings.write_text(_settings(tmp_path, ["bed light"]) + home)
    command = [str(Path(sys.executable).with_name("sayso")), "--config", str(settings), "commands", "test"]
    asked = [*command, "turn off the lights"]
    printed = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=100).stdout
    assert 'Home Assistant is told: "turn off the kitchen lights"' in printed
