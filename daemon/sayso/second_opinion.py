"""A model of letters, the owner's sentences and a `.scorer` package -> who is asked about commands.

Rule of this file: it only puts together; what the opinion is worth is recognition/opinion.py's.
"""

from __future__ import annotations

from pathlib import Path
from typing import List

from sayso.grammar.compiler import Grammar
from sayso.grammar.written import read_written, written_forms
from sayso.recognition.beam import BeamSettings
from sayso.recognition.bundle import Bundle
from sayso.recognition.interpret import read_tags
from sayso.recognition.opinion import Opinion, Sense
from sayso.scorers import open_transcriber


def make_opinion(bundle: Bundle, grammar: Grammar, package: Path, settings: BeamSettings) -> Opinion:
    """Given a model of letters, the owner's sentences and a package, return the second opinion. Raise ModelError."""
    transcriber = open_transcriber(bundle, package, settings)
    graph, forms = grammar.graph, written_forms(grammar.pronunciations)

    def senses(text: str) -> List[Sense]:
        meanings = (
            read_tags(output, graph.slot_ends, graph.sentence_ends) for output in read_written(graph, forms, text)
        )
        return [(meaning.intent, meaning.slots) for meaning in meanings]

    return Opinion(transcriber, senses)
