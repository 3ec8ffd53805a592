"""The line to the broker is cut, or a firewall swallows all that is sent: what was said meanwhile never arrives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OWN_NETWORK = ("unshare", "--user", "--map-root-user", "--net")
A_TABLE = ("nft", "add", "table", "inet", "probe")


@pytest.mark.parametrize("how", ["cable", "firewall"])
def test_commands_spoken_while_the_line_was_broken_never_arrive(how: str) -> None:
    modules = os.pathsep.join(path for path in sys.path if path)
    # Debian keeps nft and ip where only root looks for them.
    around = {**os.environ, "PYTHONPATH": modules, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    possible = A_TABLE if how == "firewall" else ("true",)
    if subprocess.run([*OWN_NETWORK, *possible], capture_output=True, check=False, env=around).returncode != 0:
        pytest.skip(f"this machine lets nobody have a network namespace ({how})")
    script = [*OWN_NETWORK, sys.executable, "-W", "error", str(HERE / "cable.py"), how]
    done = subprocess.run(script, capture_output=True, text=True, check=False, env=around)
    assert done.returncode == 0, done.stderr
