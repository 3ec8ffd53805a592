"""A Debian with systemd as PID 1, a sound server and no network, in a layer that is thrown away.

Rule of this file: from outside only what somebody at the machine could do: run a command, plug a microphone in, play a
sound in its room. A context manager: entered, it is up; left, nothing of it is left.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Optional

PATIENCE = 90.0
"""How long anything may take [s]: the machine may be emulated or busy."""

_SOUND = "unix:/run/virtual-microphone/native"

_ALSA = f"""\
pcm.!default {{ type pulse server "{_SOUND}" device "microphone.monitor" hint {{ show on description "default" }} }}
ctl.!default {{ type pulse server "{_SOUND}" }}
"""

_MICROPHONE = """\
[Unit]
Description=A sound server whose sink is heard as a microphone
[Service]
RuntimeDirectory=virtual-microphone
Environment=HOME=/run/virtual-microphone
ExecStart=/usr/bin/pulseaudio -n --daemonize=no --exit-idle-time=-1 --disallow-exit --use-pid-file=no \\
  -L "module-native-protocol-unix auth-anonymous=1 socket=/run/virtual-microphone/native" \\
  -L "module-null-sink sink_name=microphone rate=16000 channels=1 format=s16le norewinds=1"
ExecStartPost=/bin/sh -c 'until pactl --server=unix:/run/virtual-microphone/native set-default-source \
microphone.monitor; do sleep 0.1; done'
[Install]
WantedBy=multi-user.target
"""

_TONE = """\
[Unit]
Description=The hiss of a room: no real microphone is quite silent
BindsTo=virtual-microphone.service
After=virtual-microphone.service
[Service]
ExecStart=/bin/sh -c 'exec pacat --server=unix:/run/virtual-microphone/native --device=microphone --rate=16000 \
--channels=1 --format=s16le < /etc/room.raw'
Restart=always
RestartSec=0
[Install]
WantedBy=multi-user.target
"""


class Machine:
    """One boot of a root file system."""

    def __init__(self, root: Path, shared: dict[Path, str]) -> None:
        """Given a root and what of this machine is shown in it (here -> there), prepare to boot it."""
        self._root = root
        self._shared = dict(shared)
        self._folder = tempfile.TemporaryDirectory(prefix="sayso-machine-")
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._init = 0
        self._put("asound.conf", _ALSA.encode(), "/etc/asound.conf")
        self._put("mic", _MICROPHONE.encode(), "/etc/systemd/system/virtual-microphone.service")
        self._put("tone", _TONE.encode(), "/etc/systemd/system/room.service")
        self._put("hosts", b"127.0.0.1 localhost\n::1 localhost\n", "/etc/hosts")  # an installed Debian has it
        # Ten minutes of noise, of two steps of 32768.
        noise = bytes(byte for number in range(16_000) for byte in ((number * 7919) % 3, 0))
        self._put("room.raw", noise * 600, "/etc/room.raw")

    def run(self, command: str, *, check: bool = True, patience: float = PATIENCE) -> str:
        """Given a shell command, run it there and return what it prints. Raise AssertionError if it fails."""
        inside = ["nsenter", "--target", str(self._init), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
        clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "TERM=dumb"]
        done = subprocess.run(
            [*inside, *clean, "sh", "-c", command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace",
            timeout=patience, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: exit status {done.returncode}\n{done.stdout}"
        return done.stdout

    def until(self, command: str, seen: Callable[[str], bool], what: str) -> str:
        """Run a command until what it prints is as wanted; return that. Raise AssertionError that names `what`."""
        give_up = time.monotonic() + PATIENCE
        while True:
            printed = self.run(command, check=False)
            if seen(printed):
                return printed
            assert time.monotonic() < give_up, f"never seen: {what}\n{command}: {printed}"
            time.sleep(0.2)

    def play(self, path: str) -> None:
        """Given a sound file there, play it in the room."""
        self.run(f"paplay --server={_SOUND} --device=microphone {path}")

    def listeners(self) -> int:
        """Return how many streams the sound server feeds with the microphone's sound."""
        return len(self.run(f"pactl --server={_SOUND} list short source-outputs").splitlines())

    def pid_here(self, pid: int) -> int:
        """Given a process's number there, return its number on this machine."""
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            except OSError:  # it has ended meanwhile
                continue
            numbers = lines.get("NSpid", "").split()
            if len(numbers) > 1 and int(numbers[-1]) == pid and self._is_inside(int(numbers[0])):
                return int(numbers[0])
        raise AssertionError(f"there is no process {pid}")

    @property
    def init(self) -> int:
        """Return the number, on this machine, of its PID 1."""
        return self._init

    def _is_inside(self, pid: int) -> bool:
        return Path(f"/proc/{pid}/ns/pid").readlink() == Path(f"/proc/{self._init}/ns/pid").readlink()

    @staticmethod
    def _systemd(nspawn: int) -> int:
        """Given systemd-nspawn's process, return its PID 1; 0 as long as only nspawn's own children come and go."""
        for child in Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split():
            try:
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
            except OSError:  # it has ended meanwhile
                continue
        return 0

    def _put(self, name: str, content: bytes, place: str) -> None:
        path = Path(self._folder.name) / name
        path.write_bytes(content)
        self._shared[path] = place

    def __enter__(self) -> Machine:
        binds = [f"--bind-ro={here}:{there}" for here, there in self._shared.items()]
        self._process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", f"--directory={self._root}", "--volatile=overlay", "--register=no",
             "--keep-unit", "--timezone=off", "--private-network", "--console=pipe", *binds, "--boot"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        give_up = time.monotonic() + PATIENCE
        while not (found := self._systemd(self._process.pid)):
            assert self._process.poll() is None, "systemd-nspawn does not start"
            assert time.monotonic() < give_up, "systemd-nspawn starts nothing"
            time.sleep(0.1)
        self._init = found
        up = ("running", "degraded")
        self.until("systemctl is-system-running", lambda text: text.strip() in up, "systemd at work")
        self.run("systemctl start virtual-microphone.service room.service")
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.run("systemctl poweroff --force", check=False)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.terminate()
                self._process.wait()
        self._folder.cleanup()
