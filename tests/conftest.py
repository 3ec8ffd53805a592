"""What several kinds of tests need."""

from __future__ import annotations

from typing import Iterator

import pytest
from hypothesis import HealthCheck, settings
from private_broker import PrivateBroker
from virtual_microphone import VirtualMicrophone

# A busy machine is no failure: neither how long an example takes nor how long it takes to make one is judged.
settings.register_profile("sayso", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sayso")


@pytest.fixture
def broker() -> Iterator[PrivateBroker]:
    """A mosquitto of the test's own, running, that lets anybody in."""
    with PrivateBroker() as private:
        yield private


@pytest.fixture
def virtual_microphone(monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualMicrophone]:
    """A microphone without a sound card, plugged in, which this process hears as `virtual` and as the default one."""
    with VirtualMicrophone() as microphone:
        for name, value in microphone.environment.items():
            monkeypatch.setenv(name, value)
        yield microphone
