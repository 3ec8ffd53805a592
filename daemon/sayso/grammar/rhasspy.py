"""Rhasspy's sentences.ini and slot files, read into trees.

Rule of this file: it knows the language (sections, rules, sentences, tags, substitutions, ranges, slots, converters)
and translates nothing; every line keeps its place. Source: Rhasspy 2.5's manual, "Training". Slot programs are
programs: they are never run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Iterator, Union

from sayso.errors import GrammarError, Problem

DEEPEST = 50
"""Brackets within brackets at most."""


@dataclass(frozen=True)
class Tag:
    """`{name}`, `{name:value}`, `{name!converter}`: what the item before it fills."""

    name: str
    value: str | None
    converters: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """A part of a sentence, and what is written right behind it."""

    node: Node
    substitution: str | None = None
    """What stands in the text instead of what is said; None: what is said."""
    converters: tuple[str, ...] = ()
    tag: Tag | None = None


@dataclass(frozen=True)
class Words:
    """One word, or none."""

    text: str


@dataclass(frozen=True)
class Series:
    """One after another."""

    items: tuple[Item, ...]


@dataclass(frozen=True)
class Choice:
    """One of several."""

    options: tuple[Series, ...]


@dataclass(frozen=True)
class Maybe:
    """`[…]`."""

    inner: Choice


@dataclass(frozen=True)
class Numbers:
    """`0..100` or `0..100,5`."""

    start: int
    stop: int
    step: int


@dataclass(frozen=True)
class SlotName:
    """`$name` or `$name,argument`: what a slot file holds, or a program prints."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class RuleName:
    """`<rule>`, or `<Intent.rule>`."""

    intent: str
    name: str


Node = Union[Words, Choice, Maybe, Numbers, SlotName, RuleName]


@dataclass(frozen=True)
class Line:
    """A sentence, or a rule's body, and where it is written."""

    where: str
    text: str
    body: Choice


@dataclass
class Intent:
    """One section."""

    name: str
    rules: dict[str, Line] = field(default_factory=dict)
    sentences: list[Line] = field(default_factory=list)


def read_ini(path: Path, intents: dict[str, Intent], problems: list[Problem]) -> None:
    """Given a sentences.ini, add what it says to the intents, and to the problems what is no such thing.

    Raise GrammarError where the file can't be read.
    """
    intent: Intent | None = None
    for number, raw in enumerate(_read(path).splitlines(), 1):
        where, text = f"{path}:{number}", raw.strip()
        if not text or text[0] in "#;":
            continue
        header = re.fullmatch(r"\[([^\[\]|(){}<>]+)\]", text)
        if header:
            name = header.group(1).strip()
            intent = intents.setdefault(name, Intent(name))
            continue
        text = text[1:] if text.startswith("\\[") else text  # or else it would be a section
        if intent is None:
            problems.append(Problem(where, f'"{text}" stands before the first [intent]', "put it below one"))
            continue
        _take(intent, where, text, problems)


def read_slot(path: Path, problems: list[Problem]) -> list[Line]:
    """Given a slot file, return its values. Raise GrammarError where it can't be read."""
    lines = []
    for number, raw in enumerate(_read(path).splitlines(), 1):
        text = raw.strip()
        if text and not text.startswith("#") and (line := _line(f"{path}:{number}", text, problems)):
            lines.append(line)
    return lines


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise GrammarError(f"can't be read: {reason}", where=str(path), remedy="check the path") from None


def _take(intent: Intent, where: str, text: str, problems: list[Problem]) -> None:
    rule = re.match(r"([^=\\<>(){}\[\]|]+?)\s*=\s*(.*)", text)
    line = _line(where, rule.group(2) if rule else text, problems)
    if line and rule:
        intent.rules[rule.group(1).strip()] = line
    elif line:
        intent.sentences.append(line)


def _line(where: str, text: str, problems: list[Problem]) -> Line | None:
    try:
        return Line(where, text, _Parser(text).parse())
    except _Unreadable as error:
        problems.append(Problem(where, f'"{text}": {error}', "mend it, or write it by hand"))
        return None


class _Unreadable(Exception):  # noqa: N818 - it never leaves this file
    """Why a line can't be understood."""


_TOKEN = re.compile(
    r"""
      (?P<escaped>\\.)
    | (?P<numbers>-?\d+\.\.-?\d+(?:,\d+)?(?![\w.]))
    | (?P<tag>\{[^{}]*\})
    | (?P<rule><[^<>]*>)
    | (?P<slot>\$[^\s()\[\]{}<>|:!]+)
    | (?P<mark>[()\[\]|])
    | (?P<converter>!\w+)
    | (?P<colon>:)
    | (?P<space>\s+)
    | (?P<text>[^\s\\()\[\]{}<>|:!$]+|[!$\\])
    | (?P<stray>.)
    """,
    re.VERBOSE,
)


class _Parser:
    """Recursive descent over one line."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._place = 0
        self._depth = 0

    def parse(self) -> Choice:
        choice = self._choice()
        if self._place < len(self._tokens):
            raise _Unreadable(f"`{self._tokens[self._place][1]}` closes nothing")
        return choice

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._place] if self._place < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._place += 1
        return token

    def _choice(self) -> Choice:
        options = [self._sequence()]
        while self._peek() == ("mark", "|"):
            self._next()
            options.append(self._sequence())
        return Choice(tuple(options))

    def _sequence(self) -> Series:
        items: list[Item] = []
        while True:
            kind, text = self._peek()
            if kind == "end" or (kind == "mark" and text in ")]|"):
                return Series(tuple(items))
            if kind == "space":
                self._next()
            elif kind == "tag" and items and items[-1].tag is None:
                self._next()  # after a space, too
                items[-1] = replace(items[-1], tag=_tag(text))
            else:
                items.append(self._item())

    def _item(self) -> Item:
        item = Item(self._node())
        while True:
            kind, text = self._peek()
            if kind == "colon":
                self._next()
                item = replace(item, substitution=self._substitution())
            elif kind == "converter":
                self._next()
                item = replace(item, converters=(*item.converters, text[1:]))
            elif kind == "tag":
                self._next()
                if item.tag:
                    raise _Unreadable("two tags for one item")
                item = replace(item, tag=_tag(text))
            else:
                return item

    def _node(self) -> Node:
        kind, text = self._peek()
        if kind == "colon":
            return Words("")  # ":word": nothing is said
        if kind in ("tag", "stray"):
            raise _Unreadable(f"`{text}` has nothing before it")
        self._next()
        if kind == "mark":
            return self._bracket(text)
        if kind == "numbers":
            start, stop, step = re.fullmatch(r"(-?\d+)\.\.(-?\d+)(?:,(\d+))?", text).groups()  # type: ignore[union-attr]
            return Numbers(int(start), int(stop), int(step or 1))
        if kind == "slot":
            return _slot(*text[1:].split(","))
        if kind == "rule":
            intent, _, name = text[1:-1].strip().rpartition(".")
            return RuleName(intent, name)
        return Words(self._word(text[1:] if kind == "escaped" else text))

    def _word(self, text: str) -> str:
        """Given how a word begins, return it whole: an escape is no end of it."""
        while self._peek()[0] in ("text", "escaped"):
            kind, more = self._next()
            text += more[1:] if kind == "escaped" else more
        return text

    def _bracket(self, opened: str) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _Unreadable("nested too deeply")
        inner = self._choice()
        closing = ")" if opened == "(" else "]"
        if self._next() != ("mark", closing):
            raise _Unreadable(f"`{opened}` is never closed")
        self._depth -= 1
        return inner if opened == "(" else Maybe(inner)

    def _substitution(self) -> str:
        """What follows a colon: a word, a group of plain words, or nothing."""
        kind, text = self._peek()
        if kind in ("text", "escaped", "numbers"):
            self._next()
            return self._word(text[1:] if kind == "escaped" else text)
        if (kind, text) != ("mark", "("):
            return ""
        self._next()
        words = []
        while self._peek()[0] in ("text", "escaped", "space", "numbers"):
            kind, text = self._next()
            words.append(text[1:] if kind == "escaped" else text)
        if self._next() != ("mark", ")"):
            raise _Unreadable("a substitution that is no plain text")
        return " ".join("".join(words).split())


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(text):
        assert match.lastgroup is not None
        yield match.lastgroup, match.group()


def _slot(name: str, *arguments: str) -> Node:
    if name == "rhasspy/number" and len(arguments) in (2, 3) and all(re.fullmatch(r"-?\d+", one) for one in arguments):
        start, stop, step = (*map(int, arguments), 1)[:3]
        return Numbers(start, stop, step)
    return SlotName(name, arguments)


def _tag(text: str) -> Tag:
    name, *converters = (part.strip() for part in text[1:-1].split("!"))
    name, colon, value = name.partition(":")
    if not name.strip():
        raise _Unreadable("a tag without a name")
    return Tag(name.strip(), value.strip() if colon else None, tuple(converters))
