"""`sayso commands`: the owner's sentences, looked at from all sides."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sayso.assembly import configured_bundle, load_grammar
from sayso.cli.house import house
from sayso.cli.importing import import_
from sayso.cli.settings import commands_option, model_option, overrides, settings
from sayso.grammar import explain as explaining
from sayso.grammar.compiler import Grammar
from sayso.grammar.doubles import double_meanings
from sayso.grammar.text import words
from sayso.reading import read_text, with_the_room
from sayso.recognition.interpret import Meaning
from sayso.recognition.precedence import Meanings, read_path

MOST_LISTED = 20
"""Findings of a kind that are shown on a terminal; --json has them all."""

MOST_DOUBLES = 1000
"""Pairs of templates with double meanings that are looked for."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def commands() -> None:
    """Look at the sentences that can be said."""


commands.add_command(import_)
commands.add_command(house)


@dataclass(frozen=True)
class _Explanation:
    files: List[str]
    intents: Dict[str, int]
    sentences: int
    words: int
    guessed: Dict[str, str]
    double_meanings: List[Dict[str, Any]]
    searched_all: bool
    sound_alike: List[List[str]]
    unused_lists: List[str]
    unsaid: List[str]
    left_out: Dict[str, int]


@commands.command()
@commands_option
@model_option
@json_option
@click.pass_context
def explain(context: click.Context, commands: Optional[Path], model: Optional[Path], as_json: bool) -> None:
    """Say what can be said, what is guessed, and what can be confused."""
    found = _explain(_load(context, commands, model))
    if as_json:
        click.echo(json.dumps(vars(found), ensure_ascii=False))
    else:
        _show(found)


@commands.command()
@commands_option
@model_option
@json_option
@click.option("-n", "--count", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many.")
@click.option("--seed", type=int, default=None, help="The same number gives the same sentences.")
@click.pass_context
def sample(
    context: click.Context,
    commands: Optional[Path],
    model: Optional[Path],
    as_json: bool,
    count: int,
    seed: Optional[int],
) -> None:
    """Print sentences by chance, with what each means."""
    grammar = _load(context, commands, model)
    chance = random.Random(seed)  # noqa: S311 - examples, not secrets
    for _ in range(count):
        meaning = read_path(grammar.graph, explaining.sample(grammar.graph, chance))
        click.echo(json.dumps(_payload(meaning), ensure_ascii=False) if as_json else _line(meaning))


@commands.command()
@commands_option
@model_option
@json_option
@click.argument("sentence")
@click.pass_context
def test(context: click.Context, commands: Optional[Path], model: Optional[Path], as_json: bool, sentence: str) -> None:
    """Print what SENTENCE would publish, and what Home Assistant is told, where it acts. Exit 1 if it can't be said."""
    grammar, config = _load(context, commands, model), settings(context)
    meanings = read_text(grammar.graph, sentence)
    if as_json:
        click.echo(json.dumps([_payload(meaning) for meaning in meanings], ensure_ascii=False))
    for meaning in meanings if not as_json else ():
        click.echo(_line(meaning))
        if config.home_assistant.acts_on(meaning.intent) and len(meanings) == 1:
            click.echo(f'Home Assistant is told: "{with_the_room(grammar.graph, meaning, config.commands.context)}"')
    if len(meanings) > 1:
        click.echo("sayso: it means several things, and would be rejected as ambiguous", err=True)
    if not meanings:
        said = words(sentence)
        place, following = explaining.expected_after(grammar.graph, said)
        so_far = " ".join(said[:place]) or "(the beginning)"
        listed = ", ".join(following[:MOST_LISTED]) or "(the end)"
        click.echo(f'sayso: no sentence like that; after "{so_far}" there may come: {listed}', err=True)
        context.exit(1)


def _load(context: click.Context, commands: Optional[Path], model: Optional[Path]) -> Grammar:
    """Compile the sentences; the bundle is needed for its dictionary only, no network is loaded."""
    config = settings(context, overrides(commands, model))
    return load_grammar(config, configured_bundle(config))


def _payload(meaning: Meaning) -> Dict[str, Any]:
    said = {"text": meaning.text, "intent": meaning.intent}
    return {**said, "slots": dict(meaning.slots), "raw_slots": dict(meaning.raw_slots), "template": meaning.template}


def _line(meaning: Meaning) -> str:
    return f"{meaning.text}  ->  {meaning.intent} {json.dumps(dict(meaning.slots), ensure_ascii=False)}"


def _explain(grammar: Grammar) -> _Explanation:
    taken = Meanings(grammar.graph)
    doubles, searched_all = double_meanings(
        grammar, MOST_DOUBLES, lambda *two: len({taken(one).sense for one in two}) > 1
    )
    return _Explanation(
        files=[str(file) for file in grammar.files],
        intents=dict(Counter(sentence.intent for sentence in grammar.templates.sentences)),
        sentences=grammar.graph.sentences,
        words=len(grammar.pronunciations),
        guessed={
            word: " ".join(said.ways[0])
            for word, said in sorted(grammar.pronunciations.items())
            if said.source in ("guessed", "letters")
        },
        double_meanings=[
            {"first": _payload(taken(pair.first)), "second": _payload(taken(pair.second))} for pair in doubles
        ],
        searched_all=searched_all,
        sound_alike=[list(pair) for pair in explaining.sound_alike(grammar)],
        unused_lists=explaining.unused_lists(grammar),
        unsaid=explaining.unsaid(grammar),
        left_out=dict(grammar.left_out),
    )


def _show(found: _Explanation) -> None:
    console = Console(highlight=False, soft_wrap=True, markup=False)
    table = Table(box=None, show_header=False)
    table.add_row("files", ", ".join(found.files))
    table.add_row("intents", ", ".join(f"{name} ({count})" for name, count in sorted(found.intents.items())))
    table.add_row("sentences", f"{found.sentences:,}")
    table.add_row("words", str(found.words))
    console.print(table)
    doubles = [
        f"{one['first']['text']}: {_what(one['first'])}, or {_what(one['second'])}" for one in found.double_meanings
    ]
    note = "" if found.searched_all else " (the grammar is too large to look through all of it)"
    for title, lines in (
        ("pronunciation guessed", [f"{word}: {said}" for word, said in found.guessed.items()]),
        (f"said the same, meaning different things{note}", doubles),
        ("words in the same place that differ in one phone", [" / ".join(pair) for pair in found.sound_alike]),
        ("lists that no sentence uses", found.unused_lists),
        ("templates that can't be said here, by requires_context and [commands] context", found.unsaid),
        (
            "of Home Assistant's sentences left out",
            [f"{count}: {why}" for why, count in sorted(found.left_out.items(), key=lambda one: -one[1])],
        ),
    ):
        console.print(Text(f"\n{title}: {len(lines) or 'none'}", "bold"))
        for line in lines[:MOST_LISTED]:
            console.print(f"  {line}")
        if len(lines) > MOST_LISTED:
            console.print(f"  … and {len(lines) - MOST_LISTED} more (--json has all)")


def _what(payload: Dict[str, Any]) -> str:
    return f"{payload['intent']} {json.dumps(payload['slots'], ensure_ascii=False)}"
