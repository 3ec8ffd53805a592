"""What every source of sound has in common: the protocol, and the way of samples to frames.

Rule of this file: no device, no file, no thread, no clock; the only one that imports soxr. Whatever a source delivers
(any rate, any number of channels, blocks of any length) leaves as `AudioFrame`s of 20 ms at 16 kHz, mono, and the same
sound cut into other blocks leaves as the same frames. Samples around a gap are never put into one frame.
"""

from __future__ import annotations

from types import TracebackType
from typing import Iterator, Protocol, TypeVar, Union

import numpy as np
import numpy.typing as npt
import soxr

from sayso.errors import AudioError
from sayso.records import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, Samples

Block = Union[npt.NDArray[np.int16], npt.NDArray[np.float32]]
"""Interleaved sound as a source delivers it: [n, channels], int16, or float32 from -1 to 1."""

FULL_SCALE = 32768.0
"""int16 of the float32 sample 1.0, as in libsndfile; 16-bit sound survives the way to float and back unchanged."""


Source = TypeVar("Source", bound="AudioSource")


class AudioSource(Protocol):
    """Where sound comes from. Used in a `with` statement it is opened on entry and closed on exit."""

    name: str
    """For people: a device, a path, `standard input`."""

    def open(self) -> None:
        """Start to deliver. Raise AudioError."""

    def read(self, timeout: float | None = None) -> AudioFrame | None:
        """Return the next frame; None where the source has ended, or no frame came within `timeout` [s].

        Raise AudioError when there will be no more frames, though the source should have some.
        """

    def close(self) -> None:
        """Give back what `open` took. May be called twice, and without `open`."""

    def __enter__(self: Source) -> Source:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[AudioFrame]:
        """Return the frames up to the end of the source."""
        while (frame := self.read()) is not None:
            yield frame


class Converter:
    """Makes 16 kHz mono of what a source delivers."""

    def __init__(self, rate: int, channels: int, channel: int | None = None, *, where: str = "") -> None:
        """Given the source's rate [Hz] and channels, and which of them to hear (None: their average).

        Raise AudioError when there is no such channel. The resampler looks 20 to 40 ms ahead; its pass band reaches
        91 % of the lower Nyquist frequency (soxr's HQ), and it costs 0.05 % of a desktop's core.
        """
        if channel is not None and not 0 <= channel < channels:
            raise AudioError(
                f"there is no channel {channel}",
                where=where,
                remedy=f"choose one of 0 to {channels - 1}, or leave it out",
            )
        self._pick = slice(None) if channel is None else slice(channel, channel + 1)
        self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32") if rate != SAMPLE_RATE else None

    def feed(self, block: Block, *, last: bool = False) -> Samples:
        """Given the next block, return the samples that are ready by now; with `last`, all that remain."""
        scale = np.float32(1.0 if block.dtype == np.int16 else FULL_SCALE)
        mono = block[:, self._pick].mean(axis=1, dtype=np.float32) * scale
        if self._stream is not None:
            mono = self._stream.resample_chunk(mono, last=last)
        rounded: Samples = np.clip(np.rint(mono), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        return rounded


class Framer:
    """Cuts samples into frames and numbers them."""

    def __init__(self, start: int = 0) -> None:
        """Given the index of the first sample to come."""
        self._next = start
        self._lost = 0
        self._rest: Samples = np.zeros(0, np.int16)

    def feed(self, samples: Samples) -> list[AudioFrame]:
        """Given the next samples, int16 [n], return the frames they complete."""
        waiting = np.concatenate([self._rest, samples])
        whole = waiting.size - waiting.size % FRAME_SAMPLES
        self._rest = waiting[whole:]
        return [self._frame(waiting[at : at + FRAME_SAMPLES]) for at in range(0, whole, FRAME_SAMPLES)]

    def lose(self, count: int) -> None:
        """Given how many samples are missing before the next ones, mark them; a begun frame is lost with them."""
        count += self._rest.size
        self._rest = self._rest[:0]
        self._lost += count
        self._next += count

    def finish(self) -> list[AudioFrame]:
        """Return the last frame, filled with zeros, if one is begun."""
        if not self._rest.size:
            return []
        return self.feed(np.zeros(FRAME_SAMPLES - self._rest.size, np.int16))

    def _frame(self, samples: Samples) -> AudioFrame:
        samples = samples.copy()
        samples.flags.writeable = False
        frame = AudioFrame(samples, self._next, self._lost)
        self._next += FRAME_SAMPLES
        self._lost = 0
        return frame
