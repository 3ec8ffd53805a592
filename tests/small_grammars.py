"""Small grammars: templates as plain data, and a dictionary of two dozen words that are said with a dozen phones."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from sayso.grammar.files import Contents, TemplateFile
from sayso.grammar.graph import DecodingGraph, build_graph
from sayso.grammar.pronounce import Pronunciation
from sayso.grammar.tags import TAG
from sayso.grammar.templates import Templates, parse_templates
from sayso.grammar.words import WordAcceptor, build_word_acceptor
from sayso.recognition.interpret import Meaning, read_tags

PHONES = ("AH", "D", "EH", "IH", "K", "L", "N", "S", "T", "UW", "Z")
TOKENS = ("<blk>", *PHONES)
BLANK = 0

SAID = {
    "a": "AH", "tin": "T IH N", "ten": "T EH N", "net": "N EH T", "nets": "N EH T S", "set": "S EH T",
    "sets": "S EH T S", "let": "L EH T", "lid": "L IH D", "lids": "L IH D Z", "kid": "K IH D", "kids": "K IH D Z",
    "tool": "T UW L", "tools": "T UW L Z", "sun": "S AH N", "sunset": "S AH N S EH T", "ill": "IH L",
    "ned": "N EH D", "s": "EH S", "two": "T UW", "to": "T UW", "do": "D UW", "see": "S IH", "suit": "S UW T",
}  # fmt: skip
"""Word -> phones; some rhyme, some begin alike, "two" and "to" sound the same."""


CLASHING = {
    "name": {"values": ["ten nets", "ten"]},
    "area": {"values": ["ten", "tin"]},
    "lamp": {"values": [{"in": "sun", "out": "one"}, {"in": "sun", "out": "two"}]},
    "first": {"values": ["two", "ten"]},
    "second": {"values": ["two", "ten"]},
}
"""Lists by which one sentence comes to have several meanings."""


def contents(sentences: Sequence[str], **more: Any) -> dict[str, Any]:
    """Given sentence templates, return a file's contents with one intent, `Do`; `more` goes beside the intents."""
    return {"language": "en", "intents": {"Do": {"data": [{"sentences": list(sentences)}]}}, **more}


def templates(*files: Mapping[str, Any]) -> Templates:
    """Given contents of files, return the templates in them."""
    return parse_templates(
        [TemplateFile(Path(f"file{number}.yaml"), Contents.model_validate(one), {}) for number, one in enumerate(files)]
    )


def acceptor(*files: Mapping[str, Any], context: Mapping[str, Any] | None = None) -> WordAcceptor:
    """Given contents of files and the room's context, return the acceptor of what can be said."""
    return build_word_acceptor(templates(*files), context or {})


def graph(words: WordAcceptor) -> DecodingGraph:
    """Given an acceptor over the words of SAID, return its decoding graph."""
    used = {label for _, label, _ in words.arcs if label and not label.startswith(TAG)}
    said = {word: Pronunciation((tuple(SAID[word].split()),), "dictionary") for word in used}
    return build_graph(words, said, TOKENS, BLANK)


def paths(words: WordAcceptor, most: int = 20_000) -> Iterator[tuple[str, ...]]:
    """Given an acceptor, yield the words and tags of each of its paths, `most` at most."""
    leaving = _leaving(words)
    todo: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while todo and most:
        state, output = todo.pop()
        if state in words.finals:
            most -= 1
            yield output
        todo.extend((target, (*output, label) if label else output) for label, target in leaving.get(state, ()))


def meanings(words: WordAcceptor) -> list[Meaning]:
    """Given an acceptor, return what each of its paths means."""
    return [read_tags(output, words.slot_ends, words.sentence_ends) for output in paths(words)]


def the_meaning(words: WordAcceptor, text: str) -> Meaning:
    """Given an acceptor and a sentence, return what it means. Fail unless that is one thing."""
    found = {repr(one): one for one in meanings(words) if one.text == text}
    assert len(found) == 1, f"{text!r} means {found}"
    return next(iter(found.values()))


def said_by(words: WordAcceptor) -> set[str]:
    """Given an acceptor, return all its sentences."""
    return {meaning.text for meaning in meanings(words)}


def random_path(words: WordAcceptor, chance: random.Random) -> tuple[str, ...]:
    """Given an acceptor and a source of chance, return the words and tags of one of its paths."""
    leaving = _leaving(words)
    alive = _alive(words)
    state, output = 0, []
    while state not in words.finals or any(target in alive for _, target in leaving.get(state, ())):
        label, state = chance.choice([arc for arc in leaving[state] if arc[1] in alive])
        if label:
            output.append(label)
    return tuple(output)


def write_lexicon(path: Path, said: Mapping[str, str]) -> Path:
    """Given a path and pronunciations, write them as a model's dictionary and return the path."""
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{word}\t{phones}\n" for word, ways in said.items() for phones in ways.split(" | "))
    return path


def _leaving(words: WordAcceptor) -> dict[int, list[tuple[str, int]]]:
    leaving: dict[int, list[tuple[str, int]]] = {}
    for source, label, target in words.arcs:
        leaving.setdefault(source, []).append((label, target))
    return leaving


def _alive(words: WordAcceptor) -> set[int]:
    """States from which an end can be reached."""
    coming: dict[int, list[int]] = {}
    for source, _, target in words.arcs:
        coming.setdefault(target, []).append(source)
    alive, todo = set(words.finals), list(words.finals)
    while todo:
        for source in coming.get(todo.pop(), ()):
            if source not in alive:
                alive.add(source)
                todo.append(source)
    return alive
