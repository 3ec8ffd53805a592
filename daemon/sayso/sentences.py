"""The owner's sentences at work, and new ones in the making.

Rule of this file: a grammar is compiled beside the work and takes over whole, or not at all; whatever is
wrong with the new one, the last good one stays. All methods belong to the main thread.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from pathlib import Path
from typing import Callable, List, Optional, Tuple

from sayso.errors import GrammarError, SaysoError
from sayso.grammar.compiler import Grammar
from sayso.grammar.files import find_template_files
from sayso.reading import read_text
from sayso.records import Command, Heard, Wake
from sayso.remembered import LastGood

logger = logging.getLogger(__name__)

WATCH_SECONDS = 2.0
"""Pause between looks at the template files; a file counts as changed when two looks agree on it."""

_Written = Tuple[Tuple[str, int, int], ...]
"""Path, time of change [ns] and size of every file."""


class Sentences:
    """One grammar at work."""

    def __init__(
        self,
        path: Path,
        load: Callable[[Path], Grammar],
        last_good: LastGood,
        post: Callable[[Callable[[], None]], None],
        on_loaded: Callable[[Optional[SaysoError]], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Given where the sentences are written, how they are compiled and where the last good ones are kept, compile
        them, or those, if they can't be. Raise GrammarError, CompilerLostError.

        `post` hands a step to the main thread; `on_loaded` hears there how each later compilation ended,
        `on_failure` what it died of.
        """
        self._path = path
        self._load = load
        self._last_good = last_good
        self._post = post
        self._on_loaded = on_loaded
        self._on_failure = on_failure
        self._loaded = self._seen = written(path)
        self._loading = False
        self.behind = False
        """Whether a reload was asked for too late for the one that has just ended."""
        self.problem = ""
        """What was wrong with them at the start; empty: nothing."""
        self.grammar = self._first()

    @property
    def intents(self) -> List[str]:
        """Return the intents that can come out."""
        return sorted({sentence.intent for sentence in self.grammar.graph.sentence_ends if sentence.intent})

    @property
    def label(self) -> str:
        """Return which sentences these are, and how many."""
        return f"{self.grammar.digest}: {self.grammar.graph.sentences} sentences in {len(self.grammar.files)} files"

    def meaning(self, text: str) -> Optional[Command]:
        """Given written text, return the command that it is; None if it is none, or could be several."""
        found = read_text(self.grammar.graph, text)
        if len(found) != 1:
            return None
        [one] = found
        return Command(one.text, one.intent, one.slots, one.raw_slots, confidence=1.0, start=0, end=0, decided=0)

    def threshold(self, heard: Heard, everywhere: float) -> float:
        """Given what was heard and the threshold of all intents, return how sure a command of that kind must be."""
        own = self.grammar.templates.min_confidence
        return everywhere if isinstance(heard, Wake) else own.get(heard.intent, everywhere)

    def have_changed(self) -> bool:
        """Return whether the files differ from those compiled last and nobody is writing them: ask now and then."""
        before, self._seen = self._seen, written(self._path)
        return self._seen == before != self._loaded

    def reload(self) -> bool:
        """Begin to compile; return whether that is new: while it goes on already, it is done once more afterwards."""
        self.behind = self._loading
        if self._loading:
            return False
        self._loading = True
        self._loaded = written(self._path)
        threading.Thread(target=self._compile, name="reload", daemon=True).start()
        return True

    def _compile(self) -> None:
        try:
            grammar = self._load(self._path)
        except SaysoError as error:
            self._post(partial(self._finish, None, error))
        except Exception as error:  # the last good ones are at work: no reason to stop
            logger.exception("the sentences can't be compiled")
            what = f"{type(error).__name__}: {error}"
            self._post(partial(self._finish, None, GrammarError(what, where=str(self._path), remedy="tell its makers")))
        except BaseException as error:  # noqa: BLE001 - a thread must not die unheard
            self._post(partial(self._on_failure, error))
        else:
            self._post(partial(self._finish, grammar, None))

    def _first(self) -> Grammar:
        try:
            grammar = self._load(self._path)
        except Exception as error:
            kept = self._last_good.path
            if kept is None:
                raise
            try:
                grammar = self._load(kept)
            except SaysoError:
                raise error from None
            self.problem = str(error) if isinstance(error, SaysoError) else f"{type(error).__name__}: {error}"
            if not isinstance(error, GrammarError):
                self._loaded = ()  # nothing is said to be wrong with them: they are tried once more
            return grammar
        self._last_good.keep(grammar.files)
        return grammar

    def _finish(self, grammar: Optional[Grammar], error: Optional[SaysoError]) -> None:
        self._loading = False
        if grammar is not None:
            self.grammar = grammar
            self._last_good.keep(grammar.files)
        self._on_loaded(error)


def written(path: Path) -> _Written:
    """Given a file or folder of templates, return what tells one state of it from another; () where there is none."""
    try:
        facts = [(file, file.stat()) for file in find_template_files(path, needed=False)]
    except (SaysoError, OSError):
        return ()
    return tuple((str(file), fact.st_mtime_ns, fact.st_size) for file, fact in facts)
