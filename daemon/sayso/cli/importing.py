"""`sayso commands import`: sentences that were written for Rhasspy, as templates."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional, Sequence

import click

from sayso.errors import GrammarError, Problem
from sayso.grammar.files import Contents, TemplateFile, write_template
from sayso.grammar.rhasspy import Intent, Line, read_ini, read_slot
from sayso.grammar.templates import parse_templates
from sayso.grammar.translate import Translation, translate
from sayso.grammar.words import build_word_acceptor


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--slots", type=click.Path(path_type=Path), help="Folder of slot files; default: beside the sentences.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File to write; default: standard output.")
@click.option("--force", is_flag=True, help="Overwrite that file.")
@click.option("--language", default="en", show_default=True, help="What the templates say their language is.")
def import_(source: Path, slots: Optional[Path], output: Optional[Path], force: bool, language: str) -> None:
    """Translate Rhasspy's SOURCE (a sentences.ini, or the folder of a profile) into Sayso's templates.

    What can't be said in a template is left out and named, with its line, on standard error; nothing is run.
    """
    files = _sentence_files(source)
    if output and output.exists() and not force:
        raise GrammarError("is there already", where=str(output), remedy="choose another name, or add --force")
    problems: List[Problem] = []
    intents: Dict[str, Intent] = {}
    for file in files:
        read_ini(file, intents, problems)
    finder = _Slots(slots or files[0].parent / "slots", problems)
    found = translate(intents, finder.find, language)
    _tell("not translated", [*problems, *found.problems])
    _tell("not quite the same", found.notes)
    _check(found, source)
    text = write_template(found.contents)
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


class _Slots:
    """Slot files below one folder, each read once; a slot may be a folder of them."""

    def __init__(self, folder: Path, problems: List[Problem]) -> None:
        self._folder = folder
        self._problems = problems
        self._read: Dict[str, Optional[Sequence[Line]]] = {}

    def find(self, name: str) -> Optional[Sequence[Line]]:
        """Given a slot's name, return its values; None where there is no such slot."""
        if name not in self._read:
            self._read[name] = self._look(name)
        return self._read[name]

    def _look(self, name: str) -> Optional[Sequence[Line]]:
        if ".." in Path(name).parts or Path(name).is_absolute():
            return None
        path = self._folder / name
        if path.is_dir():
            return [line for file in sorted(path.iterdir()) if file.is_file() for line in self._lines(file)]
        return self._lines(path) if path.is_file() else None

    def _lines(self, path: Path) -> List[Line]:
        return read_slot(path, self._problems)


def _sentence_files(source: Path) -> List[Path]:
    """Given a file or a profile's folder, return its files of sentences."""
    if not source.is_dir():
        return [source]
    found = [file for file in (source / "sentences.ini", *sorted(source.glob("intents/**/*.ini"))) if file.is_file()]
    if not found:
        raise GrammarError("no sentences.ini in this folder", where=str(source), remedy="name the file itself")
    return found


def _tell(title: str, problems: Sequence[Problem]) -> None:
    for problem in problems:
        click.echo(f"sayso: {title}: {problem}", err=True)


def _check(found: Translation, source: Path) -> None:
    """Whether Sayso can read what came out. Raise GrammarError where it can't, or nothing did."""
    if not found.contents["intents"]:
        raise GrammarError("nothing in it could be translated", where=str(source), remedy="see the lines above")
    file = TemplateFile(source, Contents.model_validate(found.contents), {})
    build_word_acceptor(parse_templates([file]), {})
