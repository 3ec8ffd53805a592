"""Templates mean what Home Assistant means by them: hassil's own recogniser is the judge."""

from __future__ import annotations

import random
from typing import Any, Sequence

import pytest
from hassil import (
    Alternative,
    Expression,
    Group,
    Intents,
    ListReference,
    Permutation,
    RuleReference,
    TextChunk,
    recognize_all,
)
from hassil.intents import RangeSlotList, TextSlotList
from hypothesis import given, settings
from hypothesis import strategies as st
from small_grammars import acceptor, contents, meanings, paths, random_path, said_by, the_meaning

from sayso.errors import GrammarError
from sayso.grammar.tags import TAG
from sayso.grammar.text import words
from sayso.grammar.words import LARGEST_SENTENCE, WordAcceptor
from sayso.recognition.interpret import read_tags


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("turn on the light", {"turn on the light"}),
        ("(turn|switch) on", {"turn on", "switch on"}),
        ("turn|switch on", {"turn", "switch on"}),
        ("turn [the] light", {"turn light", "turn the light"}),
        ("[please] go", {"go", "please go"}),
        ("go [now|soon]", {"go", "go now", "go soon"}),
        ("(a;b;c)", {"a b c", "a c b", "b a c", "b c a", "c a b", "c b a"}),
        ("go (now;[very] far)", {"go now far", "go now very far", "go far now", "go very far now"}),
        ("light[s] on", {"light on", "lights on"}),
        ("(air|fire)place[s]", {"airplace", "airplaces", "fireplace", "fireplaces"}),
        ("un(lock|do)", {"unlock", "undo"}),
        ("[bed]room", {"room", "bedroom"}),
        ("set[ the] fan", {"set fan", "set the fan"}),
        ("it(’s| is) on", {"it's on", "it is on"}),
        ("Turn ON  the\tLight!", {"turn on the light"}),
        ("air-conditioner, please.", {"air conditioner please"}),
        ("50% of 20°C", {"50 % of 20 °c"}),
        (r"a \(b\) c", {"a b c"}),
        ("((a|b)|[c] d)", {"a", "b", "d", "c d"}),
    ],
)
def test_each_construct_says_its_sentences(template: str, said: set[str]) -> None:
    assert said_by(acceptor(contents([template]))) == said


def test_lists_fill_slots_with_their_out_values_and_keep_the_words() -> None:
    written = acceptor(
        contents(
            ["turn on {lamp:name} in {room}"],
            lists={
                "lamp": {"values": ["EcoLamp", {"in": "(big|huge) one", "out": "light.big"}, {"in": "it", "out": 7}]},
                "room": {"values": [{"in": "[the] bed[ ]room"}, 5]},
            },
        )
    )
    assert dict(the_meaning(written, "turn on ecolamp in 5").slots) == {"name": "EcoLamp", "room": 5}
    meaning = the_meaning(written, "turn on huge one in the bedroom")
    assert meaning.intent == "Do"
    assert dict(meaning.slots) == {"name": "light.big", "room": "the bedroom"}
    assert dict(meaning.raw_slots) == {"name": "huge one", "room": "the bedroom"}
    assert dict(the_meaning(written, "turn on it in bed room").slots) == {"name": 7, "room": "bed room"}


def test_a_slot_ends_with_the_word_that_it_is_part_of() -> None:
    written = acceptor(
        contents(
            ["dim {lamp}s now", "dim un{lamp}{room} now"],
            lists={"lamp": {"values": ["light"]}, "room": {"values": ["ed"]}},
        )
    )
    assert dict(the_meaning(written, "dim lights now").raw_slots) == {"lamp": "lights"}
    glued = the_meaning(written, "dim unlighted now")
    assert dict(glued.slots) == {"lamp": "light", "room": "ed"}
    assert dict(glued.raw_slots) == {"lamp": "unlighted", "room": "unlighted"}


def test_possessives_of_a_slot_are_one_word() -> None:
    written = acceptor(contents(["{who}'s lamp"], lists={"who": {"values": ["Anna", "the Joneses"]}}))
    assert said_by(written) == {"anna's lamp", "the joneses's lamp"}
    assert dict(the_meaning(written, "anna's lamp").slots) == {"who": "Anna"}


def test_a_number_next_to_letters_is_a_word_of_its_own() -> None:
    written = acceptor(contents(["to {level}%", "channel{level}"], lists={"level": {"range": {"from": 8, "to": 9}}}))
    assert said_by(written) == {"to 8 %", "to 9 %", "channel 8", "channel 9"}
    assert dict(the_meaning(written, "to 8 %").raw_slots) == {"level": "8"}
    assert dict(the_meaning(written, "channel 9").raw_slots) == {"level": "9"}


@pytest.mark.parametrize(
    ("numbers", "values"),
    [
        ({"from": 0, "to": 4}, {"0": 0, "1": 1, "2": 2, "3": 3, "4": 4}),
        ({"from": 0, "to": 100, "step": 50}, {"0": 0, "50": 50, "100": 100}),
        ({"from": 1, "to": 2, "multiplier": 2.55}, {"1": 2.55, "2": 5.1}),
        ({"from": 50, "to": 50, "multiplier": 2.55}, {"50": 127.5}),
        ({"from": 100, "to": 100, "multiplier": 0.5}, {"100": 50}),
        ({"from": -1, "to": 1}, {"-1": -1, "0": 0, "1": 1}),
        ({"from": 20, "to": 21, "fractions": "halves"}, {"20": 20, "20.5": 20.5, "21": 21}),
        ({"from": 4, "to": 5, "fractions": "tenths"}, {**{f"4.{n}": 4 + n / 10 for n in range(1, 10)}, "4": 4, "5": 5}),
        (
            {"from": 123456, "to": 123457, "fractions": "halves"},
            {"123456": 123456, "123456.5": 123456.5, "123457": 123457},
        ),
    ],
)
def test_ranges_count_in_steps_and_slots_get_the_number_times_the_multiplier(
    numbers: dict[str, Any], values: dict[str, float]
) -> None:
    written = acceptor(contents(["{n}"], lists={"n": {"range": numbers}}))
    assert {one.text: one.slots["n"] for one in meanings(written)} == values


def test_inline_ranges_fill_the_slot_they_name() -> None:
    written = acceptor(contents(["volume {0..20,10:level}"]))
    assert {one.text: one.slots["level"] for one in meanings(written)} == {f"volume {n}": n for n in (0, 10, 20)}


def test_rules_nest_and_local_ones_outrank_global_ones() -> None:
    written = acceptor(
        {
            "language": "en",
            "expansion_rules": {"on": "<verb> on", "verb": "(turn|switch)", "what": "lamp"},
            "lists": {"room": {"values": ["hall"]}},
            "intents": {
                "Do": {
                    "data": [
                        {"sentences": ["<on> <what>"]},
                        {
                            "sentences": ["<on> {room}"],
                            "expansion_rules": {"verb": "power"},
                            "lists": {"room": {"values": ["attic"]}},
                        },
                    ]
                }
            },
        }
    )
    assert said_by(written) == {"turn on lamp", "switch on lamp", "power on attic"}


def test_fixed_slots_are_taken_for_granted_unless_something_was_said() -> None:
    data = [{"sentences": ["lights on [in {area}]"], "slots": {"domain": "light", "area": "here"}}]
    written = acceptor({"language": "en", "lists": {"area": {"values": ["hall"]}}, "intents": {"On": {"data": data}}})
    assert dict(the_meaning(written, "lights on").slots) == {"domain": "light", "area": "here"}
    assert dict(the_meaning(written, "lights on in hall").slots) == {"domain": "light", "area": "hall"}


def test_captures_are_heard_and_fill_no_slot() -> None:
    written = acceptor(contents(["say {word:@heard}"], lists={"word": {"values": ["hello"]}}))
    assert dict(the_meaning(written, "say hello").slots) == {}


def test_skip_words_may_stand_before_and_after_and_not_within() -> None:
    written = acceptor(contents(["go on"], skip_words=["please", "could you"]))
    said = said_by(written)
    assert {"go on", "please go on", "go on please", "could you please go on please"} <= said
    assert "go please on" not in said
    assert {the_meaning(written, text).intent for text in said} == {"Do"}


def test_files_add_to_each_others_lists_and_intents() -> None:
    first = contents(["open {what}"], lists={"what": {"values": ["door"]}})
    second = contents(["close {what}"], lists={"what": {"values": ["gate"]}})
    assert said_by(acceptor(first, second)) == {"open door", "open gate", "close door", "close gate"}


@pytest.mark.parametrize("template", ["[a]", "[a] [b|c]", "<empty>", "{maybe}", "(a|)"])
def test_a_sentence_of_silence_is_refused_by_name(template: str) -> None:
    with pytest.raises(GrammarError, match="can be said without a word") as caught:
        acceptor(
            contents(
                ["go on", template],
                expansion_rules={"empty": "[a]"},
                lists={"maybe": {"values": ["[a]"]}},
                skip_words=["please"],
            )
        )
    assert f'"{template}"' in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "(a;b;c;d;e;f;g)",
        "{0..20000:a} {0..20000:b} {0..20000:c} {0..20000:d} {0..20000:e} {0..20000:f} {0..20000:g} {0..20000:h}",
        "(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)",
        "<r6> <r6> <r6>",
        "<s30>",
    ],
)
def test_a_template_that_would_grow_too_large_is_refused_by_name(template: str) -> None:
    rules = {"r0": "a", **{f"r{n}": f"<r{n - 1}> " * 10 for n in range(1, 7)}}
    rules |= {"s0": "[a]", **{f"s{n}": f"<s{n - 1}><s{n - 1}>" for n in range(1, 31)}}
    with pytest.raises(GrammarError) as caught:
        acceptor(contents(["go on", template, "go off"], expansion_rules=rules))
    (problem,) = caught.value.problems
    assert f'"{template}"' in problem.what
    assert str(LARGEST_SENTENCE) in problem.what or "permutation of 7 parts" in problem.what


# What follows compares with hassil itself, on templates made up by chance.

_WORDS = ("turn", "on", "the", "lamp", "red", "go", "bed", "room")

_LISTS = {
    "colour": {"values": ["red", {"in": "dark red", "out": "maroon"}, {"in": "(light|pale) blue", "out": "sky"}]},
    "place": {"values": ["room", {"in": "bed[room]", "out": "bedroom"}, {"in": "the [big] hall", "out": 5}]},
    "level": {"range": {"from": -2, "to": 6, "step": 2, "words": False}},
    "warm": {"range": {"from": 20, "to": 21, "fractions": "halves", "multiplier": 2.0, "words": False}},
}
_RULES = {"verb": "(turn|switch) [it]", "deep": "<verb> (on|off)[ now]", "both": "({colour};{level:x})"}


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    some = st.lists(parts, min_size=1, max_size=3)
    return st.one_of(
        some.map(" ".join),
        some.map(lambda one: f"({'|'.join(one)})"),
        some.map(lambda one: f"[{'|'.join(one)}]"),
        st.lists(parts, min_size=2, max_size=3).map(lambda one: f"({';'.join(one)})"),
        st.tuples(parts, st.sampled_from(["[s]", "(s|ing)", "s"])).map("".join),
    )


_PARTS = st.recursive(
    st.sampled_from(
        (*_WORDS, *(f"{{{name}}}" for name in _LISTS), *(f"<{name}>" for name in _RULES), "{1..3:n}", "{place:where}")
    ),
    _joined,
    max_leaves=6,
)


def _judge(text: str, intents: Intents) -> list[tuple[str, dict[str, Any]]]:
    """What hassil makes of a text: intents with their slots."""
    return [
        (one.intent.name, {name: _plain(entity.value) for name, entity in one.entities.items()})
        for one in recognize_all(text, intents)
    ]


def _plain(value: Any) -> Any:
    return " ".join(words(value)) if isinstance(value, str) else float(value)


def _intents(template: str) -> dict[str, Any]:
    data = [{"sentences": [f"start {template}"], "slots": {"fixed": "yes"}}]
    return {"language": "en", "lists": _LISTS, "expansion_rules": _RULES, "intents": {"Do": {"data": data}}}


@settings(max_examples=150, deadline=None)
@given(template=_PARTS, seed=st.integers(0, 2**32))
def test_what_can_be_said_is_understood_by_hassil_in_the_same_way(template: str, seed: int) -> None:
    written, judge = acceptor(_intents(template)), Intents.from_dict(_intents(template))
    for turn in range(5):
        output = random_path(written, random.Random(seed + turn))  # noqa: S311
        meaning = read_tags(output, written.slot_ends, written.sentence_ends)
        ours = (meaning.intent, {name: _plain(value) for name, value in meaning.slots.items()})
        assert ours in _judge(meaning.text, judge), f"{template!r} says {meaning.text!r}"


@settings(max_examples=150, deadline=None)
@given(template=_PARTS, seed=st.integers(0, 2**32))
def test_what_hassil_understands_can_be_said(template: str, seed: int) -> None:
    written, judge = acceptor(_intents(template)), Intents.from_dict(_intents(template))
    (sentence,) = judge.intents["Do"].data[0].sentences
    text = _spell(sentence.expression, judge, random.Random(seed))  # noqa: S311
    assert _judge(text, judge), f"{template!r}: {text!r} is no sentence of it"
    assert _is_said(written, words(text)), f"{template!r} should say {text!r}"


def _spell(expression: Expression, intents: Intents, chance: random.Random) -> str:
    """Given a template as hassil has parsed it, return one of its texts, letter by letter."""
    if isinstance(expression, TextChunk):
        return expression.text
    if isinstance(expression, Alternative):
        return _spell(chance.choice(expression.items), intents, chance)
    if isinstance(expression, Group):
        items = list(expression.items)
        if isinstance(expression, Permutation):
            chance.shuffle(items)
        return "".join(_spell(item, intents, chance) for item in items)
    if isinstance(expression, RuleReference):
        return _spell(intents.expansion_rules[expression.rule_name].expression, intents, chance)
    assert isinstance(expression, ListReference)
    if (limits := expression.get_inline_range()) is not None:
        return str(chance.randrange(limits[0], limits[1] + 1, limits[2]))
    listed = intents.slot_lists[expression.list_name]
    if isinstance(listed, RangeSlotList):
        return str(chance.choice([number for number in listed.get_numbers() if number <= listed.stop]))
    assert isinstance(listed, TextSlotList)
    return _spell(chance.choice(listed.values).text_in, intents, chance)


def _is_said(written: WordAcceptor, wanted: Sequence[str]) -> bool:
    """Whether an acceptor has this sentence: a walk that follows only its words."""
    leaving: dict[int, list[tuple[str, int]]] = {}
    for source, label, target in written.arcs:
        leaving.setdefault(source, []).append((label, target))
    todo = [(0, 0)]
    seen = set(todo)
    while todo:
        state, said = todo.pop()
        if said == len(wanted) and state in written.finals:
            return True
        for label, target in leaving.get(state, ()):
            if not label or label.startswith(TAG):
                step = (target, said)
            elif said < len(wanted) and wanted[said] == label:
                step = (target, said + 1)
            else:
                continue
            if step not in seen:
                seen.add(step)
                todo.append(step)
    return False


def test_the_number_of_sentences_does_not_matter_to_the_size() -> None:
    size = [len(acceptor(contents([" ".join(["(a|b|c)"] * length)])).arcs) for length in (2, 4, 8, 16)]
    assert [later - 2 * earlier <= 0 for earlier, later in zip(size, size[1:])] == [True] * 3
    assert len(list(paths(acceptor(contents(["(a|b|c) (a|b|c)"]))))) == 9


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("what[']s", {"what's", "whats"}),
        ("what['s]", {"what's", "what"}),
        ("the cats[']", {"the cats", "the cats'"}),
    ],
)
def test_an_apostrophe_may_be_optional(template: str, said: set[str]) -> None:
    assert said_by(acceptor(contents([template]))) == said
