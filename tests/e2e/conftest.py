"""Daemons, and who listens to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from private_broker import PrivateBroker
from running_daemon import House, Listener, assert_contract
from virtual_microphone import VirtualMicrophone


@pytest.fixture
def start(tmp_path: Path, virtual_microphone: VirtualMicrophone) -> Iterator[Callable[..., House]]:
    """What starts a daemon that listens to the virtual microphone, given the broker's port and settings."""
    started: list[House] = []

    def begin(port: int, **settings: Any) -> House:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(House(folder, virtual_microphone, port, **settings))
        return started[-1]

    yield begin
    for house in started:
        house.end()


@pytest.fixture
def house(start: Callable[..., House], broker: PrivateBroker) -> House:
    """A daemon with the usual settings that speaks to the test's broker."""
    return start(broker.port)


@pytest.fixture
def listener(broker: PrivateBroker) -> Iterator[Listener]:
    """A subscriber of the test's broker. All that it has heard of a daemon must agree with the contract."""
    listener = Listener(broker.port)
    yield listener
    listener.close()
    assert_contract(listener)
