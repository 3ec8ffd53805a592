"""The cable to the broker is pulled: what was said meanwhile never arrives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OWN_NETWORK = ("unshare", "--user", "--map-root-user", "--net")


def test_commands_spoken_while_the_cable_was_out_never_arrive() -> None:
    if subprocess.run([*OWN_NETWORK, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody have a network namespace")
    paths = os.pathsep.join(path for path in sys.path if path)
    script = [*OWN_NETWORK, sys.executable, "-W", "error", str(HERE / "cable.py")]
    done = subprocess.run(script, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths})
    assert done.returncode == 0, done.stderr
