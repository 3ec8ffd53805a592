"""A daemon and all that it depends on, each of which can be made to fail.

Rule of this file: it brings things about and looks on, as a user would; what is right is judged elsewhere. A context
manager: left, nothing of it is left.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Iterator, Mapping, Optional

from private_broker import PrivateBroker
from running_daemon import House, Listener, is_listening
from virtual_microphone import VirtualMicrophone

PATIENCE = 120.0
"""How long anything may take before it counts as never [s]."""

RESTART = 2.0
"""systemd's pause before it starts the daemon again (RestartSec= of the unit) [s]."""

SENTENCE = "set_a_timer_for_5_minutes"


class Scene:
    """One daemon, its microphone, its broker, and somebody who listens there."""

    def __init__(self, *, other_source: bool = False, users: Optional[Mapping[str, str]] = None) -> None:
        """Given whether there is another source to be moved to, and the broker's users, prepare."""
        self._folder = tempfile.TemporaryDirectory(prefix="sayso-fault-")
        self.folder = Path(self._folder.name)
        self.microphone = VirtualMicrophone(other_source=other_source)
        self.broker = PrivateBroker(users=users)
        self._houses: list[House] = []
        self._listeners: list[Listener] = []

    @property
    def house(self) -> House:
        """Return the daemon that runs now."""
        return self._houses[-1]

    @property
    def listener(self) -> Listener:
        """Return who listens at the broker."""
        if not self._listeners:
            self._listeners.append(Listener(self.broker.port))
        return self._listeners[-1]

    def start(self, *, more: str = "", environment: Optional[Mapping[str, str]] = None) -> House:
        """Given more settings and variables, start a daemon in a folder of its own."""
        folder = self.folder / str(len(self._houses))
        folder.mkdir(exist_ok=True)
        with _variables(environment or {}):
            self._houses.append(House(folder, self.microphone, self.broker.port, more=more))
        return self.house

    def restart(self, **settings: Any) -> House:
        """Start another one after the daemon has ended, as systemd would, after the same pause."""
        time.sleep(RESTART)
        return self.start(**settings)

    def state(self, key: str) -> Any:
        """Return a value of the daemon's state, as it stands at the broker; None: it has never been told."""
        return (self.listener.last("state") or {}).get(key)

    def is_listening(self) -> bool:
        """Return whether the daemon says that it listens."""
        return is_listening(self.listener)

    def log(self) -> str:
        """Return what the daemon has logged."""
        return self.house.log.read_text(errors="replace")

    def is_alive(self) -> bool:
        """Return whether the daemon still runs."""
        return self.house.process.poll() is None

    def is_understood(self) -> bool:
        """Say a command, up to three times on a busy machine; return whether it came out."""
        for _ in range(3):
            before = len(self.listener.commands())
            self.house.say(SENTENCE)
            with contextlib.suppress(AssertionError):
                wait(lambda before=before: len(self.listener.commands()) > before, "a command", 8)
                return True
        return False

    def __enter__(self) -> Scene:
        self.microphone.start()
        self.broker.start()
        return self

    def __exit__(
        self, _kind: Optional[type[BaseException]], error: Optional[BaseException], _trace: Optional[TracebackType]
    ) -> None:
        for house in self._houses:
            if error is None:
                house.log.write_text("")  # House shows its log at the end: wanted where something failed
            house.end()
        for listener in self._listeners:
            listener.close()
        self.broker.close()
        self.microphone.stop()
        self._folder.cleanup()


def wait(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> float:
    """Wait for something; return how long it took [s]. Raise AssertionError that names it."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + patience, f"never seen: {what}"
        time.sleep(0.05)
    return time.monotonic() - begun


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Given a folder that exists, put a disk of 64 KiB there. For root."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Write to a disk until it is full."""
    with contextlib.suppress(OSError), (folder / "ballast").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))


def make_read_only(folder: Path, yes: bool = True) -> None:
    """Given a disk's folder, forbid or allow to write there, as the kernel does after an error of the card."""
    subprocess.run(["mount", "-o", f"remount,{'ro' if yes else 'rw'}", str(folder)], check=True)


class Limited:
    """A control group (cgroups(7), of either version) whose processes get so much memory and no more. For root."""

    def __init__(self, limit: int) -> None:
        """Given the limit [bytes], make it."""
        first = Path("/sys/fs/cgroup/memory")
        self._modern = not first.is_dir()
        self._parent = Path("/sys/fs/cgroup") if self._modern else first
        self._group = self._parent / "sayso-faults"
        if self._modern:
            (self._parent / "cgroup.subtree_control").write_text("+memory")
        self._group.mkdir(exist_ok=True)
        self._file("memory.max", "memory.limit_in_bytes").write_text(str(limit))

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Processes that are started meanwhile belong to it."""
        wanted = "" if self._modern else "memory"
        rows = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
        before = next(path for _, controllers, path in rows if controllers == wanted)
        (self._group / "cgroup.procs").write_text(str(os.getpid()))
        try:
            yield
        finally:
            (self._parent / before.lstrip("/") / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def peak(self) -> int:
        """Return the most that was in use at a time [bytes]."""
        return int(self._file("memory.peak", "memory.max_usage_in_bytes").read_text())

    @property
    def kills(self) -> int:
        """Return how many processes the kernel has ended for want of memory."""
        lines = self._file("memory.events", "memory.oom_control").read_text().splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])

    def close(self) -> None:
        """Remove it, when its processes have ended."""
        self._group.rmdir()

    def _file(self, modern: str, first: str) -> Path:
        return self._group / (modern if self._modern else first)


@contextlib.contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
