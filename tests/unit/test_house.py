"""Home Assistant's own sentences (the real package), for one house."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any, Sequence

import pytest
from hassil import Intents, recognize_best
from hassil.intents import TextSlotList
from small_grammars import meanings

from sayso.assembly import configured_bundle, load_grammar
from sayso.config import parse_config
from sayso.errors import GrammarError
from sayso.grammar.explain import sample
from sayso.grammar.graph import DecodingGraph
from sayso.grammar.house import House, read_house_sentences
from sayso.grammar.readings import Readings
from sayso.grammar.templates import parse_templates
from sayso.grammar.words import WordAcceptor, build_word_acceptor
from sayso.reading import read_text
from sayso.recognition.interpret import Meaning, read_tags
from sayso.recognition.precedence import read_path

SAYSO = Path(sys.executable).with_name("sayso")
NUMBERS = (
    "HassDecreaseTimer", "HassIncreaseTimer", "HassStartTimer", "HassSetVolumeRelative", "HassTimerStatus",
    "HassCancelTimer", "HassPauseTimer", "HassUnpauseTimer", "HassSetVolume",
)  # fmt: skip
"""Intents with long lists of numbers; leaving them out keeps the tests quick."""
HOUSE = House({"light": ["bed light"], "lock": ["front door"]}, ["kitchen"], leave_out=NUMBERS)


def _acceptor(house: House, context: dict[str, Any] | None = None) -> WordAcceptor:
    return build_word_acceptor(parse_templates([read_house_sentences(house).file]), context or {})


def _read(acceptor: WordAcceptor, words: Sequence[str]) -> list[Meaning]:
    """What a sentence's words mean."""
    leaving: dict[int, list[tuple[str, int]]] = {}
    for source, label, target in acceptor.arcs:
        leaving.setdefault(source, []).append((label, target))
    found = []
    todo: list[tuple[int, int, tuple[str, ...]]] = [(0, 0, ())]
    while todo:
        state, place, output = todo.pop()
        if state in acceptor.finals and place == len(words):
            found.append(read_tags(output, acceptor.slot_ends, acceptor.sentence_ends))
        for label, target in leaving.get(state, ()):
            if not label or label.startswith("\x01"):
                todo.append((target, place, (*output, label) if label else output))
            elif place < len(words) and label == words[place]:
                todo.append((target, place + 1, (*output, label)))
    return found


@pytest.fixture(scope="module")
def usual() -> WordAcceptor:
    return _acceptor(HOUSE)


@pytest.mark.parametrize(
    ("sentence", "intent", "slots"),
    [
        ("turn on the bed light", "HassTurnOn", {"name": "bed light"}),
        ("turn off all lights in the kitchen", "HassTurnOff", {"area": "kitchen", "domain": "light"}),
        ("set bed light brightness to 50 percent", "HassLightSet", {"name": "bed light", "brightness": 50}),
        ("lock the front door", "HassTurnOn", {"name": "front door"}),
        ("please what time is it", "HassGetCurrentTime", {}),
    ],
)
def test_home_assistants_sentences_mean_what_they_mean_there(
    usual: WordAcceptor, sentence: str, intent: str, slots: dict[str, Any]
) -> None:
    found = _read(usual, sentence.split())
    assert found
    assert {one.intent for one in found} == {intent}
    assert any(slots.items() <= dict(one.slots).items() for one in found)


def test_what_may_mean_several_things_means_what_it_does_in_home_assistant(tmp_path: Path) -> None:
    names = ["bed light", "kitchen light", "kitchen lights", "all kitchen lights"]
    graph = _graph(tmp_path, names, [*NUMBERS, "HassGetState"])
    lists = {
        "name": TextSlotList.from_tuples([(name, name, {"domain": "light"}) for name in names]),
        "area": TextSlotList.from_strings(["kitchen"]),
        "floor": TextSlotList.from_strings([]),
    }
    theirs = Intents.from_dict(json.loads((files("home_assistant_intents") / "data" / "en.json").read_text()))
    readings = Readings(graph)
    chance = random.Random(1)  # noqa: S311 - sentences, not secrets
    compared = 0
    for _ in range(3000):
        said = read_path(graph, sample(graph, chance)).text
        if len({read_path(graph, output).sense for output in readings(said.split())}) == 1:
            continue
        [taken] = read_text(graph, said)
        found = recognize_best(said.replace(" %", "%"), theirs, slot_lists=lists, best_slot_name="name")
        assert found is not None, said
        values = {entity.name: entity.value for entity in found.entities_list}
        assert (taken.intent, dict(taken.slots)) == (found.intent.name, values), said
        compared += 1
    assert compared > 20


def _graph(folder: Path, lights: Sequence[str], leave_out: Sequence[str]) -> DecodingGraph:
    """Given a house's lights, return its sentences compiled."""
    (folder / "a.yaml").write_text("language: en\n")
    house = f'areas = ["kitchen"]\nleave_out = {json.dumps(leave_out)}\nnames.light = {json.dumps(lights)}\n'
    config = parse_config(f'[commands]\npath = "{folder}"\n[house]\nsentences = true\n{house}', "test")
    return load_grammar(config, configured_bundle(config)).graph


@pytest.mark.parametrize("sentence", ["turn on the front light", "lock the bed light", "turn on the fan"])
def test_what_the_house_does_not_have_cant_be_said(usual: WordAcceptor, sentence: str) -> None:
    assert not _read(usual, sentence.split())


def test_the_room_that_listens_needs_no_name(usual: WordAcceptor) -> None:
    said = ["turn", "on", "the", "lights"]
    assert not [one for one in _read(usual, said) if "area" in one.slots]
    (found, *_) = [one for one in _read(_acceptor(HOUSE, {"area": "kitchen"}), said) if "area" in one.slots]
    assert found.slots["area"] == "kitchen"


def test_what_is_left_out_is_counted_with_the_reason() -> None:
    left_out = read_house_sentences(HOUSE).left_out
    assert left_out["{shopping_list_item} may be any text"] >= 1
    assert left_out["no vacuum is named"] >= 1
    assert left_out["no floor is named"] >= 1


def test_a_name_may_be_a_template() -> None:
    house = House({"light": ["bed[side] light"]}, leave_out=NUMBERS)
    (found, *_) = _read(_acceptor(house), ["turn", "on", "bedside", "light"])
    assert found.slots["name"] == "bedside light"


def test_a_house_that_nothing_fits_is_told() -> None:
    data = read_house_sentences(House({"light": ["lamp"]}))
    everything = tuple(data.file.contents.intents)
    with pytest.raises(GrammarError, match=r"none of Home Assistant's sentences fits this house"):
        read_house_sentences(House({"light": ["lamp"]}, leave_out=everything))


@pytest.mark.parametrize("theirs", ["true", "false"])
def test_the_owners_sentences_may_name_what_home_assistants_do(tmp_path: Path, theirs: str) -> None:
    own = "['<turn> <the> {name} {color}', '{lamp} in [the] {area}']"
    (tmp_path / "a.yaml").write_text(
        f"language: en\nintents: {{Party: {{data: [{{sentences: {own}}}]}}}}\n"
        "lists: {lamp: {values: [disco]}, color: {values: [plaid]}}\n"
    )
    house = f'[house]\nsentences = {theirs}\nareas = ["kitchen"]\nnames.light = ["bed light"]\n'
    config = parse_config(
        f'[commands]\npath = "{tmp_path}"\n{house}leave_out = {json.dumps([*NUMBERS, "HassGetState"])}\n', "test"
    )
    graph = load_grammar(config, configured_bundle(config)).graph
    said = {"switch the bed light plaid": {"name": "bed light", "color": "plaid"}}
    said["disco in the kitchen"] = {"lamp": "disco", "area": "kitchen"}
    for text, slots in said.items():
        [found] = read_text(graph, text)
        assert (found.intent, dict(found.slots)) == ("Party", slots)
    # What the owner wrote is Home Assistant's to name no more than before.
    assert not read_text(graph, "set the bed light color to plaid")
    assert bool(read_text(graph, "set the bed light color to red")) == (theirs == "true")


def test_what_a_house_would_fill_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("language: en\nintents: {Do: {data: [{sentences: ['light in {area}']}]}}\n")
    config = parse_config(f'[commands]\npath = "{tmp_path}"\n', "test")
    with pytest.raises(GrammarError, match=r"no list \{area\} \(Home Assistant fills it; here \[house\] areas does"):
        load_grammar(config, configured_bundle(config))


def test_one_switch_adds_them_to_the_owners_sentences(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("language: en\nintents: {Party: {data: [{sentences: ['party <now>']}, "
                                     "{sentences: ['dance'], requires_context: {floor: wooden}}]}}\n"
                                     "expansion_rules: {now: '(now|time)', turn: never}\n")  # fmt: skip
    unwanted = json.dumps([*NUMBERS, "HassLightSet", "HassGetState", "HassClimateSetTemperature"])
    settings = tmp_path / "sayso.toml"
    settings.write_text(
        f'[commands]\npath = "{tmp_path}"\n[house]\nsentences = true\nareas = ["kitchen"]\nleave_out = {unwanted}\n'
        '[house.names]\nlock = ["front door"]\nlight = ["bed light"]\n'
    )

    def run(*arguments: str) -> Any:
        command = [str(SAYSO), "--config", str(settings), "commands", *arguments]
        return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=100).stdout)

    (meaning,) = run("test", "--json", "turn off the lights in the kitchen")
    assert (meaning["intent"], meaning["slots"]) == ("HassTurnOff", {"domain": "light", "area": "kitchen"})
    assert [one["intent"] for one in run("test", "--json", "party time")] == ["Party"]
    explained = run("explain", "--json")
    assert {"Party", "HassTurnOn"} <= set(explained["intents"])
    assert explained["left_out"]["{shopping_list_item} may be any text"] >= 1
    assert not explained["unused_lists"]
    assert f"{tmp_path}/a.yaml:2: dance" in explained["unsaid"]
    assert not any("party" in one for one in explained["unsaid"])


def test_who_has_a_house_needs_no_sentences_besides(tmp_path: Path) -> None:
    house = f'names.lock = ["front door"]\nleave_out = {json.dumps(NUMBERS)}\n'
    config = parse_config(f'[commands]\npath = "{tmp_path}"\n[house]\nsentences = true\n{house}', "test")
    assert read_text(load_grammar(config, configured_bundle(config)).graph, "lock the front door")
    config = parse_config(f'[commands]\npath = "{tmp_path}"\n[house]\nsentences = false\n{house}', "test")
    with pytest.raises(GrammarError, match=r"no \*.yaml file in this folder"):
        load_grammar(config, configured_bundle(config))


def test_the_acceptor_has_no_more_than_the_house() -> None:
    tiny = House({"lock": ["door"]}, leave_out=NUMBERS)
    names = {value for one in meanings(_acceptor(tiny)) for key, value in one.slots.items() if key == "name"}
    assert names == {"door"}
