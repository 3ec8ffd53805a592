"""Sees every packet in a network namespace, whichever interface it takes.

Rule of this file: it only looks. A context manager: between entering and leaving, `packets` fills.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from dataclasses import dataclass

_ALL = 0x0003  # ETH_P_ALL
_IPV4, _IPV6, _ARP = 0x0800, 0x86DD, 0x0806
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Packet:
    """One packet, as far as it tells who speaks to whom."""

    interface: str
    kind: int
    """EtherType."""
    ports: tuple[int, ...]
    """From and to; () for what has none."""
    source: str
    target: str


class Sniffer:
    """Listens in the network namespace of a process."""

    def __init__(self, process: int) -> None:
        self.packets: list[Packet] = []
        self._process = process
        self._done = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Sniffer:
        self._thread.start()
        assert self._ready.wait(10), "the network can't be watched"
        return self

    def __exit__(self, *_exception: object) -> None:
        self._done.set()
        self._thread.join()

    def _listen(self) -> None:
        # A thread may be in another namespace than its process (setns(2)); it ends there.
        namespace = os.open(f"/proc/{self._process}/ns/net", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(namespace)
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL)) as ear:
            ear.settimeout(0.2)
            self._ready.set()
            while not self._done.is_set():
                try:
                    data, (interface, kind, *_rest) = ear.recvfrom(65536)
                except TimeoutError:
                    continue
                self.packets.append(read(interface, kind, data))


def read(interface: str, kind: int, data: bytes) -> Packet:
    """Given a packet without its link header, return who speaks to whom."""
    if kind == _IPV4:
        start, protocol, source, target = (data[0] & 15) * 4, data[9], data[12:16], data[16:20]
        family = socket.AF_INET
    elif kind == _IPV6:
        start, protocol, source, target = 40, data[6], data[8:24], data[24:40]
        family = socket.AF_INET6
    else:
        return Packet(interface, kind, (), "", "")
    ports = struct.unpack("!HH", data[start : start + 4]) if protocol in (6, 17) else ()
    return Packet(interface, kind, ports, socket.inet_ntop(family, source), socket.inet_ntop(family, target))
