"""One connection to the broker, from dialling to hanging up; the only file that imports paho.

Rule of this file: a Connection is used once. paho queues what is published while it is disconnected
and sends it again after a reconnect; a client that never reconnects has no such queue. `reset` throws
away what the kernel still holds, too, so that nothing already sent arrives late over a mended line.

The connection has its own thread, which turns paho's loop and does all reading and writing; what
happens there is reported as one of the small values below, in that thread. The other methods may be
called from one other thread; they hand bytes to the loop and don't block.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Any, Callable, Collection, Sequence, Union

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from sayso.mqtt import credentials, refusal
from sayso.mqtt.settings import MqttSettings
from sayso.records import Message

STEP_SECONDS = 5.0
"""How long dialling and the TLS handshake may take, each."""

MAX_PACKET = 64 * 1024
"""Bytes of the largest packet that the broker may send us (MQTT 5); requests are far smaller."""

LARGEST_PACKET = 268_435_460
"""Bytes of the largest packet that MQTT can express."""

RECEIVE_MAXIMUM = 16
"""Unacknowledged messages that the broker may send us (MQTT 5)."""

_NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing resets the connection and discards what has not been sent."""


@dataclass(frozen=True)
class Dialled:
    """The network connection stands, and we have said who we are: the broker may take its time from now on."""


@dataclass(frozen=True)
class Accepted:
    """The broker has said yes."""

    receive_maximum: int
    """Unacknowledged messages that it takes from us."""
    maximum_packet: int
    """Bytes of the largest packet that it takes from us."""


@dataclass(frozen=True)
class Closed:
    """The connection has ended, or never began; always the last report."""

    line: str
    """Why."""
    wrong_version: bool
    """Whether it may be worth trying an older MQTT."""


@dataclass(frozen=True)
class Answered:
    """The broker has answered a question: it was alive just now."""

    question: int


@dataclass(frozen=True)
class Confirmed:
    """The broker has taken a message, or (code >= 128) refused it."""

    token: int
    code: int
    name: str


@dataclass(frozen=True)
class Subscribed:
    """The broker has answered a subscription, topic by topic."""

    topics: tuple[str, ...]
    codes: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Received:
    """Somebody has published something that we subscribed to."""

    topic: str
    payload: bytes
    retained: bool


Event = Union[Dialled, Accepted, Closed, Answered, Confirmed, Subscribed, Received]


class _PahoClient(Client):
    """Remembers the socket it dialled, so that it can be closed when a handshake fails: paho doesn't."""

    dialled: socket.socket | None = None

    def _create_socket_connection(self) -> socket.socket:
        self.dialled = super()._create_socket_connection()
        return self.dialled


class Connection:
    """One MQTT connection, 5 or 3.1.1."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        will: Message | None,
        report: Callable[[Event], None],
        *,
        old_mqtt: bool = False,
    ) -> None:
        """Given where and who, what the broker shall publish when we are lost (None: nothing), and whom to tell
        what happens; with `old_mqtt`, speak 3.1.1."""
        self._settings = settings
        self._report = report
        self._version = MQTTProtocolVersion.MQTTv311 if old_mqtt else MQTTProtocolVersion.MQTTv5
        self._client = self._make_client(client_id, will)
        self._tls: credentials.TlsContext | None = None
        self._subscribed: tuple[str, ...] = ()
        self._line = ""
        self._wrong_version = False
        self._greeted = False
        self._over = False
        self._handle_lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt-network", daemon=True)

    def start(self) -> None:
        """Dial."""
        self._thread.start()

    def publish(self, message: Message, expires: int | None) -> int:
        """Given a message and after how many seconds the broker must drop it, send it; return its token.

        With quality of service 0 nobody learns whether it was delivered or lost.
        """
        properties = None
        if self._version == MQTTProtocolVersion.MQTTv5 and expires is not None:
            properties = _properties(PacketTypes.PUBLISH)
            properties.MessageExpiryInterval = expires
        return self._client.publish(message.topic, message.payload, message.qos, message.retain, properties).mid

    def subscribe(self, topics: Sequence[str], *, own_too: str, recall: Collection[str]) -> None:
        """Given topic filters, hear what comes from now on, and what the broker has kept of those in `recall`.

        To be called once: the answer names no topics, it only has a code for each of them in this order.
        Our own messages don't come back, but on `own_too`. MQTT 3.1.1 has neither distinction: all comes.
        """
        self._subscribed = tuple(topics)  # first: the network thread may have the answer before the call returns
        if self._version == MQTTProtocolVersion.MQTTv5:
            self._client.subscribe(
                [
                    (
                        topic,
                        SubscribeOptions(
                            qos=1,
                            noLocal=topic != own_too,
                            retainHandling=(
                                SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
                                if topic in recall
                                else SubscribeOptions.RETAIN_DO_NOT_SEND
                            ),
                        ),
                    )
                    for topic in topics
                ]
            )
        else:
            self._client.subscribe([(topic, 1) for topic in topics])

    def ask(self, topic: str) -> int:
        """Given a topic that nobody subscribes to, ask the broker to unsubscribe us from it; return the question.

        Any broker answers that at once and changes nothing. MQTT's own ping would do, but isn't paho's to give.
        """
        _, question = self._client.unsubscribe(topic)
        return -1 if question is None else question

    def disconnect(self) -> None:
        """Say goodbye; the broker then drops the last will."""
        self._client.disconnect()

    def wait(self, timeout: float) -> None:
        """Given a time [s], wait no longer than that until all that was said before the goodbye has been sent."""
        self._thread.join(timeout)

    def reset(self, line: str = "") -> None:
        """Given why, end the connection at once, with all that is still on its way."""
        self._line = self._line or line
        self._over = True
        with self._handle_lock:
            if self._handle is None:
                return
            self._handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            try:
                self._handle.shutdown(socket.SHUT_RD)  # wakes the loop with an end of file
            except OSError:
                return  # it has just ended by itself

    # The network thread.

    def _run(self) -> None:
        client, settings = self._client, self._settings
        try:
            client.username_pw_set(settings.username or None, credentials.password(settings))
            self._tls = credentials.tls_context(settings)
            if self._tls is not None:
                client.tls_set_context(self._tls)
            self._dial()
            while not self._over and client.loop(timeout=1.0) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                pass
        except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes do to the library ends the connection only
            self._line = self._line or refusal.connection_failed(error, settings)
        self._hang_up()
        line = self._line or refusal.hung_up(settings, greeted=self._greeted)
        self._report(Closed(line, self._wrong_version or not (self._greeted or self._line)))

    def _dial(self) -> None:
        options: dict[str, Any] = {}
        if self._version == MQTTProtocolVersion.MQTTv5:
            options["clean_start"] = True
            options["properties"] = limits = _properties(PacketTypes.CONNECT)
            limits.MaximumPacketSize = MAX_PACKET
            limits.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect(self._settings.host, self._settings.dialled_port, self._settings.keepalive, **options)

    def _hang_up(self) -> None:
        """Close every descriptor of the socket, whoever holds it."""
        wrapped = None if self._tls is None else self._tls.wrapped
        for layer in (self._client.socket(), wrapped, self._client.dialled):
            if layer is not None:
                layer.close()
        with self._handle_lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None
        # Without them nothing refers to itself: paho closes its two inner sockets as soon as nobody needs it.
        self._client.on_connect = self._client.on_disconnect = self._client.on_publish = None
        self._client.on_subscribe = self._client.on_unsubscribe = self._client.on_message = None
        self._client.on_socket_open = None

    def _make_client(self, client_id: str, will: Message | None) -> _PahoClient:
        client = _PahoClient(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if self._version == MQTTProtocolVersion.MQTTv5 else True,
            protocol=self._version,
            transport="websockets" if self._settings.websocket_path else "tcp",
            reconnect_on_failure=False,
        )
        if self._settings.websocket_path:
            client.ws_set_options(self._settings.websocket_path)
        client.connect_timeout = STEP_SECONDS
        if will is not None:
            client.will_set(will.topic, will.payload, max(1, will.qos), will.retain)
        client.on_socket_open = self._on_socket_open
        # With this set, publish() and its like only append and wake the loop: all writing is the network thread's.
        client.on_socket_register_write = lambda *_: None
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = lambda _client, _data, token, code, _properties: report_confirmed(token, code)
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = lambda _client, _data, question, *_: self._report(Answered(question))
        client.on_message = self._on_message

        def report_confirmed(token: int, code: ReasonCode) -> None:
            self._report(Confirmed(token, code.value, code.getName()))

        return client

    def _on_socket_open(self, _client: Client, _data: Any, opened: Any) -> None:
        # Our own descriptor of the same socket: paho may close its one at any time.
        handle = socket.socket(fileno=os.dup(opened.fileno()))
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._handle_lock:
            self._handle = handle
        self._report(Dialled())

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, code: ReasonCode, extra: Properties | None
    ) -> None:
        if code.value >= refusal.REFUSED:
            self._wrong_version = code.value == refusal.UNSUPPORTED_PROTOCOL
            self._line = refusal.connection_refused(code.value, code.getName(), self._settings)
            return
        self._greeted = True
        maximum_packet = getattr(extra, "MaximumPacketSize", LARGEST_PACKET)
        self._report(Accepted(getattr(extra, "ReceiveMaximum", 65_535), maximum_packet))

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, code: ReasonCode, _extra: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._line = self._line or refusal.closed(code.value, code.getName(), self._settings)

    def _on_subscribe(
        self, _client: Client, _data: Any, _token: int, codes: list[ReasonCode], _extra: Properties | None
    ) -> None:
        names = tuple(code.getName() for code in codes)
        self._report(Subscribed(self._subscribed, tuple(code.value for code in codes), names))

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._report(Received(message.topic, bytes(message.payload), message.retain))


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]
