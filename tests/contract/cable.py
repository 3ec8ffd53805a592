"""Run in a network namespace of its own: the cable between the daemon and the broker is pulled and plugged in.

Started by test_mqtt_cable.py; exits 0 if exactly the fresh commands arrived.
"""

from __future__ import annotations

import fcntl
import socket
import struct

from house import Listener, until
from private_broker import PrivateBroker

from sayso.mqtt.broker import Broker
from sayso.mqtt.contract import Contract
from sayso.mqtt.outbox import Dropped
from sayso.mqtt.settings import MqttSettings
from sayso.records import Message

# From <linux/sockios.h> and <linux/if.h>.
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

SITE = "kitchen"
COMMAND = f"sayso/{SITE}/command"
TIME_TO_LIVE = 0.5


def plug(in_: bool) -> None:
    """Take the loopback interface, the only cable here, up or down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = bytearray(struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(control, SIOCGIFFLAGS, request)
        flags = struct.unpack_from("h", request, 16)[0]
        struct.pack_into("h", request, 16, flags | IFF_UP if in_ else flags & ~IFF_UP)
        fcntl.ioctl(control, SIOCSIFFLAGS, request)


def main() -> None:
    plug(True)
    dropped: list[Dropped] = []
    contract = Contract(SITE, "1a2b3c4d")
    with PrivateBroker() as private, Listener(private.port, "sayso/#") as listener:
        broker = Broker(
            MqttSettings(port=private.port, site=SITE, time_to_live=TIME_TO_LIVE),
            "sayso-1a2b3c4d",
            online=contract.status(True),
            offline=contract.status(False),
            on_message=lambda *_: None,
            on_status=lambda _: None,
            on_dropped=dropped.append,
        )
        broker.start()
        listener.wait_for(contract.topic("status"), b"online")

        plug(False)
        for text in ("one", "two"):
            broker.publish(Message(COMMAND, text.encode(), expires=TIME_TO_LIVE))
        until(lambda: len(dropped) == 2, "two commands to be dropped")
        plug(True)

        until(lambda: broker.status.connected, "the next connection")
        broker.publish(Message(COMMAND, b"fresh", expires=2.0))
        listener.wait_for(COMMAND, b"fresh")
        assert listener.payloads(COMMAND) == [b"fresh"], listener.payloads(COMMAND)
        until(lambda: listener.payloads(contract.topic("status"))[-1] == b"online", "online to be the last word")
        assert broker.stop(2.0)


if __name__ == "__main__":
    main()
