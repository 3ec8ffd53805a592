"""Rhasspy's sentences -> Sayso's templates.

Rule of this file: pure; what it can't say in a template, it names with its line and leaves out, sentence by sentence.
A tag becomes a list, because in hassil's language a slot is filled by a list: what the tag is around are the list's
values, each with what it stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Callable, Mapping, Sequence

from sayso.errors import Problem
from sayso.grammar.rhasspy import Choice, Intent, Item, Line, Maybe, Numbers, RuleName, Series, SlotName, Tag, Words
from sayso.grammar.wording import Untranslatable, converted, entry, escaped, is_bracketed, slot_name, tidy, words

MOST_VALUES = 1000
"""Values that one tag may be multiplied out to, where substitutions within it make that necessary."""

MOST_NUMBERS = 20_000
"""Numbers of one range; a range is written out where hassil has no word for it."""

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
BUILT_IN = {"rhasspy/days": DAYS, "rhasspy/months": MONTHS}
"""Slots that come with Rhasspy."""

Value = tuple[str, Any]
"""What is said, as a template, and what the slot becomes; None: the words that were said."""


@dataclass(frozen=True)
class Translation:
    """Contents of a template file, and what could not be said in it."""

    contents: dict[str, Any]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    """What was translated, and is not quite the same."""


def translate(
    intents: Mapping[str, Intent], slots: Callable[[str], Sequence[Line] | None], language: str
) -> Translation:
    """Given the sections and what finds the values of a slot (None: there is none), return them as templates."""
    translator = _Translator(intents, slots)
    written: dict[str, Any] = {}
    for intent in intents.values():
        blocks = translator.intent(intent)
        if blocks:
            written[intent.name] = {"data": blocks}
    contents: dict[str, Any] = {"language": language, "intents": written}
    if translator.lists:
        contents["lists"] = {name: {"values": values} for name, values in sorted(translator.lists.items())}
    if translator.rules:
        contents["expansion_rules"] = dict(sorted(translator.rules.items()))
    return Translation(contents, tuple(translator.problems), tuple(translator.notes))


class _Translator:
    def __init__(self, intents: Mapping[str, Intent], slots: Callable[[str], Sequence[Line] | None]) -> None:
        self.lists: dict[str, list[Any]] = {}
        self.rules: dict[str, str] = {}
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self._intents = intents
        self._slots = slots
        self._intent = ""
        self._line = Problem("", "")
        self._inside: list[str] = []

    def intent(self, intent: Intent) -> list[dict[str, Any]]:
        """Given a section, return its blocks: one for all sentences, and one for each with slots of its own."""
        common: list[str] = []
        blocks: list[dict[str, Any]] = []
        for line in intent.sentences:
            self._intent, self._line, self._inside = intent.name, Problem(line.where, f'"{line.text}"'), []
            try:
                body, fixed = _fixed_slots(line.body)
                text = tidy(self._choice(body, top=True))
                if not text:
                    raise Untranslatable("nothing is said in it")
            except Untranslatable as why:
                self.problems.append(Problem(line.where, f'"{line.text}": {why}', "write it by hand"))
                continue
            if fixed:
                blocks.append({"sentences": [text], "slots": fixed})
            else:
                common.append(text)
        return ([{"sentences": common}] if common else []) + blocks

    def _choice(self, choice: Choice, top: bool = False) -> str:
        options = [self._series(option) for option in choice.options]
        if len(options) == 1:
            return options[0]
        if all(not option.strip() for option in options):
            return ""
        said = [option for option in options if option.strip()]
        if len(said) < len(options):
            return f"[{'|'.join(said)}]"
        return f"({'|'.join(options)})" if not top or len(options) > 1 else options[0]

    def _series(self, series: Series) -> str:
        return tidy(" ".join(self._item(item) for item in series.items))

    def _item(self, item: Item) -> str:
        if item.tag is not None:
            return self._tagged(item, item.tag)
        if item.substitution is not None and item.substitution != _spelled(item):
            self._note("Rhasspy's text would hold something else than what is said; Sayso's holds what is said")
        if item.converters:
            self._note("a converter outside a tag changes only Rhasspy's text")
        return self._node(item)

    def _node(self, item: Item) -> str:
        node = item.node
        if isinstance(node, Words):
            return escaped(node.text)
        if isinstance(node, Choice):
            inner = self._choice(node)
            return inner if len(node.options) > 1 or not inner else f"({inner})"
        if isinstance(node, Maybe):
            inner = self._choice(node.inner)
            return f"[{inner[1:-1] if is_bracketed(inner) else inner}]" if inner else ""
        if isinstance(node, Numbers):
            return f"({'|'.join(str(number) for number in self._numbers(node))})"
        if isinstance(node, RuleName):
            return f"<{self._rule(node)}>"
        return f"<{self._slot_rule(node)}>"

    def _tagged(self, item: Item, tag: Tag) -> str:
        """An item with a tag: a reference to a list of what it may be."""
        bare = replace(item, tag=None)
        optional = isinstance(item.node, Maybe)
        if isinstance(item.node, Maybe):
            bare = replace(bare, node=item.node.inner)
        numbers = _lone_numbers(bare)
        plain = tag.value is None and bare.substitution is None
        if numbers and plain and set(tag.converters) <= {"int"}:
            step = f",{numbers.step}" if numbers.step != 1 else ""
            self._numbers(numbers)
            reference = f"{{{numbers.start}..{numbers.stop}{step}:{slot_name(tag.name)}}}"
        else:
            reference = self._reference(bare, tag)
        return f"[{reference}]" if optional else reference

    def _reference(self, bare: Item, tag: Tag) -> str:
        if tag.value is not None:
            values: list[Value] = [(self._node(bare), tag.value)]
        else:
            values = self._values(bare)
        converters = (*bare.converters, *tag.converters)
        written = [entry(said, converted(said, out, converters)) for said, out in values if said]
        if not written:
            raise Untranslatable(f"tag {{{tag.name}}} is around nothing that is said")
        slot = slot_name(tag.name)
        wanted = bare.node.name.replace("/", "_") if isinstance(bare.node, SlotName) else slot
        name = self._list_name(slot_name(wanted), written)
        return f"{{{name}}}" if name == slot else f"{{{name}:{slot}}}"

    def _list_name(self, wanted: str, values: list[Any]) -> str:
        """A list of this name, or of the next that is free; lists that are the same are one."""
        for number in range(1, len(self.lists) + 2):
            name = wanted if number == 1 else f"{wanted}_{number}"
            if self.lists.setdefault(name, values) == values:
                return name
        raise AssertionError("one of the names is free")

    def _values(self, item: Item) -> list[Value]:
        """What an item within a tag may be: templates, and what each stands for."""
        if item.tag is not None:
            raise Untranslatable(f"tag {{{item.tag.name}}} stands within another tag")
        if item.substitution is not None:
            return [(self._node(replace(item, converters=())), item.substitution)]
        node = item.node
        if isinstance(node, Choice):
            return [value for option in node.options for value in self._product(option)]
        if isinstance(node, Maybe):
            return [("", ""), *self._values(Item(node.inner))]
        if isinstance(node, Numbers):
            return [(str(number), number) for number in self._numbers(node)]
        if isinstance(node, RuleName):
            return self._within(f"<{node.name}>", self._body(node), node.intent)
        if isinstance(node, SlotName):
            lines = self._slot_lines(node)
            return [value for line in lines for value in self._within(f"${node.name}", line.body, "")]
        return [(escaped(node.text), None)]

    def _product(self, series: Series) -> list[Value]:
        """The values of a series: as one template, or multiplied out where a part of it stands for something else."""
        if len(series.items) == 1:
            return self._values(series.items[0])
        if not any(self._substitutes(item) for item in series.items):
            for item in series.items:
                if item.tag is not None:
                    raise Untranslatable(f"tag {{{item.tag.name}}} stands within another tag")
            return [(self._series(series), None)]
        parts = [self._values(item) for item in series.items]
        found: list[Value] = []
        for combination in product(*parts):
            if len(found) >= MOST_VALUES:
                raise Untranslatable(f"more than {MOST_VALUES} values in one tag")
            outs = [words(said) if out is None else str(out) for said, out in combination]
            found.append((tidy(" ".join(said for said, _ in combination)), tidy(" ".join(outs))))
        return found

    def _substitutes(self, item: Item) -> bool:
        """Whether an item stands, somewhere, for something else than what is said."""
        node = item.node
        if item.substitution is not None:
            return True
        if isinstance(node, Maybe):
            return self._substitutes(Item(node.inner))
        if isinstance(node, Choice):
            return any(self._substitutes(one) for option in node.options for one in option.items)
        if isinstance(node, RuleName):
            return self._substitutes(Item(self._body(node)))
        if isinstance(node, SlotName):
            return any(self._substitutes(Item(line.body)) for line in self._slot_lines(node))
        return False

    def _numbers(self, node: Numbers) -> Sequence[int]:
        if node.step < 1:
            raise Untranslatable("a step of 0")
        low, high = sorted((node.start, node.stop))
        found = range(low, high + 1, node.step)
        if len(found) > MOST_NUMBERS:
            raise Untranslatable(f"a range of {len(found)} numbers")
        return found

    def _body(self, name: RuleName) -> Choice:
        intent = self._intents.get(name.intent or self._intent)
        if intent is None or name.name not in intent.rules:
            raise Untranslatable(f"no rule <{name.intent + '.' if name.intent else ''}{name.name}>")
        return intent.rules[name.name].body

    def _rule(self, name: RuleName) -> str:
        """Given a rule's name, write the rule down if it isn't yet, and return what it is called there."""
        intent = name.intent or self._intent
        written = f"{intent}.{name.name}"
        if written not in self.rules:
            self.rules[written] = self._written_within(f"<{written}>", [self._body(name)], intent)
        return written

    def _slot_rule(self, node: SlotName) -> str:
        written = f"${node.name}"
        if written not in self.rules:
            bodies = [line.body for line in self._slot_lines(node)]
            self.rules[written] = self._written_within(written, bodies, self._intent)
        return written

    def _written_within(self, label: str, bodies: Sequence[Choice], intent: str) -> str:
        before, self._intent = self._intent, intent
        try:
            with _Inside(self._inside, label):
                options = [self._choice(body) for body in bodies]
        finally:
            self._intent = before
        text = options[0] if len(options) == 1 else f"({'|'.join(options)})"
        if not text:
            raise Untranslatable(f"{label} says nothing")
        return text

    def _within(self, label: str, body: Choice, intent: str) -> list[Value]:
        before, self._intent = self._intent, intent or self._intent
        try:
            with _Inside(self._inside, label):
                return [value for option in body.options for value in self._product(option)]
        finally:
            self._intent = before

    def _slot_lines(self, node: SlotName) -> Sequence[Line]:
        if node.name in BUILT_IN:
            options = tuple(Series((Item(Words(word)),)) for word in BUILT_IN[node.name])
            return [Line("", "", Choice(options))]
        if node.arguments:
            raise Untranslatable(f"${node.name} is a program: save what it prints as a slot file of that name")
        found = self._slots(node.name)
        if not found:
            raise Untranslatable(f"no slot file `{node.name}`, or nothing in it (a slot program is not run)")
        return found

    def _note(self, what: str) -> None:
        note = Problem(self._line.where, f"{self._line.what}: {what}")
        if note not in self.notes:
            self.notes.append(note)


class _Inside:
    """Where the walk is, so that rules within themselves are found."""

    def __init__(self, inside: list[str], label: str) -> None:
        self._inside, self._label = inside, label

    def __enter__(self) -> None:
        if self._label in self._inside:
            raise Untranslatable(f"{self._label} contains itself")
        self._inside.append(self._label)

    def __exit__(self, *_exception: object) -> None:
        self._inside.pop()


def _fixed_slots(body: Choice) -> tuple[Choice, dict[str, str]]:
    """Given a sentence, return it without its `(:){name:value}`, around which nothing is said, and those as slots."""
    if len(body.options) != 1:
        return body, {}
    fixed: dict[str, str] = {}
    kept: list[Item] = []
    for item in body.options[0].items:
        if item.tag is not None and not _spelled(item) and _is_silent(item.node):
            fixed[slot_name(item.tag.name)] = item.tag.value or item.substitution or _silent_value(item.node)
        else:
            kept.append(item)
    return Choice((Series(tuple(kept)),)), fixed


def _is_silent(node: Any) -> bool:
    if isinstance(node, Words):
        return not node.text
    if isinstance(node, Choice):
        return all(_is_silent(item.node) for option in node.options for item in option.items)
    return False


def _silent_value(node: Any) -> str:
    """What is substituted within a group that says nothing: `(:light){name}`."""
    if not isinstance(node, Choice):
        return ""
    return " ".join(item.substitution or "" for option in node.options for item in option.items).strip()


def _lone_numbers(item: Item) -> Numbers | None:
    """The range that an item is, if it is nothing else: `0..100`, `(0..100)`."""
    node = item.node
    while isinstance(node, Choice) and len(node.options) == 1 and len(node.options[0].items) == 1:
        inner = node.options[0].items[0]
        if inner != Item(inner.node):
            return None
        node = inner.node
    return node if isinstance(node, Numbers) and node.step > 0 and node.start <= node.stop else None


def _spelled(item: Item) -> str:
    return item.node.text if isinstance(item.node, Words) else ""
