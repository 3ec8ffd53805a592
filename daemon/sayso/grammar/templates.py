"""Sentence templates, parsed by hassil and checked against each other.

Rule of this file: the only one that calls hassil's parser. It resolves nothing: lists and rules stay
references, looked up by name in the order local, then global, as Home Assistant does.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Sequence, Union

from hassil import (
    Expression,
    Group,
    ListReference,
    RuleReference,
    TextChunk,
    normalize_text,
    parse_sentence,
)
from hassil.parser import ParseError

from sayso.errors import GrammarError, Problem
from sayso.grammar.files import NumberRange, SentenceBlock, SlotList, TemplateFile

LARGEST_RANGE = 20_001
"""Numbers in one range; a range is written out value by value."""

Value = Union[str, int, float, bool, None]


@dataclass(frozen=True)
class TextValue:
    """One value of a list."""

    spoken: Expression
    out: Value
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
        lists=parser.lists,
        rules=parser.rules,
        skip_words=tuple(dict.fromkeys(parser.skip_words)),
        pronunciations={word: tuple(said) for word, said in parser.pronunciations.items()},
        min_confidence=parser.min_confidence,
        language=files[0].contents.language,
    )


class _Parser:
    """Gathers templates and problems over several files."""

    def __init__(self) -> None:
        self.sentences: list[Sentence] = []
        self.lists: dict[str, ValueList] = {}
        self.wildcards: dict[str, str] = {}
        self.rules: dict[str, Rule] = {}
        self.skip_words: list[str] = []
        self.pronunciations: dict[str, list[tuple[str, str]]] = {}
        self.min_confidence: dict[str, float] = {}
        self.problems: list[Problem] = []

    def take_shared(self, file: TemplateFile) -> None:
        contents = file.contents
        for name, slot_list in contents.lists.items():
            self._take_list(self.lists, self.wildcards, name, slot_list, file.where("lists", name))
        for name, body in contents.expansion_rules.items():
            where = file.where("expansion_rules", name)
            expression = self._parse(body, where)
            if expression is not None:
                self.rules[name] = Rule(name, where, expression)
        self.skip_words.extend(contents.skip_words)
        for word, said in contents.pronunciations.items():
            place = file.where("pronunciations", word)
            self.pronunciations.setdefault(word.casefold(), []).extend((one, place) for one in said)

    def take_sentences(self, file: TemplateFile) -> None:
        for intent, content in file.contents.intents.items():
            if content.min_confidence is not None:
                self.min_confidence[intent] = content.min_confidence
            for number, block in enumerate(content.data):
                self._take_block(file, intent, number, block)

    def _take_block(self, file: TemplateFile, intent: str, number: int, block: SentenceBlock) -> None:
        place = ("intents", intent, "data", number)
        lists, wildcards, rules = dict(self.lists), dict(self.wildcards), dict(self.rules)
        for name, slot_list in block.lists.items():
            lists.pop(name, None)
            wildcards.pop(name, None)
            self._take_list(lists, wildcards, name, slot_list, file.where(*place, "lists", name))
        for name, body in block.expansion_rules.items():
            where = file.where(*place, "expansion_rules", name)
            expression = self._parse(body, where)
            if expression is not None:
                rules[name] = Rule(name, where, expression)
        for index, text in enumerate(block.sentences):
            where = file.where(*place, "sentences", index)
            parsed = self._parse(text, where)
            if parsed is None or not self._resolves(parsed, text, where, lists, wildcards, rules):
                continue
            self.sentences.append(
                Sentence(
                    intent,
                    text,
                    where,
                    parsed,
                    block.slots,
                    block.requires_context,
                    block.excludes_context,
                    lists,
                    rules,
                )
            )

    def _parse(self, text: str, where: str) -> Expression | None:
        try:
            return parse_sentence(text, keep_text=True).expression
        except (ParseError, RecursionError, AssertionError) as error:
            reason = " ".join(str(error).split()) or "not a sentence template"
            self.problems.append(Problem(where, f'"{text}": {reason}', "check the brackets"))
            return None

    def _take_list(
        self, lists: dict[str, ValueList], wildcards: dict[str, str], name: str, slot_list: SlotList, where: str
    ) -> None:
        if slot_list.wildcard:
            wildcards[name] = where
            return
        values: list[Union[TextValue, NumberValue]] = list(lists[name].values) if name in lists else []
        if slot_list.range is not None:
            values.extend(self._numbers(slot_list.range, where))
        for entry in slot_list.values or ():
            value = self._text_value(entry, where)
            if value is not None:
                values.append(value)
        if not values:
            self.problems.append(Problem(where, f"list `{name}` has no value", "give it `values` or a `range`"))
        lists[name] = ValueList(name, where, tuple(values))

    def _text_value(self, entry: Any, where: str) -> TextValue | None:
        if isinstance(entry, (str, int, float)):
            return TextValue(TextChunk(normalize_text(str(entry))), entry, {})
        expression = self._parse(entry.spoken, where)
        if expression is None:
            return None
        return TextValue(expression, entry.spoken if entry.out is None else entry.out, entry.context)

    def _numbers(self, numbers: NumberRange, where: str) -> Iterator[NumberValue]:
        parts = {None: (0.0,), "halves": (0.0, 0.5), "tenths": tuple(n / 10 for n in range(10))}[numbers.fractions]
        if numbers.start > numbers.stop:
            self.problems.append(Problem(where, f"range from {numbers.start} to {numbers.stop} is empty", "swap them"))
            return
        count = ((numbers.stop - numbers.start) // numbers.step + 1) * len(parts)
        if count > LARGEST_RANGE:
            self.problems.append(
                Problem(where, f"range of {count} numbers", f"at most {LARGEST_RANGE - 1}: use a step, or two slots")
            )
            return
        for whole in range(numbers.start, numbers.stop + 1, numbers.step):
            for part in parts:
                number: Union[int, float] = whole + part if part else whole
                if number > numbers.stop:
                    continue
                out = number if numbers.multiplier is None else number * numbers.multiplier
                yield NumberValue(f"{number:g}" if part else str(number), int(out) if out == int(out) else out)

    def _resolves(
        self,
        expression: Expression,
        text: str,
        where: str,
        lists: Mapping[str, ValueList],
        wildcards: Mapping[str, str],
        rules: Mapping[str, Rule],
    ) -> bool:
        """Check every list and rule that the sentence reaches; note what is missing."""
        before = len(self.problems)
        for problem in _unresolved(expression, lists, wildcards, rules, ()):
            self.problems.append(Problem(where, f'"{text}": {problem.what}', problem.remedy))
        return len(self.problems) == before


def inline_range(reference: ListReference) -> NumberRange | None:
    """Given a list reference, return the range of `{0..100,5:slot}`, or None where it names a list."""
    limits = reference.get_inline_range()
    if limits is None:
        return None
    return NumberRange.model_validate({"from": limits[0], "to": limits[1], "step": limits[2]})


def _unresolved(
    expression: Expression,
    lists: Mapping[str, ValueList],
    wildcards: Mapping[str, str],
    rules: Mapping[str, Rule],
    inside: tuple[str, ...],
) -> Iterator[Problem]:
    if isinstance(expression, Group):
        for item in expression.items:
            yield from _unresolved(item, lists, wildcards, rules, inside)
    elif isinstance(expression, ListReference):
        name = expression.list_name
        if expression.is_inline_range or name in lists:
            return
        if name in wildcards:
            what = f"{{{name}}} stands for any text ({wildcards[name]})"
            yield Problem(
                "", what, "a closed grammar hears only written words: give the list values, or drop the sentence"
            )
        else:
            yield Problem("", f"no list {{{name}}}", _suggest(name, lists))
    elif isinstance(expression, RuleReference):
        name = expression.rule_name
        if name in inside:
            yield Problem("", f"rule <{name}> contains itself", "rules can't be recursive")
        elif name not in rules:
            yield Problem("", f"no rule <{name}>", _suggest(name, rules))
        else:
            yield from _unresolved(rules[name].expression, lists, wildcards, rules, (*inside, name))


def _suggest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known here: {', '.join(sorted(known)) or 'none'}"
