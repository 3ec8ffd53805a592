"""Settings -> the connection to the broker.

Rule of this file: as assembly.py, for the daemon alone: who only recognises needs no MQTT library.
"""

from __future__ import annotations

import uuid
from typing import Callable, Tuple

from sayso.assembly import mqtt_settings
from sayso.config import Config
from sayso.mqtt.broker import Broker, BrokerStatus
from sayso.mqtt.contract import TOPICS, Contract
from sayso.mqtt.conversation import Conversation
from sayso.mqtt.discovery import Discovery
from sayso.mqtt.outbox import Dropped


def make_broker(
    config: Config,
    contract: Contract,
    more: Tuple[Discovery, Conversation],
    on_message: Callable[[str, bytes, bool], None],
    on_status: Callable[[BrokerStatus], None],
    on_dropped: Callable[[Dropped], None],
) -> Broker:
    """Given the settings, the contract, the other protocols and whom to tell (see Broker), return the broker, not yet
    started. Raise ConfigError."""
    discovery, conversation = more
    # Requests, and our own state, where another daemon of this name would show.
    heard = [contract.topic(one.name) for one in TOPICS if one.direction == "in" or one.name == "state"]
    return Broker(
        mqtt_settings(config),
        # At most 23 characters, which is all that MQTT 3.1.1 promises (3.1.3.1).
        f"sayso-{uuid.uuid4().hex[:12]}",
        online=contract.status(True),
        offline=contract.status(False),
        subscriptions=[*heard, *discovery.subscriptions, *conversation.subscriptions],
        recall=discovery.recall,
        optional=discovery.optional,
        on_message=on_message,
        on_status=on_status,
        on_dropped=on_dropped,
    )
