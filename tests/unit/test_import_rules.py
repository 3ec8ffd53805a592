"""Who may import whom: read from the source, so that the house keeps its walls."""

from __future__ import annotations

import ast
import sysconfig
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "daemon" / "sayso"
FILES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))

OWNERS = {
    "yaml": {"grammar/files.py"},
    "hassil": {"grammar/templates.py"},
    "unicode_rbnf": {"grammar/numbers.py"},
    # One library in two wheels: it builds graphs in one place and searches them in another.
    "kaldifst": {"grammar/graph.py", "recognition/decode.py"},
    "kaldi_decoder": {"recognition/decode.py"},
    "ds_ctcdecoder": {"recognition/mozilla.py"},
    "webrtcvad": {"audio/vad.py"},
    "paho": {"mqtt/client.py", "mqtt/broker.py", "mqtt/refusal.py"},
}
"""Third-party library -> the only files that may import it. Others are one file's each, whichever it is."""

EVERYWHERE = {"numpy"}
SHAPES = {"pydantic", "tomllib", "tomli"}
"""What checks the shape of a file that a person or another program wrote; each such file has its reader."""

PURE = {
    "audio/gate.py", "audio/watch.py", "recognition/features.py", "recognition/acoustic.py",
    "recognition/interpret.py", "recognition/endpoint.py", "recognition/pipeline.py", "recognition/recognizer.py",
    "recognition/hesitation.py", "recognition/precedence.py", "recognition/rivals.py",
    "grammar/brackets.py", "grammar/context.py", "grammar/readings.py", "grammar/tags.py", "grammar/text.py",
    "grammar/variants.py", "grammar/wordings.py", "grammar/words.py", "mqtt/contract.py",
    "mqtt/homeassistant.py", "mqtt/hermes.py", "mqtt/requests.py", "records.py",
}  # fmt: skip
IMPURE = {
    "threading",
    "time",
    "socket",
    "os",
    "subprocess",
    "asyncio",
    "signal",
    "multiprocessing",
    "logging",
    "random",
}

FOLDERS = ("audio", "recognition", "grammar", "mqtt")
BRIDGES = {"sayso.grammar.graph", "sayso.grammar.readings", "sayso.grammar.tags", "sayso.grammar.written"}
"""What recognition may know of the grammar: the graph it searches, the tags that come out, and what else the same words
are there."""


@cache
def _imports(file: str) -> frozenset[str]:
    """Given a file of the package, return the modules it imports; of the package itself, as `sayso.folder.module`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            module = node.module or ""
            modules = {f"{module}.{alias.name}" for alias in node.names} if module.startswith("sayso") else set()
            known = {one for one in modules if _is_module(one)}
            found |= known or {module}
    return frozenset(found)


def _is_module(name: str) -> bool:
    path = PACKAGE.parent / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def _own(file: str) -> set[str]:
    return {module for module in _imports(file) if module.split(".")[0] == "sayso"}


def _foreign(file: str) -> set[str]:
    tops = {module.split(".")[0] for module in _imports(file)}
    return {top for top in tops - {"sayso"} if not _is_pythons_own(top)}


@cache
def _is_pythons_own(top: str) -> bool:
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        return False
    place = Path(spec.origin)
    return not place.is_absolute() or (
        place.is_relative_to(sysconfig.get_path("stdlib")) and "site-packages" not in place.parts
    )


def test_the_rules_speak_of_files_that_exist() -> None:
    assert len(FILES) > 40
    assert {"recognition/decode.py", "grammar/graph.py", "service.py"} <= set(FILES)


def test_each_third_party_library_is_one_files() -> None:
    users: dict[str, set[str]] = {}
    for file in FILES:
        for library in _foreign(file) - EVERYWHERE - SHAPES:
            users.setdefault(library, set()).add(file)
    command_line = {"click", "rich"}
    for library, files in users.items():
        if library in command_line:
            assert {file.split("/")[0] for file in files} == {"cli"}, library
        elif library in OWNERS:
            assert files <= OWNERS[library], library
        else:
            assert len({file for file in files if not file.startswith("cli/")}) <= 1, f"{library}: {sorted(files)}"


@pytest.mark.parametrize("file", sorted(PURE & set(FILES)))
def test_pure_stages_know_neither_threads_nor_clocks_nor_the_machine(file: str) -> None:
    assert not {module.split(".")[0] for module in _imports(file)} & IMPURE
    assert _foreign(file) <= EVERYWHERE


def test_records_and_errors_stand_on_nothing() -> None:
    assert _own("errors.py") == set()
    assert _foreign("errors.py") == set()
    assert _own("records.py") == set()
    assert _foreign("records.py") == {"numpy"}
    assert _own("sections.py") == set()
    assert _own("config.py") == {"sayso.errors", "sayso.sections"}


@pytest.mark.parametrize("file", [file for file in FILES if file.split("/")[0] in FOLDERS])
def test_folders_know_their_neighbours_only_through_records(file: str) -> None:
    folder = file.split("/")[0]
    for module in _own(file):
        parts = module.split(".")
        if len(parts) > 1 and parts[1] in FOLDERS and parts[1] != folder:
            assert folder == "recognition", f"{file} imports {module}"
            assert module in BRIDGES, f"{file} imports {module}"
        else:
            common = ("records", "errors", "native_stderr", "credentials")
            assert module == "sayso" or parts[1] in (folder, *common), f"{file} imports {module}"


def test_only_the_command_line_starts_the_service() -> None:
    users = {file for file in FILES if "sayso.service" in _own(file)}
    assert {file.split("/")[0] for file in users} == {"cli"}
    for file in FILES:
        if not file.startswith("cli/"):
            assert not any(module.startswith("sayso.cli") for module in _own(file)), file


def test_the_daemon_and_what_makes_its_model_stay_apart() -> None:
    for file in FILES:
        assert not _foreign(file) & {"tensorflow", "torch", "sayso_model"}, file
    trainer = ROOT / "packaging" / "model" / "sayso_model"
    daemons = ("sayso.audio", "sayso.mqtt", "sayso.service", "sayso.cli", "sayso.health")
    for path in sorted(trainer.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith(daemons), f"{path.name} imports {node.module}"
