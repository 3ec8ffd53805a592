"""A daemon reduced to what it says to a broker and hears from it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from house import until

from sayso.mqtt.broker import Broker, BrokerStatus
from sayso.mqtt.contract import Contract
from sayso.mqtt.outbox import Dropped
from sayso.mqtt.settings import MqttSettings
from sayso.records import Message

SITE = "kitchen"
COMMAND = f"sayso/{SITE}/command"
STATE = f"sayso/{SITE}/state"
STATUS = f"sayso/{SITE}/status"
LIVE = f"sayso/{SITE}/live"
KEPT = "house/device/config"

TIME_TO_LIVE = 0.5


def command(text: str, time_to_live: float = TIME_TO_LIVE) -> Message:
    return Message(COMMAND, text.encode(), expires=time_to_live)


def state(text: str) -> Message:
    return Message(STATE, text.encode(), retain=True)


class Daemon:
    """A daemon reduced to what it says and hears."""

    def __init__(self, settings: MqttSettings, instance: str = "1a2b3c4d") -> None:
        contract = Contract(settings.site, instance)
        self.contract = contract
        self.heard: list[tuple[str, bytes, bool]] = []
        self.statuses: list[BrokerStatus] = []
        self.dropped: list[Dropped] = []
        self.broker = Broker(
            settings,
            f"sayso-{instance}",
            online=contract.status(True),
            offline=contract.status(False),
            subscriptions=[contract.topic("set/+"), contract.topic("state")],
            recall=[KEPT],
            on_message=lambda topic, payload, retained: self.heard.append((topic, payload, retained)),
            on_status=self.statuses.append,
            on_dropped=self.dropped.append,
        )

    def say(self, *texts: str) -> None:
        for text in texts:
            self.broker.publish(command(text))

    def notices(self) -> list[str]:
        return [line for heard in list(self.heard) if (line := self.contract.other_publisher(*heard))]

    def connected(self) -> bool:
        return self.broker.status.connected


@contextmanager
def daemon(port: int, instance: str = "1a2b3c4d", **settings: object) -> Iterator[Daemon]:
    running = Daemon(MqttSettings(port=port, site=SITE, time_to_live=TIME_TO_LIVE, **settings), instance)  # type: ignore[arg-type]
    running.broker.start()
    try:
        yield running
    finally:
        running.broker.stop(0.2)


def wait_connected(running: Daemon) -> None:
    until(running.connected, f"a connection; the last status was {running.broker.status}")


def error_of(running: Daemon) -> str:
    until(lambda: running.broker.status.error, "an error")
    return running.broker.status.error
