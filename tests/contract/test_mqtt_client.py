"""The broker as the daemon sees it, on a real mosquitto that is down, killed, frozen, slow or hostile."""

from __future__ import annotations

import sys
from dataclasses import replace
from queue import Queue
from typing import Iterator, TypeVar

import pytest
from house import Line, Listener, until
from mqtt_daemon import (
    COMMAND,
    KEPT,
    LIVE,
    SITE,
    STATE,
    STATUS,
    TIME_TO_LIVE,
    Daemon,
    command,
    daemon,
    error_of,
    state,
    wait_connected,
)
from private_broker import PrivateBroker

from sayso.mqtt.broker import BrokerStatus
from sayso.mqtt.client import Accepted, Closed, Connection, Subscribed
from sayso.mqtt.settings import MqttSettings
from sayso.records import Message, State

Kind = TypeVar("Kind")

QUIET = State("0.1.0", True, False, "ok: USB Audio", "cpu", "en 1", "3f2a")


def wait_for(events: Queue[object], kind: type[Kind]) -> Kind:
    while not isinstance(event := events.get(timeout=10), kind):
        pass
    return event


# Reaching the house


def test_a_command_arrives_once_not_retained_and_with_an_expiry(broker: PrivateBroker) -> None:
    with Listener(broker.port, "sayso/#") as listener, daemon(broker.port) as running:
        wait_connected(running)
        running.broker.publish(command("lights on", time_to_live=2.0))
        message = listener.wait_for(COMMAND, b"lights on")
        until(lambda: running.broker.counters.published == 1, "the confirmation")
        assert not message.retained
        assert message.qos == 1
        assert message.expiry in (1, 2)
        assert running.dropped == []
        assert listener.payloads(COMMAND) == [b"lights on"]
    with Listener(broker.port, COMMAND, STATUS) as late:
        late.wait_for(STATUS)
        assert late.payloads(COMMAND) == []


def test_a_glance_is_sent_while_the_broker_answers_and_is_never_late(broker: PrivateBroker) -> None:
    with Listener(broker.port, LIVE, STATUS) as listener, daemon(broker.port) as running:
        running.broker.publish(Message(LIVE, b"before the connection", qos=0, expires=1.0))
        listener.wait_for(STATUS, b"online")
        running.broker.publish(Message(LIVE, b"one", qos=0, expires=1.0))
        assert listener.wait_for(LIVE, b"one").qos == 0
        broker.freeze()
        for text in (b"two", b"three", b"four"):
            running.broker.publish(Message(LIVE, text, qos=0, expires=1.0))
        broker.thaw()
        listener.wait_for(LIVE, b"four")
        assert listener.payloads(LIVE) == [b"one", b"four"]
        assert running.broker.counters.dropped == 0
        assert running.dropped == []


def test_presence_is_online_while_connected_and_offline_after_a_good_end(broker: PrivateBroker) -> None:
    with Listener(broker.port, STATUS) as listener:
        running = Daemon(MqttSettings(port=broker.port, site=SITE))
        running.broker.start()
        listener.wait_for(STATUS, b"online")
        assert running.broker.stop(2.0)
        listener.wait_for(STATUS, b"offline")
    assert "exceeded timeout" not in broker.log_path.read_text()


def test_the_broker_says_offline_when_the_daemon_is_lost(broker: PrivateBroker) -> None:
    with Line(broker.port) as line, Listener(broker.port, STATUS) as listener, daemon(line.port):
        listener.wait_for(STATUS, b"online")
        line.cut()
        listener.wait_for(STATUS, b"offline")


def test_requests_reach_the_daemon_and_kept_ones_are_not_sent_again(broker: PrivateBroker) -> None:
    with Listener(broker.port, STATUS) as listener:
        listener.publish(f"sayso/{SITE}/set/mode", "push", retain=True)
        with daemon(broker.port) as running:
            listener.wait_for(STATUS, b"online")
            listener.publish(f"sayso/{SITE}/set/mute", "on")
            until(lambda: running.heard, "the request")
            assert running.heard == [(f"sayso/{SITE}/set/mute", b"on", False)]


def test_what_the_broker_has_kept_is_recalled_where_that_is_wanted(broker: PrivateBroker) -> None:
    with Listener(broker.port, STATUS) as listener:
        listener.publish(KEPT, "from before", retain=True)
        with daemon(broker.port) as running:
            running.broker.publish(Message(KEPT, b"from now on", retain=True))
            until(lambda: running.heard, "what was kept")
            listener.wait_for(STATUS, b"online")
            assert running.heard == [(KEPT, b"from before", True)]


def test_a_refused_topic_is_named_however_soon_the_broker_answers(broker: PrivateBroker) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # as on a busy machine, where the answer overtakes who asked
    try:
        for number in range(100):
            events: Queue[object] = Queue()
            connection = Connection(MqttSettings(port=broker.port), f"visitor-{number}", None, events.put)
            connection.start()
            wait_for(events, Accepted)
            connection.subscribe(["one", "two"], own_too="", recall=[])
            assert wait_for(events, Subscribed).topics == ("one", "two")
            connection.disconnect()
            wait_for(events, Closed)
    finally:
        sys.setswitchinterval(before)


def test_all_state_is_said_again_to_somebody_who_has_just_arrived(broker: PrivateBroker) -> None:
    with Listener(broker.port, STATE, STATUS) as listener, daemon(broker.port) as running:
        running.broker.publish(state("listening"))
        listener.wait_for(STATE, b"listening")
        running.broker.publish_state_again(after=0.0)
        until(lambda: listener.payloads(STATUS) == [b"online"] * 2, "presence to be said again")
        assert listener.payloads(STATE) == [b"listening"] * 2


# A broker that is not there


def test_the_daemon_starts_without_a_broker_and_connects_when_it_comes(broker: PrivateBroker) -> None:
    broker.stop()
    with daemon(broker.port) as running:
        running.broker.publish(state("listening"))
        assert "connection refused (start the broker there" in error_of(running)
        assert not running.connected()
        broker.start()
        with Listener(broker.port, STATE) as listener:
            listener.wait_for(STATE, b"listening")
        assert running.broker.status == BrokerStatus(connected=True)


def test_a_broker_that_takes_the_connection_and_says_nothing_is_given_up_though_nobody_speaks(
    broker: PrivateBroker,
) -> None:
    broker.freeze()
    with daemon(broker.port) as running:
        assert "did not answer within 5 s" in error_of(running)
        broker.thaw()
        wait_connected(running)


def test_commands_spoken_while_the_broker_was_dead_never_arrive_but_the_newest_state_does(
    broker: PrivateBroker,
) -> None:
    with daemon(broker.port) as running:
        wait_connected(running)
        running.broker.publish(state("before"))
        broker.kill()
        until(lambda: not running.connected(), "the loss of the broker")
        running.say("one", "two", "three")
        running.broker.publish(state("meanwhile"))
        running.broker.publish(state("newest"))
        until(lambda: len(running.dropped) == 3, "three commands to be dropped")
        broker.start()
        with Listener(broker.port, "sayso/#") as listener:
            wait_connected(running)
            listener.wait_for(STATE, b"newest")
            listener.wait_for(STATUS, b"online")
            running.say("fresh")
            listener.wait_for(COMMAND, b"fresh")
            assert listener.payloads(COMMAND) == [b"fresh"]
            assert b"meanwhile" not in listener.payloads(STATE)
        assert running.broker.counters.dropped == 3
        assert running.broker.counters.reconnects == 1
        assert {str(entry.message.payload, "ascii") for entry in running.dropped} == {"one", "two", "three"}


def test_commands_spoken_to_a_frozen_broker_never_arrive(broker: PrivateBroker) -> None:
    with Listener(broker.port, "sayso/#") as listener, daemon(broker.port) as running:
        wait_connected(running)
        listener.wait_for(STATUS, b"online")
        broker.freeze()
        running.say("one", "two")
        until(lambda: len(running.dropped) == 2, "two commands to be dropped")
        running.say("three")
        until(lambda: len(running.dropped) == 3, "the third to be dropped")
        assert "did not answer within 0.5 s" in error_of(running)
        broker.thaw()
        wait_connected(running)
        running.say("fresh")
        listener.wait_for(COMMAND, b"fresh")
        assert listener.payloads(COMMAND) == [b"fresh"]
        listener.wait_for(STATUS, b"online")
        until(lambda: listener.payloads(STATUS)[-1] == b"online", "online to be the last word")


def test_a_command_that_arrived_but_was_not_confirmed_is_reported_and_not_sent_again(broker: PrivateBroker) -> None:
    with Line(broker.port) as line, Listener(broker.port, "sayso/#") as listener, daemon(line.port) as running:
        wait_connected(running)
        running.say("first")
        until(lambda: running.broker.counters.published == 1, "the confirmation")
        line.confirms = False
        running.say("once")
        listener.wait_for(COMMAND, b"once")
        until(lambda: running.dropped, "the command to be given up")
        line.confirms = True
        until(lambda: running.broker.counters.reconnects >= 1 and running.connected(), "the next connection")
        running.say("fresh")
        listener.wait_for(COMMAND, b"fresh")
        assert listener.payloads(COMMAND) == [b"first", b"once", b"fresh"]


def test_a_slow_line_delivers_while_it_is_fast_enough_and_nothing_when_it_is_not(broker: PrivateBroker) -> None:
    with Line(broker.port) as line, Listener(broker.port, "sayso/#") as listener, daemon(line.port) as running:
        wait_connected(running)
        listener.wait_for(STATUS, b"online")
        line.delay = 0.05
        running.say("slow but fresh")
        listener.wait_for(COMMAND, b"slow but fresh")
        until(lambda: running.broker.counters.published == 1, "the confirmation")
        line.delay = TIME_TO_LIVE
        running.say("too late")
        until(lambda: running.dropped, "the command to be dropped")
        line.delay = 0.0
        # A moment after the drop it still counts as connected, by the connection that is about to be thrown away.
        until(lambda: running.broker.counters.reconnects > 0 and running.connected(), "a new connection")
        running.say("fresh")
        listener.wait_for(COMMAND, b"fresh")
        assert listener.payloads(COMMAND) == [b"slow but fresh", b"fresh"]


# Others on the broker


def test_two_daemons_with_one_site_notice_each_other(broker: PrivateBroker) -> None:
    with daemon(broker.port, "aaaaaaaa") as first, daemon(broker.port, "bbbbbbbb") as second:
        wait_connected(first)
        wait_connected(second)
        for running in (first, second):
            running.broker.publish(running.contract.state(QUIET))
        until(lambda: first.notices() or second.notices(), "one of them to notice")
        for running in (first, second):
            if running.notices():  # then it says so, and is heard itself
                running.broker.publish(running.contract.state(replace(QUIET, last_error=running.notices()[0])))
        until(lambda: first.notices() and second.notices(), "both to notice")
        assert "another Sayso speaks for site 'kitchen'" in first.notices()[0]
        assert first.connected()
        assert second.connected(), "they don't push each other out"
        assert first.broker.counters.reconnects == second.broker.counters.reconnects == 0


def test_a_late_last_will_does_not_make_a_living_daemon_look_dead(broker: PrivateBroker) -> None:
    with Listener(broker.port, STATUS) as listener, daemon(broker.port):
        listener.wait_for(STATUS, b"online")
        listener.publish(STATUS, "offline", retain=True)
        until(lambda: listener.payloads(STATUS)[-2:] == [b"offline", b"online"], "online to be said again")


def test_a_flood_of_requests_does_not_keep_commands_waiting(broker: PrivateBroker) -> None:
    with Listener(broker.port, COMMAND, STATUS) as listener, daemon(broker.port) as running:
        listener.wait_for(STATUS, b"online")
        for _ in range(1000):
            listener.send(f"sayso/{SITE}/set/mute", b"x" * 200)
        until(lambda: len(running.heard) > 100, "some of the flood to come in")
        running.say("lights on")
        listener.wait_for(COMMAND, b"lights on")
        until(lambda: len(running.heard) + running.broker.counters.ignored == 1000, "the end of the flood")


def test_a_packet_too_large_for_any_request_is_not_taken(broker: PrivateBroker) -> None:
    with Listener(broker.port, STATUS) as listener, daemon(broker.port) as running:
        listener.wait_for(STATUS, b"online")
        listener.publish(f"sayso/{SITE}/set/mute", b"x" * 1_000_000)
        listener.publish(f"sayso/{SITE}/set/mute", b"on")
        until(lambda: running.heard, "the small request")
        assert running.heard == [(f"sayso/{SITE}/set/mute", b"on", False)]
        assert running.broker.counters.reconnects == 0


@pytest.fixture
def narrow() -> Iterator[PrivateBroker]:
    """A broker that takes only small packets."""
    with PrivateBroker(options="max_packet_size 1000") as private:
        yield private


def test_a_message_too_large_for_the_broker_is_said_and_does_not_cost_the_connection(narrow: PrivateBroker) -> None:
    with Listener(narrow.port, COMMAND, STATE) as listener, daemon(narrow.port) as running:
        wait_connected(running)
        running.say("x" * 2000)
        assert error_of(running).startswith(f"{COMMAND}: Sayso may not publish it: the broker finds it too large")
        assert [entry.reason for entry in running.dropped] == ["the broker refused it"]
        running.broker.publish(state("x" * 2000))
        running.broker.publish(state("short"))
        listener.wait_for(STATE, b"short")
        running.say("lights on")
        listener.wait_for(COMMAND, b"lights on")
        until(lambda: running.broker.status.error == "", "the error to be over")
        assert running.broker.counters.reconnects == 0
