"""How well any phones explain a sound: exactly what trying all of them would say."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.recognition.filler import filler_cost, uniform_bigram

BLANK = 1


def _bigram(seed: int, tokens: int) -> npt.NDArray[np.float32]:
    chances = np.random.default_rng(seed).uniform(0.1, 1.0, (tokens, tokens))
    chances[:, BLANK] = 0.0
    with np.errstate(divide="ignore"):
        logarithms: npt.NDArray[np.float32] = np.log(chances / chances.sum(axis=1, keepdims=True)).astype(np.float32)
    return logarithms


def _cost_of(path: tuple[int, ...], scores: npt.NDArray[np.float32], bigram: npt.NDArray[np.float32]) -> float:
    """What one token a row costs: the rows, and the phones that CTC reads in them."""
    said = [token for token, _ in groupby(path) if token != BLANK]
    turns = sum(float(bigram[one, other]) for one, other in zip([BLANK, *said], said))
    return -turns - float(sum(scores[row, token] for row, token in enumerate(path)))


@given(st.integers(0, 10**6), st.integers(0, 6), st.integers(2, 4))
def test_it_is_the_cheapest_of_all_sequences_of_phones(seed: int, rows: int, tokens: int) -> None:
    scores = np.random.default_rng(seed).normal(0, 3, (rows, tokens)).astype(np.float32)
    bigram = _bigram(seed, tokens)
    cheapest = min(_cost_of(path, scores, bigram) for path in product(range(tokens), repeat=rows))
    assert filler_cost(scores, bigram, BLANK) == pytest.approx(cheapest, abs=1e-4)


def test_where_each_phone_follows_each_only_their_number_costs() -> None:
    clear = np.full((5, 4), -20.0, np.float32)
    clear[np.arange(5), [BLANK, 0, BLANK, 0, 3]] = 0.0
    assert filler_cost(clear, uniform_bigram(4), BLANK) == pytest.approx(3 * np.log(3), abs=1e-4)


def test_silence_costs_nothing() -> None:
    silence = np.full((9, 4), -20.0, np.float32)
    silence[:, BLANK] = 0.0
    assert filler_cost(silence, uniform_bigram(4), BLANK) == 0.0
