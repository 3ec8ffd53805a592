"""Messages between the daemon and the process that holds an Edge TPU.

Rule of this file: nothing waits for ever. A message is one letter, its length and its bytes; whoever sends or receives
says how long that may take, and what has come in of a message that is late is kept for the next attempt.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any, Iterable, Mapping, Optional, Tuple

import numpy as np
import numpy.typing as npt

from sayso.recognition.acoustic import Frames, States
from sayso.recognition.quantised import TensorFormat

ARRAYS = b"A"
FACTS = b"F"
"""Kinds of messages: tensors, one after the other, and a JSON object."""

_HEADER = struct.Struct("<cI")


class Wire:
    """One end of a connection. One thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def send(self, kind: bytes, body: bytes, seconds: Optional[float] = None) -> None:
        """Given a message and how long it may take, send it. Raise EOFError where the other end doesn't take it."""
        self._connection.settimeout(seconds)
        try:
            self._connection.sendall(_HEADER.pack(kind, len(body)) + body)
        except OSError:
            raise EOFError from None

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Send a JSON object."""
        self.send(FACTS, json.dumps(facts).encode())

    def receive(self, seconds: Optional[float] = None) -> Tuple[bytes, bytes]:
        """Given how long it may take, return the next message's kind and body.

        Raise TimeoutError where it is not there in time, EOFError where the other end is gone.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        self._fill(_HEADER.size, deadline)
        kind, length = _HEADER.unpack_from(self._buffer)
        self._fill(_HEADER.size + length, deadline)
        body = bytes(self._buffer[_HEADER.size : _HEADER.size + length])
        del self._buffer[: _HEADER.size + length]
        return kind, body

    def _fill(self, count: int, deadline: Optional[float]) -> None:
        while len(self._buffer) < count:
            left = None if deadline is None else deadline - time.monotonic()
            # A socket's timeout of zero means something else: that it must not wait at all.
            self._connection.settimeout(None if left is None else max(left, 1e-4))
            try:
                piece = self._connection.recv(1 << 16)
            except socket.timeout:
                raise TimeoutError from None
            except ConnectionError:
                raise EOFError from None
            if not piece:
                raise EOFError
            self._buffer += piece

    def close(self) -> None:
        """Let the other end know that it is over."""
        self._connection.close()


def pack(arrays: Iterable[npt.NDArray[Any]]) -> bytes:
    """Given tensors, return their bytes."""
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def unpack(body: bytes, formats: Iterable[TensorFormat], width: int) -> Tuple[Frames, States]:
    """Given bytes, return the tensors: first those of the given formats, then float32 rows of `width`.

    Raise ValueError where the bytes don't add up.
    """
    arrays = []
    at = 0
    for one in formats:
        arrays.append(np.frombuffer(body[at : at + one.bytes], one.dtype).reshape(one.shape))
        at += one.bytes
    return np.frombuffer(body[at:], np.float32).reshape(-1, width), tuple(arrays)
