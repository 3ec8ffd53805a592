"""`sayso monitor` as a person uses it: on a terminal, and into a pipe, in front of a daemon at work."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import List

from private_broker import PrivateBroker
from running_daemon import PATIENCE, House, Listener, is_listening, until

COLOURS = re.compile("\x1b\\[[0-9;]*m")

PROGRAM = str(Path(sys.executable).parent / "sayso")


class Terminal:
    """A terminal of 40 lines of 120 characters with a program in it, and all that it has written there."""

    def __init__(self, *command: str) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.written = ""
        environment = {**os.environ, "TERM": "xterm-256color"}
        # Where the tests run in the background, Ctrl-C is ignored, and would be by whatever they start.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        self._ours = ours
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        parts: List[bytes] = []
        while True:
            try:
                parts.append(os.read(self._ours, 65536))
            except OSError:  # the program has ended
                break
            self.written = COLOURS.sub("", b"".join(parts).decode(errors="replace"))

    def end(self) -> int:
        """Press Ctrl-C; return the program's exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._thread.join()
        os.close(self._ours)
        return status


def test_a_person_sees_the_sound_the_words_the_commands_and_the_state_and_a_pipe_the_events(
    house: House, listener: Listener, broker: PrivateBroker
) -> None:
    until(lambda: is_listening(listener), "listening")
    command = (PROGRAM, "monitor", "--host", "127.0.0.1", "--port", str(broker.port))
    terminal = Terminal(*command)
    pipe = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: len(listener.all("set/live")) >= 2, "the wishes of both")
        until(lambda: "quiet" in terminal.written and " dB" in terminal.written, "the level of a quiet room")
        house.say("cancel_timer")
        until(lambda: "HassCancelTimer" in terminal.written, "the command")
        for wanted in ("home online", "speech", "cancel timer", "ok: ", "cpu", f"connected to 127.0.0.1:{broker.port}"):
            assert wanted in terminal.written, wanted
        assert pipe.stdout is not None
        assert '"cancel timer"  HassCancelTimer' in pipe.stdout.readline()
    finally:
        statuses = [terminal.end()]
        pipe.send_signal(signal.SIGINT)
        pipe.communicate(timeout=PATIENCE)
        statuses.append(pipe.returncode)
    assert statuses == [0, 0]
    until(lambda: listener.last("set/live") == "off", "the end of the wish")
