"""What a grammar says of itself: double meanings, and words that are easily confused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, Sequence

import pytest
from small_grammars import BLANK, CLASHING, SAID, TOKENS, write_lexicon

from sayso.grammar.compiler import Grammar, Phonology, compile_grammar
from sayso.grammar.doubles import double_meanings
from sayso.grammar.explain import sound_alike
from sayso.recognition.precedence import Meanings


def compiled(folder: Path, *intents: Sequence[str], lists: Mapping[str, Any] = CLASHING) -> Grammar:
    """Given templates, each intent's, return the grammar."""
    written = {f"Do{n}": {"data": [{"sentences": list(one)}]} for n, one in enumerate(intents)}
    (folder / "a.yaml").write_text(json.dumps({"language": "en", "intents": written, "lists": lists}))
    return compile_grammar(folder, Phonology(TOKENS, BLANK, write_lexicon(folder / "lexicon.gz", SAID)), {})


def doubted(folder: Path, *intents: Sequence[str]) -> list[set[str]]:
    """Given templates, return the pairs of sentences that would be refused as ambiguous."""
    grammar = compiled(folder, *intents)
    taken = Meanings(grammar.graph)
    found, searched_all = double_meanings(grammar, 10, lambda one, other: taken(one).sense != taken(other).sense)
    assert searched_all
    return [{taken(pair.first).text, taken(pair.second).text} for pair in found]


@pytest.mark.parametrize("filler", [[], ["set {name} [do] (sun|lid|tin|ten)"]])
def test_sentences_that_sound_the_same_are_found(tmp_path: Path, filler: Sequence[str]) -> None:
    assert doubted(tmp_path, ["let two", *filler], ["let to", "set lid"]) == [{"let two", "let to"}]


def test_one_sentence_with_two_meanings_is_found(tmp_path: Path) -> None:
    found = doubted(tmp_path, ["set {lamp}"], ["let {lamp}"])
    assert sorted(map(sorted, found)) == [["let sun"], ["set sun"]]
    assert doubted(tmp_path, ["set ten"], ["set [do] ten"]) == [{"set ten"}]


def test_what_is_decided_is_no_matter_of_doubt(tmp_path: Path) -> None:
    assert doubted(tmp_path, ["set {area} nets", "set {name}"]) == []
    assert doubted(tmp_path, ["set {name} nets"], ["set {name}"]) == []
    assert doubted(tmp_path, ["set [{first}] [{second}]"]) == []
    assert doubted(tmp_path, ["set ten", "set (ten|tin)"]) == []


def test_words_that_differ_in_one_phone_are_told_where_they_may_be_confused(tmp_path: Path) -> None:
    grammar = compiled(tmp_path, ["set (ten|tin|lid|lids)", "let kid", "(two|to) nets"], lists={})
    assert sound_alike(grammar) == [("let", "set"), ("lid", "lids"), ("ten", "tin")]
