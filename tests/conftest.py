"""What several kinds of tests need."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from hypothesis import HealthCheck, settings
from private_broker import PrivateBroker
from virtual_microphone import VirtualMicrophone

# A busy machine is no failure: neither how long an example takes nor how long it takes to make one is judged.
settings.register_profile("sayso", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sayso")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own: they neither use nor leave anything in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.delenv("CACHE_DIRECTORY", raising=False)
        yield folder


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
