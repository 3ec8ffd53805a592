"""Real numbers in a tensor's format, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.recognition.quantised import TensorFormat, carry


@given(st.floats(1e-4, 1.0), st.integers(-128, 127), st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=20))
def test_a_number_that_fits_comes_back_within_half_a_step(scale: float, zero_point: int, numbers: list[float]) -> None:
    one = TensorFormat((len(numbers),), "int8", scale, zero_point)
    real = np.array(numbers, np.float32)
    held = one.quantise(real)
    assert held.dtype == np.int8
    lowest, highest = (-128 - zero_point) * scale, (127 - zero_point) * scale
    assert one.restore(held) == pytest.approx(np.clip(real, lowest, highest), abs=scale * 0.51)


def test_what_is_not_quantised_stays_as_it_is() -> None:
    real = np.array([1.5, -2.25], np.float32)
    plain = TensorFormat((2,), "float32")
    assert np.array_equal(plain.quantise(real), real)
    assert np.array_equal(plain.restore(real), real)


def test_a_state_goes_from_one_format_to_another_by_its_real_numbers() -> None:
    fine, coarse = TensorFormat((3,), "int8", 0.01, 0), TensorFormat((3,), "int8", 0.02, -10)
    held = fine.quantise(np.array([0.5, -0.5, 0.0], np.float32))
    assert coarse.restore(carry(held, fine, coarse)) == pytest.approx([0.5, -0.5, 0.0])
    assert carry(held, fine, fine) is held


def test_zeros_are_real_ones_and_a_tensor_knows_its_bytes() -> None:
    one = TensorFormat((2, 3), "int8", 0.5, -7)
    assert one.zeros().tolist() == [[-7] * 3] * 2
    assert (one.bytes, TensorFormat((2, 3), "float32").bytes) == (6, 24)
