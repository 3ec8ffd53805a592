"""`sayso doctor` in front of a real broker and a real sound server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
from house import Listener, until
from private_broker import PrivateBroker
from virtual_microphone import VirtualMicrophone

from sayso.diagnosis.broker import Visit
from sayso.diagnosis.finding import BAD, NOTE, OK, Finding
from sayso.mqtt.contract import Contract
from sayso.mqtt.settings import MqttSettings

ROOT = Path(__file__).resolve().parents[2]
SAYSO = Path(sys.executable).with_name("sayso")
PASSWORD = "open sesame"  # noqa: S105 - of a broker that lives for a second
RULES = "user sayso\ntopic readwrite sayso/home/#\n"
CONTRACT = Contract("home", "1a2b3c4d")


def _visit(port: int, prefix: str = "homeassistant", **settings: Any) -> dict[str, Finding]:
    visit = Visit(MqttSettings(port=port, **settings), CONTRACT, prefix)
    return {one.what: one for one in visit.findings()}


@pytest.fixture
def password(tmp_path: Path) -> str:
    (tmp_path / "password").write_text(PASSWORD)
    return str(tmp_path / "password")


def test_a_broker_that_lets_everybody_in(broker: PrivateBroker) -> None:
    found = _visit(broker.port)
    assert {what: one.level for what, one in found.items()} == {
        "broker": OK, "requests": OK, "events": OK, "Home Assistant": NOTE, "daemon": NOTE,
    }  # fmt: skip
    assert "nobody reads introductions" in found["Home Assistant"].detail


def test_nothing_is_left_and_nothing_is_said_that_somebody_acts_upon(broker: PrivateBroker) -> None:
    with Listener(broker.port, "#") as listener:
        found = _visit(broker.port)
        listener.publish("end", b"")
        until(lambda: listener.payloads("end"), "the end")
        assert {heard.topic: (heard.payload, heard.retained) for heard in listener.heard if heard.topic != "end"} == {
            "sayso/home/doctor": (b"", False),
            "homeassistant/device/home_sayso_doctor/config": (b"", False),
        }
    assert found["Home Assistant"].level == OK  # somebody listens there


def test_a_daemon_says_itself_what_is_wrong(broker: PrivateBroker) -> None:
    with Listener(broker.port, "none") as daemon:
        daemon.publish("sayso/home/status", b"online", retain=True)
        daemon.publish("sayso/home/state", b'{"last_error": "no microphone", "microphone": "missing"}', retain=True)
        assert _visit(broker.port)["daemon"] == Finding(
            "daemon", BAD, "no microphone", "journalctl -u sayso shows when it began"
        )
        daemon.publish("sayso/home/state", b'{"last_error": "", "microphone": "ok: usb"}', retain=True)
        assert _visit(broker.port)["daemon"].detail == "online, microphone ok: usb"


def test_rules_that_leave_no_room_are_named(password: str) -> None:
    login = {"username": "sayso", "password_file": password}
    with PrivateBroker(users={"sayso": PASSWORD}, acl=RULES) as broker:
        found = _visit(broker.port, **login)
        assert (found["requests"].level, found["events"].level) == (OK, OK)
        assert found["Home Assistant"].detail == "it can't be told whether it is there"
    with PrivateBroker(users={"sayso": PASSWORD}, acl="user sayso\ntopic read sayso/home/#\n") as broker:
        assert _visit(broker.port, **login)["events"].detail == "may not publish sayso/home/doctor"


def test_a_wrong_password_and_a_missing_broker_are_told_apart(password: str) -> None:
    with PrivateBroker(users={"sayso": "another"}) as broker:
        (refused,) = _visit(broker.port, username="sayso", password_file=password).values()
        port = broker.port
    assert "does not let this user in" in refused.detail
    (gone,) = _visit(port).values()
    assert "connection refused" in gone.detail
    for one in (refused, gone):
        assert one.level == BAD
        assert one.remedy
        assert PASSWORD not in f"{one}"


@pytest.fixture
def settings(tmp_path: Path, broker: PrivateBroker) -> Iterator[Path]:
    file = tmp_path / "sayso.toml"
    file.write_text(f'[commands]\npath = "{ROOT / "config" / "commands"}"\n[mqtt]\nport = {broker.port}\n')
    return file


def _doctor(settings: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    command = [str(SAYSO), "--config", str(settings), "doctor", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.stderr == b""
    report = json.loads(done.stdout)
    assert all(one["remedy"] or one["level"] == "ok" for one in report["findings"])
    return done.returncode, {one["what"]: one for one in report["findings"]} | {"ok": report["ok"]}


@pytest.mark.usefixtures("virtual_microphone")
def test_a_house_where_all_is_well(settings: Path) -> None:
    code, found = _doctor(settings, "--seconds", "1")
    assert (code, found["ok"]) == (0, True)
    for what in ("settings", "computer", "microphone", "clipping", "model", "sentences", "broker"):
        assert found[what]["level"] in ("ok", "note"), found[what]


def test_a_microphone_that_gives_only_zeros_is_bad(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with VirtualMicrophone(room_tone=False) as microphone:
        for name, value in microphone.environment.items():
            monkeypatch.setenv(name, value)
        code, found = _doctor(settings, "--seconds", "1")
    assert code == 1
    assert "digital zeros" in found["sound"]["detail"]


def test_wrong_settings_do_not_keep_it_from_looking_at_the_rest(settings: Path) -> None:
    settings.write_text("[audio]\nchanel = 1\n")
    code, found = _doctor(settings, "--seconds", "0.5")
    assert code == 1
    assert "did you mean `channel`?" in found["settings"]["remedy"]
    assert found["model"]["level"] == "ok"
