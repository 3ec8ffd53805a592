"""The sentences at work: what is wrong with new ones never takes the last good ones away."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional

import pytest
from house import until
from small_grammars import BLANK, SAID, TOKENS, write_lexicon

from sayso.errors import CompilerLostError, GrammarError, SaysoError
from sayso.grammar.compiler import Grammar, Phonology, compile_grammar
from sayso.remembered import LastGood
from sayso.sentences import Sentences

GOOD = "language: en\nintents: {Do: {data: [{sentences: [set two]}]}}\n"


class Work:
    """Sentences in a folder, and a compiler that may fail."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "commands"
        self.path.mkdir()
        self.write(GOOD)
        self._cache = folder / "cache"
        self._phonology = Phonology(TOKENS, BLANK, write_lexicon(folder / "lexicon.gz", SAID))
        self.fails: list[Exception] = []
        self.told: list[Optional[SaysoError]] = []

    def write(self, text: str) -> None:
        (self.path / "a.yaml").write_text(text)

    def start(self) -> Sentences:
        def now(step: Callable[[], None]) -> None:
            step()

        def died(error: BaseException) -> None:
            raise AssertionError(error)

        return Sentences(self.path, self._load, LastGood(self._cache, self.path), now, self.told.append, died)

    def _load(self, path: Path) -> Grammar:
        if self.fails and path == self.path:
            raise self.fails.pop()
        return compile_grammar(path, self._phonology, {})


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_without_last_good_ones_a_start_with_broken_ones_fails(work: Work) -> None:
    work.write("nonsense: [")
    with pytest.raises(GrammarError):
        work.start()


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (GrammarError("is wrong", where="a.yaml"), False),
        (CompilerLostError("was killed"), True),
        (OverflowError("too large"), True),
    ],
)
def test_whatever_ends_the_first_compilation_the_last_good_ones_are_at_work(
    work: Work, error: Exception, again: bool
) -> None:
    work.start()
    work.fails = [error]
    found = work.start()
    assert found.problem
    assert found.grammar.graph.sentences == 1
    assert [found.have_changed(), found.have_changed()][1] == again, "tried once more where nothing is said to be wrong"


def test_whatever_ends_a_later_one_is_told_and_changes_nothing(work: Work) -> None:
    found = work.start()
    work.fails = [OverflowError("too large")]
    assert found.reload()
    until(lambda: work.told, "how it ended")
    assert "OverflowError: too large" in str(work.told[0])
    assert found.grammar.graph.sentences == 1
