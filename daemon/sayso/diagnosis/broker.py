"""Does the broker let Sayso in, may it speak and hear there, and who else is there.

Rule of this file: a connection of its own, under a name of its own, that changes nothing: what it publishes is empty,
not kept, and on topics that nobody acts upon. Which of the daemon's own topics are refused, the daemon itself says on
its state topic: to find that out here, something would have to be said there.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from queue import Empty, SimpleQueue
from typing import Dict, Iterator, Optional, Tuple

from sayso.diagnosis.finding import BAD, NOTE, OK, Finding
from sayso.mqtt.client import Accepted, Closed, Confirmed, Connection, Event, Received, Subscribed
from sayso.mqtt.contract import TOPICS, Contract
from sayso.mqtt.settings import MqttSettings
from sayso.records import Message

ANSWER = 10.0
"""What the broker may take for each answer [s]."""

RETAINED = 1.0
"""What it kept comes right behind the answer to the subscription; so long is waited for it [s]."""

REFUSED = 128
NOBODY = 16
"""Reason codes of MQTT 5: a failure from the first one on; taken, but nobody is subscribed to it."""


class Visit:
    """One connection, and what came of it."""

    def __init__(self, settings: MqttSettings, contract: Contract, prefix: str) -> None:
        """Given the broker, our topics, and Home Assistant's discovery prefix (empty: discovery is off)."""
        self._settings, self._contract, self._prefix = settings, contract, prefix
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._heard: Dict[str, bytes] = {}

    def findings(self) -> Iterator[Finding]:
        """Go there, and return how it was."""
        connection, refusal = self._connect(old_mqtt=False)
        version = "MQTT 5"
        if refusal is not None and refusal.wrong_version:
            connection, refusal = self._connect(old_mqtt=True)
            version = "MQTT 3.1.1"
        if connection is None or refusal is not None:
            yield _refused(refusal.line if refusal else f"{self._settings.address}: no answer within {ANSWER:.0f} s")
            return
        try:
            yield Finding("broker", OK, f"{self._settings.address}, {version}: it lets Sayso in")
            yield from self._may_hear(connection)
            yield from self._may_speak(connection, version)
            yield from self._home_assistant(connection, version)
            yield self._daemon()
        finally:
            connection.disconnect()
            self._wait(Closed)
            connection.reset()

    def _connect(self, *, old_mqtt: bool) -> Tuple[Optional[Connection], Optional[Closed]]:
        will = Message(self._contract.topic("doctor"), b"")
        name = f"sayso-{uuid.uuid4().hex[:12]}"
        connection = Connection(self._settings, name, will, self._events.put, old_mqtt=old_mqtt)
        connection.start()
        answer = self._wait(Accepted, Closed)
        if isinstance(answer, Accepted):
            return connection, None
        connection.reset()
        return None, answer if isinstance(answer, Closed) else None

    def _may_hear(self, connection: Connection) -> Iterator[Finding]:
        requests = [self._contract.topic(one.name) for one in TOPICS if one.direction == "in"]
        kept = [self._contract.topic("status"), self._contract.topic("state")]
        if self._prefix:
            kept.append(f"{self._prefix}/status")
        connection.subscribe([*requests, *kept], own_too="", recall=kept)
        answer = self._wait(Subscribed)
        if not isinstance(answer, Subscribed):
            yield Finding("requests", BAD, "the broker doesn't answer a subscription", "look into the broker's log")
            return
        refused = [topic for topic, code in zip(answer.topics, answer.codes) if code >= REFUSED]
        if refused:
            yield Finding("requests", BAD, f"may not hear {', '.join(refused)}", "allow it in the broker's rules")
        else:
            yield Finding("requests", OK, f"it may hear {self._contract.topic('set/#')}")
        self._wait(seconds=RETAINED)

    def _may_speak(self, connection: Connection, version: str) -> Iterator[Finding]:
        topic = self._contract.topic("doctor")
        code = self._publish(connection, topic)
        below = self._contract.topic("#")
        if code is None:
            yield Finding("events", BAD, f"the broker doesn't confirm {topic}", "look into the broker's log")
        elif code >= REFUSED:
            yield Finding("events", BAD, f"may not publish {topic}", f"allow {below} in the broker's rules")
        elif version == "MQTT 5":
            yield Finding("events", OK, f"it may publish below {below}")
        else:
            what = "with MQTT 3.1.1 a broker doesn't say what it refuses"
            yield Finding("events", NOTE, what, "look whether anything arrives: mosquitto_sub -t 'sayso/#' -v")

    def _home_assistant(self, connection: Connection, version: str) -> Iterator[Finding]:
        """Whoever reads introductions is subscribed to them; only MQTT 5 tells whether somebody is."""
        if not self._prefix:
            yield Finding("Home Assistant", OK, "discovery is off")
            return
        where = f"{self._prefix}/device/{self._contract.site}_sayso_doctor/config"
        code = self._publish(connection, where)
        if self._heard.get(f"{self._prefix}/status") == b"online" or (code == 0 and version == "MQTT 5"):
            yield Finding("Home Assistant", OK, f"somebody reads introductions below {self._prefix}/")
        elif code == NOBODY:
            what = f"nobody reads introductions below {self._prefix}/"
            yield Finding("Home Assistant", NOTE, what, "connect its MQTT integration to this broker, if it is wanted")
        else:
            what = "it can't be told whether it is there"
            yield Finding("Home Assistant", NOTE, what, "look for the device in its MQTT integration")

    def _daemon(self) -> Finding:
        """What the daemon has said of itself."""
        if self._heard.get(self._contract.topic("status")) != b"online":
            return Finding("daemon", NOTE, "it is not running on this site", "systemctl start sayso")
        try:
            state = json.loads(self._heard.get(self._contract.topic("state"), b""))
            error, microphone = str(state["last_error"]), str(state["microphone"])
        except (ValueError, KeyError, TypeError):
            return Finding("daemon", NOTE, "it is online, and its state can't be read", "systemctl restart sayso")
        if error:
            return Finding("daemon", BAD, error, "journalctl -u sayso shows when it began")
        return Finding("daemon", OK, f"online, microphone {microphone}")

    def _publish(self, connection: Connection, topic: str) -> Optional[int]:
        """Given a topic, publish nothing on it; return the broker's reason code, None where it doesn't answer."""
        token = connection.publish(Message(topic, b""), expires=1)
        deadline = time.monotonic() + ANSWER
        while time.monotonic() < deadline:
            answer = self._wait(Confirmed)
            if not isinstance(answer, Confirmed):
                return None
            if answer.token == token:
                return answer.code
        return None

    def _wait(self, *kinds: type, seconds: float = ANSWER) -> Optional[Event]:
        """Given kinds of events, return the first that comes, None after `seconds`; what is heard meanwhile is kept."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                return None
            if isinstance(event, Received):
                self._heard[event.topic] = event.payload
            if isinstance(event, kinds):
                return event
            if isinstance(event, Closed):
                return None


def _refused(line: str) -> Finding:
    """Given why there is no connection, with what to do in brackets at its end, return it as a finding."""
    found = re.fullmatch(r"(.*) \((.*)\)", line)
    detail, remedy = found.groups() if found else (line, "start it, and correct [mqtt] in sayso.toml")
    return Finding("broker", BAD, detail, remedy)
