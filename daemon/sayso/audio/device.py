"""Microphones as PortAudio shows them: which there are, and one opened.

Rule of this file: the only one that imports pyaudio. Everything here may block for ever when a sound server hangs;
whoever must not hang calls it in a thread (microphone.py).
"""

from __future__ import annotations

import difflib
import time
from dataclasses import dataclass
from typing import Sequence

import numpy as np
import numpy.typing as npt
import pyaudio

from sayso.errors import AudioError
from sayso.native_stderr import Collected

PERIOD = 0.05
"""What the device hands over at once [s]. PortAudio keeps four of them: 0.2 s in which the reader may be late."""

_BLOCK = 0.02
"""What is read at once [s]: a frame."""

_REAL_CHANNELS = 8
"""More channels than this are what a sound server could convert to (32, 64, 128), not what a microphone has."""


@dataclass(frozen=True)
class Device:
    """Something that can be listened to."""

    index: int
    """PortAudio's number; may change when devices come and go."""
    name: str
    host_api: str
    rate: int
    """Native sample rate [Hz]."""
    channels: int
    is_default: bool


def list_devices() -> list[Device]:
    """Return all devices that sound can be captured from. Raise AudioError."""
    with Collected():
        try:
            audio = pyaudio.PyAudio()
        except OSError as error:
            raise _unusable(error) from error
    try:
        return _inputs(audio)
    finally:
        audio.terminate()


def find_device(devices: Sequence[Device], wanted: str) -> Device:
    """Given the devices and a name, a part of one, or a number, in that order of preference (empty: the default one),
    return the device. Case doesn't matter. Raise AudioError that names what there is."""
    if not devices:
        raise AudioError("no microphone at all", where="microphone", remedy="plug one in; see `sayso devices`")
    if not wanted:
        return next((device for device in devices if device.is_default), devices[0])
    name = wanted.casefold()
    for matches in (
        [device for device in devices if device.name.casefold() == name],
        [device for device in devices if name in device.name.casefold()],
        [device for device in devices if str(device.index) == wanted],
    ):
        if matches:
            return matches[0]
    names = {device.name.casefold(): device.name for device in devices}
    close = difflib.get_close_matches(name, names, n=1)
    guess = f"did you mean {names[close[0]]!r}? " if close else ""
    listed = ", ".join(repr(device.name) for device in devices)
    raise AudioError(f"no microphone named {wanted!r}", where="microphone", remedy=f"{guess}there is {listed}")


class InputStream:
    """An opened microphone."""

    def __init__(self, wanted: str, channel: int | None = None, rate: int | None = None) -> None:
        """Given which device, which of its channels must be there (None: any), and its sample rate (None: its native
        one), open it. Raise AudioError."""
        try:
            self._audio = pyaudio.PyAudio()
        except OSError as error:
            raise _unusable(error) from error
        try:
            self.device = find_device(_inputs(self._audio), wanted)
            self.rate = rate or self.device.rate
            self.channels = _channels(self.device, channel)
            self._stream = self._audio.open(
                rate=self.rate,
                channels=self.channels,
                format=pyaudio.paInt16,
                input=True,
                input_device_index=self.device.index,
                frames_per_buffer=round(self.rate * PERIOD),
            )
        except OSError as error:
            self._audio.terminate()
            raise AudioError(
                f"can't be opened: {_text(error)}",
                where=f"microphone {self.device.name!r}",
                remedy="see whether another program holds it",
            ) from error
        except BaseException:
            self._audio.terminate()
            raise
        self._returned: float | None = None

    def read(self) -> tuple[npt.NDArray[np.int16], int]:
        """Wait for the next 20 ms; return them, int16 [n, channels], and the samples per channel lost before them.

        Raise AudioError when the device is gone. PortAudio's own sign of an overflow closes the stream in PyAudio, and
        sound servers give none; so a loss is told by the clock: so long between two reads that the device's buffer
        must have run over, and little in it now. A buffer that is full now was late, not lost.
        """
        frames = round(self.rate * _BLOCK)
        try:
            data = self._stream.read(frames, exception_on_overflow=False)
            block = np.frombuffer(data, np.int16).reshape(-1, self.channels)
            now = time.monotonic()
            waited = now - self._returned if self._returned is not None else 0.0
            self._returned = now
            late = waited > 4 * PERIOD + _BLOCK
            if late and self._stream.get_read_available() < 2 * PERIOD * self.rate:
                return block, round(waited * self.rate) - len(block)
        except OSError as error:
            raise AudioError(f"is gone: {_text(error)}", where=f"microphone {self.device.name!r}") from error
        return block, 0

    def close(self) -> None:
        """Give the device back."""
        try:
            self._stream.close()
        finally:
            self._audio.terminate()


def _inputs(audio: pyaudio.PyAudio) -> list[Device]:
    """Given PortAudio, return the devices with channels to capture from."""
    try:
        default = audio.get_default_input_device_info()["index"]
    except OSError:
        default = -1
    devices = []
    for index in range(audio.get_device_count()):
        info = audio.get_device_info_by_index(index)
        if info["maxInputChannels"] > 0:
            host_api = audio.get_host_api_info_by_index(info["hostApi"])["name"]
            rate, channels = round(info["defaultSampleRate"]), info["maxInputChannels"]
            devices.append(Device(index, str(info["name"]), host_api, rate, channels, index == default))
    return devices


def _channels(device: Device, channel: int | None) -> int:
    """Given a device and the channel to be heard (None: all), return how many to open. Raise AudioError."""
    if channel is not None and not 0 <= channel < device.channels:
        raise AudioError(
            f"has no channel {channel}",
            where=f"microphone {device.name!r}",
            remedy=f"choose one of 0 to {device.channels - 1}, or leave it out",
        )
    if device.channels <= _REAL_CHANNELS:
        return device.channels
    return 1 if channel is None else channel + 1


def _unusable(error: OSError) -> AudioError:
    return AudioError(f"PortAudio can't be used: {_text(error)}", where="microphone", remedy="see `sayso devices`")


def _text(error: OSError) -> str:
    """Given PyAudio's error, return its message: (number, text) or (text, number), depending on where it arose."""
    texts = [str(arg) for arg in error.args if isinstance(arg, str)]
    return texts[0] if texts else str(error)
