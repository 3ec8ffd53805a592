"""Log-posteriors -> how well any sequence of phones explains them.

Rule of this file: pure. A sentence is believed if it explains the sound nearly as well as the likeliest phones of the
language would, whatever words they make up; speech that is in no sentence, and noise, are explained much better by
those. Such a model of everything else is called a filler or garbage model (Rose and Paul, 1990).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float32]


def uniform_bigram(tokens: int) -> Reals:
    """Given how many tokens there are, blank among them, return a bigram in which each follows each as often."""
    return np.full((tokens, tokens), -np.log(tokens - 1), np.float32)


def filler_cost(scores: Reals, log_bigram: Reals, blank: int) -> float:
    """Given scores of tokens, return the cost of the best sequence of phones, by an exact Viterbi search [nats].

    `scores` is [rows, tokens], natural logarithms as the decoder adds them up; `log_bigram` is [tokens, tokens], the
    logarithm of how often the second token follows the first, in the blank's row how often it is the first of all.
    CTC's rules hold: a phone lasts for rows, blanks may stand anywhere, and must between two equal phones.
    """
    phones = np.arange(scores.shape[1]) != blank
    follow = -log_bigram[phones][:, phones]
    first = -log_bigram[blank, phones]
    within = np.full(len(first), np.inf, np.float32)
    """Cost of the best path whose last row is the phone."""
    behind = within.copy()
    """Cost of the best path whose last rows are blanks, after the phone."""
    before = np.float32(0.0)
    """Cost of nothing but blanks."""
    again = np.diag(follow)
    for costs, silence in zip(-scores[:, phones], -scores[:, blank]):
        turns = np.minimum(within, behind)[:, None] + follow
        np.fill_diagonal(turns, behind + again)
        entered = np.minimum(turns.min(axis=0), before + first)
        behind = np.minimum(within, behind) + silence
        within = np.minimum(within, entered) + costs
        before = before + silence
    return float(min(within.min(), behind.min(), before))
