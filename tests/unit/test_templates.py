"""Template files that are wrong say where and what, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_grammars import contents, templates

from sayso.errors import GrammarError
from sayso.grammar.brackets import wrong_bracket
from sayso.grammar.files import LARGEST_FILE, find_template_files, read_template_files
from sayso.grammar.templates import Templates, parse_templates


def _read(folder: Path, *texts: str) -> Templates:
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text, encoding="utf-8")
    return parse_templates(read_template_files(find_template_files(folder)))


def _wrong(folder: Path, *texts: str) -> list[str]:
    """What is wrong with files of these texts; the files' names without their folder."""
    with pytest.raises(GrammarError) as caught:
        _read(folder, *texts)
    assert all("\n" not in str(problem) for problem in caught.value.problems)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def _sentences(*templates: str, more: str = "") -> str:
    lines = [f"          - '{template}'\n" for template in templates]
    return f"language: en\nintents:\n  Do:\n    data:\n      - sentences:\n{''.join(lines)}{more}"


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("turn {lam} on", "no list {lam} (did you mean `lamp`?)"),
        ("turn {zzz} on", "no list {zzz} (known here: lamp, loop)"),
        ("<vreb> on", "no rule <vreb> (did you mean `verb`?)"),
        ("play {song}", "{song} stands for any text (0.yaml:11) (a closed grammar hears only written words: "),
        ("(a|b", "`(` at column 1 is never closed (mend the template)"),
        ("a) b", "`)` at column 2 closes nothing (mend the template)"),
        ("(a]", "`(` at column 1 is closed by `]` at column 3 (mend the template)"),
        ("a [] b", "nothing within `[]` at column 3 (mend the template)"),
        ("{la{mp}", "`{` at column 4 within `{`, where a name belongs (mend the template)"),
        ("  ", "nothing in it (mend the template)"),
        ("{9..2:n}", "{9..2}: range from 9 to 2 is empty (swap them)"),
        ("{0..9,0:n}", "{0..9,0}: a step of 0 (use 1 or more)"),
        ("{0..99999:n}", "{0..99999}: range of 100000 numbers (at most 20001: use a step, or two slots)"),
        ("{0..9} on", "range {0..9} without a slot (name the slot that the number fills: {0..9:slot})"),
    ],
)
def test_a_wrong_template_is_named_with_its_line_and_what_to_do(tmp_path: Path, template: str, what: str) -> None:
    lists = "lists:\n  lamp: {values: [x]}\n  loop: {values: [y]}\n  song: {wildcard: true}\n"
    (problem,) = _wrong(tmp_path, _sentences("fine", template, more=f"{lists}expansion_rules:\n  verb: turn\n"))
    assert problem.startswith(f'0.yaml:7: "{template}": {what}')


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    first = _sentences("turn {a} on", "<b>", "(c")
    second = _sentences("ok", more="expansion_rules:\n  d: 'e]'\nlists:\n  bare: {values: []}\n")
    assert _wrong(tmp_path, first, second) == [
        "1.yaml:10: list `bare` has no value (give it `values` or a `range`)",
        '1.yaml:8: "e]": `]` at column 2 closes nothing (mend the template)',
        '0.yaml:6: "turn {a} on": no list {a} (known here: bare)',
        '0.yaml:7: "<b>": no rule <b> (known here: none)',
        '0.yaml:8: "(c": `(` at column 1 is never closed (mend the template)',
    ]


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("expansion_rules: {a: 'x <a>'}", "rule <a>: rule <a> contains itself (rules can't be recursive)"),
        ("expansion_rules: {a: '<b>', b: '[x <a>]'}", "rule <b>: rule <a> contains itself (rules can't be recursive)"),
        (
            "expansion_rules: {a: '{l}'}\nlists: {l: {values: ['x {l}']}}",
            "list {l}: list {l} contains itself (lists can't",
        ),
        (
            "expansion_rules: {a: '{l}'}\nlists: {l: {values: [<a>]}}",
            "list {l}: rule <a> contains itself (rules can't be",
        ),
        ("expansion_rules: {a: '<b>'}", "rule <a>: no rule <b> (known here: a)"),
        ("expansion_rules: {a: '{m}'}\nlists: {l: {values: [x]}}", "rule <a>: no list {m} (known here: l)"),
    ],
)
def test_what_a_sentence_reaches_is_checked_where_it_is_written(tmp_path: Path, written: str, what: str) -> None:
    (problem,) = _wrong(tmp_path, _sentences("<a>", more=written))
    assert problem.startswith(f"0.yaml:{8 if 'list {l}' in what else 7}: {what}")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("lists: {l: {values: [on]}}", 'lists.l.values.0: `on` is a truth value to YAML (put it in quotes: "on")'),
        (
            "lists: {l: {values: [{in: off}]}}",
            'lists.l.values.0.in: `off` is a truth value to YAML (put it in quotes: "off")',
        ),
        ("skip_words: [no]", 'skip_words.0: `no` is a truth value to YAML (put it in quotes: "no")'),
        ("skip_words: ['[please]']", 'skip word "[please]" is no plain text (write each one out)'),
        ("lists: {l: {values: [a, ]}, m:}", "lists.m: is empty (write something there, or remove it)"),
        ("lists: {l: {valeus: [a]}}", "lists.l.valeus: unknown key (did you mean `values`?)"),
        ("lists: {l: {range: {from: 1}}}", "lists.l.range.to: is missing (add it)"),
        ("lists: {l: {range: {from: 5, to: 1}}}", "range from 5 to 1 is empty (swap them)"),
        (
            "lists: {l: {range: {from: 0, to: 1, step: 0}}}",
            "lists.l.range.step: input should be greater than 0 (it is `0`)",
        ),
        ("lists: {l: {range: {from: 0, to: 3000, fractions: tenths}}}", "range of 30010 numbers (at most 20001: "),
        ("skip_word: [please]", "skip_word: unknown key (did you mean `skip_words`?)"),
        (
            "pronunciations: {living room: L IH V}",
            "`living room` is 2 words to the grammar: living room (give each word",
        ),
        ("expansion_rules: {a: b, a: c}", "`a` stands here twice (mend the YAML)"),
        ("lists: {l: {range: {from: 0, to: 1, multiplier: .inf}}}", "multiplier: input should be a finite number"),
        ('lists: {l: {values: [{in: a, out: "\\ud800"}]}}', "half of a character, by its number (mend the YAML)"),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_line(tmp_path: Path, text: str, what: str) -> None:
    (problem,) = _wrong(tmp_path, _sentences("go", more=f"{text}\n"))
    assert problem.startswith("0.yaml:7")
    assert what in problem


@pytest.mark.parametrize("written", ["2026-12-25", ".nan", "!!binary aGVsbG8=", "{a: [.inf]}", "!!set {a}"])
def test_what_no_event_can_hold_is_refused_where_it_is_written(tmp_path: Path, written: str) -> None:
    text = _sentences("go", more="").rstrip("\n") + f"\n        slots: {{day: {written}}}\n"
    (problem,) = _wrong(tmp_path, text)
    assert "slots.day: an event can't hold" in problem
    assert problem.startswith("0.yaml:")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "0.yaml:1:5: expected the node content, but found '<stream end>' (mend the YAML)"),
        ("a: b: c", "0.yaml:1:5: mapping values are not allowed here (mend the YAML)"),
        ("- x", "0.yaml: holds no mapping (start with `language: en` and `intents:`)"),
        ("", "0.yaml: holds no mapping (start with `language: en` and `intents:`)"),
        ("intents: {}", "0.yaml:1: language: is missing (add it)"),
        ("language: en", "0.yaml: no sentence in these templates (add an intent with sentences)"),
        ("a: &a [*a]", "0.yaml: nested too deeply, or in a circle (mend the YAML)"),
        ("? [a]\n: b", "0.yaml:1:3: a key must be text (mend the YAML)"),
        (
            "language: &a [1]\nx: !!python/object:os.system y",
            "0.yaml:2:4: could not determine a constructor for the tag ",
        ),
    ],
)
def test_what_is_no_template_file_is_one_clear_line(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = _wrong(tmp_path, text)
    assert found.startswith(problem)


def test_an_alias_that_multiplies_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    assert _wrong(tmp_path, "\n".join(lines)) == ["0.yaml: holds more than 500000 values (mend the YAML)"]


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("language: en # é".encode("latin-1"))
    (tmp_path / "large.yaml").write_bytes(b"#" * (LARGEST_FILE + 1))
    assert _wrong(tmp_path) == [
        "large.yaml: larger than 4 MiB (split it, or use a list or a range)",
        "latin.yaml: not UTF-8 at byte 15 (save it as UTF-8)",
    ]
    with pytest.raises(GrammarError, match="none: no such file or folder of sentence templates"):
        find_template_files(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(GrammarError, match=r"empty: no \*.yaml file in this folder"):
        find_template_files(tmp_path / "empty")


def test_folders_are_searched_in_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/z.yml", "a/note.txt", "c/d/e.yaml", "._b.yaml", ".git/f.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in find_template_files(tmp_path)]
    assert found == ["a/z.yml", "b.yaml", "c/d/e.yaml"]


def test_keys_are_text_even_where_yaml_sees_a_truth_value(tmp_path: Path) -> None:
    intents = "intents: {on: {data: [{sentences: ['<off> {no}']}]}}"
    found = _read(tmp_path, f"language: en\n{intents}\nexpansion_rules: {{off: x}}\nlists: {{no: {{values: [y]}}}}")
    assert [sentence.intent for sentence in found.sentences] == ["on"]


def test_files_add_up_and_an_intent_keeps_its_threshold(tmp_path: Path) -> None:
    found = _read(
        tmp_path,
        "language: en\nintents: {Do: {min_confidence: 0.8, data: [{sentences: [go]}]}}\nskip_words: [please, now]",
        "language: en\nintents: {Do: {data: [{sentences: [stop]}]}}\nskip_words: [please]\n"
        "pronunciations: {Go: [G OW, goe]}",
    )
    assert [sentence.text for sentence in found.sentences] == ["go", "stop"]
    assert found.sentences[1].where == f"{tmp_path}/1.yaml:2"
    assert found.skip_words == ("please", "now")
    assert dict(found.min_confidence) == {"Do": 0.8}
    assert [said for said, _ in found.pronunciations["go"]] == ["G OW", "goe"]


def test_home_assistants_own_custom_sentences_are_read_unchanged(tmp_path: Path) -> None:
    # The shapes of Home Assistant's documentation of custom sentences.
    found = _read(
        tmp_path,
        """
language: "en"
intents:
  SetVolume:
    data:
      - sentences:
          - "(set|change) {media_player} volume to {volume} [percent]"
          - "(set|change) [the] volume for {media_player} to {volume} [percent]"
        requires_context: {area: {slot: true}}
        excludes_context: {domain: [cover, scene]}
        response: default
        metadata: {domain: media_player}
  YourCustomIntentName:
    data:
      - sentences: ["how many people are in the {area}"]
        slots: {entity: person}
lists:
  media_player:
    values:
      - in: "living room"
        out: "media_player.living_room"
        context: {domain: media_player}
        metadata: {a: 1}
  volume:
    range: {from: 0, to: 100, type: percentage}
  area:
    values: [kitchen]
expansion_rules:
  name: "[the] {area}"
responses:
  intents: {SetVolume: {default: "ok"}}
""",
    )
    assert len(found.sentences) == 3


def test_alternatives_and_any_order_at_one_level_are_told_apart_by_brackets() -> None:
    with pytest.raises(
        GrammarError, match=r"`;` behind `\|`, which could mean two things: put one of them into brackets"
    ):
        templates(contents(["a|b;c"]))
    assert templates(contents(["a|(b;c)"])).sentences


@given(st.text(st.sampled_from("ab ()[]{}<>|;\\:"), max_size=12))
def test_any_text_is_a_template_or_says_what_is_wrong_with_it(text: str) -> None:
    written = contents([text], lists={"a": {"values": ["x"]}}, expansion_rules={"a": "y"})
    if wrong_bracket(text):
        with pytest.raises(GrammarError) as caught:
            templates(written)
        assert str(caught.value).startswith(f'file0.yaml: "{text}": {wrong_bracket(text)}')
        return
    try:
        templates(written)
    except GrammarError as error:
        known = tuple(f'"{text}": {what}' for what in ("no list", "no rule", "`;` behind `|`"))
        unresolved = [problem.what.startswith(known) for problem in error.problems]
        if not all(unresolved):
            raise
