"""A connection to a broker, and all that is said about it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from house import until

from sayso.mqtt.broker import Broker, BrokerStatus
from sayso.mqtt.contract import Contract
from sayso.mqtt.outbox import Dropped
from sayso.mqtt.settings import MqttSettings

SITE = "kitchen"
COMMAND = f"sayso/{SITE}/command"
STATUS = f"sayso/{SITE}/status"
PASSWORD = "open sesame"  # noqa: S105 - of a broker that lives for a second


class Visitor:
    """A connection, and all that was said about it."""

    def __init__(self, settings: MqttSettings) -> None:
        contract = Contract(settings.site, "1a2b3c4d")
        self.statuses: list[BrokerStatus] = []
        self.dropped: list[Dropped] = []
        self.broker = Broker(
            settings,
            "sayso-1a2b3c4d",
            online=contract.status(True),
            offline=contract.status(False),
            on_message=lambda *_: None,
            on_status=self.statuses.append,
            on_dropped=self.dropped.append,
        )

    def error(self) -> str:
        """Wait for an error; return it. It is one line and holds no secret."""
        until(lambda: self.broker.status.error, "an error")
        line = self.broker.status.error
        assert line.isprintable()
        assert PASSWORD not in line
        return line

    def let_in(self) -> None:
        until(lambda: self.broker.status.connected, f"a connection; the last status was {self.broker.status}")
        assert self.broker.status.error == ""


@contextmanager
def visitor(port: int, host: str = "127.0.0.1", **settings: object) -> Iterator[Visitor]:
    running = Visitor(MqttSettings(host=host, port=port, site=SITE, time_to_live=1.0, **settings))  # type: ignore[arg-type]
    running.broker.start()
    try:
        yield running
    finally:
        running.broker.stop(0.2)
