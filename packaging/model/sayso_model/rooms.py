"""A bank of room impulse responses: `corpus rooms`.

Rule of this file: simulated shoe-box rooms of homes' sizes, RT60 0.15 to 0.9 s, 0.5 to 4.5 m from mouth to microphone,
and the recorded responses; each begins at its direct sound. The first echoes are those of image sources
(pyroomacoustics); where these have no more of them, a diffuse field follows that falls as the room's RT60 says. Image
sources alone end within a tenth of a second, whatever the RT60.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sayso_model import shards
from sayso_model.places import SHARDS

RATE = 16_000
COUNT = 240
LONGEST = 9600
"""Samples kept (0.6 s)."""
ORDER = 12
"""Reflections that are followed."""
SOUND = 343.0
"""Speed of sound [m/s]."""
FADE = 160
"""Samples over which the diffuse field takes over."""
BANDS = ((0.0, 500.0, 1.15), (500.0, 2000.0, 1.0), (2000.0, 4000.0, 0.8), (4000.0, 8000.0, 0.6))
"""From and to [Hz], and the RT60 there over that of the middle: furniture and air take high sounds sooner."""


def aligned(response: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Given a response, return it from just before its direct sound, at unit energy."""
    start = max(0, int(np.argmax(np.abs(response) > 0.4 * np.abs(response).max())) - 8)
    cut = response[start : start + LONGEST]
    return (cut / np.sqrt(np.sum(cut**2))).astype(np.float32)


def response(
    random: np.random.Generator, size: Sequence[float], rt60: float, mouth: Sequence[float], microphone: Sequence[float]
) -> npt.NDArray[np.float32]:
    """Given a room's size [m], the time in which sound falls by 60 dB there [s], and two places in it [m], return the
    response. Raise ValueError for an RT60 that no walls can give such a room."""
    import pyroomacoustics

    absorption, order = pyroomacoustics.inverse_sabine(rt60, size)
    room = pyroomacoustics.ShoeBox(
        size, fs=RATE, materials=pyroomacoustics.Material(absorption), max_order=min(order, ORDER)
    )
    room.add_source(np.asarray(mouth))
    room.add_microphone(np.asarray(microphone))
    room.compute_rir()
    early = np.asarray(room.rir[0][0], np.float64)
    direct = int(np.argmax(np.abs(early) > 0.4 * np.abs(early).max()))
    # An image of a higher order is at least this far away.
    end = min(len(early), max(direct + 4 * FADE, int(ORDER * min(size) / SOUND * RATE)))
    diffuse = _diffuse(random, rt60, end, end + LONGEST)
    before = slice(max(direct + FADE, end - 4 * FADE), end)
    diffuse *= np.sqrt(np.mean(early[before] ** 2) / np.mean(diffuse[before] ** 2))
    rise = np.clip((np.arange(len(diffuse)) - (end - FADE)) / FADE, 0.0, 1.0)
    early = np.pad(early[:end], (0, len(diffuse) - end))
    return aligned((early * np.sqrt(1.0 - rise) + diffuse * np.sqrt(rise)).astype(np.float32))


def _diffuse(random: np.random.Generator, rt60: float, zero: int, length: int) -> npt.NDArray[np.float64]:
    """Return noise of so many samples that falls by 60 dB in that time [s], sooner where sounds are high; of one
    loudness in all bands at sample `zero`."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    hertz = np.fft.rfftfreq(length, 1 / RATE)
    seconds = (np.arange(length) - zero) / RATE
    total = np.zeros(length)
    for low, high, share in BANDS:
        band = np.fft.irfft(np.where((hertz >= low) & (hertz < high), spectrum, 0), length)
        total += band * 10.0 ** (-3.0 * seconds / (rt60 * share))
    return total


def simulated(random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the response of a room drawn at random."""
    while True:
        size = np.array([random.uniform(2.0, 8.0), random.uniform(2.0, 6.0), random.uniform(2.2, 3.4)])
        rt60 = random.uniform(0.15, 0.9)
        microphone = np.array([random.uniform(0.2, side - 0.2) for side in size])
        for _ in range(50):
            mouth = np.array(
                [random.uniform(0.3, size[0] - 0.3), random.uniform(0.3, size[1] - 0.3), random.uniform(1.0, 1.8)]
            )
            if 0.5 <= np.linalg.norm(mouth - microphone) <= 4.5:
                try:
                    return response(random, size, rt60, mouth, microphone)
                except ValueError:
                    break


def bank() -> list[npt.NDArray[np.float32]]:
    """Return all responses; make the simulated ones on the first call."""
    path = SHARDS / "rooms.npz"
    if not path.exists():
        SHARDS.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(5)
        made = {f"r{number}": simulated(random) for number in range(COUNT)}
        part = path.with_suffix(".part.npz")
        np.savez(part, **made)
        part.rename(path)
    with np.load(path) as stored:
        responses = [stored[name] for name in stored.files]
    samples = shards.Samples(SHARDS)
    recorded = [aligned(np.asarray(samples(clip), np.float32)) for clip in shards.read(SHARDS, "noise-rir-reverbjs")]
    return responses + recorded * 6


if __name__ == "__main__":
    responses = bank()
    print(len(responses), "rooms, mean length", np.mean([len(r) for r in responses]))
