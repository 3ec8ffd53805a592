"""Written text -> what it means as one of the owner's sentences, and what was meant -> text that says it all.

Rule of this file: it only puts together; which words make a sentence the grammar says, and which of several meanings
counts recognition/precedence.py.
"""

from __future__ import annotations

from typing import Any, List, Mapping, Tuple, Union

from sayso.grammar.graph import DecodingGraph
from sayso.grammar.readings import Forms, Output, Readings, as_it_is
from sayso.grammar.text import words
from sayso.grammar.wordings import same, wordings
from sayso.grammar.written import people_write, said_out
from sayso.recognition.interpret import Meaning
from sayso.recognition.precedence import preferred, read_path
from sayso.records import Command


def read_text(graph: DecodingGraph, text: str) -> List[Meaning]:
    """Given a text, as people write it, return what it means; nothing: it is no sentence, several things: nothing
    decides among them."""
    written = words(text)
    ways: List[Tuple[Output, Forms]] = [
        (written, as_it_is),
        (written, people_write),
        (said_out(written), people_write),  # "50%", where the grammar holds fifty percent
        (tuple(word.replace("'", "") for word in written), people_write),  # "what's", where it holds whats
    ]
    for said, forms in ways:
        found = [read_path(graph, output) for output in Readings(graph, forms)(said)]
        if meanings := [one for one in found if one.intent]:  # a wake phrase alone has none
            return preferred(meanings)
    return []


def with_the_room(graph: DecodingGraph, command: Union[Command, Meaning], context: Mapping[str, Any]) -> str:
    """Given a command, or its meaning, and what holds in the room that listens ([commands] context), return its words;
    where the room filled a slot, a sentence of Home Assistant's that names the room, for whoever doesn't know where it
    was said.

    It is one of the same grammar and means the same. Where there is none, it is the command's own words.
    """
    unsaid = [name for name in context if name in command.slots and name not in command.raw_slots]
    said = command.text.split()
    for found in wordings(graph, said, command.intent, command.slots, unsaid) if unsaid else ():
        text = " ".join(found)
        meanings = read_text(graph, text)
        if len(meanings) == 1 and meanings[0].intent == command.intent and same(meanings[0].slots, command.slots):
            return text
    return command.text
