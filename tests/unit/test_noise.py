"""The noise floor, on made sound."""

from __future__ import annotations

import numpy as np

from sayso.audio.capture import Framer
from sayso.audio.noise import NoiseFloor

RANDOM = np.random.default_rng(3)


def noise(rms: float, seconds: float) -> np.ndarray:
    """Given a loudness and a length, return white noise, int16 [n]."""
    return np.rint(RANDOM.normal(0, rms, int(16_000 * seconds))).clip(-32768, 32767).astype(np.int16)


def above(floor: NoiseFloor, sound: np.ndarray) -> list[bool]:
    return [floor.height(frame) > 2.0 for frame in Framer().feed(sound)]


def test_steady_noise_does_not_stand_out_however_loud_and_what_lies_on_it_does() -> None:
    for rms in (3, 300, 3000):
        floor = NoiseFloor()
        assert sum(above(floor, noise(rms, 4.0))[50:]) < 10
        assert all(above(floor, noise(2 * rms, 0.5)))
        assert sum(above(floor, noise(rms, 0.5))) < 3


def test_noise_that_grows_is_the_floor_after_a_while() -> None:
    floor = NoiseFloor()
    above(floor, noise(100, 4.0))
    assert all(above(floor, noise(1000, 3.0)))
    above(floor, noise(1000, 2.0))
    assert sum(above(floor, noise(1000, 2.0))) < 10


def test_everything_stands_out_at_first() -> None:
    assert all(above(NoiseFloor(), noise(1000, 0.5)))


def test_a_source_of_zeros_never_stands_out_and_does_not_hide_what_follows() -> None:
    floor = NoiseFloor()
    assert not any(above(floor, np.zeros(32_000, np.int16))[25:])
    assert all(above(floor, noise(10, 0.5)))
