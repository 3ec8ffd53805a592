"""The owner's template files, read and checked, every value with its line.

Rule of this file: YAML in, checked plain data out; it knows the shape of Home Assistant's sentence
format (intents, lists, expansion_rules, skip_words) and nothing of what a template means. All that is
wrong in all files is reported at once.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from sayso.errors import GrammarError, Problem

_Path = Tuple[Union[str, int], ...]

LARGEST_FILE = 4 * 1024 * 1024
"""Template files above this many bytes are refused: nobody writes them by hand."""

MOST_VALUES = 500_000
"""Values of one file, counted with what aliases repeat."""


def for_an_event(value: Any) -> Any:
    """Given a slot's value, return it. Raise ValueError for what an event can't hold: a date, `.nan`, a list."""
    if (isinstance(value, float) and not math.isfinite(value)) or not isinstance(value, (str, int, float)):
        raise ValueError("neither text nor number nor truth value")
    return value


_SlotValue = Annotated[Any, AfterValidator(for_an_event)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class ListValue(_Strict):
    """One value of a list; `in` is what is said (a template), `out` what the slot becomes."""

    spoken: str = Field(alias="in")
    out: Union[str, int, float, bool, None] = None
    context: Dict[str, Any] = Field(default_factory=dict)
    metadata: Dict[str, Any] = Field(default_factory=dict)


class NumberRange(_Strict):
    """All whole numbers from `from` to `to` in steps; the slot becomes number × multiplier."""

    start: int = Field(alias="from")
    stop: int = Field(alias="to")
    step: int = Field(default=1, gt=0)
    multiplier: Optional[float] = None
    fractions: Optional[str] = Field(default=None, pattern="^(halves|tenths)$")
    type: str = "number"
    digits: bool = True
    words: bool = True
    words_language: Optional[str] = None


class SlotList(_Strict):
    """What may stand in a `{list}`: values, a range of numbers, or any text (`wildcard`)."""

    values: Optional[List[Union[str, int, float, ListValue]]] = None
    range: Optional[NumberRange] = None
    wildcard: bool = False
    metadata: Dict[str, Any] = Field(default_factory=dict)


class SentenceBlock(_Strict):
    """Sentences of one intent that share slots and conditions."""

    sentences: List[str] = Field(min_length=1)
    slots: Dict[str, _SlotValue] = Field(default_factory=dict)
    requires_context: Dict[str, Any] = Field(default_factory=dict)
    excludes_context: Dict[str, Any] = Field(default_factory=dict)
    expansion_rules: Dict[str, str] = Field(default_factory=dict)
    lists: Dict[str, SlotList] = Field(default_factory=dict)
    response: Optional[str] = None
    metadata: Dict[str, Any] = Field(default_factory=dict)
    required_keywords: List[str] = Field(default_factory=list)
    inferred_domain: Optional[str] = None
    name_domains: List[str] = Field(default_factory=list)
    settings: Dict[str, Any] = Field(default_factory=dict)


class Intent(_Strict):
    """A named intent."""

    data: List[SentenceBlock]
    min_confidence: Optional[float] = Field(default=None, ge=0, le=1)


class Contents(_Strict):
    """One template file."""

    language: str
    intents: Dict[str, Intent] = Field(default_factory=dict)
    lists: Dict[str, SlotList] = Field(default_factory=dict)
    expansion_rules: Dict[str, str] = Field(default_factory=dict)
    skip_words: List[str] = Field(default_factory=list)
    responses: Dict[str, Any] = Field(default_factory=dict)
    settings: Dict[str, Any] = Field(default_factory=dict)
    pronunciations: Dict[str, List[str]] = Field(default_factory=dict)

    @field_validator("pronunciations", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {word: [said] if isinstance(said, str) else said for word, said in value.items()}


@dataclass(frozen=True)
class TemplateFile:
    """One checked file and where its values stand."""

    path: Path
    contents: Contents
    lines: Mapping[_Path, int] = field(repr=False)
    """Key path -> line, counted from 1."""
    source: bytes = field(repr=False, default=b"")
    """What was read."""
    own: bool = True
    """Whether it is the owner's; else it is Home Assistant's."""

    def where(self, *path: Union[str, int]) -> str:
        """Given a key path, return `file:line` of the nearest value that is written in the file."""
        for length in range(len(path), -1, -1):
            line = self.lines.get(tuple(path[:length]))
            if line is not None:
                return f"{self.path}:{line}"
        return str(self.path)


def find_template_files(path: Path, *, needed: bool = True) -> list[Path]:
    """Given a file or a folder, return its template files (*.yaml, *.yml, in any depth, none that is hidden),
    sorted.

    Raise GrammarError where the folder isn't there, or holds none though one is needed.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise GrammarError(
            "no such file or folder of sentence templates", where=str(path), remedy="check [commands] path"
        )
    try:
        found = sorted(p for p in path.rglob("*") if _is_template(p, path))
    except OSError as error:
        raise GrammarError(error.strerror or str(error), where=str(path), remedy="check its permissions") from None
    if needed and not found:
        raise GrammarError(
            "no *.yaml file in this folder", where=str(path), remedy="write one, or copy the shipped examples"
        )
    return found


def _is_template(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix in (".yaml", ".yml") and not hidden and path.is_file()


def read_template_files(paths: Sequence[Path]) -> list[TemplateFile]:
    """Given files, return them checked. Raise GrammarError that holds every problem of every file."""
    files: list[TemplateFile] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files.append(_read(path))
        except GrammarError as error:
            problems.extend(error.problems)
    if problems:
        raise GrammarError(problems=problems)
    return files


def write_template(contents: Mapping[str, Any]) -> str:
    """Given the contents of a template file, return it as YAML."""
    return yaml.safe_dump(dict(contents), sort_keys=False, allow_unicode=True, width=120)


def _read(path: Path) -> TemplateFile:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise GrammarError("larger than 4 MiB", where=str(path), remedy="split it, or use a list or a range")
        source = path.read_bytes()
        loader = _Loader(source.decode("utf-8-sig"))
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
        written = _Written()
        if node is not None:
            written.note(node, ())
    except OSError as error:
        raise GrammarError(
            error.strerror or str(error), where=str(path), remedy="check the path and its permissions"
        ) from None
    except UnicodeDecodeError as error:
        raise GrammarError(f"not UTF-8 at byte {error.start}", where=str(path), remedy="save it as UTF-8") from None
    except (yaml.YAMLError, ValueError) as error:
        raise GrammarError(_first_line(error), where=_yaml_place(path, error), remedy="mend the YAML") from None
    except RecursionError:
        raise GrammarError("nested too deeply, or in a circle", where=str(path), remedy="mend the YAML") from None
    if not isinstance(data, dict):
        raise GrammarError("holds no mapping", where=str(path), remedy="start with `language: en` and `intents:`")
    try:
        return TemplateFile(path, Contents.model_validate(data), written.lines, source)
    except ValidationError as error:
        raise GrammarError(problems=_problems(path, written, data, error)) from None


class _Loader(yaml.SafeLoader):
    """Keys are text, as they are written: `on:` is no truth value. A key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Dict[Any, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key.start_mark)
            if key.value in keys:
                raise yaml.constructor.ConstructorError(None, None, f"`{key.value}` stands here twice", key.start_mark)
            keys.add(key.value)
        self.flatten_mapping(node)
        for key, _ in node.value:
            key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


class _Written:
    """Where every value of a file stands, and how the plain ones are spelled."""

    def __init__(self) -> None:
        self.lines: Dict[_Path, int] = {}
        self.spelled: Dict[_Path, str] = {}

    def note(self, node: yaml.Node, path: _Path) -> None:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(self.lines) > MOST_VALUES:
            raise ValueError(f"holds more than {MOST_VALUES} values")
        if isinstance(node, yaml.ScalarNode):
            self.spelled[path] = _text(node)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*path, _text(key))
                self.lines[here] = key.start_mark.line + 1
                self.note(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.note(value, (*path, index))


def _text(node: yaml.ScalarNode) -> str:
    """Return what is written. Raise YAMLError where it can't be written in UTF-8, which an event is."""
    text: str = node.value
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise yaml.constructor.ConstructorError(None, None, "half of a character, by its number", node.start_mark)
    return text


def _yaml_place(path: Path, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)


def _first_line(error: Exception) -> str:
    return getattr(error, "problem", None) or str(error).splitlines()[0]


def _problems(path: Path, written: _Written, data: Any, error: ValidationError) -> list[Problem]:
    """Given pydantic's findings, return ours, one per place: the first alternative of a union speaks for it."""
    problems: dict[str, Problem] = {}
    for finding in error.errors():
        if isinstance(finding["input"], dict) and finding["loc"][-1] in _PLAIN:
            continue
        location = _written_path(data, finding["loc"])
        line = next(
            (written.lines[location[:n]] for n in range(len(location), -1, -1) if location[:n] in written.lines), 1
        )
        key = ".".join(str(part) for part in finding["loc"] if part not in (*_PLAIN, "ListValue"))
        where = f"{path}:{line}: {key}"
        problems.setdefault(where, Problem(where, *_explain(finding, written.spelled.get(location))))
    return list(problems.values())


_PLAIN = ("str", "int", "float")
"""Names of a union's alternatives that hold one value."""


def _explain(finding: Any, spelled: Optional[str]) -> tuple[str, str]:
    """Given a finding of pydantic's and how the value is spelled, return what is wrong and what to do."""
    kind, value = finding["type"], finding["input"]
    if kind == "extra_forbidden":
        return "unknown key", _did_you_mean(str(finding["loc"][-1]), len(finding["loc"]))
    if kind == "missing":
        return "is missing", "add it"
    if value is None:
        return "is empty", "write something there, or remove it"
    if kind == "value_error":
        remedy = "write texts and numbers only" if spelled is None else f'put it in quotes: "{spelled}"'
        return f"an event can't hold {value if spelled is None else f'`{spelled}`'} as YAML takes it", remedy
    if kind == "string_type" and spelled is not None:
        return f"`{spelled}` is {_YAML_TYPES.get(type(value), 'no text')} to YAML", f'put it in quotes: "{spelled}"'
    what = f"{finding['msg'][:1].lower()}{finding['msg'][1:]}"
    return what if spelled is None else f"{what} (it is `{spelled}`)", "see config/commands for examples"


_YAML_TYPES = {bool: "a truth value", int: "a number", float: "a number"}


def _written_path(data: Any, location: Sequence[Any]) -> _Path:
    """Given a location in pydantic's terms, return the keys that are in the file."""
    kept: list[Any] = []
    for part in location:
        if (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        ):
            data = data[part]
        else:
            continue
        kept.append(part)
    return tuple(kept)


def _did_you_mean(key: str, depth: int) -> str:
    models: list[type[BaseModel]] = (
        [Contents] if depth == 1 else [Intent, SentenceBlock, SlotList, ListValue, NumberRange]
    )
    names = [info.alias or name for model in models for name, info in model.model_fields.items()]
    close = difflib.get_close_matches(key, names, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(sorted(set(names)))}"
