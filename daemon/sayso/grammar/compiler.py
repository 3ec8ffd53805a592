"""Template files -> decoding graph, in one step.

Rule of this file: it only calls the stages in their order; what each does is in its own file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

from sayso.grammar.cache import GraphCache, key_of
from sayso.grammar.files import find_template_files, read_template_files
from sayso.grammar.graph import LIBRARY, DecodingGraph, build_graph
from sayso.grammar.house import House, read_house_sentences
from sayso.grammar.pronounce import Pronunciation, pronounce
from sayso.grammar.spelling import spell
from sayso.grammar.tags import TAG
from sayso.grammar.templates import Templates, parse_templates
from sayso.grammar.wake import with_wake_phrases
from sayso.grammar.words import WordAcceptor, build_word_acceptor


@dataclass(frozen=True)
class Phonology:
    """What the grammar has to know of an acoustic model."""

    tokens: tuple[str, ...]
    blank: int
    lexicon: Path | None
    """The bundle's dictionary, see pronounce.py; None: the tokens are letters, see spelling.py."""


@dataclass(frozen=True)
class Grammar:
    """The owner's sentences, compiled."""

    templates: Templates
    pronunciations: Mapping[str, Pronunciation]
    graph: DecodingGraph
    digest: str
    """First 12 hexadecimal digits of the SHA-256 of the template files."""
    files: tuple[Path, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Of Home Assistant's sentences: why some were left out -> how many."""


def compile_grammar(
    path: Path,
    phonology: Phonology,
    context: Mapping[str, Any],
    wake_phrases: Sequence[str] = (),
    house: House | None = None,
    cache: GraphCache | None = None,
) -> Grammar:
    """Given a file or folder of templates, return the grammar; its sentences may begin with a wake phrase, and for a
    house there are Home Assistant's own sentences beside them. What the cache has is not compiled again.

    Raise GrammarError with all that is wrong.
    """
    paths = find_template_files(path)
    files = read_template_files(paths)
    theirs = read_house_sentences(house) if house else None
    templates = parse_templates([*files, theirs.file] if theirs else files)
    left_out = theirs.left_out if theirs else {}
    written = [*paths, theirs.file.path] if theirs else paths
    key = _key(written, phonology, (context, list(wake_phrases), repr(house)))
    kept = cache.get(key) if cache else None
    if kept is None:
        kept = _compile(build_word_acceptor(templates, context), wake_phrases, templates, phonology)
        if cache:
            cache.put(key, *kept)
    graph, pronunciations = kept
    return Grammar(templates, pronunciations, graph, _digest(paths), tuple(paths), left_out)


def _compile(
    sentences: WordAcceptor, wake_phrases: Sequence[str], templates: Templates, phonology: Phonology
) -> tuple[DecodingGraph, Mapping[str, Pronunciation]]:
    acceptor = with_wake_phrases(sentences, wake_phrases)
    words = {label for _, label, _ in acceptor.arcs if label and not label.startswith(TAG)}
    sounds = [token for index, token in enumerate(phonology.tokens) if index != phonology.blank]
    if phonology.lexicon is None:
        pronunciations = spell(words, sounds, templates.pronunciations)
    else:
        pronunciations = pronounce(words, phonology.lexicon, sounds, templates.pronunciations)
    return build_graph(acceptor, pronunciations, phonology.tokens, phonology.blank), pronunciations


def _key(paths: Sequence[Path], phonology: Phonology, settings: tuple[Any, ...]) -> str:
    """What the graph depends on: every file with its name (which errors and meanings tell), model and settings."""
    files = [*paths, *([phonology.lexicon] if phonology.lexicon else [])]
    told = (LIBRARY, phonology.tokens, phonology.blank, settings)
    return key_of([repr(told).encode(), *(part for path in files for part in (str(path).encode(), path.read_bytes()))])


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
