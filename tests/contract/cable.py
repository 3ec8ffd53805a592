"""Run in a network namespace of its own, where the line between the daemon and the broker is broken in one of two ways.

`cable.py cable` pulls the cable and plugs it in again; `cable.py firewall` throws every packet away, so that the
connection looks whole from both ends. Started by test_mqtt_cable.py; exits 0 if exactly the fresh commands arrived.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys

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

WALL = """
table inet wall {{
    chain in {{
        type filter hook input priority 0
        tcp dport {port} drop
        tcp sport {port} drop
    }}
}}
"""


def plug(in_: bool) -> None:
    """Take the loopback interface, the only cable here, up or down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = bytearray(struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(control, SIOCGIFFLAGS, request)
        flags = struct.unpack_from("h", request, 16)[0]
        struct.pack_into("h", request, 16, flags | IFF_UP if in_ else flags & ~IFF_UP)
        fcntl.ioctl(control, SIOCSIFFLAGS, request)


def firewall(port: int, up: bool) -> None:
    """Throw away all packets from and to a port, or let them pass again."""
    rules = WALL.format(port=port) if up else "delete table inet wall"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


def break_line(how: str, port: int, broken: bool) -> None:
    """Given `cable` or `firewall` and the broker's port, break the line or mend it."""
    if how == "cable":
        plug(not broken)
    else:
        firewall(port, broken)


def main(how: str) -> None:
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

        break_line(how, private.port, broken=True)
        for text in ("one", "two"):
            broker.publish(Message(COMMAND, text.encode(), expires=TIME_TO_LIVE))
        until(lambda: len(dropped) == 2, "two commands to be dropped")
        assert broker.counters.dropped == 2
        break_line(how, private.port, broken=False)

        until(lambda: broker.status.connected, "the next connection")
        broker.publish(Message(COMMAND, b"fresh", expires=2.0))
        listener.wait_for(COMMAND, b"fresh")
        assert listener.payloads(COMMAND) == [b"fresh"], listener.payloads(COMMAND)
        until(lambda: listener.payloads(contract.topic("status"))[-1] == b"online", "online to be the last word")
        assert broker.stop(2.0)


if __name__ == "__main__":
    main(sys.argv[1])
