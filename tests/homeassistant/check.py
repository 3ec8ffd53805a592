"""Whether a real Home Assistant takes Sayso in: its device, entities, events, triggers and controls.

First, what the daemon would say is said through its own connection and its own messages, to a real broker: every
entity, also those of which a test can't make the daemon speak. Then the daemon itself listens, and is spoken to (see
spoken.py). What Home Assistant makes of it is read back through its REST and websocket APIs.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import replace
from typing import Any

from house_assistant import HouseAssistant
from private_broker import PrivateBroker
from spoken import speak

from sayso.mqtt import requests
from sayso.mqtt.broker import Broker
from sayso.mqtt.contract import Contract, Stamp
from sayso.mqtt.homeassistant import HomeAssistant, HomeAssistantSettings
from sayso.mqtt.settings import MqttSettings
from sayso.records import Command, Health, Rejection, State, Timings

SITE = "kitchen"
COMMAND = Command(
    text="turn on the kitchen light",
    intent="HassTurnOn",
    slots={"name": "kitchen light"},
    raw_slots={"name": "kitchen light"},
    confidence=0.973,
    start=16_000,
    end=32_000,
    decided=40_000,
    timings=Timings(final=12.0, delay=500.0),
)
REJECTION = Rejection("not_a_command", "", "", 0.1, start=0, end=16_000, decided=20_000)
STATE = State(
    version="0.1.0",
    listening=True,
    muted=False,
    microphone="ok: USB Audio",
    accelerator="edgetpu:usb",
    model="en 1",
    grammar="3f2a: 412 sentences",
    min_confidence=0.5,
)
HEALTH = Health(61.5, 9, 7, {"not_a_command": 2}, 3, 0, 1, 83.0, 120.0, 0.4, 91.2, 48.3)


class Daemon:
    """What Sayso says and hears, without the ears."""

    def __init__(self, port: int, device: HomeAssistant) -> None:
        contract = device.contract
        self.heard: list[tuple[str, bytes, bool]] = []
        self.broker = Broker(
            MqttSettings(port=port, site=contract.site),
            "sayso-check",
            online=contract.status(True),
            offline=contract.status(False),
            subscriptions=[contract.topic("set/+"), device.birth_topic],
            recall=[device.topic],
            on_message=lambda *heard: self.heard.append(heard),
            on_status=lambda status: print(f"  broker: {status}"),
            on_dropped=lambda dropped: print(f"  dropped: {dropped}"),
        )
        self.broker.publish(device.introduction())
        self.broker.publish(contract.state(STATE))
        self.broker.publish(contract.health(HEALTH, time.time()))
        self.broker.start()


async def check(house: HouseAssistant, port: int) -> None:
    """Given a running Home Assistant and the port of its broker, try everything. Raise AssertionError at a fault."""
    contract = Contract(SITE, uuid.uuid4().hex)
    device = HomeAssistant(contract, HomeAssistantSettings(), "0.1.0", ("HassTurnOn", "HassTurnOff"))
    daemon = Daemon(port, device)

    print("entities")
    for entity, value in {
        "sensor.sayso_kitchen_microphone": "ok: USB Audio",
        "sensor.sayso_kitchen_processor": "edgetpu:usb",
        "sensor.sayso_kitchen_model": "en 1",
        "sensor.sayso_kitchen_sentences": "3f2a: 412 sentences",
        "sensor.sayso_kitchen_last_error": "none",
        "sensor.sayso_kitchen_dropped": "3",
        "sensor.sayso_kitchen_temperature": "48.3",
        "sensor.sayso_kitchen_last_phrase": "unknown",
        "binary_sensor.sayso_kitchen_hearing_speech": "off",
        "binary_sensor.sayso_kitchen_edge_tpu": "on",
        "switch.sayso_kitchen_mute": "off",
        "select.sayso_kitchen_mode": "always",
        "number.sayso_kitchen_least_confidence": "0.5",
        "button.sayso_kitchen_reload_sentences": "unknown",
        "button.sayso_kitchen_listen": "unknown",
        "event.sayso_kitchen_voice_command": "unknown",
    }.items():
        await house.shows(entity, value)

    print("triggers")
    (found,) = [one for one in await house.ask("config/device_registry/list") if one["name"] == "Sayso kitchen"]
    triggers = await house.ask("device_automation/trigger/list", device_id=found["id"])
    named = {one["subtype"]: one for one in triggers if one.get("type") == "command"}
    assert sorted(named) == ["HassTurnOff", "HassTurnOn"], triggers
    wanted = {key: value for key, value in named["HassTurnOn"].items() if key != "metadata"}
    await house.ask("subscribe_trigger", trigger=wanted)

    print("a command")
    stamp = Stamp(uuid.uuid4().hex, time.time() - 0.1, time.time())
    daemon.broker.publish(contract.outcome(COMMAND, stamp))
    daemon.broker.publish(device.event(COMMAND, stamp))
    assert (await house.triggered())["payload_json"]["slots"] == {"name": "kitchen light"}
    await house.shows("sensor.sayso_kitchen_last_phrase", "turn on the kitchen light")
    await house.shows("sensor.sayso_kitchen_last_intent", "HassTurnOn")
    await house.shows("sensor.sayso_kitchen_confidence", "97.3")
    await house.shows("sensor.sayso_kitchen_latency", "512")
    await event_shows(house, event_type="recognised", text="turn on the kitchen light", id=stamp.id)

    print("a rejection")
    stamp = replace(stamp, id=uuid.uuid4().hex)
    daemon.broker.publish(device.event(REJECTION, stamp))
    await event_shows(house, event_type="rejected", reason="not_a_command", id=stamp.id)

    print("controls")
    for service, data, request in (
        ("switch.turn_on", {"entity_id": "switch.sayso_kitchen_mute"}, requests.SetMute(True)),
        (
            "select.select_option",
            {"entity_id": "select.sayso_kitchen_mode", "option": "push"},
            requests.SetMode("push"),
        ),
        (
            "number.set_value",
            {"entity_id": "number.sayso_kitchen_least_confidence", "value": 0.85},
            requests.SetMinConfidence(0.85),
        ),
        ("button.press", {"entity_id": "button.sayso_kitchen_reload_sentences"}, requests.Reload()),
        ("button.press", {"entity_id": "button.sayso_kitchen_listen"}, requests.Listen(requests.LISTEN_SECONDS)),
    ):
        await house.call(service, **data)
        await house.until(lambda: understood(daemon, request), f"{request} to arrive")  # noqa: B023 - awaited here
        print(f"  {request}")
    daemon.broker.publish(contract.state(replace(STATE, muted=True, mode="push", min_confidence=0.85)))
    await house.shows("switch.sayso_kitchen_mute", "on")
    await house.shows("select.sayso_kitchen_mode", "push")
    await house.shows("number.sayso_kitchen_least_confidence", "0.85")

    print("new sentences")
    device = device.with_intents(["HassTurnOn", "HassLightSet"])
    daemon.broker.publish(device.introduction())

    async def subtypes() -> list[str]:
        listed = await house.ask("device_automation/trigger/list", device_id=found["id"])
        return sorted(one["subtype"] for one in listed if one.get("type") == "command")

    async def renewed() -> bool:
        return await subtypes() == ["HassLightSet", "HassTurnOn"]

    await house.until(renewed, "the triggers of the new sentences")

    print("lost and found")
    daemon.broker.stop(2.0)
    await house.shows("switch.sayso_kitchen_mute", "unavailable")
    device = HomeAssistant(contract, HomeAssistantSettings(), "0.2.0", ("HassLightSet",))
    daemon = Daemon(port, device)
    await house.shows("switch.sayso_kitchen_mute", "off")

    async def recalled() -> bytes | None:
        return next((payload for topic, payload, _ in daemon.heard if topic == device.topic), None)

    device = device.recalled(await house.until(recalled, "what was introduced before"))
    daemon.broker.publish(device.introduction())

    async def old_gone() -> bool:
        return await subtypes() == ["HassLightSet"]

    await house.until(old_gone, "the trigger of the sentence that is no more to go")

    print("switched off")
    daemon.broker.publish(replace(device, settings=HomeAssistantSettings(discovery=False)).introduction())

    async def nothing_left() -> bool:
        return await house.entities("sayso") == []

    await house.until(nothing_left, "the device to disappear")
    daemon.broker.stop(2.0)
    assert house.complaints() == [], "\n".join(house.complaints())


async def understood(daemon: Daemon, request: requests.Request) -> bool:
    """Return whether a request has come in."""
    return any(
        requests.parse(topic.removeprefix(f"sayso/{SITE}/"), payload, retained) == request
        for topic, payload, retained in list(daemon.heard)
        if "/set/" in topic
    )


async def event_shows(house: HouseAssistant, **expected: Any) -> None:
    """Wait until the event entity carries these attributes."""
    entity = "event.sayso_kitchen_voice_command"

    async def right() -> bool:
        attributes = await house.attributes(entity)
        return all(attributes.get(name) == value for name, value in expected.items())

    await house.until(right, f"{entity} to carry {json.dumps(expected)}")
    print(f"  {entity}: {json.dumps(expected)}")


async def main() -> None:
    """Start everything, check everything."""
    with PrivateBroker() as broker:
        print("starting Home Assistant")
        async with HouseAssistant(broker.port) as house:
            await check(house, broker.port)
            await speak(house, broker.port)
    print("Home Assistant takes Sayso in")


if __name__ == "__main__":
    asyncio.run(main())
