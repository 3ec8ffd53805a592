"""What transcribes, and the owner's sentences -> who is asked about commands.

Rule of this file: it only puts together; what the opinion is worth is recognition/opinion.py's.
"""

from __future__ import annotations

from typing import List

from sayso.grammar.compiler import Grammar
from sayso.grammar.readings import Readings
from sayso.grammar.written import spelled_forms
from sayso.recognition.mozilla import Transcriber
from sayso.recognition.opinion import Opinion, Sense
from sayso.recognition.precedence import read_path


def make_opinion(transcriber: Transcriber, grammar: Grammar) -> Opinion:
    """Given what transcribes and the owner's sentences, spelled in letters, return the second opinion."""
    graph, readings = grammar.graph, Readings(grammar.graph, spelled_forms(grammar.pronunciations))

    def senses(text: str) -> List[Sense]:
        found = readings(text.split())
        meanings = (read_path(graph, output) for output in found)
        return [(meaning.intent, meaning.slots) for meaning in meanings]

    return Opinion(transcriber, senses)
