"""Templates -> one acceptor over words and tags.

Rule of this file: pure, and nothing is ever multiplied out: a sequence is a concatenation, an
alternative a union, a list a union of its values, so the acceptor grows with the length of the
templates and lists, never with the number of sentences.

It is built in two passes. First over *fragments*: pieces of text as they are written, with explicit
spaces, because in hassil's templates a word may be put together from parts (`light[s]`). Then over
words: the fragments between two spaces are joined by walking from space to space.

Labels are strings. A word is itself; a tag begins with TAG and is one of
    TAG + "{" + slot          a slot begins
    TAG + "}" + number        the slot ends, with value `number` of the value table
    TAG + "."                 all is said; only politeness can follow
    TAG + "#" + number        the sentence ends, with `number` of the sentence table
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence, Union

from hassil import Alternative, Expression, Group, ListReference, Permutation, RuleReference, TextChunk

from sayso.errors import GrammarError, Problem
from sayso.grammar.templates import NumberValue, Sentence, Templates, TextValue, ValueList, inline_range

TAG = "\x01"
"""First character of a tag; can't occur in a word, because templates hold printable text only."""

ALL_SAID = TAG + "."

LARGEST_PERMUTATION = 6
"""Items of a permutation: n items need 2^n states and n·2^(n-1) copies of an item."""

LARGEST_SENTENCE = 400_000
"""Arcs that one template may need; above it the template is refused, by name."""

POLITE = 2
"""Skip words in a row at either end of a sentence. Hassil drops them anywhere; within a sentence they would
only be one more thing that a sound can be mistaken for."""

_SPACE = " "
_EPSILON = ""


@dataclass(frozen=True)
class SlotEnd:
    """What the end of a slot says."""

    slot: str
    value: Any


@dataclass(frozen=True)
class SentenceEnd:
    """What the end of a sentence says."""

    intent: str
    slots: Mapping[str, Any]
    """Slots that the sentence takes for granted."""
    template: str
    where: str


@dataclass
class WordAcceptor:
    """States are 0 … states-1, 0 starts; arcs carry a word, a tag, or nothing ("")."""

    arcs: list[tuple[int, str, int]] = field(default_factory=list)
    finals: set[int] = field(default_factory=set)
    states: int = 1
    slot_ends: list[SlotEnd] = field(default_factory=list)
    sentence_ends: list[SentenceEnd] = field(default_factory=list)


def build_word_acceptor(templates: Templates, context: Mapping[str, Any]) -> WordAcceptor:
    """Given templates and the context that holds in this room, return the acceptor of all sentences.

    Sentences whose context can't be met are left out. Raise GrammarError that names each template
    that is too large.
    """
    acceptor = WordAcceptor()
    problems: list[Problem] = []
    builder = _Fragments(acceptor)
    for sentence in templates.sentences:
        if not _allowed(sentence, context):
            continue
        try:
            builder.add(sentence, templates.skip_words)
        except GrammarError as error:
            problems.extend(error.problems)
    if problems:
        raise GrammarError(problems=problems)
    return acceptor


class _Fragments:
    """Adds one sentence after another to the word acceptor, by way of its fragments."""

    def __init__(self, acceptor: WordAcceptor) -> None:
        self._acceptor = acceptor
        self._slot_ends: dict[tuple[str, str], int] = {}
        self._arcs: list[tuple[int, str, int]] = []
        self._states = 0
        self._sentence: Sentence

    def add(self, sentence: Sentence, skip_words: Sequence[str]) -> None:
        self._arcs, self._states, self._sentence = [], 0, sentence
        start = self._state()
        first = self._skip(start, skip_words)
        last = self._expression(sentence.expression, first)
        said, done = self._state(), self._state()
        self._arc(last, _SPACE, said)
        self._arc(said, ALL_SAID, done)
        after, end = self._skip(done, skip_words), self._state()
        number = len(self._acceptor.sentence_ends)
        self._acceptor.sentence_ends.append(
            SentenceEnd(sentence.intent, dict(sentence.slots), sentence.text, sentence.where)
        )
        self._arc(after, _SPACE, (spaced := self._state()))
        self._arc(spaced, f"{TAG}#{number}", end)
        _join_words(self._arcs, start, end, self._acceptor)

    def _state(self) -> int:
        self._states += 1
        return self._states - 1

    def _arc(self, source: int, label: str, target: int) -> None:
        self._arcs.append((source, label, target))
        if len(self._arcs) > LARGEST_SENTENCE:
            raise GrammarError(
                f'"{self._sentence.text}": needs more than {LARGEST_SENTENCE} arcs',
                where=self._sentence.where,
                remedy="shorten its lists, or split the permutation",
            )

    def _skip(self, state: int, skip_words: Sequence[str]) -> int:
        """Politeness at either end of a sentence: `please`, `could you`, up to POLITE of them."""
        for _ in range(POLITE if skip_words else 0):
            state = self._union([state, *(self._text(f" {words} ", state) for words in skip_words)])
        return state

    def _text(self, text: str, state: int) -> int:
        for piece in _pieces(text):
            self._arc(state, piece, (state := self._state()))
        return state

    def _expression(self, expression: Expression, state: int) -> int:
        if isinstance(expression, TextChunk):
            return self._text(expression.text, state)
        if isinstance(expression, Alternative):
            return self._union([self._expression(item, state) for item in expression.items])
        if isinstance(expression, Permutation):
            return self._permutation(expression, state)
        if isinstance(expression, Group):
            for item in expression.items:
                state = self._expression(item, state)
            return state
        if isinstance(expression, RuleReference):
            return self._expression(self._sentence.rules[expression.rule_name].expression, state)
        assert isinstance(expression, ListReference), f"unknown part of a template: {expression!r}"
        return self._list(expression, state)

    def _union(self, ends: Sequence[int]) -> int:
        end = self._state()
        for one in ends:
            self._arc(one, _EPSILON, end)
        return end

    def _permutation(self, permutation: Permutation, state: int) -> int:
        items = permutation.items
        if len(items) > LARGEST_PERMUTATION:
            raise GrammarError(
                f'"{self._sentence.text}": a permutation of {len(items)} parts',
                where=self._sentence.where,
                remedy=f"at most {LARGEST_PERMUTATION}",
            )
        # One state for each set of items already said.
        said = {0: state}
        for mask in range(2 ** len(items) - 1):
            for index, item in enumerate(items):
                if mask & 1 << index:
                    continue
                end = self._expression(item, said[mask])
                target = said.setdefault(mask | 1 << index, self._state())
                self._arc(end, _EPSILON, target)
        return said[2 ** len(items) - 1]

    def _list(self, reference: ListReference, state: int) -> int:
        slot = reference.slot_name
        self._arc(state, f"{TAG}{{{slot}", (inside := self._state()))
        ends = []
        for value in self._values(reference):
            if isinstance(value, NumberValue):
                said = self._text(value.spoken, inside)
            elif _allowed(self._sentence, value.context):
                said = self._expression(value.spoken, inside)
            else:
                continue
            self._arc(said, self._slot_end(slot, value.out), (end := self._state()))
            ends.append(end)
        return self._union(ends)

    def _values(self, reference: ListReference) -> Iterator[Union[TextValue, NumberValue]]:
        numbers = inline_range(reference)
        if numbers is None:
            listed: ValueList = self._sentence.lists[reference.list_name]
            yield from listed.values
            return
        for number in range(numbers.start, numbers.stop + 1, numbers.step):
            yield NumberValue(str(number), number)

    def _slot_end(self, slot: str, value: Any) -> str:
        key = (slot, repr(value))
        if key not in self._slot_ends:
            self._slot_ends[key] = len(self._acceptor.slot_ends)
            self._acceptor.slot_ends.append(SlotEnd(slot, value))
        return f"{TAG}}}{self._slot_ends[key]}"


_PIECE = re.compile(
    r"""
    \s+                              # a boundary
    | (?<![\w.])-?\d+(?:[.,]\d+)*    # a number, a minus sign only at its start
    | [^\W\d_]+(?:['’][^\W\d_]+)*['’]?  # letters, apostrophes within them
    | °\s?[cf]\b                     # degrees Celsius, Fahrenheit
    | [%°$€£&+@\#=]                  # signs that are said
    | .                              # anything else separates
    """,
    re.VERBOSE,
)


def _pieces(text: str) -> Iterator[str]:
    """Given text of a template, yield fragments and spaces: "50%" gives 50, space, %.

    A number next to letters or signs is a word of its own, because it is said as one.
    """
    before = ""
    for match in _PIECE.finditer(text.replace("’", "'").casefold()):
        piece = match.group()
        if piece.isspace() or not (_is_word(piece) or _is_number(piece) or _is_sign(piece)):
            before = _SPACE
            yield _SPACE
            continue
        if before not in ("", _SPACE) and not (_is_word(before) and _is_word(piece)):
            yield _SPACE
        yield piece
        before = piece


def _is_word(piece: str) -> bool:
    return piece[0].isalpha()


def _is_number(piece: str) -> bool:
    return piece[-1].isdigit()


def _is_sign(piece: str) -> bool:
    return piece[0] in "%°$€£&+@#="


def _join_words(arcs: Sequence[tuple[int, str, int]], start: int, end: int, acceptor: WordAcceptor) -> None:
    """Given a sentence's fragment arcs, add its word arcs to the acceptor, from its state 0.

    A state of the result is (fragment state, letters since the last space, ends of slots that wait for
    the word to be finished): `{name}s` closes the slot after "lights", not within it.
    """
    outgoing: dict[int, list[tuple[str, int]]] = {}
    for source, label, target in arcs:
        outgoing.setdefault(source, []).append((label, target))
    numbers: dict[tuple[int, str, tuple[str, ...]], int] = {}
    todo: list[tuple[int, str, tuple[str, ...]]] = []

    def number(state: tuple[int, str, tuple[str, ...]]) -> int:
        if state not in numbers:
            numbers[state] = acceptor.states
            acceptor.states += 1
            todo.append(state)
        return numbers[state]

    def emit(source: int, labels: Sequence[str], state: tuple[int, str, tuple[str, ...]]) -> None:
        for label in labels[:-1]:
            acceptor.arcs.append((source, label, acceptor.states))
            source, acceptor.states = acceptor.states, acceptor.states + 1
        acceptor.arcs.append((source, labels[-1] if labels else "", number(state)))

    emit(0, (), (start, "", ()))
    while todo:
        here = todo.pop()
        source = numbers[here]
        state, letters, waiting = here
        if state == end:
            acceptor.finals.add(source)
        for label, target in outgoing.get(state, ()):
            if label == _EPSILON:
                emit(source, (), (target, letters, waiting))
            elif label.startswith(TAG + "}") and letters:
                emit(source, (), (target, letters, (*waiting, label)))
            elif label.startswith(TAG):
                emit(source, (label,), (target, letters, waiting))
            elif label == _SPACE:
                emit(source, (letters, *waiting) if letters else waiting, (target, "", ()))
            elif letters and not (_is_word(letters) and _is_word(label)):
                # "{brightness}%": a number has ended without a space.
                emit(source, (letters, *waiting), (target, label, ()))
            else:
                emit(source, (), (target, letters + label, waiting))


def _allowed(sentence: Sentence, context: Mapping[str, Any]) -> bool:
    """Whether a context, the room's or a list value's, permits the sentence; what it doesn't mention is permitted.

    Context is settled here, at compile time: what can't be meant can't be heard either.
    """
    required = all(_matches(context[key], want) for key, want in sentence.requires_context.items() if key in context)
    excluded = any(_matches(context[key], bad) for key, bad in sentence.excludes_context.items() if key in context)
    return required and not excluded


def _matches(have: Any, want: Any) -> bool:
    if isinstance(want, Mapping):
        return "value" not in want or _matches(have, want["value"])
    wanted = want if isinstance(want, (list, tuple, set)) else [want]
    owned = have if isinstance(have, (list, tuple, set)) else [have]
    return any(one in wanted for one in owned)
