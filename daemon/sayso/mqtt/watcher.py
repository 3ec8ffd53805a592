"""Somebody who looks on: hears what one Sayso says on a broker, and asks it to show more.

Rule of this file: it says nothing of itself, and nothing that lasts. One thread, the caller's, owns it; the
connection's own thread only posts to its inbox.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Sequence, Union

from sayso.mqtt import refusal
from sayso.mqtt.client import Accepted, Closed, Connection, Event, Received, Subscribed
from sayso.mqtt.settings import MqttSettings, back_off
from sayso.records import Message

MAX_INBOX = 1000
"""Messages that may wait to be shown; beyond, they are not."""


@dataclass(frozen=True)
class Line:
    """How the connection stands now."""

    connected: bool
    error: str = ""
    """One line; empty when all is well."""


Seen = Union[Line, Received]


class Watcher:
    """Keeps a connection to the broker and subscriptions on it."""

    def __init__(self, settings: MqttSettings, client_id: str, topics: Sequence[str]) -> None:
        """Given where and who, and what to hear, also of what the broker has kept, begin to connect."""
        self._settings = settings
        self._client_id = client_id
        self._topics = tuple(topics)
        self._inbox: SimpleQueue[Event] = SimpleQueue()
        self._old_mqtt = False
        self._failures = 0
        self._next_attempt: float | None = None
        self._accepted = False
        self._connection = self._dial()

    def next(self, timeout: float) -> Seen | None:
        """Return what has happened; None if nothing did within `timeout` [s]."""
        deadline = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            if self._next_attempt is not None and now >= self._next_attempt:
                self._next_attempt = None
                self._connection = self._dial()
            try:
                event = self._inbox.get(timeout=max(0.0, min(deadline, self._next_attempt or deadline) - now))
            except Empty:
                if time.monotonic() >= deadline:
                    return None
                continue
            seen = self._understand(event)
            if seen is not None:
                return seen

    def ask(self, message: Message) -> None:
        """Given a request, send it if there is a broker now; it expires there after a second (MQTT 5)."""
        if self._accepted:
            self._connection.publish(message, 1)

    def close(self) -> None:
        """Hang up."""
        if self._accepted:
            self._connection.disconnect()
            self._connection.wait(1.0)  # the program may end now, and with it what is still on its way
        else:
            self._connection.reset()

    def _dial(self) -> Connection:
        connection = Connection(self._settings, self._client_id, None, self._post, old_mqtt=self._old_mqtt)
        connection.start()
        return connection

    def _post(self, event: Event) -> None:
        if not isinstance(event, Received) or self._inbox.qsize() < MAX_INBOX:
            self._inbox.put(event)

    def _understand(self, event: Event) -> Seen | None:
        if isinstance(event, Received):
            return event
        if isinstance(event, Accepted):
            self._accepted, self._failures = True, 0
            self._connection.subscribe(self._topics, own_too="", recall=self._topics)
            return Line(connected=True)
        if isinstance(event, Subscribed):
            return next((Line(True, line) for line in _denied(event)), None)
        if isinstance(event, Closed):
            return self._closed(event)
        return None

    def _closed(self, event: Closed) -> Seen | None:
        self._accepted = False
        self._old_mqtt = event.wrong_version and not self._old_mqtt
        if self._old_mqtt:
            self._next_attempt = time.monotonic()
            return None
        self._failures += 1
        chance = random.random()  # noqa: S311 - nothing secret in a delay
        self._next_attempt = time.monotonic() + back_off(self._failures, chance)
        return Line(connected=False, error=event.line)


def _denied(event: Subscribed) -> list[str]:
    """Given the broker's answer to a subscription, return a line for each topic that it refuses (MQTT 5)."""
    return [
        refusal.not_allowed("subscribe to", topic, code, name)
        for topic, code, name in zip(event.topics, event.codes, event.names)
        if code >= refusal.REFUSED
    ]
