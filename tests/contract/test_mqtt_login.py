"""Getting in at the broker, or being told in one line why not: passwords, rules, TLS, websockets, old brokers."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest
from certificates import Authority, Signed
from house import PATIENCE, Line, Listener, until
from private_broker import Certificates, PrivateBroker

from sayso.errors import ConfigError
from sayso.mqtt.broker import Broker, BrokerStatus
from sayso.mqtt.contract import Contract
from sayso.mqtt.outbox import Dropped
from sayso.mqtt.settings import MqttSettings, back_off
from sayso.records import Message

SITE = "kitchen"
COMMAND = f"sayso/{SITE}/command"
STATUS = f"sayso/{SITE}/status"
PASSWORD = "open sesame"  # noqa: S105 - of a broker that lives for a second
USERS = {"sayso": PASSWORD}


class Visitor:
    """A connection, and all that was said about it."""

    def __init__(self, settings: MqttSettings) -> None:
        contract = Contract(settings.site, "1a2b3c4d")
        self.statuses: list[BrokerStatus] = []
        self.dropped: list[Dropped] = []
        self.broker = Broker(
            settings,
            "sayso-1a2b3c4d",
            online=contract.status(True),
            offline=contract.status(False),
            on_message=lambda *_: None,
            on_status=self.statuses.append,
            on_dropped=self.dropped.append,
        )

    def error(self) -> str:
        """Wait for an error; return it. It is one line and holds no secret."""
        until(lambda: self.broker.status.error, "an error")
        line = self.broker.status.error
        assert line.isprintable()
        assert PASSWORD not in line
        return line

    def let_in(self) -> None:
        until(lambda: self.broker.status.connected, f"a connection; the last status was {self.broker.status}")
        assert self.broker.status.error == ""


@contextmanager
def visitor(port: int, host: str = "127.0.0.1", **settings: object) -> Iterator[Visitor]:
    running = Visitor(MqttSettings(host=host, port=port, site=SITE, time_to_live=1.0, **settings))  # type: ignore[arg-type]
    running.broker.start()
    try:
        yield running
    finally:
        running.broker.stop(0.2)


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


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "house")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Signed:
    return authority.sign("server", "127.0.0.1")


@pytest.fixture
def secure(authority: Authority, server: Signed) -> Iterator[PrivateBroker]:
    with PrivateBroker(certificates=Certificates(authority.cert, server.cert, server.key)) as broker:
        yield broker


def test_tls_with_the_right_authority_delivers(secure: PrivateBroker, authority: Authority) -> None:
    ca = str(authority.cert)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_verify_locations(ca)
    with Listener(secure.port, COMMAND, tls=trust) as listener, visitor(secure.port, tls=True, ca_file=ca) as running:
        running.let_in()
        running.broker.publish(Message(COMMAND, b"lights on", expires=1.0))
        listener.wait_for(COMMAND, b"lights on")


def test_a_broker_that_another_authority_vouches_for_is_not_trusted(secure: PrivateBroker, stranger: Authority) -> None:
    with visitor(secure.port, tls=True, ca_file=str(stranger.cert)) as running:
        line = running.error()
        assert "the broker's certificate is not trusted" in line
        assert "[mqtt] ca_file" in line


def test_a_certificate_for_another_name_is_not_trusted(secure: PrivateBroker, authority: Authority) -> None:
    with visitor(secure.port, host="localhost", tls=True, ca_file=str(authority.cert)) as running:
        assert "localhost" in running.error()


def test_a_client_certificate_lets_in_and_without_it_the_broker_hangs_up(authority: Authority, server: Signed) -> None:
    ca, client = str(authority.cert), authority.sign("client")
    shown = {"cert_file": str(client.cert), "key_file": str(client.key)}
    certificates = Certificates(authority.cert, server.cert, server.key, client_ca=authority.cert)
    with PrivateBroker(certificates=certificates) as broker:
        with visitor(broker.port, tls=True, ca_file=ca, **shown) as running:
            running.let_in()
        with visitor(broker.port, tls=True, ca_file=ca) as running:
            assert "client certificate" in running.error()


def test_tls_towards_a_plain_port_is_told_from_plain_towards_a_tls_port(
    broker: PrivateBroker, secure: PrivateBroker, authority: Authority
) -> None:
    with visitor(broker.port, tls=True, ca_file=str(authority.cert)) as running:
        assert "is it the broker's TLS port" in running.error()
    with visitor(secure.port) as running:
        assert "must [mqtt] tls be on?" in running.error()


@pytest.mark.parametrize("key", ["ca_file", "cert_file"])
def test_a_file_that_is_no_certificate_is_named(broker: PrivateBroker, tmp_path: Path, key: str) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    files = {"ca_file": str(junk)} if key == "ca_file" else {"cert_file": str(junk), "key_file": str(junk)}
    with visitor(broker.port, tls=True, **files) as running:
        assert running.error().startswith(str(junk))


def test_the_protocols_of_the_handshake_are_offered(authority: Authority, server: Signed) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    context.set_alpn_protocols(["mqtt"])
    chosen: list[str | None] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            with context.wrap_socket(listening.accept()[0], server_side=True) as peer:
                chosen.append(peer.selected_alpn_protocol())

        thread = threading.Thread(target=greet)
        thread.start()
        ca = str(authority.cert)
        with visitor(listening.getsockname()[1], tls=True, ca_file=ca, alpn=("x-amzn-mqtt-ca", "mqtt")):
            thread.join(PATIENCE)
    assert chosen == ["mqtt"]


# Websockets


def test_websockets_deliver() -> None:
    with PrivateBroker(websockets=True) as broker, visitor(broker.websocket_port, websocket_path="/mqtt") as running:
        running.let_in()
        running.broker.publish(Message(COMMAND, b"lights on", expires=1.0))
        until(lambda: running.broker.counters.published == 1, "the confirmation")


def test_a_secure_websocket_a_client_certificate_and_a_protocol_name_go_together(
    authority: Authority, server: Signed
) -> None:
    client = authority.sign("client-of-a-websocket")
    settings = {
        "tls": True,
        "ca_file": str(authority.cert),
        "cert_file": str(client.cert),
        "key_file": str(client.key),
        "alpn": ("mqtt",),
        "websocket_path": "/mqtt",
    }
    certificates = Certificates(authority.cert, server.cert, server.key, client_ca=authority.cert)
    with (
        PrivateBroker(certificates=certificates, websockets=True) as broker,
        visitor(broker.websocket_port, **settings) as running,
    ):
        running.let_in()
        running.broker.publish(Message(COMMAND, b"lights on", expires=1.0))
        until(lambda: running.broker.counters.published == 1, "the confirmation")


def test_a_web_server_without_websockets_is_said(authority: Authority, server: Signed) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with context.wrap_socket(listening.accept()[0], server_side=True) as peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        settings = {"tls": True, "ca_file": str(authority.cert), "websocket_path": "/nowhere"}
        with visitor(listening.getsockname()[1], **settings) as running:
            thread.join(PATIENCE)
            assert "no websocket there" in running.error()


def test_no_websocket_where_one_is_wanted_is_said(broker: PrivateBroker) -> None:
    with visitor(broker.port, websocket_path="/mqtt") as running:
        assert "no websocket there" in running.error()


# Settings


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("host", {"host": " "}),
        ("port", {"port": 65536}),
        ("time_to_live", {"time_to_live": float("nan")}),
        ("keepalive", {"keepalive": 0}),
        ("username", {"password_file": "/etc/sayso/password"}),
        ("tls", {"ca_file": "/etc/ca.pem"}),
        ("key_file", {"tls": True, "cert_file": "/etc/client.pem"}),
        ("websocket_path", {"websocket_path": "mqtt"}),
    ],
)
def test_settings_that_do_not_agree_are_named(key: str, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"^\[mqtt\] {key}: "):
        MqttSettings(**settings)  # type: ignore[arg-type]


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        MqttSettings(host="", port=-1, keepalive=1)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("settings", "port"),
    [
        ({}, 1883),
        ({"tls": True}, 8883),
        ({"websocket_path": "/"}, 80),
        ({"tls": True, "websocket_path": "/"}, 443),
        ({"port": 99}, 99),
    ],
)
def test_the_usual_port_is_dialled_where_none_is_set(settings: dict[str, object], port: int) -> None:
    assert MqttSettings(**settings).address == f"127.0.0.1:{port}"  # type: ignore[arg-type]


def test_waiting_grows_to_15_seconds_and_is_never_nothing() -> None:
    assert [back_off(attempt, 1.0) for attempt in (1, 2, 3, 4, 5, 6, 10_000)] == [1, 2, 4, 8, 15, 15, 15]
    assert back_off(1, 0.0) == 0.1
    assert back_off(6, 0.5) == 7.5
