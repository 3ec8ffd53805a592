"""A mosquitto of one's own: on a free port of the loopback interface, in a temporary folder.

For the demo and the tests. It can be killed, frozen, thawed and restarted; nothing of it is left
afterwards, and it never meets a broker that already runs on this machine.
"""

from __future__ import annotations

import getpass
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

READY_SECONDS = 10.0


@dataclass(frozen=True)
class Certificates:
    """PEM files of a broker that speaks TLS."""

    ca: Path
    cert: Path
    key: Path
    client_ca: Path | None = None
    """Whoever signs the certificates that clients must show; None: they need none."""


class PrivateBroker:
    """mosquitto with its own configuration. A context manager: entered, it answers; left, it is gone."""

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        acl: str = "",
        certificates: Certificates | None = None,
        websockets: bool = False,
        options: str = "",
    ) -> None:
        """Given users and passwords (None: anybody may enter), rules (mosquitto's acl_file), TLS, whether it
        speaks websockets too, and more lines for mosquitto.conf (`{folder}` is its own), prepare a broker.

        Raise FileNotFoundError if mosquitto is not installed.
        """
        self._program = _program("mosquitto")
        self._folder = Path(tempfile.mkdtemp(prefix="broker-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.websocket_port = _free_port() if websockets else 0
        self._settings = [
            f"user {getpass.getuser()}",  # mosquitto would leave root, and then can't read the folder
            f"listener {self.port} 127.0.0.1",
            f"log_dest file {self.log_path}",
            "log_timestamp false",
            options.format(folder=self._folder) or "persistence false",
        ]
        if users is None:
            self._settings.append("allow_anonymous true")
        else:
            self._settings.append(f"password_file {self._write_passwords(users)}")
        if acl:
            self._settings.append(f"acl_file {self._write('acl', acl)}")
        if certificates is not None:
            self._settings += _tls_settings(certificates)
        if websockets:  # beside the plain one: mosquitto 2.0 refuses to start with websockets only
            self._settings += [f"listener {self.websocket_port} 127.0.0.1", "protocol websockets"]
            if certificates is not None:
                self._settings += _tls_settings(certificates)
        self._write("mosquitto.conf", "\n".join(self._settings) + "\n")

    @property
    def folder(self) -> Path:
        """Return where it keeps its files."""
        return self._folder

    @property
    def log_path(self) -> Path:
        """Return where mosquitto writes what it does."""
        return self._folder / "log"

    def start(self) -> None:
        """Start it, always on the same port, and wait until it answers. Raise RuntimeError if it does not."""
        configuration = str(self._folder / "mosquitto.conf")
        self._process = subprocess.Popen(
            [self._program, "-c", configuration], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        give_up = time.monotonic() + READY_SECONDS
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"mosquitto does not start: {self.log_path.read_text(errors='replace')}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it as an administrator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hang: its port takes connections and bytes, and nothing comes back."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on with whatever has come in meanwhile."""
        self._signal(signal.SIGCONT)

    def crowd(self, full: bool = True) -> None:
        """Leave it no room for another connection, or all the room that it has by right."""
        assert self._process is not None
        folder = Path(f"/proc/{self._process.pid}/fd")
        most = resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE)[1]
        room = max(int(one.name) for one in folder.iterdir()) + 1 if full else most
        resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, (room, most))

    def restart(self) -> None:
        """End it in good order if it runs, and start it again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it and remove all that it left."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> PrivateBroker:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.send_signal(signal.SIGCONT)  # a frozen one takes no other signal but SIGKILL
        self._process.wait()
        self._process = None

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def _write_passwords(self, users: Mapping[str, str]) -> Path:
        path = self._write("passwords", "".join(f"{user}:{password}\n" for user, password in users.items()))
        subprocess.run([_program("mosquitto_passwd"), "-U", str(path)], check=True, stdout=subprocess.DEVNULL)
        return path


def _tls_settings(certificates: Certificates) -> list[str]:
    settings = [f"certfile {certificates.cert}", f"keyfile {certificates.key}"]
    if certificates.client_ca is not None:
        settings += [f"cafile {certificates.client_ca}", "require_certificate true"]
    return settings


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/sbin:/bin")
    if found is None:
        raise FileNotFoundError(f"{name} is not installed (apt-get install mosquitto)")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    """Return whether mosquitto's main loop runs: it alone hangs up on nonsense. A SIGTERM before that would be lost."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(bytes(16))
            return probe.recv(1) == b""
    except ConnectionResetError:
        return True
    except OSError:
        return False
