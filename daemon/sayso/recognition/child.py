"""The process that holds the Edge TPU: all that can hang or crash in its driver happens here.

Rule of this file: runs in a process of its own, and only as long as the one that started it. It loads the network,
answers windows with logits, and says in one line what went wrong.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from dataclasses import asdict
from pathlib import Path

from sayso.errors import AcceleratorLostError, SaysoError
from sayso.recognition.bundle import Bundle, open_bundle
from sayso.recognition.tflite import TfliteNetwork, load_delegate, runtime_name
from sayso.recognition.wire import ARRAYS, Wire, pack, unpack


def main(descriptor: int, bundle: str, device: str) -> None:
    """Given a connection, a bundle and a device, serve until the other end is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Meant for the daemon: that closes the connection when it is done.
        signal.signal(number, signal.SIG_IGN)
    connection = socket.socket(fileno=descriptor)
    threading.Thread(target=_die_with_the_daemon, args=(descriptor,), daemon=True).start()
    wire = Wire(connection)
    try:
        checked = open_bundle(Path(bundle))
        network = _network(checked, device)
        formats = [asdict(one) for one in network.state_formats]
        wire.tell({"states": formats, "runtime": runtime_name()})
        _serve(wire, network, checked)
    except SaysoError as error:
        problem = error.problems[0]
        lost = isinstance(error, AcceleratorLostError)
        wire.tell({"what": problem.what, "remedy": problem.remedy, "lost": lost})
    except EOFError:
        return


def _die_with_the_daemon(descriptor: int) -> None:
    """End the process when the other end is gone, even if its main thread hangs in the driver."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    os._exit(0)


def _network(bundle: Bundle, device: str) -> TfliteNetwork:
    delegate = load_delegate(device)
    assert bundle.edgetpu_model is not None  # the daemon doesn't ask otherwise
    return TfliteNetwork(bundle.edgetpu_model, bundle, 1, delegate)


def _serve(wire: Wire, network: TfliteNetwork, bundle: Bundle) -> None:
    """Answer windows. Raise EOFError when the other end is gone."""
    bands = bundle.manifest.features.bands
    while True:
        _, body = wire.receive()
        window, states = unpack(body, network.state_formats, bands)
        try:
            logits, new = network.run(window, states)
        except SaysoError as error:
            raise AcceleratorLostError(error.problems[0].what) from None
        wire.send(ARRAYS, pack((*new, logits)))
