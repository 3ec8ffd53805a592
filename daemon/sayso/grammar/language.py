"""Template files -> a language model in an alphabet, in one step.

Rule of this file: it only calls the stages in their order; what each does is in its own file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

from sayso.grammar.files import find_template_files, read_template_files
from sayso.grammar.ngram import ORDER, Language, count_ngrams, estimate
from sayso.grammar.spelling import SPACE, spell
from sayso.grammar.tags import TAG
from sayso.grammar.templates import parse_templates
from sayso.grammar.words import build_word_acceptor


def learn_language(path: Path, alphabet: Sequence[str], context: Mapping[str, Any], order: int = ORDER) -> Language:
    """Given a file or folder of templates and a model's alphabet, return the language of the sentences.

    Raise GrammarError with all that is wrong.
    """
    templates = parse_templates(read_template_files(find_template_files(path)))
    acceptor = build_word_acceptor(templates, context)
    words = {label for _, label, _ in acceptor.arcs if label and not label.startswith(TAG)}
    ways = {word: said.ways for word, said in spell(words, alphabet, templates.pronunciations).items()}
    forms = {
        word: [tuple("".join(way).split(SPACE)) for way in spelled if way[-1] != SPACE]
        for word, spelled in ways.items()
    }
    return Language(estimate(count_ngrams(acceptor, forms, order), order), tuple(alphabet))
