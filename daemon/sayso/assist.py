"""Commands for Home Assistant's own understanding: the words go to its conversation API; nothing need be automated.

Rule of this file: a command is handed over at once or not at all, and never twice. Home Assistant is first asked
whether it is there; only when it has answered that within the command's time to live are the words sent, after it on
the same connection: a machine that hangs gets nothing that it could act upon later. What it does then may take longer;
nobody waits for it but a thread of its own.

Source of the requests: Home Assistant's developer documentation, "REST API" and "Conversation API".
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple
from urllib.parse import urlsplit

from sayso.credentials import credential, is_missing
from sayso.errors import ConfigError, HandOverError

CREDENTIAL = "home-assistant-token"
"""Name of the systemd credential (LoadCredential=home-assistant-token:…)."""

ANSWER_SECONDS = 10.0
"""What Home Assistant may take to do what was said; its lamps may be far away."""

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read; a spoken sentence is a hundredth of it."""

MAX_WAITING = 4
"""Commands that may be on their way at once."""

MAX_SHOWN, MAX_REPLY = 160, 1000
"""Characters of what Home Assistant says that an error repeats, and that a reply does."""

_LATE = ("no answer in time", "look after its machine and the network")
_STRANGER = ("no Home Assistant there", "is [home_assistant] url right?")


@dataclass(frozen=True)
class AssistSettings:
    """Which Home Assistant. Raise ConfigError, where `enabled`, for what can't be one."""

    enabled: bool = False
    url: str = ""
    """`http://homeassistant.local:8123`."""
    token_file: str = ""
    """First line is a long-lived access token. Empty: the systemd credential `home-assistant-token`."""
    ca_file: str = ""
    """PEM; empty: the system's authorities."""
    language: str = "en"
    time_to_live: float = 2.0
    """Seconds after which a command that was not handed over is dropped."""

    def __post_init__(self) -> None:
        if not self.enabled:
            return
        try:
            parts = urlsplit(self.url)
            known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not known or parts.username or parts.password:  # those would stand in every error
            what = "is no address" if self.url else "is missing"
            raise ConfigError(what, where="[home_assistant] url", remedy="e.g. http://homeassistant.local:8123")
        if not self.token_file and is_missing(CREDENTIAL):
            remedy = "write a long-lived access token of Home Assistant's into a file and name it here"
            raise ConfigError("is missing", where="[home_assistant] token_file", remedy=remedy)

    @property
    def address(self) -> str:
        """Return the URL without a slash at its end."""
        return self.url.rstrip("/")


@dataclass(frozen=True)
class HandOver:
    """How it went with a command."""

    id: str
    """The command's."""
    text: str
    """What was told, or was to be; empty: that was not looked for."""
    error: str = ""
    """One line; empty: it was done."""
    reply: str = ""
    """What Home Assistant says of it, one line; empty: nothing."""


class Assist:
    """Hands commands over. Switched off, it does nothing."""

    def __init__(self, settings: AssistSettings, done: Callable[[HandOver], None]) -> None:
        """Given where to, and who is told, in another thread, how it went."""
        self._settings = settings
        self._done = done
        self._room = threading.BoundedSemaphore(MAX_WAITING)

    def hand_over(self, its: str, words: Callable[[], str]) -> None:
        """Given a command's id and what finds its words, hand them over; return at once. It is fresh from now on."""
        if not self._settings.enabled:
            return
        if not self._room.acquire(blocking=False):
            error = _error(self._settings, (f"{MAX_WAITING} commands wait for their answers", "wait"))
            self._done(HandOver(its, "", str(error)))
            return
        due = time.monotonic() + self._settings.time_to_live
        threading.Thread(target=partial(self._try, its, words, due), name="assist", daemon=True).start()

    def _try(self, its: str, words: Callable[[], str], due: float) -> None:
        text = ""
        try:
            text = words()
            response = say(self._settings, text, due)
            reply = _speech(response)
            went = HandOver(its, text, _failure(self._settings, response, reply), reply)
        except HandOverError as error:
            went = HandOver(its, text, str(error))
        finally:
            self._room.release()
        self._done(went)


def greet(settings: AssistSettings) -> None:
    """Given settings, ask Home Assistant whether it is there and lets us in. Raise HandOverError if not."""
    with _Talk(settings, time.monotonic() + settings.time_to_live) as talk:
        talk.ask("GET", "/api/")


def ask(settings: AssistSettings, path: str, fields: Dict[str, str], most: int) -> Dict[str, Any]:
    """Given settings, a path of the API and what to send there, return the object that is the answer, of at most so
    many bytes. Raise HandOverError."""
    with _Talk(settings, time.monotonic() + ANSWER_SECONDS) as talk:
        return talk.ask("POST", path, fields, most)


def strange(settings: AssistSettings) -> HandOverError:
    """Return the error that says that no Home Assistant speaks so."""
    return _error(settings, _STRANGER)


def say(settings: AssistSettings, text: str, due: float) -> Dict[str, Any]:
    """Given a command's words and until when they are fresh [monotonic], have Home Assistant act on them; return its
    response.

    Raise HandOverError: it was not told, or did not answer.
    """
    with _Talk(settings, due) as talk:
        talk.ask("GET", "/api/")
        if time.monotonic() >= due:
            raise _error(settings, _LATE)
        talk.give(time.monotonic() + ANSWER_SECONDS)
        answer = talk.ask("POST", "/api/conversation/process", {"text": text, "language": settings.language})
    response = answer.get("response")
    if not isinstance(response, dict):
        raise _error(settings, ("the answer is none of a conversation's", "is [home_assistant] url right?"))
    return response


class _Talk:
    """One connection with a deadline over all that is said on it."""

    def __init__(self, settings: AssistSettings, due: float) -> None:
        self._settings = settings
        self._due = due
        self._token = _token(settings)
        self._connection = _connection(settings, max(0.1, due - time.monotonic()))
        self._cut: Optional[threading.Timer] = None
        self._late = False

    def __enter__(self) -> _Talk:
        self.give(self._due)
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._cut is not None:
            self._cut.cancel()
        self._connection.close()

    def give(self, due: float) -> None:
        """Given a new deadline [monotonic], the connection is cut then, whatever it is doing."""
        if self._cut is not None:
            self._cut.cancel()
        self._cut = threading.Timer(max(0.0, due - time.monotonic()), self._end)
        self._cut.daemon = True
        self._cut.start()
        if self._connection.sock is not None:
            self._connection.sock.settimeout(max(0.1, due - time.monotonic()))

    def ask(
        self, method: str, path: str, fields: Optional[Dict[str, str]] = None, most: int = MAX_ANSWER
    ) -> Dict[str, Any]:
        """Given a request, return the object that is the answer, of at most so many bytes. Raise HandOverError."""
        base = urlsplit(self._settings.address).path
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        body = None if fields is None else json.dumps(fields).encode()
        try:
            self._connection.request(method, f"{base}{path}", body, headers)
            response = self._connection.getresponse()
            status, content = response.status, response.read(most)
        except (OSError, HTTPException, ValueError) as error:
            late = self._late or isinstance(error, (TimeoutError, socket.timeout))
            raise _error(self._settings, _LATE if late else _reason(error)) from None
        if status >= 400:
            raise _error(self._settings, _refusal(status))
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise _error(self._settings, _STRANGER)
        return answer

    def _end(self) -> None:
        self._late = True
        sock = self._connection.sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has just ended by itself


def _connection(settings: AssistSettings, timeout: float) -> HTTPConnection:
    parts = urlsplit(settings.address)
    assert parts.hostname is not None
    if parts.scheme == "http":
        return HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError):
        what, remedy = f"{settings.ca_file} can't be used", "[home_assistant] ca_file must be a PEM certificate"
        raise _error(settings, (what, remedy)) from None
    return HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=context)


def _token(settings: AssistSettings) -> str:
    """Return the token, read anew each time, so that a corrected file needs no restart. Raise HandOverError."""
    path = Path(settings.token_file) if settings.token_file else credential(CREDENTIAL)
    try:
        token = path.read_text(encoding="ascii").split("\n", 1)[0].strip()
    except PermissionError:
        remedy = "let the daemon's user read it" if settings.token_file else "only root may: run this with sudo"
        raise HandOverError("may not be read", where=str(path), remedy=remedy) from None
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token or not token.isprintable():
        remedy = "its first line must be a long-lived access token of Home Assistant's"
        raise HandOverError("holds no token that can be read", where=str(path), remedy=remedy)
    return token


def _refusal(status: int) -> Tuple[str, str]:
    if status in (401, 403):
        return "does not accept the token", "make a new one (for `commands house` an administrator's) and store it"
    if status == 404:
        return "has no conversation API", "turn on the integration `conversation`, or correct [home_assistant] url"
    return f"answers with error {status}", "look into its log"


def _reason(error: BaseException) -> Tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}", "set [home_assistant] ca_file"
    if isinstance(error, ssl.SSLError):
        return "no TLS connection", "is it https there?"
    if isinstance(error, socket.gaierror):
        return "the host name is unknown", "correct [home_assistant] url, or look after the name server"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused", "start Home Assistant there, or correct [home_assistant] url"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower(), "look after its machine and the network"
    return _STRANGER


def _speech(response: Dict[str, Any]) -> str:
    """Return what Home Assistant says of it, as one line; empty: nothing."""
    try:
        speech = str(response["speech"]["plain"]["speech"])
    except (KeyError, TypeError):
        return ""
    return "".join(one if one.isprintable() else " " for one in speech[:MAX_REPLY]).strip()


def _failure(settings: AssistSettings, response: Dict[str, Any], reply: str) -> str:
    """Given a response and what it says, return why it was not done, one line; empty: it was."""
    if response.get("response_type") != "error":
        return ""
    why = reply[:MAX_SHOWN] or "it does not say why"
    return str(_error(settings, (f"it was not done: {why}", "does Home Assistant know these names?")))


def _error(settings: AssistSettings, why: Tuple[str, str]) -> HandOverError:
    """Given what is wrong and what to do, return that as an error."""
    what, remedy = why
    return HandOverError(f"not handed over to Home Assistant: {what}", where=settings.address, remedy=remedy)
