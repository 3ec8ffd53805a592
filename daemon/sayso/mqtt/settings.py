"""Where the broker is and how to speak to it.

Rule of this file: plain values that agree with each other; nothing is read or opened here.
"""

from __future__ import annotations

from dataclasses import dataclass

from sayso.errors import ConfigError, Problem


@dataclass(frozen=True)
class MqttSettings:
    """One broker. Raise ConfigError, all problems at once, where the values don't agree."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: 1883, with TLS 8883, over websockets 80, over both 443."""
    site: str = "home"
    """Second level of every topic: `sayso/<site>/…`; one per daemon."""
    username: str = ""
    password_file: str = ""
    """First line is the password. Empty: the systemd credential `mqtt-password`, if there is one."""
    tls: bool = False
    ca_file: str = ""
    """PEM; empty: the system's authorities."""
    cert_file: str = ""
    """PEM of the client certificate."""
    key_file: str = ""
    alpn: tuple[str, ...] = ()
    """Protocols offered in the TLS handshake."""
    websocket_path: str = ""
    """Empty: plain TCP."""
    time_to_live: float = 2.0
    """Seconds after which an event that has not reached the broker is dropped."""
    keepalive: int = 15
    """Seconds of silence after which the broker is asked for a sign of life."""

    def __post_init__(self) -> None:
        tls_only = self._tls_only()
        problems = [
            Problem(f"[mqtt] {key}", what, remedy)
            for key, wrong, what, remedy in (
                ("host", not self.host.strip(), "is empty", "name the broker's host"),
                ("port", not 0 <= self.port <= 65535, f"{self.port} is no port", "use 1 to 65535, or 0: the usual"),
                ("time_to_live", not 0.1 <= self.time_to_live <= 60, f"{self.time_to_live:g} s", "use 0.1 to 60"),
                ("keepalive", not 5 <= self.keepalive <= 600, f"{self.keepalive} s", "use 5 to 600"),
                ("username", bool(self.password_file) and not self.username, "is empty", "a password needs one"),
                ("tls", not self.tls and bool(tls_only), f"is off, but {tls_only} is set", "turn it on"),
                ("key_file", bool(self.cert_file) != bool(self.key_file), "and cert_file need each other", "set both"),
                ("websocket_path", self.websocket_path[:1] not in ("", "/"), "doesn't begin with /", "e.g. /mqtt"),
            )
            if wrong
        ]
        if problems:
            raise ConfigError(problems=problems)

    @property
    def address(self) -> str:
        """Return `host:port` as it is dialled."""
        return f"{self.host}:{self.dialled_port}"

    @property
    def dialled_port(self) -> int:
        """Return the port, the usual one where none is set."""
        usual = {(False, False): 1883, (True, False): 8883, (False, True): 80, (True, True): 443}
        return self.port or usual[self.tls, bool(self.websocket_path)]

    def _tls_only(self) -> str:
        given = {"ca_file": self.ca_file, "cert_file": self.cert_file, "key_file": self.key_file, "alpn": self.alpn}
        return ", ".join(name for name, value in given.items() if value)


def back_off(attempt: int, chance: float) -> float:
    """Given how many attempts have failed in a row (1: the first) and a random number from 0 to 1,
    return how long to wait before the next one [s].

    Full jitter (the whole interval is drawn from, so that a house of daemons doesn't return in step
    after a power cut) over 1, 2, 4, … s, capped at 15 s; never less than 0.1 s, so never a busy loop.
    """
    longest = min(15.0, 2.0 ** min(attempt - 1, 4))
    return max(0.1, longest * chance)
