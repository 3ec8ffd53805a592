"""A microphone without a sound card: a PulseAudio server of one's own, whose sink is heard as a source.

For the demo and the tests. What is played into it arrives sample by sample at whatever opens the ALSA device `virtual`
(or the default one) with `environment` set. It can be unplugged, rerouted, frozen and killed as real ones are; nothing
of it is left afterwards, and it never meets a sound server that already runs on this machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Mapping

import numpy as np

READY_SECONDS = 10.0

NAME = "virtual"
"""What PortAudio and ALSA call the microphone."""

_SINK = "microphone"

_ALSA = """\
pcm.{name} {{ type pulse server "{server}" device "{source}" hint {{ show on description "{name}" }} }}
ctl.{name} {{ type pulse server "{server}" }}
pcm.!default {{ type pulse server "{server}" }}
ctl.!default {{ type pulse server "{server}" }}
"""


class VirtualMicrophone:
    """A private sound server with one source. A context manager: entered, it can be opened; left, it is gone."""

    def __init__(
        self, *, rate: int = 16_000, channels: int = 1, room_tone: bool = True, other_source: bool = False
    ) -> None:
        """Given the source's rate [Hz] and channels, prepare a microphone.

        With `room_tone` it is never quite silent, like a real one: noise of two steps of 32768. With `other_source`
        there is a second source of pure zeros, to which the server moves listeners when the microphone is unplugged.
        Raise FileNotFoundError if PulseAudio or its tools are not installed.
        """
        self._programs = {name: _program(name) for name in ("pulseaudio", "pactl", "paplay", "pacat")}
        self._folder = Path(tempfile.mkdtemp(prefix="sayso-microphone-"))
        self._server = f"unix:{self._folder}/native"
        self._format = (f"rate={rate}", f"channels={channels}", "format=s16le")
        # Without rewinding, which would swallow the first 40 ms of what is played where somebody listens already.
        self._sink = (*self._format, "norewinds=1")
        self._rate, self._channels = rate, channels
        self._room_tone = room_tone
        self._other_source = other_source
        self._process: subprocess.Popen[bytes] | None = None
        self._tone: subprocess.Popen[bytes] | None = None
        self._sink_module = ""
        alsa = _ALSA.format(name=NAME, server=self._server, source=f"{_SINK}.monitor")
        (self._folder / "asound.conf").write_text(alsa)

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the variables under which a program hears this microphone and no other."""
        return {"ALSA_CONFIG_PATH": str(self._folder / "asound.conf"), "JACK_NO_START_SERVER": "1"}

    def start(self) -> None:
        """Start the server and plug the microphone in. Raise RuntimeError with the server's log if it doesn't start."""
        protocol = f"module-native-protocol-unix auth-anonymous=1 socket={self._folder}/native"
        command = [self._programs["pulseaudio"], "-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit"]
        command += ["--use-pid-file=no", "--log-target=stderr", "-L", protocol]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, env=self._own_environment(), stderr=log, stdin=subprocess.DEVNULL)
        give_up = time.monotonic() + READY_SECONDS
        while self._control("info", check=False) is None:
            if self._process.poll() is not None or time.monotonic() > give_up:
                log_text = (self._folder / "log").read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"pulseaudio did not start:\n{log_text}")
            time.sleep(0.02)
        self.plug_in()
        if self._other_source:
            self._control("load-module", "module-null-sink", "sink_name=elsewhere", *self._sink)

    def plug_in(self) -> None:
        """Make the microphone appear, and the server's default."""
        self._sink_module = self._control("load-module", "module-null-sink", f"sink_name={_SINK}", *self._sink) or ""
        self._control("set-default-source", f"{_SINK}.monitor")
        if self._room_tone:
            self._start_tone()

    def unplug(self) -> None:
        """Make it disappear. Listeners get no more frames, or another source's."""
        self._stop_tone()
        self._control("unload-module", self._sink_module.strip())

    def play(self, path: Path) -> None:
        """Given a sound file, play it into the microphone, to its end. Raise RuntimeError if it can't be played."""
        command = [self._programs["paplay"], f"--server={self._server}", f"--device={_SINK}", str(path)]
        done = subprocess.run(command, env=self._own_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{path} can't be played: {done.stderr.strip()}")

    def listeners(self) -> int:
        """Return how many streams the server feeds with the sound of a source."""
        return len((self._control("list", "short", "source-outputs") or "").splitlines())

    def freeze(self) -> None:
        """Stop the server in its tracks: whoever calls it hangs."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Let the server crash."""
        self._stop_tone()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        (self._folder / "native").unlink(missing_ok=True)

    def stop(self) -> None:
        """End everything, from any state, and remove the folder."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> VirtualMicrophone:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _own_environment(self) -> dict[str, str]:
        """Return variables under which PulseAudio's programs read and write nothing outside the folder."""
        return {**os.environ, "HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder)}

    def _control(self, *arguments: str, check: bool = True) -> str | None:
        """Given pactl's arguments, return what it prints; None if it fails and need not succeed. Raise RuntimeError."""
        command = [self._programs["pactl"], f"--server={self._server}", *arguments]
        done = subprocess.run(command, env=self._own_environment(), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        if check:
            raise RuntimeError(f"pactl {' '.join(arguments)}: {done.stderr.strip()}")
        return None

    def _start_tone(self) -> None:
        command = [self._programs["pacat"], f"--server={self._server}", f"--device={_SINK}", "--raw"]
        command += [f"--{setting}" for setting in self._format]
        tone = subprocess.Popen(
            command,
            env=self._own_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._tone = tone
        noise = np.random.default_rng(1).integers(-2, 3, (self._rate, self._channels), np.int16).tobytes()
        threading.Thread(target=_feed, args=(tone, noise), name="room tone", daemon=True).start()

    def _stop_tone(self) -> None:
        if self._tone is not None:
            self._tone.kill()
            self._tone.wait()
            self._tone = None


def _feed(program: subprocess.Popen[bytes], sound: bytes) -> None:
    """Given a program, write a sound to it again and again for as long as it lives."""
    assert program.stdin is not None
    try:
        with program.stdin as pipe:
            while program.poll() is None:
                pipe.write(sound)
    except OSError:  # it was stopped
        return


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(
            f"{name} is not installed: apt-get install pulseaudio pulseaudio-utils libasound2-plugins"
        )
    return found
