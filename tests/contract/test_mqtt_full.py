"""A broker that has come to its limits: no room for one more client, or on its disk; and one that comes and goes."""

from __future__ import annotations

from house import Listener, until
from mqtt_daemon import COMMAND, daemon, error_of, wait_connected
from private_broker import PrivateBroker

DISK = """persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true"""


def test_a_broker_without_room_for_one_more_client_is_tried_until_it_has(broker: PrivateBroker) -> None:
    with Listener(broker.port, "sayso/#") as listener:
        broker.crowd()
        with daemon(broker.port) as running:
            assert "the broker hung up without an answer" in error_of(running)
            running.say("one")
            until(lambda: running.dropped, "the command to be dropped")
            assert running.broker.counters.dropped == 1
            broker.crowd(full=False)
            wait_connected(running)
            running.say("fresh")
            listener.wait_for(COMMAND, b"fresh")
            assert listener.payloads(COMMAND) == [b"fresh"]


def test_a_full_disk_of_the_broker_keeps_no_command() -> None:
    with PrivateBroker(options=DISK) as broker:
        # Where mosquitto writes what it keeps, every byte is refused for want of space.
        (broker.folder / "mosquitto.db.new").symlink_to("/dev/full")
        with Listener(broker.port, "sayso/#") as listener, daemon(broker.port) as running:
            wait_connected(running)
            listener.publish("sayso/other", "x" * 10_000, retain=True)
            until(lambda: "rror" in broker.log_path.read_text(), "mosquitto to complain")
            running.say("lights on")
            listener.wait_for(COMMAND, b"lights on")
            until(lambda: running.broker.counters.published == 1, "the confirmation")
            broker.restart()
            wait_connected(running)
            listener.ready()
            running.say("lights off")
            listener.wait_for(COMMAND, b"lights off")
            assert listener.payloads(COMMAND) == [b"lights on", b"lights off"]


def test_a_broker_that_was_restarted_gets_only_what_is_fresh(broker: PrivateBroker) -> None:
    with Listener(broker.port, "sayso/#") as listener, daemon(broker.port) as running:
        wait_connected(running)
        for number in range(3):
            running.say(f"before {number}")
            listener.wait_for(COMMAND, f"before {number}".encode())
            broker.stop()
            until(lambda: not running.connected(), "the loss of the broker")
            running.say("lost")
            until(lambda: len(running.dropped) == number + 1, "the command to be dropped")  # noqa: B023 - now
            broker.start()
            wait_connected(running)
            listener.ready()
        running.say("fresh")
        listener.wait_for(COMMAND, b"fresh")
        assert listener.payloads(COMMAND) == [b"before 0", b"before 1", b"before 2", b"fresh"]
        assert running.broker.counters.dropped == 3
        assert running.broker.counters.reconnects == 3
