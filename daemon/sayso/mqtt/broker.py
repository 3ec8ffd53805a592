"""The house's broker as the daemon sees it: there or not, and messages that arrive in time or not at all.

Rule of this file: nothing goes to a connection that is not known to be alive. A broker that is
frozen, or behind a broken line, still takes bytes: they would lie in a socket's buffer and be
delivered minutes later. So before an event goes out the broker must have answered a question asked
for it (one round trip), and when it then doesn't confirm the event in time, the connection is reset.
What remains is a broker that freezes within that one round trip.

One thread, the keeper, owns everything here and is the only one to call the callbacks; connections
and the rest of the daemon post to its inbox. What waits, waits in the outbox, where it ages.
"""

from __future__ import annotations

import math
import random
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Callable, Collection, Sequence

from sayso.mqtt import refusal
from sayso.mqtt.client import (
    LARGEST_PACKET,
    Accepted,
    Answered,
    Closed,
    Confirmed,
    Connection,
    Dialled,
    Event,
    Received,
    Subscribed,
)
from sayso.mqtt.outbox import WINDOW, Dropped, Outbox
from sayso.mqtt.settings import MqttSettings, back_off
from sayso.records import Message

GREETING_SECONDS = 5.0
"""How long the broker may take to say yes or no."""

STABLE_SECONDS = 15.0
"""A connection that lived so long was a good one: the back-off starts anew."""

MAX_INBOX = 256
"""Messages received and not handled yet; a flood beyond it is not read."""

PACKET_OVERHEAD = 32
"""Bytes of a PUBLISH beside topic and payload, rounded up (MQTT 5, 3.3)."""

NO_MATCHING_SUBSCRIBERS = 16
"""Reason code of a PUBACK (MQTT 5, 3.4.2.1)."""


@dataclass(frozen=True)
class BrokerStatus:
    """How the connection stands."""

    connected: bool
    """Whether the broker has accepted the connection and not lost it since."""
    error: str = ""
    """One line; empty when all is well."""


@dataclass(frozen=True)
class Counters:
    """What happened since the start."""

    published: int = 0
    """Events that the broker confirmed."""
    unheard: int = 0
    """Of these, events that nobody is subscribed to, as far as the broker says (MQTT 5)."""
    dropped: int = 0
    """Events that were not delivered while they were fresh, or refused."""
    reconnects: int = 0
    ignored: int = 0
    """Messages received and not read, because there were too many."""


class Broker:
    """Keeps a connection to the broker, whatever happens to it."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        *,
        online: Message,
        offline: Message,
        subscriptions: Sequence[str] = (),
        recall: Sequence[str] = (),
        optional: Collection[str] = (),
        on_message: Callable[[str, bytes, bool], None],
        on_status: Callable[[BrokerStatus], None],
        on_dropped: Callable[[Dropped], None],
    ) -> None:
        """Given who we are, what to say on arriving and when lost, what to hear (of `recall` also what the broker
        has kept from before), of which topics it may deny us (`optional`), and whom to tell: each message (topic,
        payload, retained), the status when it changes, events that nobody will hear.
        """
        self._settings = settings
        self._client_id = client_id
        self._online = online
        self._offline = offline
        self._subscriptions = (*subscriptions, *recall, online.topic)
        self._recall = frozenset(recall)
        self._optional = frozenset(optional)
        self._on_message = on_message
        self._on_status = on_status
        self._on_dropped = on_dropped

        self.status = BrokerStatus(connected=False)
        self._counters = Counters()
        self._ignored = 0  # counted in the network thread, read in any

        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._outbox = Outbox(settings.time_to_live)
        self._outbox.put(online, time.monotonic())
        self._connection: Connection | None = None
        self._dialled_at: float | None = None
        self._accepted_at: float | None = None
        self._connected = False
        self._given_up = False
        self._leaving = False
        self._left_well = False
        self._question: int | None = None
        self._maximum_packet = LARGEST_PACKET
        self._refused: dict[str, str] = {}
        self._old_mqtt = False
        self._failures = 0
        self._ever_connected = False
        self._next_attempt: float | None = time.monotonic()
        self._repeat_due: float | None = None
        self._stop_by: float | None = None
        self._thread = threading.Thread(target=self._keep, name="mqtt", daemon=True)

    @property
    def counters(self) -> Counters:
        """Return what has happened so far."""
        return replace(self._counters, ignored=self._ignored)

    def start(self) -> None:
        """Begin to connect; return at once, whether or not there is a broker."""
        self._thread.start()

    def publish(self, message: Message) -> None:
        """Given a message, see to its delivery; never block. An event that grows stale first is dropped; a glance
        (quality of service 0) is replaced by the next one while the broker doesn't answer.
        """
        self._inbox.put(partial(self._accept, message, time.monotonic()))

    def publish_state_again(self, after: float) -> None:
        """Given a pause [s], send all that is retained once more after it: somebody says that he has just arrived."""
        self._inbox.put(partial(self._repeat_at, time.monotonic() + after))

    def stop(self, timeout: float = 1.0) -> bool:
        """Deliver what is fresh, say `offline`, hang up. Return whether the broker took it all within `timeout` [s]."""
        self._inbox.put(partial(self._begin_to_stop, time.monotonic() + timeout))
        self._thread.join(timeout + 0.5)
        return self._left_well

    # The keeper.

    def _keep(self) -> None:
        while not self._stopped(time.monotonic()):
            self._act(time.monotonic())
            try:
                self._inbox.get(timeout=self._patience(time.monotonic()))()
            except Empty:
                continue
        self._left_well = self._leaving and self._connection is None
        if self._connection is not None:
            self._connection.reset()
        self._drop(self._outbox.disconnected() + self._outbox.expired(math.inf))

    def _stopped(self, now: float) -> bool:
        if self._stop_by is None:
            return False
        useless = self._connection is None or not (self._connected or self._leaving)
        return useless or now >= self._stop_by

    def _patience(self, now: float) -> float:
        """Return how long nothing has to be done unless something happens [s]."""
        moments = (
            self._next_attempt,
            self._stop_by,
            self._repeat_due,
            self._outbox.next_deadline(),
            self._greeting_due(),
        )
        return max(0.0, min((moment for moment in moments if moment is not None), default=now + 60.0) - now)

    def _greeting_due(self) -> float | None:
        """Return when the broker must have greeted us; None while that is no question."""
        if self._connection is None or self._accepted_at is not None or self._dialled_at is None:
            return None
        return self._dialled_at + GREETING_SECONDS

    def _act(self, now: float) -> None:
        """Do what is due."""
        if self._next_attempt is not None and now >= self._next_attempt:
            self._connect()
        if self._repeat_due is not None and now >= self._repeat_due:
            self._repeat_due = None
            self._outbox.repeat_state(last=self._online.topic)
        expired = self._outbox.expired(now)
        self._drop(expired)
        due = self._greeting_due()
        if expired and self._connected:
            self._give_up(refusal.unanswered(self._settings.time_to_live, self._settings))
        elif due is not None and now >= due and not self._given_up:
            self._give_up(refusal.unanswered(GREETING_SECONDS, self._settings))
        if self._connected and self._connection is not None:
            self._send(self._connection, now)

    def _send(self, connection: Connection, now: float) -> None:
        while (state := self._outbox.next_state()) is not None:
            if self._fits(state):
                self._outbox.sent(connection.publish(state, None), state, now)
        if self._outbox.events_waiting and self._question is None:
            self._question = connection.ask(f"{self._online.topic}/alive")
        if self._stop_by is not None and self._outbox.empty and not self._leaving:
            self._leaving = True
            connection.disconnect()

    # What the daemon wants.

    def _accept(self, message: Message, now: float) -> None:
        if message.qos == 0 and not self._connected:
            return
        self._drop(self._outbox.put(message, now))

    def _repeat_at(self, moment: float) -> None:
        self._repeat_due = moment if self._repeat_due is None else min(moment, self._repeat_due)

    def _begin_to_stop(self, deadline: float) -> None:
        self._stop_by = deadline
        self._next_attempt = None
        self._outbox.put(self._offline, deadline)

    # What the broker and the network do.

    def _connect(self) -> None:
        self._next_attempt = self._dialled_at = self._accepted_at = self._question = None
        self._given_up = False
        self._connection = Connection(
            self._settings, self._client_id, self._offline, self._post, old_mqtt=self._old_mqtt
        )
        self._connection.start()

    def _post(self, event: Event) -> None:
        """Given what happened on the connection (called in its thread), leave it to the keeper."""
        if isinstance(event, Received) and self._inbox.qsize() >= MAX_INBOX:
            self._ignored += 1
        else:
            self._inbox.put(partial(self._handle, event))

    def _handle(self, event: Event) -> None:
        if isinstance(event, Closed):
            self._on_closed(event)
        elif self._connection is None or self._given_up:
            return
        elif isinstance(event, Dialled):
            self._dialled_at = time.monotonic()
        elif isinstance(event, Accepted):
            self._on_accepted(self._connection, event)
        elif isinstance(event, Answered):
            self._on_answered(self._connection, event)
        elif isinstance(event, Confirmed):
            self._on_confirmed(event)
        elif isinstance(event, Subscribed):
            self._on_subscribed(event)
        else:
            self._on_received(event)

    def _on_accepted(self, connection: Connection, event: Accepted) -> None:
        self._accepted_at = time.monotonic()
        self._connected = True
        self._refused.clear()
        self._count(reconnects=int(self._ever_connected))
        self._ever_connected = True
        self._outbox.window = min(WINDOW, event.receive_maximum)
        self._maximum_packet = event.maximum_packet
        self._outbox.repeat_state(last=self._online.topic)
        connection.subscribe(self._subscriptions, own_too=self._online.topic, recall=self._recall)
        self._tell()

    def _on_closed(self, event: Closed) -> None:
        lived = 0.0 if self._accepted_at is None else time.monotonic() - self._accepted_at
        self._connection = None
        self._connected = False
        self._drop(self._outbox.disconnected())
        if self._stop_by is not None:
            return
        # Every connection begins with MQTT 5; only the attempt right after a refusal of it is made with 3.1.1.
        self._old_mqtt = event.wrong_version and not self._old_mqtt
        if self._old_mqtt:
            self._next_attempt = time.monotonic()
            return
        self._failures = 1 if lived >= STABLE_SECONDS else self._failures + 1
        chance = random.random()  # noqa: S311 - nothing secret in a delay
        self._next_attempt = time.monotonic() + back_off(self._failures, chance)
        self._tell(event.line)

    def _on_answered(self, connection: Connection, event: Answered) -> None:
        """The broker has just been alive: what is fresh may go."""
        if event.question != self._question:
            return
        self._question = None
        now = time.monotonic()
        while (taken := self._outbox.next_event(now)) is not None:
            message, fresh = taken
            if self._fits(message):
                # Whole seconds; 0 would mean for ever to some brokers.
                self._outbox.sent(connection.publish(message, max(1, round(fresh))), message, now + fresh)
        for glance in self._outbox.glances():
            if self._fits(glance):
                connection.publish(glance, max(1, round(glance.expires or 1)))

    def _on_confirmed(self, event: Confirmed) -> None:
        message = self._outbox.answered(event.token)
        if message is None:
            return
        if event.code >= refusal.REFUSED:
            self._refuse(message, event.code, event.name)
        else:
            self._refused.pop(message.topic, None)
            if not message.retain:
                self._count(published=1, unheard=int(event.code == NO_MATCHING_SUBSCRIBERS))
        self._tell()

    def _fits(self, message: Message) -> bool:
        """Return whether the broker takes a message of this size; one too large would end the connection."""
        if len(message.topic.encode()) + len(message.payload) + PACKET_OVERHEAD <= self._maximum_packet:
            return True
        self._refuse(message, refusal.PACKET_TOO_LARGE, "")
        self._tell()
        return False

    def _refuse(self, message: Message, code: int, name: str) -> None:
        self._refused[message.topic] = refusal.not_allowed("publish", message.topic, code, name)
        if not message.retain:
            self._drop([Dropped(message, "the broker refused it")])

    def _on_subscribed(self, event: Subscribed) -> None:
        for topic, code, name in zip(event.topics, event.codes, event.names):
            if code >= refusal.REFUSED and topic not in self._optional:
                self._refused[topic] = refusal.not_allowed("subscribe to", topic, code, name)
        self._tell()

    def _on_received(self, event: Received) -> None:
        if event.topic != self._online.topic:
            self._on_message(event.topic, event.payload, event.retained)
        elif event.payload == self._offline.payload and not event.retained and self._stop_by is None:
            # The last will of an earlier connection, or of another daemon, came after we said `online`.
            self._outbox.put(self._online, time.monotonic())

    def _give_up(self, line: str) -> None:
        """Throw the connection away with all that it still holds; it reports its end itself."""
        self._connected = False
        self._given_up = True
        if self._connection is not None:
            self._connection.reset(line)

    # What the daemon is told.

    def _drop(self, dropped: Sequence[Dropped]) -> None:
        self._count(dropped=len(dropped))
        for entry in dropped:
            self._on_dropped(entry)

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self._counters, name) + number for name, number in more.items()}
        self._counters = replace(self._counters, **counted)

    def _tell(self, error: str = "") -> None:
        status = BrokerStatus(self._connected, error or next(iter(self._refused.values()), ""))
        if status != self.status:
            self.status = status
            self._on_status(status)
