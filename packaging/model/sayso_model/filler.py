"""How phones follow one another in English, for the daemon's filler: part of `convert`.

Rule of this file: counted in the real training speech, as aligned; what is cut out of it would count twice, and
spelled letters are not how people talk. Smoothed as Witten and Bell (1991) do, in the interpolated form.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sayso_model import shards
from sayso_model.phones import INDEX, SYMBOLS
from sayso_model.places import SHARDS

BLANK = 0
LEFT_OUT = ("train-an4", "train-alphanumeric", "train-speech-commands", "train-shawnhymel")


def log_bigram() -> npt.NDArray[np.float32]:
    """Return float32 [tokens, tokens]: ln P(second | first); the blank's row is for the first phone of an utterance."""
    counts = np.zeros((len(SYMBOLS), len(SYMBOLS)))
    for name in shards.names(SHARDS, "train-"):
        if name.startswith(LEFT_OUT) or shards.are_of_others(name):
            continue
        for phones in (shards.phones(SHARDS, name) or {}).values():
            said = [BLANK, *(INDEX[phone] for phone in phones)]
            np.add.at(counts, (said[:-1], said[1:]), 1)
    everywhere = counts.sum(axis=0) + 1.0
    everywhere[BLANK] = 0.0
    kinds = np.maximum(1, np.count_nonzero(counts, axis=1))[:, None]
    smoothed = (counts + kinds * everywhere / everywhere.sum()) / (counts.sum(axis=1, keepdims=True) + kinds)
    smoothed[:, BLANK] = 1e-9
    result: npt.NDArray[np.float32] = np.log(smoothed).astype(np.float32)
    return result
