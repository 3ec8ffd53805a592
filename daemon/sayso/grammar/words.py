"""Templates -> one acceptor over words and tags (see tags.py).

Rule of this file: pure, and nothing is ever multiplied out: a sequence is a concatenation, an
alternative a union, a list a union of its values, so the acceptor grows with the length of the
templates and lists, never with the number of sentences.

It is built in two passes. First over *fragments*: pieces of text as they are written, with explicit
spaces, because in hassil's templates a word may be put together from parts (`light[s]`). Then over
words: the fragments between two spaces are joined by walking from space to space.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence, Union

from sayso.errors import GrammarError, Problem
from sayso.grammar.context import contradicts, met, missing, slots_from
from sayso.grammar.files import for_an_event
from sayso.grammar.tags import ALL_SAID, SENTENCE_ENDS, SLOT_BEGINS, SLOT_ENDS, TAG, SentenceEnd, SlotEnd
from sayso.grammar.templates import (
    Alternative,
    Expression,
    Group,
    ListReference,
    NumberValue,
    Permutation,
    RuleReference,
    Sentence,
    Templates,
    TextChunk,
    TextValue,
    inline_range,
)
from sayso.grammar.text import SPACE, is_letters, pieces, word

LARGEST_PERMUTATION = 6
"""Items of a permutation: n items need 2^n states and n·2^(n-1) copies of an item."""

LARGEST_SENTENCE = 200_000
"""Arcs that one template may need; above it the template is refused, by name."""

POLITE = 2
"""Skip words in a row at either end of a sentence. Hassil drops them anywhere; within a sentence they would
only be one more thing that a sound can be mistaken for."""

_EPSILON = ""

_SUPPLIES = TAG + "?"
"""Fragments only: a list value brings a piece of context that the sentence requires."""


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

    Context is settled here, at compile time: what can't be meant can't be heard either. Sentences that the room's
    context rules out are left out. Raise GrammarError that names each template that is too large or can be said
    without a word, or where no sentence is left.
    """
    acceptor = WordAcceptor()
    problems: list[Problem] = []
    builder = _Fragments(acceptor, context)
    for sentence in templates.sentences:
        if contradicts(context, sentence.requires_context, sentence.excludes_context):
            continue
        try:
            builder.add(sentence, templates.skip_words)
        except GrammarError as error:
            problems.extend(error.problems)
        except RecursionError:
            problems.append(Problem(sentence.where, f'"{sentence.text}": nested too deeply', "write it flatter"))
    if not problems and not acceptor.finals:
        what = "no sentence can be said in this room: the context rules out all of them"
        where = templates.sentences[0].where if templates.sentences else ""
        problems.append(Problem(where, what, "check requires_context, and [commands] context"))
    if problems:
        raise GrammarError(problems=problems)
    return acceptor


class _Fragments:
    """Adds one sentence after another to the word acceptor, by way of its fragments."""

    def __init__(self, acceptor: WordAcceptor, context: Mapping[str, Any]) -> None:
        self._acceptor = acceptor
        self._context = context
        self._slot_ends: dict[tuple[str, str], int] = {}
        self._arcs: list[tuple[int, str, int]] = []
        self._states = 0
        self._required: frozenset[str] = frozenset()
        self._sentence: Sentence

    def add(self, sentence: Sentence, skip_words: Sequence[str]) -> None:
        self._arcs, self._states, self._sentence = [], 0, sentence
        self._required = missing(self._context, sentence.requires_context)
        start = self._state()
        first = self._skip(start, skip_words)
        last = self._expression(sentence.expression, first)
        if _wordless(self._arcs, first, last):
            raise self._refused("can be said without a word", "make a part of it obligatory")
        said, done = self._state(), self._state()
        self._arc(last, SPACE, said)
        self._arc(said, ALL_SAID, done)
        after, end = self._skip(done, skip_words), self._state()
        slots = {**sentence.slots, **self._from_the_room(sentence)}
        number = len(self._acceptor.sentence_ends)
        self._arc(after, SPACE, (spaced := self._state()))
        self._arc(spaced, f"{SENTENCE_ENDS}{number}", end)
        largest = len(self._acceptor.arcs) + LARGEST_SENTENCE
        if not _join_words(self._arcs, (start, end), self._required, self._acceptor, largest):
            raise self._too_large()
        ended = SentenceEnd(sentence.intent, slots, sentence.text, sentence.where, sentence.own)
        self._acceptor.sentence_ends.append(ended)

    def _from_the_room(self, sentence: Sentence) -> dict[str, Any]:
        found = slots_from(self._context, sentence.requires_context)
        for name, value in found.items():
            try:
                for_an_event(value)
            except ValueError:
                what = f"the slot {name} would be {value!r}, which no event can hold"
                raise self._refused(what, "write a text or a number into [commands] context") from None
        return found

    def _refused(self, what: str, remedy: str) -> GrammarError:
        return GrammarError(f'"{self._sentence.text}": {what}', where=self._sentence.where, remedy=remedy)

    def _too_large(self) -> GrammarError:
        return self._refused(f"needs more than {LARGEST_SENTENCE} arcs", "shorten its lists, or split the sentence")

    def _state(self) -> int:
        self._states += 1
        if self._states > LARGEST_SENTENCE:
            raise self._too_large()
        return self._states - 1

    def _arc(self, source: int, label: str, target: int) -> None:
        self._arcs.append((source, label, target))
        if len(self._arcs) > LARGEST_SENTENCE:
            raise self._too_large()

    def _skip(self, state: int, skip_words: Sequence[str]) -> int:
        """Politeness at either end of a sentence: `please`, `could you`, up to POLITE of them."""
        for _ in range(POLITE if skip_words else 0):
            state = self._union([state, *(self._text(f" {words} ", state) for words in skip_words)])
        return state

    def _text(self, text: str, state: int) -> int:
        for piece in pieces(text):
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
            # A state of its own, so that rules of rules of nothing are bounded, too.
            self._arc(state, _EPSILON, (inside := self._state()))
            return self._expression(self._sentence.rules[expression.rule_name].expression, inside)
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
            raise self._refused(f"a permutation of {len(items)} parts", f"at most {LARGEST_PERMUTATION}")
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
        slot = "" if reference.is_capture else reference.slot_name
        if slot:
            self._arc(state, f"{SLOT_BEGINS}{slot}", (state := self._state()))
        ends = []
        for value in self._values(reference):
            if isinstance(value, NumberValue):
                end = self._text(value.spoken, state)
            elif contradicts(value.context, self._sentence.requires_context, self._sentence.excludes_context):
                continue
            else:
                end = self._expression(value.spoken, state)
                for key in sorted(met(value.context, self._sentence.requires_context) & self._required):
                    self._arc(end, _SUPPLIES + key, (end := self._state()))
            if slot:
                self._arc(end, self._slot_end(slot, value.out), (end := self._state()))
            ends.append(end)
        return self._union(ends)

    def _values(self, reference: ListReference) -> Iterator[Union[TextValue, NumberValue]]:
        numbers = inline_range(reference)
        if numbers is None:
            yield from self._sentence.lists[reference.list_name].values
            return
        start, stop, step = numbers
        for number in range(start, stop + 1, step):
            yield NumberValue(str(number), number)

    def _slot_end(self, slot: str, value: Any) -> str:
        key = (slot, repr(value))
        if key not in self._slot_ends:
            self._slot_ends[key] = len(self._acceptor.slot_ends)
            self._acceptor.slot_ends.append(SlotEnd(slot, value))
        return f"{SLOT_ENDS}{self._slot_ends[key]}"


def _wordless(arcs: Sequence[tuple[int, str, int]], start: int, end: int) -> bool:
    """Whether fragment arcs lead from start to end without a piece of a word."""
    silent: dict[int, list[int]] = {}
    for source, label, target in arcs:
        if label in (_EPSILON, SPACE) or label.startswith(TAG):
            silent.setdefault(source, []).append(target)
    reached, todo = {start}, [start]
    while todo:
        for target in silent.get(todo.pop(), ()):
            if target not in reached:
                reached.add(target)
                todo.append(target)
    return end in reached


@dataclass(frozen=True)
class _Place:
    """Where the walk over fragments is, and what it has in hand."""

    state: int
    letters: str = ""
    """Pieces since the last space: the word so far."""
    waiting: tuple[str, ...] = ()
    """Tags that come when the word is finished: `{name}s` closes the slot after "lights", not within it."""
    supplied: frozenset[str] = frozenset()
    """Required context that list values on the way have brought."""


def _join_words(
    arcs: Sequence[tuple[int, str, int]],
    ends: tuple[int, int],
    required: frozenset[str],
    acceptor: WordAcceptor,
    largest: int,
) -> bool:
    """Given a sentence's fragment arcs, add its word arcs to the acceptor, from its state 0.

    Return False where that would be more than `largest` arcs in all.
    """
    outgoing: dict[int, list[tuple[str, int]]] = {}
    for source, label, target in arcs:
        outgoing.setdefault(source, []).append((label, target))
    start, end = ends
    numbers: dict[_Place, int] = {}
    todo: list[_Place] = []

    def emit(source: int, labels: Sequence[str], place: _Place) -> None:
        if place not in numbers:
            numbers[place] = acceptor.states
            acceptor.states += 1
            todo.append(place)
        for label in labels[:-1]:
            acceptor.arcs.append((source, label, acceptor.states))
            source, acceptor.states = acceptor.states, acceptor.states + 1
        acceptor.arcs.append((source, labels[-1] if labels else _EPSILON, numbers[place]))

    emit(0, (), _Place(start))
    while todo:
        if len(acceptor.arcs) > largest:
            return False
        here = todo.pop()
        if here.state == end:
            acceptor.finals.add(numbers[here])
        for label, target in outgoing.get(here.state, ()):
            step = _step(here, label, target, required)
            if step is not None:
                emit(numbers[here], *step)
    return True


def _step(here: _Place, label: str, target: int, required: frozenset[str]) -> tuple[tuple[str, ...], _Place] | None:
    """Given a place and a fragment arc that leaves it, return what it emits and where it leads; None: nowhere."""
    letters, waiting, supplied = here.letters, here.waiting, here.supplied
    if label.startswith(_SUPPLIES):
        return (), _Place(target, letters, waiting, supplied | {label[len(_SUPPLIES) :]})
    if label.startswith(SENTENCE_ENDS) and not required <= supplied:
        return None
    if label == _EPSILON:
        return (), _Place(target, letters, waiting, supplied)
    if label.startswith(TAG):
        if letters:
            return (), _Place(target, letters, (*waiting, label), supplied)
        return (label,), _Place(target, "", (), supplied)
    finished = (word(letters), *waiting) if letters else ()
    if label == SPACE:
        return finished, _Place(target, "", (), supplied)
    if letters and not (is_letters(letters) and is_letters(label)):
        # "{brightness}%": a number has ended without a space.
        return finished, _Place(target, label, (), supplied)
    # The word goes on: a slot that begins within it begins before it, one that ends within it ends after it.
    begun = tuple(tag for tag in waiting if tag.startswith(SLOT_BEGINS))
    rest = tuple(tag for tag in waiting if not tag.startswith(SLOT_BEGINS))
    return begun, _Place(target, letters + label, rest, supplied)
