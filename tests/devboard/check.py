"""What the owner of a Dev Board relies on, tried in a booted Debian that stands for it.

Rule of this file: as tests/package/check.py. `check.py ROOT FOLDER` prints each step; the first that fails ends it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "package"))

import soundfile  # noqa: E402 - behind what makes the next line possible
from machine import Machine  # noqa: E402

SPEECH = HERE.parent / "data" / "speech" / "lock_the_Front_Door.opus"

SOUND = """\
[Service]
BindReadOnlyPaths=/etc/asound.conf /run/virtual-microphone
"""
"""The virtual microphone is a sound server of the machine; a board has a sound card, which is in /dev."""


def installed(machine: Machine) -> None:
    """`install` puts the root, the user, the settings and the unit in their places, and starts it."""
    machine.run("mkdir -p /etc/systemd/system/sayso.service.d")
    machine.run(f"printf '{SOUND}' > /etc/systemd/system/sayso.service.d/sound.conf")
    machine.run("cd /devboard && ./install", patience=300)


def listening(machine: Machine) -> None:
    """systemd hears of readiness out of the root, and the journal of a microphone."""
    machine.until("systemctl is-active sayso", lambda text: text.strip() == "active", "the service ready")
    machine.until("journalctl -u sayso", lambda text: "listening: microphone ok" in text, "a microphone that is heard")


def heard(machine: Machine) -> None:
    """What is said in the room reaches the journal with its fields."""
    machine.play("/said.wav")
    machine.until("journalctl SAYSO_INTENT=HassLock", lambda text: "HassLock" in text, "a command in the journal")


def restarted(machine: Machine) -> None:
    """Killed, it comes back."""
    before = machine.run("systemctl show -P MainPID sayso").strip()
    machine.run(f"kill -9 {before}")
    machine.until("systemctl show -P MainPID sayso", lambda text: text.strip() not in ("0", before), "another process")
    listening(machine)


def renewed(machine: Machine) -> None:
    """A newer root leaves settings and sentences as their owner wrote them."""
    machine.run("echo '# mine' >> /etc/sayso/sayso.toml")
    machine.run("cd /devboard && ./install", patience=300)
    assert "# mine" in machine.run("cat /etc/sayso/sayso.toml")
    listening(machine)


def main(root: Path, folder: Path) -> None:
    """Take all steps, in order."""
    with tempfile.TemporaryDirectory() as temporary:
        said = Path(temporary) / "said.wav"
        soundfile.write(said, *soundfile.read(SPEECH, dtype="int16"))
        with Machine(root, {folder.resolve(): "/devboard", said: "/said.wav"}) as machine:
            for step in (installed, listening, heard, restarted, renewed):
                began = time.monotonic()
                try:
                    step(machine)
                except (AssertionError, subprocess.TimeoutExpired):
                    print(machine.run("journalctl -u sayso --no-pager | tail -n 40", check=False))
                    raise
                print(f"{time.monotonic() - began:6.1f} s  {(step.__doc__ or '').strip()}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
