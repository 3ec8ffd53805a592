"""What goes into the Debian packages: locked by hash, what pyproject.toml asks for, with its licence named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sayso.config import parse_config

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "packaging" / "deb" / "debian"
SUITES = {"bookworm": "3.11", "trixie": "3.13"}
FROM_DEBIAN = {"pyaudio", "systemd-python"}


def locked(suite: str) -> dict[str, str]:
    """Name -> release of everything that a suite's package holds."""
    text = (ROOT / "packaging" / "deb" / "locks" / f"{suite}.txt").read_text()
    blocks = re.findall(r"^([\w.-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.M)
    assert len(blocks) == text.count("=="), "a release without a hash"
    return {canonicalize_name(name): version for name, version, _ in blocks}


def asked_for() -> list[Requirement]:
    """The dependencies of pyproject.toml; read as text, since Python 3.9 and 3.10 have no TOML."""
    text = (ROOT / "pyproject.toml").read_text().split("\ndependencies = [")[1].split("\n]")[0]
    return [Requirement(line) for line in re.findall(r'^  "(.+)",$', text, re.M)]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_package_holds_what_the_project_asks_for(suite: str, machine: str) -> None:
    versions = locked(suite)
    here = {**default_environment(), "python_version": SUITES[suite], "platform_machine": machine}
    for one in asked_for():
        name = canonicalize_name(one.name)
        if name in FROM_DEBIAN or (one.marker and not one.marker.evaluate(dict(here))):
            continue
        assert one.specifier.contains(versions[name]), f"{one} is locked at {versions[name]}"


@pytest.mark.parametrize("suite", SUITES)
def test_every_library_that_is_shipped_has_its_licence_named(suite: str) -> None:
    stanzas = re.findall(r"^Files: (.+)$", (DEBIAN / "copyright").read_text(), re.M)
    named = {canonicalize_name(file[len("wheels/") : -len("-*")]) for line in stanzas for file in line.split()}
    assert set(locked(suite)) <= named


def test_the_shipped_settings_are_valid() -> None:
    parse_config((ROOT / "config" / "sayso.toml").read_text(), "sayso.toml")
