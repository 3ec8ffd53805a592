"""Template files -> decoding graph, in one step.

Rule of this file: it only calls the stages in their order; what each does is in its own file.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Mapping, Sequence

from sayso.grammar.apart import compile_apart
from sayso.grammar.cache import GraphCache, key_of
from sayso.grammar.files import TemplateFile, find_template_files, read_template_files
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
    files: Mapping[Path, bytes]
    """The template files, and what was read of each."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Of Home Assistant's sentences: why some were left out -> how many."""


def compile_grammar(
    path: Path,
    phonology: Phonology,
    context: Mapping[str, Any],
    wake_phrases: Sequence[str] = (),
    house: House | None = None,
    cache: GraphCache | None = None,
    *,
    apart: bool = False,
) -> Grammar:
    """Given a file or folder of templates, return the grammar; its sentences may begin with a wake phrase, and for a
    house there are Home Assistant's own sentences beside them. What the cache has is not compiled again; what it hasn't
    is, if asked so, by a process of its own.

    Raise GrammarError with all that is wrong.
    """
    files = read_template_files(find_template_files(path, needed=not (house and house.sentences)))
    theirs = read_house_sentences(house) if house else None
    written = [*files, theirs.file] if theirs else files
    templates = parse_templates(written)
    left_out = theirs.left_out if theirs else {}
    key = _key(written, phonology, (context, list(wake_phrases), repr(house)))
    kept = cache.get(key) if cache else None
    if kept is None and apart and cache and cache.folder:
        asked = {"phonology": phonology, "house": house}
        settings = {name: asdict(one) if one else None for name, one in asked.items()}
        compile_apart(cache.folder, path, {**settings, "context": context, "wake_phrases": list(wake_phrases)})
        kept = cache.get(key)
    if kept is None:
        kept = _compile(build_word_acceptor(templates, context), wake_phrases, templates, phonology)
        if cache:
            cache.put(key, *kept)
    graph, pronunciations = kept
    return Grammar(templates, pronunciations, graph, _digest(files), {one.path: one.source for one in files}, left_out)


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


def _key(files: Sequence[TemplateFile], phonology: Phonology, settings: tuple[Any, ...]) -> str:
    """What the graph depends on: every file with its name (which errors and meanings tell), model and settings."""
    told = (LIBRARY, phonology.tokens, phonology.blank, settings)
    written = [part for file in files for part in (str(file.path).encode(), file.source)]
    lexicon = [str(phonology.lexicon).encode(), phonology.lexicon.read_bytes()] if phonology.lexicon else []
    return key_of([repr(told).encode(), *written, *lexicon])


def _digest(files: Sequence[TemplateFile]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(hashlib.sha256(file.source).digest())
    return digest.hexdigest()[:12]
