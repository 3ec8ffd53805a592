"""What is noted down for `sayso why`: enough to understand a decision, and nobody's words."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sayso.decisions import Decisions, own_folder, read_decisions
from sayso.errors import NoteError
from sayso.records import Alternative, Command, Evidence, Rejection, Wake

EVIDENCE = Evidence(0.61, 0.1, 1.75, -0.4, -4.0, 0.9, 0.3, 4.2, 3.8, 10.0, 2.3, 0.0, 5.0, 0.0)
COMMAND = Command("turn on the light", "On", {"name": "light"}, {}, 0.93, 0, 1, 2, evidence=EVIDENCE)
RIVAL = Alternative("secret plan two", "Off", {}, 0.1)
REJECTION = Rejection("low_confidence", "secret plan", "Off", 0.31, 0, 1, 2, (RIVAL,), EVIDENCE)


def _environment(folder: Path) -> dict[str, str]:
    return {"RUNTIME_DIRECTORY": str(folder)}


def test_the_newest_decisions_can_be_read_while_the_daemon_runs(tmp_path: Path) -> None:
    decisions = Decisions(tmp_path, "attic", 2, words=False)
    assert read_decisions("attic", _environment(tmp_path)) == []
    for number in range(3):
        decisions.add(COMMAND, f"id{number}", 1_795_262_400.0 + number, 0.4)
    notes = read_decisions("attic", _environment(tmp_path))
    assert [(one["id"], one["time"]) for one in notes] == [
        ("id1", "2026-11-21T12:00:01.000Z"),
        ("id2", "2026-11-21T12:00:02.000Z"),
    ]
    assert notes[0]["evidence"] == {
        "distance": 0.61, "outside": 0.1, "worst_word": 1.75, "advantage": -0.4, "log_ratio": -4.0, "evident": 0.9,
        "unclear": 0.3, "freedom": 4.2, "chance": 3.8,
        "phones": 10.0, "length": 2.3, "unended": 0.0, "margin": 5.0, "rivalry": 0.0,
    }  # fmt: skip
    assert (notes[0]["text"], notes[0]["slots"], notes[0]["threshold"]) == ("turn on the light", {"name": "light"}, 0.4)


def test_the_words_of_what_was_rejected_are_noted_only_while_debugging(tmp_path: Path) -> None:
    Decisions(tmp_path, "attic", 9, words=False).add(REJECTION, "id", 0.0, 0.4)
    (file,) = tmp_path.iterdir()
    assert "secret" not in file.read_text()
    (note,) = read_decisions("attic", _environment(tmp_path))
    assert (note["reason"], note["intent"], note["confidence"]) == ("low_confidence", "Off", 0.31)
    Decisions(tmp_path, "attic", 9, words=True).add(REJECTION, "id", 0.0, 0.4)
    assert "secret plan" in file.read_text()


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    Decisions(tmp_path / "sayso", "attic", 9, words=False).add(Wake("hey", 0.8, 0, 1, 2), "id", 0.0, 0.4)
    (file,) = (tmp_path / "sayso").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_decisions("attic", _environment(tmp_path / "sayso"))[0]["what"] == "wake"


def test_each_site_has_its_own_and_none_may_be_kept(tmp_path: Path) -> None:
    Decisions(tmp_path, "attic", 9, words=False).add(COMMAND, "id", 0.0, 0.4)
    with pytest.raises(NoteError, match="no daemon for site 'cellar' has left notes"):
        read_decisions("cellar", _environment(tmp_path))
    Decisions(tmp_path, "cellar", 0, words=False).add(COMMAND, "id", 0.0, 0.4)
    assert [one.name for one in tmp_path.iterdir()] == ["attic.jsonl"]


def test_where_nothing_can_be_kept_the_daemon_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("")
    decisions = Decisions(tmp_path / "taken", "attic", 9, words=False)
    decisions.add(COMMAND, "id", 0.0, 0.4)
    assert len([one for one in caplog.records if "no notes for `sayso why`" in one.message]) == 1
    Decisions(None, "attic", 9, words=False).add(COMMAND, "id", 0.0, 0.4)


def test_systemds_folder_comes_before_the_users() -> None:
    assert own_folder({"RUNTIME_DIRECTORY": "/run/sayso:/run/other", "XDG_RUNTIME_DIR": "/run/user/1"}) == Path(
        "/run/sayso"
    )
    assert own_folder({"XDG_RUNTIME_DIR": "/run/user/1"}) == Path("/run/user/1/sayso")
    assert own_folder({}) is None
