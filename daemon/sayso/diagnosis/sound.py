"""Does the microphone hear, and well: format, level, clipping, zeros, lost samples.

Rule of this file: it listens for a few seconds as the daemon does, counts, and keeps nothing.
"""

from __future__ import annotations

import time
from typing import Iterator, List

import numpy as np
import numpy.typing as npt

from sayso.audio.device import Device
from sayso.audio.microphone import Microphone
from sayso.diagnosis.finding import BAD, NOTE, OK, Finding
from sayso.records import SAMPLE_RATE, AudioFrame, seconds

_OPENING = 5.0
"""What the microphone may take to give its first sound [s]."""

CLIPPED = 1e-4
"""Share of samples at the end of the scale from which on words are distorted."""

QUIET, LOUD = -75.0, -35.0
"""Level of the quietest tenth of the time, between which a microphone in a room is expected [dB of full scale]."""

_TURN_UP = "turn its capture volume up (alsamixer, F4)"
_TURN_DOWN = "turn its capture volume down (alsamixer, F4)"


def look_at_device(device: Device) -> Finding:
    """Given a microphone, return whether its format will do."""
    detail = f"{device.name}, {device.rate} Hz, {device.channels} channels"
    if device.rate < SAMPLE_RATE:
        return Finding("microphone", NOTE, f"{detail}: above {device.rate // 2} Hz nothing is heard", "use another one")
    return Finding("microphone", OK, detail)


def listen(microphone: Microphone, duration: float) -> Iterator[Finding]:
    """Given a microphone and for how long [s], listen and return what was heard of it. Raise AudioError."""
    frames: List[AudioFrame] = []
    give_up = time.monotonic() + _OPENING + duration
    microphone.open()
    try:
        while len(frames) * seconds(frames[0].samples.size if frames else 0) < duration and time.monotonic() < give_up:
            frame = microphone.read(timeout=0.1)
            if frame is not None:
                frames.append(frame)
        status = microphone.status
    finally:
        microphone.close()
    if not frames:
        remedy = "see `sayso devices`, and whether another program holds it (Sayso itself: systemctl stop sayso)"
        yield Finding("sound", BAD, f"none came: {status}", remedy)
        return
    yield from judge(frames)


def judge(frames: List[AudioFrame]) -> Iterator[Finding]:
    """Given what was heard, return how it is."""
    sound = np.stack([frame.samples for frame in frames]).astype(np.float64) / 32768
    if not sound.any():
        yield Finding(
            "sound", BAD, "nothing but digital zeros",
            "it is muted, or the sound server listens elsewhere: alsamixer (F4), pactl list short sources",
        )  # fmt: skip
    else:
        yield _level(sound)
        yield _clipping(sound)
    # What was lost before the first frame was lost before anybody listened.
    lost = sum(frame.lost for frame in frames[1:])
    if lost:
        what = f"{seconds(lost):.2f} s were lost in {seconds(sound.size):.1f} s"
        yield Finding("overruns", BAD, what, "see what else keeps this machine busy, and try another USB port")
    else:
        yield Finding("overruns", OK, f"none in {seconds(sound.size):.1f} s")


def _level(sound: npt.NDArray[np.float64]) -> Finding:
    levels = 10 * np.log10(np.maximum((sound**2).mean(axis=1), 1e-12))
    floor, top = np.percentile(levels, 10), levels.max()
    shown = f"{floor:.0f} dB when it is quietest, {top:.0f} dB when it is loudest (0 is full scale)"
    if floor < QUIET:
        return Finding("level", NOTE, shown, f"speak while this runs; if the loudest is below -50, {_TURN_UP}")
    if floor > LOUD:
        return Finding(
            "level", NOTE, f"{shown}: a loud room, or a hum", f"move it away from the noise, or {_TURN_DOWN}"
        )
    return Finding("level", OK, shown)


def _clipping(sound: npt.NDArray[np.float64]) -> Finding:
    share = float((np.abs(sound) >= 32767 / 32768).mean())
    if share > CLIPPED:
        return Finding("clipping", BAD, f"{share:.2%} of the samples are at the end of the scale", _TURN_DOWN)
    return Finding("clipping", OK, "none")
