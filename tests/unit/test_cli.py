"""`sayso` as a process: what it says and how it exits when what it is given is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sayso import __version__
from sayso.config import Config, parse_config, template

ROOT = Path(__file__).resolve().parents[2]
SAYSO = Path(sys.executable).with_name("sayso")
COMMANDS = ROOT / "config" / "commands"


def _sayso(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "SAYSO_CONFIG"}
    return subprocess.run(
        [str(SAYSO), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60, env=environment
    )


def _written(folder: Path, text: str, name: str = "sayso.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (
            ("--config", "none.toml", "config"),
            78,
            "sayso: none.toml: no such file (check the path, or leave --config out)",
        ),
        (
            ("recognize", "--model", "none", "x.wav"),
            66,
            "sayso: none/manifest.toml: no model bundle here: No such file or ",
        ),
        (
            ("recognize", "--commands", "none", "x.wav"),
            65,
            "sayso: none: no such file or folder of sentence templates (",
        ),
        (("recognize", "--commands", str(COMMANDS), "none.wav"), 74, "sayso: none.wav: no such file"),
        (
            ("run", "--commands", "none"),
            65,
            "sayso: none: no such file or folder of sentence templates (check [commands",
        ),
    ],
)
def test_what_is_not_there_is_one_line_and_an_exit_code_of_its_class(
    arguments: tuple[str, ...], code: int, complaint: str
) -> None:
    done = _sayso(*arguments)
    assert done.returncode == code
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("sayso: ")]
    assert line.startswith(complaint)
    assert "Traceback" not in done.stderr


def test_a_wrong_command_line_says_what_was_meant() -> None:
    assert _sayso("recognise").returncode == 2
    assert "Did you mean 'recognize'?" in _sayso("recognise").stderr
    assert _sayso("recognize").returncode == 2


def test_the_version_is_the_packages() -> None:
    assert _sayso("--version").stdout == f"sayso, version {__version__}\n"


def test_all_wrong_settings_are_named_at_once(tmp_path: Path) -> None:
    path = _written(tmp_path, '[mqtt]\nhots = "x"\nport = 99999\n[gate]\nonset_speech = 9\n')
    done = _sayso("--config", path, "config")
    assert done.returncode == 78
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"sayso: {path}:2: [mqtt] hots: unknown key (did you mean `host`?)",
        f"sayso: {path}:3: [mqtt] port: input should be less than or equal to 65535 (it is 99999) "
        "(see the comment above it in the shipped sayso.toml)",
        f"sayso: {path}:4: [gate]: onset_speech (9) is more than onset_window (5): it never opens "
        "(see the comments in the shipped sayso.toml)",
    ]


def test_settings_in_force_can_be_read_back(tmp_path: Path) -> None:
    path = _written(tmp_path, '[mqtt]\nsite = "attic"\n[commands.context]\narea = "attic"\n')
    done = _sayso("--config", path, "config")
    assert done.returncode == 0
    found = parse_config(done.stdout, "printed")
    assert (found.mqtt.site, found.commands.context) == ("attic", {"area": "attic"})
    assert found.gate == Config().gate


def test_the_commented_file_can_be_printed() -> None:
    assert _sayso("config", "--template").stdout == template()


def _check(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    done = _sayso(*arguments, "--json")
    report = json.loads(done.stdout)
    assert report["ok"] == all(one["ok"] for one in report["checks"])
    assert report["ok"] == (done.returncode == 0)
    return done.returncode, report


def test_a_check_names_all_that_is_wrong_and_fails(tmp_path: Path) -> None:
    wrong = _written(tmp_path, "language: en\nintents: {Do: {data: [{sentences: ['{a}', '<b>', zigbee]}]}}", "a.yaml")
    settings = _written(tmp_path, '[mqtt]\ncert_file = "x.pem"\ntls = true\n')
    code, report = _check("--config", settings, "check", "--commands", wrong)
    found = {(one["check"], one["detail"]) for one in report["checks"] if not one["ok"]}
    assert code == 78
    assert ("settings", "[mqtt] key_file: and cert_file need each other (set both)") in found
    assert {detail.split(" (")[0] for check, detail in found if check == "sentences"} == {
        f'{wrong}:2: "{{a}}": no list {{a}}',
        f'{wrong}:2: "<b>": no rule <b>',
    }


def test_a_check_counts_sentences_and_says_what_was_guessed(tmp_path: Path) -> None:
    right = _written(
        tmp_path, "language: en\nintents: {Do: {data: [{sentences: ['[please] kwyjibo (on|off)']}]}}", "a.yaml"
    )
    _, report = _check("check", "--commands", right)
    details = {one["check"]: one["detail"] for one in report["checks"]}
    assert details["sentences"] == "1 files, 4 words, 4 sentences; pronunciation guessed: kwyjibo"
    assert details["settings"] == "valid"
    done = _sayso("check", "--commands", right)
    assert len(done.stdout.splitlines()) == len(report["checks"])


def test_a_model_that_is_none_is_found_by_the_check(tmp_path: Path) -> None:
    code, report = _check("check", "--model", tmp_path)
    assert code == 66
    assert next(one["check"] for one in report["checks"] if not one["ok"]) == "model"


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    sayso = subprocess.Popen([str(SAYSO), "config", "--template"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert sayso.stdout is not None
    assert sayso.stderr is not None
    sayso.stdout.close()
    sayso.wait(30)
    assert sayso.stderr.read() == b""
    sayso.stderr.close()


def test_recordings_are_scored_by_their_names(tmp_path: Path) -> None:
    speech = ROOT / "tests" / "data" / "speech"
    for name, recorded in (
        ("cancel_timer", "cancel_timer"),
        ("pause_timer-2", "cancel_timer"),
        ("talk-1", "cv_2"),
        ("talk-2", "pause_timer"),
    ):
        shutil.copy(speech / f"{recorded}.opus", tmp_path / f"{name}.opus")
    done = _sayso("score", "--json", "--commands", COMMANDS, tmp_path)
    assert done.returncode == 0
    report = json.loads(done.stdout)
    verdicts = {Path(one["file"]).stem: one["verdict"] for one in report["files"]}
    assert verdicts["cancel_timer"] == verdicts["talk-1"] == "right"
    assert verdicts["pause_timer-2"] == "wrong"
    assert (report["commands"], report["others"]) == (2, 2)
    assert {one["said"] for one in report["files"]} == {"cancel timer", "pause timer", "talk"}
    heard = next(one["heard"] for one in report["files"] if one["said"] == "pause timer")
    # Two chirps come before the words; whatever they are likened to must not come near to being a command.
    assert [one["text"] for one in heard if one["confidence"] >= 0.1] == ["cancel timer"]
    assert report["recommended"]["wrong"] <= report["now"]["wrong"]
    shown = _sayso("score", "--commands", COMMANDS, tmp_path)
    assert "wrong    pause_timer-2.opus: " in shown.stdout
    assert "1 of 2 commands right" in shown.stdout
    (tmp_path / "empty.wav").write_bytes(b"")
    assert _sayso("score", "--commands", COMMANDS, tmp_path).returncode == 74
