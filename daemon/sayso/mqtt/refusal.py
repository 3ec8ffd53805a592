"""Why a broker can't be used, as one line for a person.

Rule of this file: errors and reason codes in, text out; the text holds the address, what happened
and what to do, never a password.
"""

from __future__ import annotations

import socket
import ssl

from sayso.errors import BrokerError, SaysoError
from sayso.mqtt.settings import MqttSettings

REFUSED = 128
"""Reason codes from here on mean failure (MQTT 5, 2.4)."""

UNSUPPORTED_PROTOCOL = 132
"""MQTT 5, 2.4: "Unsupported Protocol Version"; paho gives it for 3.1.1's return code 1, too."""

TAKEN_OVER = 142

PACKET_TOO_LARGE = 149

_CONNECT = {
    128: ("refused the connection", "look into the broker's log"),
    130: ("did not understand the connection", "look into the broker's log"),
    UNSUPPORTED_PROTOCOL: ("speaks neither MQTT 5 nor 3.1.1", "use another broker"),
    133: ("does not accept the client's name", "allow client ids that begin with sayso-"),
    134: ("does not accept the user name or the password", "correct [mqtt] username and password_file"),
    135: ("does not let this user in", "correct [mqtt] username and password_file, or the broker's rules"),
    136: ("is not available", "look into the broker's log"),
    137: ("is busy", "wait"),
    138: ("has banned this client", "look into the broker's rules"),
    140: ("does not accept this way to log in", "correct [mqtt] username and password_file"),
    144: ("does not accept the topic of the last will", "allow it to publish below sayso/"),
    151: ("has no room left for this client", "raise the broker's limits"),
    156: ("wants another server to be used", "correct [mqtt] host"),
    157: ("has moved to another server", "correct [mqtt] host"),
    159: ("says that connections come too fast", "wait"),
}
"""Reason code of CONNACK (MQTT 5, 3.2.2.2) -> what the broker said, and what to do."""

_PUBLISH = {
    135: ("does not allow it", "grant the user this topic in the broker's rules"),
    144: ("does not accept the topic", "look into the broker's rules"),
    PACKET_TOO_LARGE: ("finds it too large", "raise the broker's limit of packet size"),
    151: ("has no room left for it", "raise the broker's limits"),
}
"""Reason code of PUBACK or SUBACK (MQTT 5, 3.4.2.1, 3.9.3) -> the same."""

_HANDSHAKE = "is it the broker's TLS port, and does it want a client certificate?"


def connection_failed(error: BaseException, settings: MqttSettings) -> str:
    """Given what a connection attempt or the network loop raised, return why."""
    if isinstance(error, SaysoError):
        return str(error)
    what, remedy = _network(error)
    return _line(settings.address, what, remedy)


def connection_refused(code: int, name: str, settings: MqttSettings) -> str:
    """Given the reason code of a CONNACK and its official name, return why."""
    what, remedy = _CONNECT.get(code, (f"refused the connection: {name}", "look into the broker's log"))
    return _line(settings.address, f"the broker {what}", remedy)


def closed(code: int, name: str, settings: MqttSettings) -> str:
    """Given the reason code of the broker's DISCONNECT and its name, return why."""
    if code == TAKEN_OVER:
        return _line(settings.address, "another client took this client's name", "look into the broker's log")
    return _line(settings.address, f"the broker closed the connection: {name}", "look into the broker's log")


def unanswered(seconds: float, settings: MqttSettings) -> str:
    """Return that the broker has been silent for so long."""
    what = f"the broker did not answer within {seconds:g} s"
    return _line(settings.address, what, "look after its machine and the network")


def hung_up(settings: MqttSettings, *, greeted: bool) -> str:
    """Return that the connection ended; `greeted`: it had been accepted before."""
    if greeted:
        return _line(settings.address, "the connection to the broker was lost", "it is tried again")
    if settings.tls:
        remedy = f"does it {'trust our' if settings.cert_file else 'want a'} client certificate?"
    else:
        remedy = "is it its MQTT port, and must [mqtt] tls be on?"
    return _line(settings.address, "the broker hung up without an answer", remedy)


def not_allowed(verb: str, topic: str, code: int, name: str) -> str:
    """Given `publish` or `subscribe to`, the topic and the broker's reason code, return why it failed."""
    what, remedy = _PUBLISH.get(code, (f"refuses: {name}", "look into the broker's log"))
    return str(BrokerError(f"Sayso may not {verb} it: the broker {what}", where=topic, remedy=remedy))


def _network(error: BaseException) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        what = f"the broker's certificate is not trusted: {error.verify_message}"
        return what, "set [mqtt] ca_file and host to match it"
    if isinstance(error, ssl.SSLError):
        reason = str(error.reason or "no reason given").replace("_", " ").lower()
        return f"no TLS connection: {reason}", _HANDSHAKE
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):  # after dialling only a handshake writes
        return "no TLS connection, or no websocket: the broker hung up", _HANDSHAKE
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "the host name is unknown", "correct [mqtt] host, or look after the name server"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused", "start the broker there, or correct [mqtt] host and port"
    if isinstance(error, (TimeoutError, socket.timeout)):  # two classes until Python 3.10
        return "no answer", "is the machine on, and [mqtt] host right?"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower(), "look after the network"
    if isinstance(error, ConnectionError):  # paho's WebsocketConnectionError is one without a number
        return "no websocket there", "correct [mqtt] port and websocket_path"
    return f"no MQTT broker there ({type(error).__name__})", "correct [mqtt] host and port"


def _line(where: str, what: str, remedy: str) -> str:
    return str(BrokerError(what, where=where, remedy=remedy))
