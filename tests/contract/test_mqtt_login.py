"""Getting in at the broker, or being told in one line why not: passwords, rules, addresses, old brokers."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from house import PATIENCE, Line, Listener, until
from mqtt_visitor import COMMAND, PASSWORD, STATUS, visitor
from private_broker import PrivateBroker

from sayso.mqtt.broker import BrokerStatus
from sayso.records import Message

USERS = {"sayso": PASSWORD}


def secret(folder: Path, text: str) -> str:
    path = folder / "password"
    path.write_text(text)
    return str(path)


# Passwords


def test_the_right_password_lets_in_and_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    with PrivateBroker(users=USERS) as broker:
        path = secret(tmp_path, f"{PASSWORD}\n")
        with visitor(broker.port, username="sayso", password_file=path) as running:
            running.let_in()


def test_a_systemd_credential_is_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mqtt-password").write_text(PASSWORD)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with PrivateBroker(users=USERS) as broker, visitor(broker.port, username="sayso") as running:
        running.let_in()


def test_a_wrong_password_is_said_and_a_corrected_file_lets_in_without_a_restart(tmp_path: Path) -> None:
    with PrivateBroker(users=USERS) as broker:
        path = secret(tmp_path, "wrong " + PASSWORD)
        with visitor(broker.port, username="sayso", password_file=path) as running:
            assert "correct [mqtt] username and password_file" in running.error()
            assert not running.broker.status.connected
            secret(tmp_path, PASSWORD)
            running.let_in()
            assert len(running.statuses) == 2, "the same refusal is told once"


def test_no_password_where_one_is_wanted_is_said() -> None:
    with PrivateBroker(users=USERS) as broker, visitor(broker.port) as running:
        assert "does not let this user in" in running.error()


def test_a_password_file_that_is_missing_is_named(broker: PrivateBroker, tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere")
    with visitor(broker.port, username="sayso", password_file=path) as running:
        assert running.error().startswith(f"{path}: the password can't be read")


# Rules


def test_a_topic_that_the_rules_deny_is_named_and_the_connection_stays(tmp_path: Path) -> None:
    rules = f"user sayso\ntopic write {STATUS}\ntopic read sayso/#\n"
    path = secret(tmp_path, PASSWORD)
    with (
        PrivateBroker(users=USERS, acl=rules) as broker,
        visitor(broker.port, username="sayso", password_file=path) as running,
    ):
        running.let_in()
        running.broker.publish(Message(COMMAND, b"lights on", expires=1.0))
        line = running.error()
        assert line.startswith(f"{COMMAND}: Sayso may not publish it")
        assert "grant the user this topic" in line
        assert running.broker.status.connected
        assert [entry.reason for entry in running.dropped] == ["the broker refused it"]


def test_that_nobody_listens_is_counted(broker: PrivateBroker) -> None:
    with visitor(broker.port) as running:
        running.let_in()
        running.broker.publish(Message(COMMAND, b"lights on", expires=1.0))
        until(lambda: running.broker.counters.published == 1, "the confirmation")
        assert running.broker.counters.unheard == 1


# Addresses


def test_an_unknown_host_is_said() -> None:
    with visitor(1883, host="no-such-host.invalid") as running:
        assert running.error().startswith("no-such-host.invalid:1883: the host name is unknown")


@pytest.mark.parametrize("host", ["a..b", "ü" * 70])
def test_a_host_that_is_no_name_is_said(host: str) -> None:
    with visitor(1883, host=host) as running:
        assert "the host name is unknown" in running.error()


def test_something_that_is_no_broker_does_no_harm() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def talk() -> None:
            for reply in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\x20\xff\xff\xff\x7f" + b"x" * 1000, b"\xff" * 64, b""):
                with server.accept()[0] as peer:
                    peer.recv(4096)
                    peer.sendall(reply)

        thread = threading.Thread(target=talk)
        thread.start()
        with visitor(port) as running:
            thread.join(PATIENCE)
            assert running.error().startswith(f"127.0.0.1:{port}: ")


# Old brokers


class OldBroker(Line):
    """A broker that has never heard of MQTT 5, in front of one that has."""

    refusal = b"\x20\x02\x00\x01"  # CONNACK: unacceptable protocol version

    def _carry(self, near: socket.socket) -> None:
        hello = near.recv(4096, socket.MSG_PEEK)
        level = hello[hello.index(b"MQTT") + 4]
        if level == 4:
            super()._carry(near)
            return
        with near:
            near.recv(4096)
            near.sendall(self.refusal)


class RudeOldBroker(OldBroker):
    """The same, but it just hangs up."""

    refusal = b""


@pytest.mark.parametrize("old", [OldBroker, RudeOldBroker])
def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1(broker: PrivateBroker, old: type[Line]) -> None:
    with old(broker.port) as line, Listener(broker.port, "sayso/#") as listener, visitor(line.port) as running:
        running.let_in()
        assert running.statuses == [BrokerStatus(connected=True)], "the first refusal is no error"
        running.broker.publish(Message(COMMAND, b"lights on", expires=1.0))
        listener.wait_for(COMMAND, b"lights on")
        until(lambda: running.broker.counters.published == 1, "the confirmation")
    listener.wait_for(STATUS, b"offline")
