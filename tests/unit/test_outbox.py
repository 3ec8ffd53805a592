"""What waits for the broker: events age and are never sent twice, state is only ever the newest."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sayso.mqtt.outbox import CAPACITY, WINDOW, Dropped, Outbox
from sayso.records import Message

TIME_TO_LIVE = 2.0


def event(text: str, expires: float | None = TIME_TO_LIVE) -> Message:
    return Message("sayso/home/command", text.encode(), expires=expires)


def state(topic: str, text: str) -> Message:
    return Message(topic, text.encode(), retain=True)


def texts(dropped: list[Dropped]) -> list[str]:
    return [entry.message.payload.decode() for entry in dropped]


def test_an_event_goes_while_it_is_fresh_and_says_for_how_long() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    outbox.put(event("on"), now=10.0)
    assert outbox.next_event(11.5) == (event("on"), 0.5)
    assert outbox.next_event(11.5) is None


def test_an_event_that_waited_too_long_is_dropped_and_never_offered() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    outbox.put(event("on"), now=10.0)
    assert outbox.next_deadline() == 12.0
    assert outbox.next_event(12.0) is None
    assert outbox.expired(11.9) == []
    assert texts(outbox.expired(12.0)) == ["on"]
    assert outbox.empty


def test_an_event_with_a_life_of_its_own_keeps_it_and_one_without_gets_the_usual() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    outbox.put(event("short", expires=0.5), now=10.0)
    outbox.put(event("usual", expires=None), now=10.0)
    assert texts(outbox.expired(10.6)) == ["short"]
    assert texts(outbox.expired(12.1)) == ["usual"]


def test_of_what_is_for_a_glance_only_the_newest_waits_and_nobody_misses_the_others() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    for text in ("1", "2", "3"):
        assert outbox.put(Message("sayso/home/live", text.encode(), qos=0), now=10.0) == []
    assert outbox.events_waiting
    assert outbox.expired(99.0) == []
    assert [glance.payload for glance in outbox.glances()] == [b"3"]
    assert outbox.glances() == []
    outbox.put(Message("sayso/home/live", b"4", qos=0), now=10.0)
    assert outbox.disconnected() == []
    assert outbox.glances() == []


def test_an_event_without_confirmation_is_given_up_and_a_late_confirmation_is_nothing() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    outbox.put(event("on"), now=10.0)
    message, fresh = outbox.next_event(10.0) or (event(""), 0.0)
    outbox.sent(7, message, 10.0 + fresh)
    assert outbox.next_deadline() == 12.0
    assert [entry.reason for entry in outbox.expired(12.0)] == ["it could not be delivered within 2 s"]
    assert outbox.answered(7) is None


def test_an_event_on_its_way_when_the_connection_breaks_is_not_sent_again() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    outbox.put(event("sent"), now=10.0)
    outbox.put(event("waiting"), now=10.0)
    message, fresh = outbox.next_event(10.0) or (event(""), 0.0)
    outbox.sent(1, message, 10.0 + fresh)
    assert texts(outbox.disconnected()) == ["sent"]
    outbox.repeat_state(last="")
    assert outbox.next_event(10.5) == (event("waiting"), 1.5), "it never left, and is still fresh"


def test_a_flood_of_events_pushes_out_the_oldest() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    dropped = [entry for number in range(CAPACITY + 2) for entry in outbox.put(event(str(number)), now=0.0)]
    assert texts(dropped) == ["0", "1"]


def test_only_the_newest_state_of_a_topic_is_sent_and_one_at_a_time() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    outbox.put(state("a", "old"), now=0.0)
    outbox.put(state("a", "new"), now=0.0)
    first = outbox.next_state()
    assert first == state("a", "new")
    outbox.sent(1, state("a", "new"), 0.0)
    outbox.put(state("a", "newer"), now=0.0)
    assert outbox.next_state() is None, "the one before has not been confirmed"
    assert outbox.answered(1) == state("a", "new")
    assert outbox.next_state() == state("a", "newer")


def test_state_never_expires_and_is_sent_again_at_every_connection_presence_last() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    for topic in ("status", "state", "discovery"):
        outbox.put(state(topic, "x"), now=0.0)
    assert outbox.expired(1e9) == []
    for _ in range(2):
        outbox.repeat_state(last="status")
        sent = []
        while (message := outbox.next_state()) is not None:
            sent.append(message.topic)
        assert sent == ["state", "discovery", "status"]


def test_no_more_is_on_its_way_than_the_broker_takes() -> None:
    outbox = Outbox(TIME_TO_LIVE)
    outbox.window = 1
    outbox.put(state("a", "x"), now=0.0)
    outbox.put(event("on"), now=0.0)
    outbox.sent(1, state("b", "x"), 0.0)
    assert outbox.next_state() is None
    assert outbox.next_event(0.0) is None
    outbox.answered(1)
    assert outbox.next_event(0.0) is not None


class House(RuleBasedStateMachine):
    """Any order of speaking, waiting, connecting, losing and confirming."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(TIME_TO_LIVE)
        self.now = 0.0
        self.connected = False
        self.spoken: dict[str, float] = {}
        self.sent: list[str] = []
        self.over: list[str] = []
        self.on_the_way: dict[int, str] = {}
        self.tokens = 0

    @rule()
    def speak(self) -> None:
        text = str(len(self.spoken))
        self.spoken[text] = self.now
        self.over += texts(self.outbox.put(event(text), self.now))

    @rule(seconds=st.sampled_from([0.125, 0.875, 2.0, 64.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.over += texts(self.outbox.expired(self.now))

    @precondition(lambda self: not self.connected)
    @rule()
    def connect(self) -> None:
        self.connected = True
        self.outbox.repeat_state(last="")

    @precondition(lambda self: self.connected)
    @rule()
    def lose(self) -> None:
        self.connected = False
        self.over += texts(self.outbox.disconnected())
        self.on_the_way.clear()

    @precondition(lambda self: self.connected)
    @rule()
    def send(self) -> None:
        while (taken := self.outbox.next_event(self.now)) is not None:
            message, fresh = taken
            text = message.payload.decode()
            assert 0 < fresh <= TIME_TO_LIVE
            assert self.now - self.spoken[text] < TIME_TO_LIVE, "a stale command was sent"
            assert text not in self.sent, "a command was sent twice"
            assert text not in self.over, "a command was reported as dropped, and sent"
            self.sent.append(text)
            self.tokens += 1
            self.on_the_way[self.tokens] = text
            self.outbox.sent(self.tokens, message, self.now + fresh)

    @precondition(lambda self: self.on_the_way)
    @rule(choice=st.integers(0, WINDOW))
    def confirm(self, choice: int) -> None:
        token = sorted(self.on_the_way)[choice % len(self.on_the_way)]
        text = self.on_the_way.pop(token)
        if self.outbox.answered(token) is not None:
            self.over.append(text)

    @invariant()
    def every_command_has_at_most_one_fate(self) -> None:
        assert len(self.over) == len(set(self.over))

    def teardown(self) -> None:
        self.over += texts(self.outbox.disconnected() + self.outbox.expired(self.now + 1e9))
        assert sorted(self.over) == sorted(self.spoken), "a command was lost without a word"


TestHouse = House.TestCase
TestHouse.settings = settings(max_examples=60, stateful_step_count=40)
