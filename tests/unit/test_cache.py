"""Graphs that were compiled once are not compiled again; whatever happens to the cache, only time is lost."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_grammars import BLANK, SAID, TOKENS, write_lexicon

from sayso.errors import GrammarError
from sayso.grammar import cache as caching
from sayso.grammar import compiler
from sayso.grammar.cache import GraphCache, own_cache_folder
from sayso.grammar.compiler import Grammar, Phonology, compile_grammar
from sayso.recognition.decode import Decoder, DecoderSettings
from sayso.records import Posteriors

SENTENCES = "language: en\nintents: {Do: {data: [{sentences: ['set [the] {what}'], slots: {kind: fixed}}]}}\n"
LISTS = "lists: {what: {values: [net, {in: ten, out: 10}]}}\npronunciations: {the: DH}\n"


class Compiling:
    """Sentences, and how often a graph was built from them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.builds = 0
        self.cache = folder / "cache"
        self.file = folder / "a.yaml"
        self.file.write_text(SENTENCES.replace("[the] ", "") + LISTS.replace("the: DH", ""))
        self.phonology = Phonology(TOKENS, BLANK, write_lexicon(folder / "lexicon.gz", SAID))
        build = compiler.build_graph

        def counted(*arguments: Any) -> Any:
            self.builds += 1
            return build(*arguments)

        monkeypatch.setattr(compiler, "build_graph", counted)

    def compile(self, **changes: Any) -> Grammar:
        given = {"context": {}, "wake_phrases": (), "cache": GraphCache(self.cache), **changes}
        return compile_grammar(self.file, given.pop("phonology", self.phonology), **given)

    def entry(self, suffix: str) -> Path:
        (found,) = self.cache.glob(f"*{suffix}")
        return found


@pytest.fixture
def compiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiling:
    return Compiling(tmp_path, monkeypatch)


def _found(grammar: Grammar) -> Any:
    """What a search in the grammar's graph finds in a fixed noise."""
    logits = np.random.default_rng(3).normal(0, 3, (24, len(TOKENS))).astype(np.float32)
    rows = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    decoder = Decoder(grammar.graph, DecoderSettings(np.zeros(len(TOKENS), np.float32), BLANK, beam=1000.0))
    decoder.feed(Posteriors(rows, 0))
    return decoder.best(0)


def test_what_comes_from_the_cache_is_what_was_compiled(compiling: Compiling) -> None:
    first, second = compiling.compile(), compiling.compile()
    assert compiling.builds == 1
    assert replace(first.graph, fst=None, beginnings=None) == replace(second.graph, fst=None, beginnings=None)
    assert first.pronunciations == second.pronunciations
    assert _found(first) == _found(second)


def test_whatever_a_graph_depends_on_makes_it_another(compiling: Compiling) -> None:
    compiling.compile()
    compiling.compile(wake_phrases=("see two",))
    compiling.compile(context={"area": "kitchen"})
    compiling.compile(phonology=replace(compiling.phonology, tokens=(*TOKENS, "ZH")))
    compiling.file.write_text(compiling.file.read_text().replace("out: 10", "out: 11"))
    grammar = compiling.compile()
    assert compiling.builds == 5
    assert {one.value for one in grammar.graph.slot_ends} == {"net", 11}


@pytest.mark.parametrize("suffix", [".json", ".fst"])
@pytest.mark.parametrize("harm", ["changed", "cut", "emptied", "lost"])
def test_a_damaged_entry_is_compiled_again(compiling: Compiling, suffix: str, harm: str) -> None:
    whole = _found(compiling.compile())
    path = compiling.entry(suffix)
    held = path.read_bytes()
    middle = len(held) // 2
    broken = {
        "changed": held[:middle] + bytes([held[middle] ^ 1]) + held[middle + 1 :],
        "cut": held[:middle],
        "emptied": b"",
    }
    path.unlink() if harm == "lost" else path.write_bytes(broken[harm])
    assert _found(compiling.compile()) == whole
    assert compiling.builds == 2
    compiling.compile()
    assert compiling.builds == 2


def test_a_process_of_its_own_compiles_the_same(compiling: Compiling) -> None:
    here = _found(compiling.compile(cache=None))
    there = _found(compiling.compile(apart=True))
    assert there == here
    assert compiling.builds == 1, "the other one was built elsewhere"
    with pytest.raises(GrammarError, match="wake_phrases"):
        compiling.compile(apart=True, wake_phrases=("(a|b)",))


def test_an_edit_while_it_compiles_is_not_lost(compiling: Compiling, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = compiling.file.read_text(), compiling.file.read_text().replace("out: 10", "out: 11")
    parse = compiler.parse_templates

    def edited(files: Any) -> Any:
        compiling.file.write_text(after)
        return parse(files)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(compiler, "parse_templates", edited)
        assert 10 in {one.value for one in compiling.compile().graph.slot_ends}
    assert 11 in {one.value for one in compiling.compile().graph.slot_ends}
    compiling.file.write_text(before)
    assert 10 in {one.value for one in compiling.compile().graph.slot_ends}


def test_only_so_much_is_kept(compiling: Compiling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caching, "MOST_ENTRIES", 2)
    for phrase in ("see two", "do two", "let two"):
        compiling.compile(wake_phrases=(phrase,))
    assert len(list(compiling.cache.iterdir())) == 4
    monkeypatch.setattr(caching, "MOST_BYTES", 10)
    compiling.compile()
    assert not list(compiling.cache.iterdir())


def test_where_nothing_can_be_kept_it_works_without(compiling: Compiling, caplog: pytest.LogCaptureFixture) -> None:
    compiling.cache.write_text("a file where a folder should be")
    with caplog.at_level(logging.INFO):
        compiling.compile()
    assert "nothing kept" in caplog.text
    compiling.compile(cache=GraphCache(None))
    assert compiling.builds == 2


def test_a_broken_grammar_is_named_with_file_and_line_all_the_same(compiling: Compiling) -> None:
    compiling.compile()
    compiling.file.write_text(SENTENCES)
    with pytest.raises(GrammarError, match=rf"{compiling.file}:2.*no list {{what}}"):
        compiling.compile()


def test_systemds_folder_comes_before_the_users() -> None:
    home = {"HOME": "/home/me"}
    assert own_cache_folder({"CACHE_DIRECTORY": "/var/cache/sayso:/x", **home}) == Path("/var/cache/sayso")
    assert own_cache_folder({"XDG_CACHE_HOME": "/c", **home}) == Path("/c/sayso")
    assert own_cache_folder(home) == Path("/home/me/.cache/sayso")
    assert own_cache_folder({}) is None
