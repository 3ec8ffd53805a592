"""What waits for the broker, and what waits for its answer.

Rule of this file: no thread, no clock, no network; every method is told the time. Three kinds of
message, by their flags:

- State (retained) stays true: only the newest of each topic is kept, one of a topic is on its way at
  a time, and all of it is sent again at every connection.
- Events (all others) are perishable: an event that the broker has not acknowledged by its deadline
  is dropped and reported. One that was on its way when the connection broke may have arrived, so it
  is never sent again; one that had not been sent yet may still go while it is fresh.
- Glances (quality of service 0) are for who looks on right now: only the newest of a topic waits, only
  while the connection stands, and nobody is told of those that were not sent.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sayso.records import Message

CAPACITY = 64
"""Events that may wait; a person doesn't say more within a time to live. The oldest goes first."""

WINDOW = 16
"""Messages that may be on their way at once, below what any broker accepts."""


@dataclass(frozen=True)
class Dropped:
    """An event that nobody will hear, and why."""

    message: Message
    reason: str


@dataclass(frozen=True)
class _Event:
    message: Message
    deadline: float


class Outbox:
    """Messages between the daemon and the broker. Times are seconds on one monotonic clock."""

    def __init__(self, time_to_live: float) -> None:
        self._time_to_live = time_to_live
        self._waiting: deque[_Event] = deque()
        self._state: dict[str, Message] = {}
        self._unsent: dict[str, None] = {}
        self._sent: dict[int, _Event | Message] = {}
        self._glances: dict[str, Message] = {}
        self.window = WINDOW

    def put(self, message: Message, now: float) -> list[Dropped]:
        """Given a message made at `now`, keep it; return what had to make room for it."""
        if message.retain:
            self._state[message.topic] = message
            self._unsent[message.topic] = None
            return []
        if message.qos == 0:
            self._glances[message.topic] = message
            return []
        lifetime = self._time_to_live if message.expires is None else message.expires
        self._waiting.append(_Event(message, now + lifetime))
        if len(self._waiting) > CAPACITY:
            return [Dropped(self._waiting.popleft().message, f"more than {CAPACITY} messages were waiting")]
        return []

    def repeat_state(self, last: str) -> None:
        """Send all state again, the topic `last` at the end: a connection begins, or somebody has missed it."""
        self._unsent = dict.fromkeys(sorted(self._state, key=lambda topic: topic == last))

    def disconnected(self) -> list[Dropped]:
        """End a connection; return the events whose fate is unknown."""
        lost = [entry.message for entry in self._sent.values() if isinstance(entry, _Event)]
        self._sent.clear()
        self._glances.clear()
        return [Dropped(message, "the connection broke before the broker confirmed it") for message in lost]

    def expired(self, now: float) -> list[Dropped]:
        """Return the events past their deadline, and forget them."""
        late = [event.message for event in self._waiting if event.deadline <= now]
        self._waiting = deque(event for event in self._waiting if event.deadline > now)
        for token, entry in list(self._sent.items()):
            if isinstance(entry, _Event) and entry.deadline <= now:
                late.append(entry.message)
                del self._sent[token]
        return [Dropped(message, f"it could not be delivered within {self._lifetime(message):g} s") for message in late]

    def next_deadline(self) -> float | None:
        """Return when the next event expires; None when none can."""
        on_the_way = [entry.deadline for entry in self._sent.values() if isinstance(entry, _Event)]
        return min([event.deadline for event in self._waiting] + on_the_way, default=None)

    def next_state(self) -> Message | None:
        """Return the next state to be sent, and take it; None when there is none or no room."""
        if len(self._sent) >= self.window:
            return None
        busy = {entry.topic for entry in self._sent.values() if isinstance(entry, Message)}
        for topic in self._unsent:
            if topic not in busy:
                del self._unsent[topic]
                return self._state[topic]
        return None

    def next_event(self, now: float) -> tuple[Message, float] | None:
        """Return the next event and how long it stays fresh [s], and take it; None when there is none or no room."""
        if self._waiting and len(self._sent) < self.window and self._waiting[0].deadline > now:
            event = self._waiting.popleft()
            return event.message, event.deadline - now
        return None

    def glances(self) -> list[Message]:
        """Return the glances that wait, and take them."""
        waiting = list(self._glances.values())
        self._glances.clear()
        return waiting

    def sent(self, token: int, message: Message, fresh_until: float) -> None:
        """Given what the broker will call it by, note that a message is on its way."""
        self._sent[token] = message if message.retain else _Event(message, fresh_until)

    def answered(self, token: int) -> Message | None:
        """Given what the broker calls it by, return the message it has answered; None when it came too late."""
        entry = self._sent.pop(token, None)
        return entry.message if isinstance(entry, _Event) else entry

    @property
    def events_waiting(self) -> bool:
        """Return whether an event or a glance has not been sent yet."""
        return bool(self._waiting or self._glances)

    @property
    def empty(self) -> bool:
        """Return whether nothing waits and nothing is on its way."""
        return not (self._waiting or self._unsent or self._sent)

    def _lifetime(self, message: Message) -> float:
        return self._time_to_live if message.expires is None else message.expires
