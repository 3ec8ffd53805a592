"""Sentences that were written for Rhasspy mean the same to Sayso, or are named with their line."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_grammars import acceptor, meanings

from sayso.errors import Problem
from sayso.grammar.rhasspy import Choice, Intent, Item, Maybe, Numbers, Words, read_ini, read_slot
from sayso.grammar.translate import Translation, translate

SAYSO = Path(sys.executable).with_name("sayso")


def _translated(folder: Path, text: str, **slots: str) -> tuple[Translation, list[Problem]]:
    """Given a sentences.ini and slot files, return the templates, and what of it was no sentence."""
    (folder / "sentences.ini").write_text(text)
    for name, values in slots.items():
        (folder / name).write_text(values)
    intents: dict[str, Intent] = {}
    problems: list[Problem] = []
    read_ini(folder / "sentences.ini", intents, problems)

    def find(name: str) -> Any:
        return read_slot(folder / name, problems) if (folder / name).is_file() else None

    return translate(intents, find, "en"), problems


def _said(translation: Translation) -> dict[str, tuple[str, dict[str, Any]]]:
    """Each sentence of the templates, with its intent and slots."""
    return {one.text: (one.intent, dict(one.slots)) for one in meanings(acceptor(translation.contents))}


def _meaning(folder: Path, text: str, **slots: str) -> dict[str, tuple[str, dict[str, Any]]]:
    translation, problems = _translated(folder, text, **slots)
    assert not problems
    assert not translation.problems
    return _said(translation)


def test_tags_become_slots_with_what_they_stand_for(tmp_path: Path) -> None:
    said = _meaning(tmp_path, "[Light]\nturn (on | off){state} [the] ((living room lamp):lamp_1 | bed){name}\n")
    assert said["turn on the living room lamp"] == ("Light", {"state": "on", "name": "lamp_1"})
    assert said["turn off bed"] == ("Light", {"state": "off", "name": "bed"})
    assert len(said) == 8


def test_numbers_are_numbers(tmp_path: Path) -> None:
    text = "[Set]\nset 0..20,5{level!int}\n[Dim]\ndim (1..3 percent){level}\nmake it (2..3 | max:9){l}"
    said = _meaning(tmp_path, text)
    assert said["set 15"] == ("Set", {"level": 15})
    assert said["dim 2 percent"] == ("Dim", {"level": "2 percent"})
    assert said["make it 3"] == ("Dim", {"l": 3})
    assert said["make it max"] == ("Dim", {"l": "9"})
    assert len(said) == 11


def test_rules_of_this_and_of_another_intent(tmp_path: Path) -> None:
    said = _meaning(tmp_path, "[A]\nstate = (on|off) {state}\nturn <state>\n[B]\nit = [the] lamp\n<it> <A.state>\n")
    assert said["turn off"] == ("A", {"state": "off"})
    assert said["the lamp on"] == ("B", {"state": "on"})


def test_slot_files_and_those_that_come_with_rhasspy(tmp_path: Path) -> None:
    text = "[A]\nmake it $colour{colour}\non $rhasspy/days{day} at $rhasspy/number,1,3{hour}\njust $colour\n"
    said = _meaning(tmp_path, text, colour="red\n# none\n[bright] green\n(sky blue):#00f\n")
    assert said["make it sky blue"] == ("A", {"colour": "#00f"})
    assert said["make it bright green"] == ("A", {"colour": "bright green"})
    assert said["on friday at 3"] == ("A", {"day": "friday", "hour": 3})
    assert said["just green"] == ("A", {})


@pytest.mark.parametrize(
    ("line", "sentence", "slots"),
    [
        ("lamp on (:){name:lamp_1}", "lamp on", {"name": "lamp_1"}),
        ("lamp (:on){state}", "lamp", {"state": "on"}),
        ("half (light | lamp){name:x}", "half lamp", {"name": "x"}),
        (r"\[please] go", "please go", {}),
        ("dim [very:extremely] low:1 now", "dim very low now", {}),
        ("set (low | middle){level!upper}", "set low", {"level": "LOW"}),
        ("set (low:1 | middle:2.5){level!float}", "set middle", {"level": 2.5}),
        ("is it (yes:true | no:false){answer!bool}", "is it no", {"answer": False}),
        ("heat (twenty:20 (one:1 | two:2)){degrees}", "heat twenty two", {"degrees": "20 2"}),
        ("turn off the: (television | tele):tv", "turn off the tele", {}),
        ("go [red | blue]{colour} home", "go home", {}),
        ("go [red | blue]{colour} home", "go blue home", {"colour": "blue"}),
        ("what's on at 5 o'clock", "what's on at 5 o'clock", {}),
        ("say (a|b|){x} now", "say b now", {"x": "b"}),
    ],
)
def test_each_part_of_the_language(tmp_path: Path, line: str, sentence: str, slots: dict[str, Any]) -> None:
    assert _meaning(tmp_path, f"[A]\n{line}\n")[sentence] == ("A", slots)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("turn (on", "`(` is never closed"),
        ("turn on)", "`)` closes nothing"),
        ("{x} on", "`{x}` has nothing before it"),
        ("a <none> b", "no rule <none>"),
        ("a $none{x}", "no slot file `none`"),
        ("a $weather,now", "$weather is a program"),
        ("a ((b){x} c){y}", "tag {x} stands within another tag"),
        ("a b{x!mine}", "converter !mine is a program of yours"),
        ("a (b|c){x!int}", '"b" can\'t be converted by !int'),
        ("a 0..1000000{x!float}", "a range of 1000001 numbers"),
        ("a <loop>\nloop = b <loop>", "<A.loop> contains itself"),
    ],
)
def test_what_cant_be_said_is_named_with_its_line_and_the_rest_is_kept(
    tmp_path: Path, line: str, complaint: str
) -> None:
    translation, problems = _translated(tmp_path, f"[A]\nfine\n{line}\n")
    found = [str(problem) for problem in (*problems, *translation.problems)]
    assert len(found) == 1
    assert found[0].startswith(f"{tmp_path}/sentences.ini:3: ")
    assert complaint in found[0]
    assert _said(translation)["fine"] == ("A", {})


def test_a_line_before_any_section_and_comments(tmp_path: Path) -> None:
    translation, problems = _translated(tmp_path, "lost\n; no\n# no\n[A]\nfine\n")
    assert [problem.where for problem in problems] == [f"{tmp_path}/sentences.ini:1"]
    assert list(_said(translation)) == ["fine"]


_WORD = st.sampled_from(["red", "blue", "lamp", "two:2", "(dark sky):9", "very:", "1..2"])


def _grouped(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(lambda one: f"({' | '.join(one)})"),
        st.lists(parts, min_size=1, max_size=2).map(lambda one: f"[{' '.join(one)}]"),
        st.lists(parts, min_size=1, max_size=2).map(lambda one: f"({' '.join(one)})"),
    )


_PART = st.recursive(_WORD, _grouped, max_leaves=4)
_TAGGED = st.tuples(st.lists(_PART, min_size=1, max_size=3), st.sampled_from(["x", "y:7"])).map(
    lambda one: f"({' | '.join(one[0])}){{{one[1]}}}"
)
_LINES = st.tuples(_PART, _TAGGED, _PART).map(lambda parts: f"go {' '.join(parts)}")


def _ways(node: Any) -> Iterator[tuple[str, str, dict[str, str]]]:
    """What can be said for a part of Rhasspy's language, what text it stands for, and the slots, one by one."""
    if isinstance(node, Item):
        for said, text, slots in _ways(node.node):
            stands = text if node.substitution is None else node.substitution
            if node.tag is not None:
                slots = {**slots, node.tag.name: stands if node.tag.value is None else node.tag.value}
            yield said, stands, slots
    elif isinstance(node, Words):
        yield node.text, node.text, {}
    elif isinstance(node, Numbers):
        yield from ((str(one), str(one), {}) for one in range(node.start, node.stop + 1))
    elif isinstance(node, Maybe):
        yield "", "", {}
        yield from _ways(node.inner)
    elif isinstance(node, Choice):
        for option in node.options:
            for parts in product(*(list(_ways(item)) for item in option.items)):
                slots = {key: value for _, _, one in parts for key, value in one.items()}
                yield " ".join(part[0] for part in parts), " ".join(part[1] for part in parts), slots


@given(_LINES)
def test_every_sentence_that_rhasspy_takes_is_taken_with_the_same_slots(
    tmp_path_factory: pytest.TempPathFactory, line: str
) -> None:
    folder = tmp_path_factory.mktemp("rhasspy")
    translation, problems = _translated(folder, f"[A]\n{line}\n")
    assert not problems
    intents: dict[str, Intent] = {}
    read_ini(folder / "sentences.ini", intents, problems)
    expected = set()
    for said, _, slots in _ways(intents["A"].sentences[0].body):
        told = {name: " ".join(value.split()) for name, value in slots.items()}
        expected.add((" ".join(said.split()), json.dumps(told)))
    if translation.problems:
        assert all("within a tag may be several" in str(one) for one in translation.problems)
        return
    found = {
        (one.text, json.dumps({name: str(value) for name, value in one.slots.items()}))
        for one in meanings(acceptor(translation.contents))
    }
    # A tag around nothing that is said fills no slot here, and an empty one there.
    silent = {one for one in expected if '""' in one[1]}
    assert expected - silent <= found
    assert found <= expected | {(said, "{}") for said, _ in silent}


def test_a_profile_is_imported_and_understood(tmp_path: Path) -> None:
    profile = tmp_path / "profile"
    (profile / "slots" / "house").mkdir(parents=True)
    (profile / "intents").mkdir()
    (profile / "sentences.ini").write_text("[Light]\nturn (on|off){state} the $house/rooms{room} light\nbad (\n")
    (profile / "intents" / "more.ini").write_text("[Time]\nwhat time is it\n")
    (profile / "slots" / "house" / "rooms").write_text("kitchen\n(living room):lounge\n")
    output = tmp_path / "commands.yaml"
    command = [str(SAYSO), "commands", "import", str(profile), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"sayso: not translated: {profile}/sentences.ini:3: ")
    asked = [str(SAYSO), "commands", "test", "--json", "--commands", str(output), "turn off the living room light"]
    (meaning,) = json.loads(subprocess.run(asked, capture_output=True, check=True, timeout=60).stdout)
    assert (meaning["intent"], meaning["slots"]) == ("Light", {"state": "off", "room": "lounge"})
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (again.returncode, again.stderr.count("is there already")) == (65, 1)
