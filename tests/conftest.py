"""What several kinds of tests need."""

from __future__ import annotations

from typing import Iterator

import pytest
from private_broker import PrivateBroker


@pytest.fixture
def broker() -> Iterator[PrivateBroker]:
    """A mosquitto of the test's own, running, that lets anybody in."""
    with PrivateBroker() as private:
        yield private
