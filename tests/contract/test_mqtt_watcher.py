"""Somebody who looks on, on a real mosquitto: at what was kept, too, and again after the broker was away."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import Iterator

from house import PATIENCE, Listener
from private_broker import PrivateBroker

from sayso.mqtt.client import Received
from sayso.mqtt.settings import MqttSettings
from sayso.mqtt.watcher import Line, Seen, Watcher
from sayso.records import Message

STATE = "sayso/home/state"


@contextmanager
def watcher(port: int) -> Iterator[Watcher]:
    watching = Watcher(MqttSettings(port=port), "sayso-monitor-1", [STATE])
    try:
        yield watching
    finally:
        watching.close()


def wait_for(watching: Watcher, wanted: type[Line] | type[Received]) -> Seen:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        seen = watching.next(0.2)
        if isinstance(seen, wanted):
            return seen
    raise AssertionError(f"waited in vain for {wanted}")


def test_it_sees_what_was_kept_and_what_comes_and_may_ask(broker: PrivateBroker) -> None:
    with Listener(broker.port, "sayso/home/set/live") as listener:
        listener.publish(STATE, "kept", retain=True)
        with watcher(broker.port) as watching:
            assert wait_for(watching, Line) == Line(connected=True)
            assert wait_for(watching, Received) == Received(STATE, b"kept", True)
            listener.publish(STATE, "new")
            assert wait_for(watching, Received) == Received(STATE, b"new", False)
            watching.ask(Message("sayso/home/set/live", b"20"))
            assert not listener.wait_for("sayso/home/set/live", b"20").retained


def test_it_says_why_there_is_nothing_to_see_and_comes_back(broker: PrivateBroker) -> None:
    broker.stop()
    with watcher(broker.port) as watching:
        watching.ask(Message("sayso/home/set/live", b"20"))
        line = wait_for(watching, Line)
        assert isinstance(line, Line)
        assert "connection refused (start the broker there" in line.error
        broker.start()
        while not (isinstance(line := wait_for(watching, Line), Line) and line.connected):
            pass
        with Listener(broker.port, "nothing") as listener:
            listener.publish(STATE, "after")
            assert wait_for(watching, Received) == Received(STATE, b"after", False)
