"""A Home Assistant of one's own: in a temporary folder, on a free port, connected to a given broker.

Rule of this file: it knows Home Assistant and nothing of Sayso. Runs in Home Assistant's environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Awaitable, Callable

import aiohttp
import jwt

START_SECONDS = 300.0
"""The first start installs what its integrations need."""

PATIENCE = 30.0

CONFIGURATION = """
homeassistant:
  name: test
  time_zone: UTC
  packages:
    timers: !include {timers}
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
websocket_api:
config:
automation:
conversation:
input_boolean:
  bolt:
  standing:
  desk:
  ceiling:
light:
  - platform: template
    lights:
      standing_light: {{friendly_name: Standing Light, unique_id: standing, {standing}}}
      desk_lamp: {{friendly_name: Desk Lamp, unique_id: desk, {desk}}}
      ceiling_lamp: {{friendly_name: Ceiling Lamp, unique_id: ceiling, {ceiling}}}
lock:
  - platform: template
    name: Front Door
    value_template: "{{{{ is_state('input_boolean.bolt', 'on') }}}}"
    lock: {{action: input_boolean.turn_on, target: {{entity_id: input_boolean.bolt}}}}
    unlock: {{action: input_boolean.turn_off, target: {{entity_id: input_boolean.bolt}}}}
logger:
  default: warning
"""

TIMERS = Path(__file__).resolve().parents[2] / "config" / "examples" / "home-assistant" / "timers.yaml"

LIGHT = (
    "value_template: \"{{{{ is_state('input_boolean.{name}', 'on') }}}}\", "
    "turn_on: {{action: input_boolean.turn_on, target: {{entity_id: input_boolean.{name}}}}}, "
    "turn_off: {{action: input_boolean.turn_off, target: {{entity_id: input_boolean.{name}}}}}"
)
"""What a lamp of the configuration does."""


class HouseAssistant:
    """Home Assistant as a process. An asynchronous context manager: entered, it has started."""

    def __init__(self, broker_port: int) -> None:
        """Given the port of a broker that lets anybody in, prepare a configuration."""
        self._folder = Path(tempfile.mkdtemp(prefix="homeassistant-"))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        (self._folder / "configuration.yaml").write_text(_configuration(self._port))
        self._token = self._write_user()
        self._write_broker(broker_port)
        self._ids = 0

    async def __aenter__(self) -> HouseAssistant:
        self._log = (self._folder / "output").open("wb")
        self._process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("hass")),
            "-c",
            str(self._folder),
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": ""},
        )
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._token}"})
        await self.until(self._running, "Home Assistant to start", START_SECONDS)
        self._socket = await self._session.ws_connect(f"{self._address}/websocket")
        await self._socket.receive_json()
        await self._socket.send_json({"type": "auth", "access_token": self._token})
        assert (await self._socket.receive_json())["type"] == "auth_ok"
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._socket.close()
        await self._session.close()
        await self.stop()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def stop(self) -> None:
        """End it in good order."""
        if self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    def complaints(self) -> list[str]:
        """Return the lines of its log that are about MQTT, at level warning and above."""
        lines = (self._folder / "output").read_text(errors="replace").splitlines()
        return [line for line in lines if ("WARNING" in line or "ERROR" in line) and "mqtt" in line]

    async def state(self, entity: str) -> str | None:
        """Return an entity's state; None if there is no such entity."""
        return (await self._entity(entity) or {}).get("state")

    async def attributes(self, entity: str) -> dict[str, Any]:
        """Return an entity's attributes."""
        return (await self._entity(entity) or {}).get("attributes", {})

    async def entities(self, part: str) -> list[str]:
        """Return the ids of all entities that contain a text."""
        async with self._session.get(f"{self._address}/states") as answer:
            return sorted(one["entity_id"] for one in await answer.json() if part in one["entity_id"])

    async def call(self, service: str, **data: Any) -> None:
        """Call a service, `domain.name`."""
        address = f"{self._address}/services/{service.replace('.', '/')}"
        async with self._session.post(address, json=data) as answer:
            assert answer.status == 200, await answer.text()

    async def ask(self, kind: str, **fields: Any) -> Any:
        """Send a command over the websocket; return its result."""
        number = await self._send(kind, **fields)
        while True:
            message = await self._socket.receive_json(timeout=PATIENCE)
            if message["id"] == number and message["type"] == "result":
                assert message["success"], message
                return message["result"]

    async def triggered(self) -> dict[str, Any]:
        """Wait for a trigger that was subscribed to; return what it carries."""
        while True:
            message = await self._socket.receive_json(timeout=PATIENCE)
            if message["type"] == "event":
                return message["event"]["variables"]["trigger"]

    async def furnish(self, area: str, *entities: str) -> None:
        """Given a new area's name, put entities into it."""
        made = await self.ask("config/area_registry/create", name=area)
        for entity in entities:
            await self.ask("config/entity_registry/update", entity_id=entity, area_id=made["area_id"])

    async def expose(self, *entities: str) -> None:
        """Let its conversation API know of entities."""
        await self.ask(
            "homeassistant/expose_entity",
            assistants=["conversation"],
            entity_ids=list(entities),
            should_expose=True,
        )

    async def until(self, condition: Callable[[], Awaitable[Any]], what: str, patience: float = PATIENCE) -> Any:
        """Wait until a condition holds; return what it gives."""
        deadline = time.monotonic() + patience
        while not (value := await condition()):
            if time.monotonic() > deadline or self._process.returncode is not None:
                print((self._folder / "output").read_text(errors="replace")[-4000:], file=sys.stderr)
                raise AssertionError(f"waited in vain for {what}")
            await asyncio.sleep(0.2)
        return value

    async def shows(self, entity: str, value: str) -> None:
        """Wait until an entity shows a value. Raise AssertionError with what it shows instead."""

        async def right() -> bool:
            return await self.state(entity) == value

        try:
            await self.until(right, f"{entity} to show {value!r}")
        except AssertionError:
            raise AssertionError(f"{entity} shows {await self.state(entity)!r}, not {value!r}") from None
        print(f"  {entity}: {value}")

    @property
    def url(self) -> str:
        """Return where its web server is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def token(self) -> str:
        """Return a long-lived access token of its owner's."""
        return self._token

    @property
    def _address(self) -> str:
        return f"{self.url}/api"

    async def _running(self) -> bool:
        try:
            async with self._session.get(f"{self._address}/config") as answer:
                return answer.status == 200 and (await answer.json())["state"] == "RUNNING"
        except aiohttp.ClientError:
            return False

    async def _entity(self, entity: str) -> dict[str, Any] | None:
        async with self._session.get(f"{self._address}/states/{entity}") as answer:
            return await answer.json() if answer.status == 200 else None

    async def _send(self, kind: str, **fields: Any) -> int:
        self._ids += 1
        await self._socket.send_json({"id": self._ids, "type": kind, **fields})
        return self._ids

    def _write_user(self) -> str:
        """Write an owner and a token that lasts; return the token."""
        user, refresh, key = (secrets.token_hex(16) for _ in range(3))
        now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        years = 10 * 365 * 24 * 3600
        owner = {"id": user, "group_ids": ["system-admin"], "is_owner": True, "is_active": True, "name": "test"}
        owner |= {"system_generated": False, "local_only": False}
        token = {"id": refresh, "user_id": user, "client_id": None, "client_name": "test", "client_icon": None}
        token |= {"token_type": "long_lived_access_token", "created_at": now, "access_token_expiration": years}
        token |= {"token": secrets.token_hex(64), "jwt_key": key, "last_used_at": None, "last_used_ip": None}
        token |= {"expire_at": None, "credential_id": None, "version": "test"}
        self._store("auth", 1, {"users": [owner], "groups": [], "credentials": [], "refresh_tokens": [token]})
        self._store("onboarding", 4, {"done": ["user", "core_config", "analytics", "integration"]})
        issued = int(time.time())
        return jwt.encode({"iss": refresh, "iat": issued, "exp": issued + years}, key, algorithm="HS256")

    def _write_broker(self, port: int) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        entry = {"entry_id": secrets.token_hex(13), "domain": "mqtt", "title": "broker", "version": 1}
        entry |= {"minor_version": 2, "data": {"broker": "127.0.0.1", "port": port}, "options": {}}
        entry |= {"source": "user", "unique_id": None, "disabled_by": None, "subentries": [], "discovery_keys": {}}
        entry |= {"pref_disable_new_entities": False, "pref_disable_polling": False}
        entry |= {"created_at": now, "modified_at": now}
        self._store("core.config_entries", 1, {"entries": [entry]}, minor=5)

    def _store(self, name: str, version: int, data: Any, minor: int = 1) -> None:
        folder = self._folder / ".storage"
        folder.mkdir(exist_ok=True)
        stored = {"version": version, "minor_version": minor, "key": name, "data": data}
        (folder / name).write_text(json.dumps(stored))


def _configuration(port: int) -> str:
    lights = {name: LIGHT.format(name=name) for name in ("standing", "desk", "ceiling")}
    return CONFIGURATION.format(port=port, timers=TIMERS, **lights)
