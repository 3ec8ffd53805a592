"""Getting in at the broker by TLS and websockets, or being told in one line why not."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Iterator

import pytest
from certificates import Authority, Signed
from house import PATIENCE, Listener, until
from mqtt_visitor import COMMAND, visitor
from private_broker import Certificates, PrivateBroker

from sayso.records import Message

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
