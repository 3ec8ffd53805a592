"""Sentence templates, parsed by hassil and checked against each other.

Rule of this file: the only one that imports hassil; who walks over a template takes the names of its parts from
here. It resolves nothing: lists and rules stay references, looked up by name in the order local, then global, as
Home Assistant does.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence, Union

from hassil import (
    Alternative,
    Expression,
    Group,
    ListReference,
    Permutation,
    RuleReference,
    TextChunk,
    parse_sentence,
)
from hassil.parser import ParseError

from sayso.errors import GrammarError, Problem
from sayso.grammar.brackets import wrong_bracket
from sayso.grammar.files import Contents, ListValue, NumberRange, SentenceBlock, SlotList, TemplateFile
from sayso.grammar.text import words

__all__ = [
    "Alternative", "Expression", "Group", "ListReference", "NumberValue", "Permutation", "Rule", "RuleReference",
    "Sentence", "Templates", "TextChunk", "TextValue", "ValueList", "inline_range", "parse_templates",
]  # fmt: skip

LARGEST_RANGE = 20_001
"""Numbers in one range; a range is written out value by value."""

Value = Union[str, int, float, bool, None]
_Place = tuple[Union[str, int], ...]


@dataclass(frozen=True)
class TextValue:
    """One value of a list."""

    spoken: Expression
    out: Value
    """What the slot becomes; None: the words that were said."""
    context: Mapping[str, Any]


@dataclass(frozen=True)
class NumberValue:
    """One number of a range."""

    spoken: str
    """The number in digits, as it will stand in the text."""
    out: Union[int, float]


@dataclass(frozen=True)
class ValueList:
    """The values of one list, and where it is written."""

    name: str
    where: str
    values: tuple[Union[TextValue, NumberValue], ...]


@dataclass(frozen=True)
class Rule:
    """An expansion rule, and where it is written."""

    name: str
    where: str
    expression: Expression


@dataclass(frozen=True)
class Sentence:
    """One sentence template of an intent, with what it takes for granted."""

    intent: str
    text: str
    """The template as written."""
    where: str
    expression: Expression
    slots: Mapping[str, Any]
    requires_context: Mapping[str, Any]
    excludes_context: Mapping[str, Any]
    lists: Mapping[str, ValueList] = field(repr=False)
    """Every list the sentence may name, local before global."""
    rules: Mapping[str, Rule] = field(repr=False)
    own: bool
    """Whether it is the owner's; else it is one of Home Assistant's."""


@dataclass(frozen=True)
class Templates:
    """All that the owner's files say."""

    sentences: tuple[Sentence, ...]
    lists: Mapping[str, ValueList]
    rules: Mapping[str, Rule]
    skip_words: tuple[str, ...]
    pronunciations: Mapping[str, tuple[tuple[str, str], ...]]
    """Word -> (pronunciation as written, where) pairs."""
    min_confidence: Mapping[str, float]
    """Intent -> its own threshold, 0 to 1."""
    language: str


def parse_templates(files: Sequence[TemplateFile]) -> Templates:
    """Given checked files, return their templates, merged: a later file adds to lists, and replaces rules.

    Raise GrammarError with every syntax error and every reference to a list or rule that doesn't exist.
    """
    parser = _Parser()
    for file in files:
        parser.take_shared(file)
    for file in files:
        parser.take_sentences(file)
    if not parser.sentences and not parser.problems:
        where = str(files[0].path) if files else ""
        parser.problems.append(Problem(where, "no sentence in these templates", "add an intent with sentences"))
    if parser.problems:
        raise GrammarError(problems=parser.problems)
    return Templates(
        sentences=tuple(parser.sentences),
        lists=parser.owners.lists,
        rules=parser.owners.rules,
        skip_words=tuple(dict.fromkeys(parser.skip_words)),
        pronunciations={word: tuple(said) for word, said in parser.pronunciations.items()},
        min_confidence=parser.min_confidence,
        language=files[0].contents.language,
    )


@dataclass(frozen=True)
class _Scope:
    """What templates may name."""

    lists: dict[str, ValueList] = field(default_factory=dict)
    wildcards: dict[str, str] = field(default_factory=dict)
    """Lists that stand for any text, and where they are written."""
    rules: dict[str, Rule] = field(default_factory=dict)

    def beneath(self, inner: _Scope) -> _Scope:
        """Given a scope within this one, return all that can be named there."""
        lists = {name: one for name, one in self.lists.items() if name not in inner.wildcards}
        wildcards = {name: where for name, where in self.wildcards.items() if name not in inner.lists}
        return _Scope({**lists, **inner.lists}, {**wildcards, **inner.wildcards}, {**self.rules, **inner.rules})


class _Parser:
    """Gathers templates and problems over several files."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.owners = _Scope()
        self.home_assistants = _Scope()
        self.skip_words: list[str] = []
        self.pronunciations: dict[str, list[tuple[str, str]]] = {}
        self.min_confidence: dict[str, float] = {}
        self.problems: list[Problem] = []

    def take_shared(self, file: TemplateFile) -> None:
        contents = file.contents
        self._define(self.owners if file.own else self.home_assistants, contents, file, ())
        for index, phrase in enumerate(contents.skip_words):
            if set(phrase) & set("()[]{}<>|") or not words(phrase):
                what = f'skip word "{phrase}" is no plain text'
                self._complain(file.where("skip_words", index), what, "write each one out")
            else:
                self.skip_words.append(phrase)
        for word, said in contents.pronunciations.items():
            place = file.where("pronunciations", word)
            spelled = words(word)
            if len(spelled) == 1:
                self.pronunciations.setdefault(spelled[0], []).extend((one, place) for one in said)
            else:
                what = f"`{word}` is {len(spelled)} words to the grammar: {' '.join(spelled) or 'none'}"
                self._complain(place, what, "give each word its pronunciation")

    def take_sentences(self, file: TemplateFile) -> None:
        for intent, content in file.contents.intents.items():
            if content.min_confidence is not None:
                self.min_confidence[intent] = content.min_confidence
            for number, block in enumerate(content.data):
                self._take_block(file, intent, ("intents", intent, "data", number), block)

    def _take_block(self, file: TemplateFile, intent: str, place: _Place, block: SentenceBlock) -> None:
        self._define(local := _Scope(), block, file, place)
        # The owner's templates may name what Home Assistant knows; its own never see what the owner wrote.
        scope = self.home_assistants.beneath(self.owners) if file.own else self.home_assistants
        scope = scope.beneath(local)
        references = _References(scope)
        for index, text in enumerate(block.sentences):
            where = file.where(*place, "sentences", index)
            parsed = self._parse(text, where)
            if parsed is None:
                continue
            missing = references.problems(parsed, where, text)
            self.problems += missing
            if not missing:
                conditions = (block.requires_context, block.excludes_context)
                known = scope.lists, scope.rules
                self.sentences.append(Sentence(intent, text, where, parsed, block.slots, *conditions, *known, file.own))

    def _define(
        self, scope: _Scope, written: Union[Contents, SentenceBlock], file: TemplateFile, place: _Place
    ) -> None:
        for name, slot_list in written.lists.items():
            self._take_list(scope, name, slot_list, file, (*place, "lists", name))
        for name, body in written.expansion_rules.items():
            where = file.where(*place, "expansion_rules", name)
            if (expression := self._parse(body, where)) is not None:
                scope.rules[name] = Rule(name, where, expression)

    def _complain(self, where: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(where, what, remedy))

    def _parse(self, text: str, where: str) -> Expression | None:
        wrong = wrong_bracket(text)
        try:
            if not wrong:
                return parse_sentence(text, keep_text=True).expression
        except RecursionError:
            wrong = "nested too deeply"
        except AssertionError:  # hassil's way to say so
            wrong = "`;` behind `|`, which could mean two things: put one of them into brackets"
        except ParseError as error:
            wrong = " ".join(str(error).split()) or "not a sentence template"
        self._complain(where, f'"{text}": {wrong}', "mend the template")
        return None

    def _take_list(self, scope: _Scope, name: str, slot_list: SlotList, file: TemplateFile, place: _Place) -> None:
        where, lists = file.where(*place), scope.lists
        before = len(self.problems)
        values: list[Union[TextValue, NumberValue]] = list(lists[name].values) if name in lists else []
        if slot_list.range is not None:
            values.extend(self._numbers(slot_list.range, file.where(*place, "range")))
        for index, entry in enumerate(slot_list.values or ()):
            value = self._text_value(entry, file.where(*place, "values", index))
            if value is not None:
                values.append(value)
        if not values and slot_list.wildcard:
            scope.wildcards[name] = where
            return
        if not values and len(self.problems) == before:
            self._complain(where, f"list `{name}` has no value", "give it `values` or a `range`")
        lists[name] = ValueList(name, where, tuple(values))

    def _text_value(self, entry: Union[str, int, float, ListValue], where: str) -> TextValue | None:
        spoken = entry.spoken if isinstance(entry, ListValue) else str(entry)
        expression = self._parse(spoken, where)
        if expression is None:
            return None
        # A template says many things; the slot becomes the one that was said.
        out: Value = None if set(spoken) & set("()[]{}<>|") else spoken
        if not isinstance(entry, ListValue):
            return TextValue(expression, entry if isinstance(entry, (int, float)) else out, {})
        return TextValue(expression, out if entry.out is None else entry.out, entry.context)

    def _numbers(self, numbers: NumberRange, where: str) -> Iterator[NumberValue]:
        parts = {None: (0.0,), "halves": (0.0, 0.5), "tenths": tuple(n / 10 for n in range(10))}[numbers.fractions]
        wrong = range_problem(numbers.start, numbers.stop, numbers.step, len(parts))
        if wrong:
            self._complain(where, *wrong)
            return
        for whole in range(numbers.start, numbers.stop + 1, numbers.step):
            for part in parts:
                number: Union[int, float] = round(whole + part, 1) if part else whole
                if number > numbers.stop:
                    continue
                # Rounded, because 50 × 2.55 is 127.49999999999999.
                out = number if numbers.multiplier is None else round(number * numbers.multiplier, 6)
                yield NumberValue(str(number), int(out) if out == int(out) else out)


_OF_THE_HOUSE = {
    name: f"Home Assistant fills it; here [house] {setting} does, or a list of yours"
    for name, setting in (("name", "names"), ("area", "areas"), ("floor", "floors"))
}
"""List that Home Assistant's templates name without writing it -> what to do."""


class _References:
    """Looks for what a block of sentences names and nobody wrote."""

    def __init__(self, scope: _Scope) -> None:
        self._lists, self._wildcards, self._rules = scope.lists, scope.wildcards, scope.rules

    def problems(self, expression: Expression, where: str, text: str) -> list[Problem]:
        """Given a sentence, where it is written and its text, return what is wrong with what it names."""
        return list(self._look(expression, Problem(where, f'"{text}"'), (), set()))

    def _look(
        self, expression: Expression, place: Problem, inside: tuple[str, ...], seen: set[str]
    ) -> Iterator[Problem]:
        if isinstance(expression, Group):
            for item in expression.items:
                yield from self._look(item, place, inside, seen)
        elif isinstance(expression, ListReference):
            yield from self._look_at_list(expression, place, inside, seen)
        elif isinstance(expression, RuleReference):
            yield from self._look_at_rule(expression.rule_name, place, inside, seen)

    def _look_at_list(
        self, reference: ListReference, place: Problem, inside: tuple[str, ...], seen: set[str]
    ) -> Iterator[Problem]:
        name, label = reference.list_name, f"{{{reference.list_name}}}"
        numbers = inline_range(reference)
        if numbers is not None:
            wrong = range_problem(*numbers)
            if wrong:
                yield Problem(place.where, f"{place.what}: {label}: {wrong[0]}", wrong[1])
        elif name in self._lists:
            if label in inside:
                yield Problem(place.where, f"{place.what}: list {label} contains itself", "lists can't be recursive")
            elif label not in seen:
                seen.add(label)
                listed = self._lists[name]
                for value in listed.values:
                    if isinstance(value, TextValue):
                        here = Problem(listed.where, f"list {label}")
                        yield from self._look(value.spoken, here, (*inside, label), seen)
        elif name in self._wildcards:
            what = f"{place.what}: {label} stands for any text ({self._wildcards[name]})"
            remedy = "a closed grammar hears only written words: give the list values, or drop the sentence"
            yield Problem(place.where, what, remedy)
        elif name[:1].isdigit() and ".." in name:
            remedy = f"name the slot that the number fills: {{{name}:slot}}"
            yield Problem(place.where, f"{place.what}: range {label} without a slot", remedy)
        else:
            remedy = _OF_THE_HOUSE.get(name) or _suggest(name, self._lists)
            yield Problem(place.where, f"{place.what}: no list {label}", remedy)

    def _look_at_rule(self, name: str, place: Problem, inside: tuple[str, ...], seen: set[str]) -> Iterator[Problem]:
        label = f"<{name}>"
        if label in inside:
            yield Problem(place.where, f"{place.what}: rule {label} contains itself", "rules can't be recursive")
        elif name not in self._rules:
            yield Problem(place.where, f"{place.what}: no rule {label}", _suggest(name, self._rules))
        elif label not in seen:
            seen.add(label)
            rule = self._rules[name]
            yield from self._look(rule.expression, Problem(rule.where, f"rule {label}"), (*inside, label), seen)


def _suggest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known here: {', '.join(sorted(known)) or 'none'}"


def range_problem(start: int, stop: int, step: int, parts: int = 1) -> tuple[str, str] | None:
    """Given a range and how many numbers each step has, return what is wrong with it and what to do, or None."""
    if step < 1:
        return f"a step of {step}", "use 1 or more"
    if start > stop:
        return f"range from {start} to {stop} is empty", "swap them"
    count = ((stop - start) // step + 1) * parts
    if count > LARGEST_RANGE:
        return f"range of {count} numbers", f"at most {LARGEST_RANGE}: use a step, or two slots"
    return None


def inline_range(reference: ListReference) -> tuple[int, int, int] | None:
    """Given a list reference, return start, stop and step of `{0..100,5:slot}`, or None where it names a list."""
    return reference.get_inline_range() if ".." in reference.list_name else None
