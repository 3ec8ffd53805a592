"""Sentence templates -> a JSpeech grammar of the same sentences.

Rule of this file: it keeps the templates' shape (groups, alternatives, lists as rules), because PocketSphinx unfolds a
JSGF at every reference; only where parts of a word touch ("light[s]") are they multiplied out. The words are Sayso's:
a number stays one word, "50", and gets its pronunciation from the dictionary. Left out are skip words and most
numbers: with them PocketSphinx needs more than a second of processor time for a second of speech.
"""

from __future__ import annotations

from itertools import permutations, product
from typing import Collection, Iterator, Sequence, Union

from hassil import Alternative, Expression, Group, ListReference, Permutation, RuleReference, TextChunk

from sayso.grammar.templates import NumberValue, Sentence, Templates, ValueList

Text = Union[str, "Chain", "Choice"]


class Chain(tuple["Text", ...]):
    """One after the other."""


class Choice(tuple["Text", ...]):
    """One of these; "" among them makes it optional."""


LONGEST_LIST = 12
"""Numbers that a list may hold before it is thinned out."""


def write_jsgf(templates: Templates, numbers: Collection[str]) -> str:
    """Given templates and the numbers to keep of longer lists of numbers, return the grammar as JSGF.

    Raise ValueError for a text that is no plain words.
    """
    writer = _Writer(numbers)
    sentences = [writer.rule(f"sentence_{number}", one) for number, one in enumerate(templates.sentences)]
    lines = ["#JSGF V1.0 UTF-8;", "grammar commands;"]
    lines += [f"<{name}> = {body};" for name, body in writer.rules.items()]
    lines.append(f"public <command> = {' | '.join(sentences)};")
    return "\n".join(lines) + "\n"


class _Writer:
    """Collects rules: one a sentence, one a list."""

    def __init__(self, numbers: Collection[str]) -> None:
        self.rules: dict[str, str] = {}
        self._numbers = numbers

    def rule(self, name: str, sentence: Sentence) -> str:
        self.rules[name] = self._body(self._text(sentence.expression, sentence))
        return f"<{name}>"

    def _text(self, expression: Expression, sentence: Sentence) -> Text:
        """Given a template's part, return it with lists and rules in place, its text still with its spaces."""
        if isinstance(expression, TextChunk):
            return expression.text
        if isinstance(expression, Alternative):
            return Choice(self._text(item, sentence) for item in expression.items)
        if isinstance(expression, Permutation):
            parts = [self._text(item, sentence) for item in expression.items]
            return Choice(Chain(order) for order in permutations(parts))
        if isinstance(expression, Group):
            return Chain(self._text(item, sentence) for item in expression.items)
        if isinstance(expression, RuleReference):
            return self._text(sentence.rules[expression.rule_name].expression, sentence)
        assert isinstance(expression, ListReference), f"unknown part of a template: {expression!r}"
        if expression.is_inline_range:
            raise ValueError(f"{sentence.where}: a range within the sentence; make it a list for this comparison")
        return self._list(sentence.lists[expression.list_name], sentence)

    def _list(self, values: ValueList, sentence: Sentence) -> Choice:
        many = len(values.values) > LONGEST_LIST
        return Choice(
            value.spoken if isinstance(value, NumberValue) else self._text(value.spoken, sentence)
            for value in values.values
            if not (many and isinstance(value, NumberValue) and value.spoken not in self._numbers)
        )

    def _body(self, text: Text) -> str:
        """Given a text, return it as JSGF. A list of more than a few values becomes a rule of its own."""
        if isinstance(text, str):
            return " ".join(_words(text))
        if isinstance(text, Choice):
            ways = dict.fromkeys(self._body(way) for way in text)
            body = " | ".join(way for way in ways if way)
            if "" in ways:
                return f"[{body}]" if body else ""
            return self._named(body) if len(ways) > 4 else f"({body})"
        return " ".join(filter(None, (self._body(part) for part in _whole_words(text))))

    def _named(self, body: str) -> str:
        for name, known in self.rules.items():
            if known == body:
                return f"<{name}>"
        name = f"list_{len(self.rules)}"
        self.rules[name] = body
        return f"<{name}>"


def _whole_words(sequence: Chain) -> Iterator[Text]:
    """Given a sequence, yield its parts; those that touch without a space are multiplied out into whole words."""
    touching: list[Text] = []
    for part in _flat(sequence):
        if touching and not _apart(touching[-1], part):
            touching.append(part)
            continue
        yield from _joined(touching)
        touching = [part]
    yield from _joined(touching)


def _flat(sequence: Chain) -> Iterator[Text]:
    """Given a sequence, yield its parts: nested sequences opened, text cut into words that keep their spaces."""
    for part in sequence:
        if isinstance(part, Chain):
            yield from _flat(part)
        elif isinstance(part, str):
            words = part.split(" ")
            for number, word in enumerate(words):
                if word or len(words) == 1:
                    yield (" " if number else "") + word + (" " if number < len(words) - 1 else "")
            if not part.strip() and part:
                yield " "
        else:
            yield part


def _apart(before: Text, after: Text) -> bool:
    return all(one.endswith(" ") for one in _ends(before)) or all(one.startswith(" ") for one in _starts(after))


def _starts(text: Text) -> set[str]:
    """Given a text, return a text that each of its ways may begin with."""
    if isinstance(text, str):
        return {text}
    if isinstance(text, Choice):
        return {start for way in text for start in _starts(way)}
    return _starts(text[0]) if text else {""}


def _ends(text: Text) -> set[str]:
    if isinstance(text, str):
        return {text}
    if isinstance(text, Choice):
        return {end for way in text for end in _ends(way)}
    return _ends(text[-1]) if text else {""}


def _joined(touching: Sequence[Text]) -> Iterator[Text]:
    if len(touching) < 2:
        yield from touching
        return
    ways = dict.fromkeys("".join(parts) for parts in product(*(_expanded(part) for part in touching)))
    yield Choice(ways) if len(ways) > 1 else next(iter(ways))


def _expanded(text: Text) -> list[str]:
    if isinstance(text, str):
        return [text]
    if isinstance(text, Choice):
        return [way for one in text for way in _expanded(one)]
    return ["".join(parts) for parts in product(*(_expanded(part) for part in text))]


def _words(text: str) -> list[str]:
    words = text.casefold().replace("’", "'").split()
    for word in words:
        if not word.replace("'", "").replace(".", "").isalnum():
            raise ValueError(f'"{text}": PocketSphinx is compared on plain words only')
    return words
