"""Compiled graphs, kept by their content: the same sentences are compiled once.

Rule of this file: a cache may be lost, full, unwritable or damaged, and nothing but time is lost with it. An entry is
two files, `<key>.json` and `<key>.fst`; the first begins with a checksum over the rest of it and the second, and
nothing is read before that has been found right. The key is a hash of all that the graph depends on, this package's own
code included.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Iterable, Mapping

from sayso.grammar.graph import DecodingGraph, read_fst, write_fst
from sayso.grammar.pronounce import Pronunciation
from sayso.grammar.tags import SentenceEnd, SlotEnd

logger = logging.getLogger(__name__)

MOST_ENTRIES = 8
"""Graphs that are kept: those that were used last."""

MOST_BYTES = 64 * 1024 * 1024
"""What they may take together on the disk."""

Compiled = tuple[DecodingGraph, Mapping[str, Pronunciation]]


def key_of(parts: Iterable[bytes]) -> str:
    """Given all that a graph depends on, beside this package's code, return its key."""
    digest = hashlib.sha256()
    for part in (*(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))), *parts):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:32]


def own_cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Given the environment, return where this process may keep graphs; None: nowhere."""
    if environment.get("CACHE_DIRECTORY"):
        return Path(environment["CACHE_DIRECTORY"].split(":")[0])
    if environment.get("XDG_CACHE_HOME"):
        return Path(environment["XDG_CACHE_HOME"]) / "sayso"
    return Path(environment["HOME"]) / ".cache" / "sayso" if environment.get("HOME") else None


class GraphCache:
    """Graphs in one folder."""

    def __init__(self, folder: Path | None) -> None:
        """Given where they are kept, stand ready; None: none is kept."""
        self.folder = folder
        """Where they are kept."""

    def get(self, key: str) -> Compiled | None:
        """Given a key, return what was kept under it; None: nothing, or nothing that can be trusted."""
        if self.folder is None:
            return None
        about, fst = self.folder / f"{key}.json", self.folder / f"{key}.fst"
        try:
            checksum, _, text = about.read_bytes().partition(b"\n")
            if checksum != _checksum(text, fst.read_bytes()):
                raise ValueError("damaged")
            found = _restored(json.loads(text), fst)
            os.utime(about)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            logger.warning("%s: not used, the sentences are compiled again: %s", about, error)
            return None
        return found

    def put(self, key: str, graph: DecodingGraph, pronunciations: Mapping[str, Pronunciation]) -> None:
        """Keep a graph, if that is possible."""
        if self.folder is None:
            return
        try:
            text = json.dumps(_plain(graph, pronunciations), ensure_ascii=False).encode()
            if json.loads(text) != _plain(graph, pronunciations):
                return  # a slot's value that JSON hasn't got
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder) as fresh:
                about, fst = Path(fresh) / "about", Path(fresh) / "fst"
                write_fst(graph, fst)
                about.write_bytes(_checksum(text, fst.read_bytes()) + b"\n" + text)
                fst.replace(self.folder / f"{key}.fst")
                about.replace(self.folder / f"{key}.json")
            self._forget()
        except (OSError, TypeError, ValueError) as error:
            logger.info("%s: nothing kept: %s", self.folder, error)

    def _forget(self) -> None:
        """Drop what was used longest ago, until the rest is within bounds."""
        assert self.folder is not None
        used = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        size = 0
        for number, about in enumerate(used):
            fst = about.with_suffix(".fst")
            size += sum(path.stat().st_size for path in (about, fst) if path.exists())
            if number >= MOST_ENTRIES or size > MOST_BYTES:
                about.unlink(missing_ok=True)
                fst.unlink(missing_ok=True)


def _checksum(text: bytes, fst: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(text).digest() + hashlib.sha256(fst).digest()).hexdigest().encode()


def _plain(graph: DecodingGraph, pronunciations: Mapping[str, Pronunciation]) -> dict[str, Any]:
    """All but the graph itself, as JSON has it."""
    return {
        "symbols": list(graph.symbols),
        "slot_ends": [asdict(one) for one in graph.slot_ends],
        "sentence_ends": [{**asdict(one), "slots": dict(one.slots)} for one in graph.sentence_ends],
        "tokens": list(graph.tokens),
        "states": graph.states,
        "arcs": graph.arcs,
        "sentences": graph.sentences,
        "grammar": [[state, *(number for arc in leaving.items() for number in arc)]
                    for state, leaving in graph.grammar.items()],
        "start": graph.start,
        "pronunciations": {word: [said.source, [list(way) for way in said.ways]]
                           for word, said in pronunciations.items()},
    }  # fmt: skip


def _restored(kept: Mapping[str, Any], fst: Path) -> Compiled:
    pronunciations = {
        word: Pronunciation(tuple(tuple(way) for way in ways), source)
        for word, (source, ways) in kept["pronunciations"].items()
    }
    sentences, beginnings = read_fst(fst)
    graph = DecodingGraph(
        fst=sentences,
        beginnings=beginnings,
        symbols=tuple(kept["symbols"]),
        slot_ends=tuple(SlotEnd(**one) for one in kept["slot_ends"]),
        sentence_ends=tuple(SentenceEnd(**one) for one in kept["sentence_ends"]),
        tokens=tuple(kept["tokens"]),
        states=kept["states"],
        arcs=kept["arcs"],
        sentences=kept["sentences"],
        grammar={row[0]: dict(zip(row[1::2], row[2::2])) for row in kept["grammar"]},
        start=kept["start"],
    )
    return graph, pronunciations
