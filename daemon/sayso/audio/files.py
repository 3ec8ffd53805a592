"""Sound from files and from standard input, as fast as it is asked for.

Rule of this file: the only one that imports soundfile. A file that can't be heard to its end is an error,
never a shorter file.
"""

from __future__ import annotations

import logging
import re
import sys
from collections import deque
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from sayso.audio.capture import AudioSource, Converter, Framer
from sayso.errors import AudioError
from sayso.records import FRAME_SAMPLES, AudioFrame

logger = logging.getLogger(__name__)

_BLOCK = 4096
"""Samples per channel read from a file at once; any number gives the same frames."""

_RECORD_REMEDY = "record it again, or convert what there is with: ffmpeg -i FILE out.wav"


class SoundFile(AudioSource):
    """A WAV, FLAC, Ogg Vorbis, Ogg Opus or MP3 file of any rate and number of channels."""

    def __init__(self, path: Path, channel: int | None = None) -> None:
        """Given the file, and which of its channels to hear (None: their average)."""
        self.name = str(path)
        self._path = path
        self._channel = channel
        self._file: soundfile.SoundFile | None = None
        self._frames: deque[AudioFrame] = deque()

    def open(self) -> None:
        """Read the header. Raise AudioError for what is no sound file, or an empty or truncated one."""
        if not self._path.is_file():
            raise AudioError("no such file" if not self._path.exists() else "not a file", where=self.name)
        try:
            self._file = soundfile.SoundFile(self.name)
        except (soundfile.LibsndfileError, OSError) as error:
            raise self._unreadable(error) from error
        if self._file.frames == 0:
            self.close()
            raise AudioError("holds no sound", where=self.name, remedy="record it again")
        if missing := _missing(self._file.extra_info):
            self.close()
            raise self._truncated(missing)
        self._left = self._file.frames
        self._framer = Framer()
        self._converter = Converter(self._file.samplerate, self._file.channels, self._channel, where=self.name)
        self._frames.clear()

    def read(self, timeout: float | None = None) -> AudioFrame | None:  # noqa: ARG002 - a file never waits
        """Return the next frame, the last one filled with zeros; None at the end. Raise AudioError."""
        while not self._frames:
            if self._file is None:
                return None
            self._read_block(self._file)
        return self._frames.popleft()

    def close(self) -> None:
        """Close the file, and forget what nobody has read yet."""
        self._frames.clear()
        self._release()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read_block(self, file: soundfile.SoundFile) -> None:
        """Given the open file, turn its next block into frames; at its end, flush and close."""
        try:
            block = file.read(_BLOCK, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            self.close()
            raise self._unreadable(error) from error
        self._left -= len(block)
        ended = len(block) < _BLOCK
        self._frames.extend(self._framer.feed(self._converter.feed(block, last=ended)))
        if ended:
            missing = f"{self._left} of its samples are missing" if self._left > 0 else _missing(file.extra_info)
            self._release()
            if missing:
                raise self._truncated(missing)
            self._frames.extend(self._framer.finish())

    def _unreadable(self, error: Exception) -> AudioError:
        why = str(error).split(": ", 1)[-1].strip().rstrip(".")
        return AudioError(f"not a sound file that can be read: {why}", where=self.name, remedy="WAV, FLAC or Ogg is")

    def _truncated(self, what: str) -> AudioError:
        return AudioError(f"truncated: {what}", where=self.name, remedy=_RECORD_REMEDY)


class PcmStream(AudioSource):
    """Raw int16 little-endian samples, 16 kHz, mono, from a pipe."""

    def __init__(self, stream: BinaryIO | None = None, name: str = "standard input") -> None:
        """Given a binary stream (None: standard input) and what to call it."""
        self.name = name
        self._stream = stream
        self._frames: deque[AudioFrame] = deque()
        self._ended = True

    def open(self) -> None:
        """Start with the stream's next byte. Raise AudioError where nothing but a keyboard could send it."""
        self._stream = self._stream or sys.stdin.buffer
        if self._stream.isatty():
            raise AudioError(
                "is a terminal, not sound", where=self.name, remedy="pipe raw 16-bit 16 kHz mono samples into it"
            )
        self._framer = Framer()
        self._frames.clear()
        self._odd = b""
        self._ended = False

    def read(self, timeout: float | None = None) -> AudioFrame | None:  # noqa: ARG002 - a pipe is waited for
        """Return the next frame, the last one filled with zeros; None at the end. Half a sample is dropped."""
        while not self._frames and not self._ended:
            self._read_block()
        return self._frames.popleft() if self._frames else None

    def close(self) -> None:
        """Stop reading, and forget what nobody has read yet. The stream itself is left open: it was not opened here."""
        self._frames.clear()
        self._ended = True

    def _read_block(self) -> None:
        """Turn the stream's next bytes into frames; at its end, flush."""
        assert self._stream is not None
        try:
            received = self._stream.read(2 * FRAME_SAMPLES)
        except OSError as error:
            self.close()
            raise AudioError(f"can't be read: {error.strerror}", where=self.name) from error
        data = self._odd + received
        whole = len(data) - len(data) % 2
        self._odd = data[whole:]
        self._frames.extend(self._framer.feed(np.frombuffer(data[:whole], "<i2").astype(np.int16)))
        if not received:
            self._ended = True
            if self._odd:
                logger.warning("%s ends in the middle of a sample; is it 16-bit?", self.name)
            self._frames.extend(self._framer.finish())


def _missing(report: str) -> str:
    """Given libsndfile's parse report, return what the header promises but the file lacks; empty if nothing.

    Recorders that stream a WAV write a size of 0 or near 2³² or 2³¹ and never return to correct it: nothing is missing
    then.
    """
    if "without an End-Of-Stream flag" in report or "lacks an end-of-stream bit" in report:
        return "its last page is missing"
    match = re.search(r"^ *(?:data|SSND) : (\d+) \(should be (\d+)\)", report, re.MULTILINE)
    if match is None:
        return ""
    promised, present = int(match[1]), int(match[2])
    return f"{promised - present} bytes are missing" if present < promised < 0x7FFF_0000 else ""
