"""A bank of room impulse responses: `corpus rooms`.

Rule of this file: simulated shoe-box rooms (pyroomacoustics, image sources) of homes' sizes, RT60 0.15 to 0.9 s,
0.5 to 4.5 m from mouth to microphone, and the recorded responses; each begins at its direct sound.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sayso_model import shards
from sayso_model.places import SHARDS

COUNT = 240
LONGEST = 9600
"""Samples kept (0.6 s)."""


def aligned(response: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Given a response, return it from just before its direct sound, at unit energy."""
    start = max(0, int(np.argmax(np.abs(response) > 0.4 * np.abs(response).max())) - 8)
    cut = response[start : start + LONGEST]
    return (cut / np.sqrt(np.sum(cut**2))).astype(np.float32)


def simulated(random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the response of a room drawn at random."""
    import pyroomacoustics

    while True:
        size = np.array([random.uniform(2.0, 8.0), random.uniform(2.0, 6.0), random.uniform(2.2, 3.4)])
        try:
            absorption, order = pyroomacoustics.inverse_sabine(random.uniform(0.15, 0.9), size)
        except ValueError:
            continue
        room = pyroomacoustics.ShoeBox(
            size, fs=16_000, materials=pyroomacoustics.Material(absorption), max_order=min(order, 12)
        )
        microphone = np.array([random.uniform(0.2, side - 0.2) for side in size])
        for _ in range(50):
            mouth = np.array(
                [random.uniform(0.3, size[0] - 0.3), random.uniform(0.3, size[1] - 0.3), random.uniform(1.0, 1.8)]
            )
            if 0.5 <= np.linalg.norm(mouth - microphone) <= 4.5:
                room.add_source(mouth)
                room.add_microphone(microphone)
                room.compute_rir()
                return aligned(np.asarray(room.rir[0][0], np.float32))


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
