"""What stands around Sayso in a house: somebody who listens on the broker, and a line that can be bad."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Callable, Iterator

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

PATIENCE = 20.0
"""How long anything may take before a test fails [s]."""

PUBACK = 4
"""MQTT's packet type, the upper half of a packet's first byte."""


def until(condition: Callable[[], object], what: str) -> None:
    """Given a condition that will come true, wait for it. Raise AssertionError, saying `what` was awaited."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.01)


@dataclass(frozen=True)
class Heard:
    """A message as a subscriber gets it."""

    topic: str
    payload: bytes
    retained: bool
    qos: int
    expiry: int | None


class Listener:
    """A subscriber of its own, on a real connection. A context manager."""

    def __init__(self, port: int, *topics: str, username: str = "", password: str = "", tls: object = None) -> None:
        self.heard: list[Heard] = []
        self._topics = topics
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        if username:
            self._client.username_pw_set(username, password)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_disconnect = lambda *_: self._subscribed.clear()
        self._client.on_message = self._on_message
        self._port = port

    def __enter__(self) -> Listener:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self.ready()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def ready(self) -> None:
        """Wait until the broker has this subscriber's subscriptions."""
        assert self._subscribed.wait(PATIENCE), "the listener could not subscribe"

    def publish(self, topic: str, payload: bytes | str, retain: bool = False) -> None:
        """Say something, and wait until the broker has it."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(PATIENCE)

    def send(self, topic: str, payload: bytes) -> None:
        """Say something, and don't wait."""
        self._client.publish(topic, payload, 1)

    def payloads(self, topic: str) -> list[bytes]:
        """Return what came in on a topic, in order."""
        return [message.payload for message in list(self.heard) if message.topic == topic]

    def wait_for(self, topic: str, payload: bytes | None = None) -> Heard:
        """Wait for a message on a topic (with this payload, if any), return the newest such."""

        def found() -> Iterator[Heard]:
            return (m for m in reversed(list(self.heard)) if m.topic == topic and payload in (None, m.payload))

        until(lambda: next(found(), None), f"{topic} {payload!r}, heard {self.payloads(topic)}")
        return next(found())

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        self.heard.append(Heard(message.topic, bytes(message.payload), message.retain, message.qos, expiry))


class Line:
    """A network line to a port of this machine that can be cut, slowed down or held up. A context manager."""

    def __init__(self, port: int) -> None:
        """Given where it leads, lay it."""
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.delay = 0.0
        """How long every byte takes in each direction [s]."""
        self.confirms = True
        """Whether the broker's PUBACKs come through."""
        self._open = True
        self._cuts = 0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Line:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open = False
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listening.close()

    def cut(self) -> None:
        """Break the connections that are open; new ones may be made."""
        self._cuts += 1

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while self._open:
            if select.select([self._listening], [], [], 0.05)[0]:
                self._spawn(self._carry, self._listening.accept()[0])

    def _carry(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with far:
                try:
                    self._forward(near, far)
                except OSError:
                    return

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        cuts, waiting = self._cuts, deque[tuple[float, socket.socket, bytes]]()
        while self._open and cuts == self._cuts:
            for source, sink in ((near, far), (far, near)):
                if not select.select([source], [], [], 0.005)[0]:
                    continue
                data = source.recv(65536)
                if not data:
                    return
                if self.confirms or source is near or data[0] >> 4 != PUBACK:
                    waiting.append((time.monotonic() + self.delay, sink, data))
            while waiting and waiting[0][0] <= time.monotonic():
                _, sink, data = waiting.popleft()
                sink.sendall(data)
