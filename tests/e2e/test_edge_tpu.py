"""The daemon with an Edge TPU that fails while somebody speaks: the command comes all the same, and the device again.

The device is the stand-in library of tests/stand_in; all else is real.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from edge_tpu import EdgeTpu, compiled
from private_broker import PrivateBroker
from running_daemon import House, Listener, is_listening, until

from sayso.assembly import SHIPPED_MODEL

SETTINGS = """
[model]
path = "{model}"
accelerator = "edgetpu"
device = "usb:0"
"""


@pytest.fixture
def edge_tpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EdgeTpu:
    (tmp_path / "library").mkdir()
    device = EdgeTpu(tmp_path / "library")
    for name, value in device.environment.items():
        monkeypatch.setenv(name, value)
    return device


def test_a_command_survives_the_edge_tpu_and_the_edge_tpu_comes_back(
    start: Callable[..., House], broker: PrivateBroker, listener: Listener, edge_tpu: EdgeTpu, tmp_path: Path
) -> None:
    house = start(broker.port, more=SETTINGS.format(model=compiled(SHIPPED_MODEL, tmp_path / "en")))

    def runs_on(what: str) -> Any:
        return until(lambda: (listener.last("state") or {}).get("accelerator", "").startswith(what), what)

    until(lambda: is_listening(listener), "listening")
    runs_on("edgetpu:usb:0 (")
    assert listener.last("state")["chunk_ms"] > 0
    speaker = threading.Thread(target=house.say, args=("set_a_timer_for_3_hours_and_10_minutes",))
    speaker.start()
    until(lambda: listener.last("state")["hearing"], "somebody speaking")
    edge_tpu.tell("hangs")
    assert until(listener.commands, "a command")[0]["slots"] == {"hours": 3, "minutes": 10}
    speaker.join()
    runs_on("cpu (the Edge TPU")
    edge_tpu.tell("works")
    runs_on("edgetpu:usb:0 (")
    house.say("whats_the_weather")
    until(lambda: len(listener.commands()) == 2, "another command")
    assert house.process.poll() is None
