"""The features' global mean and scale, from augmented training clips.

Rule of this file: measured once, before training, and kept in `features.json`; every later step reads it there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np

from sayso.recognition.features import LogMel, LogMelSettings
from sayso_model.loader import Emphasis, Source
from sayso_model.places import WORK

PATH = WORK / "features.json"
BATCHES = 25


def settings() -> LogMelSettings:
    """Return the feature settings, mean and scale included; measure them on the first call."""
    if not PATH.exists():
        PATH.write_text(json.dumps(asdict(measured(LogMelSettings())), indent=1))
    values = json.loads(PATH.read_text())
    return LogMelSettings(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def measured(bare: LogMelSettings) -> LogMelSettings:
    """Given bare settings, return them with the mean of the energies and the deviation from the running mean."""
    raw = _frames(replace(bare, prior_frames=1e12))
    mean = tuple(round(float(value), 4) for value in raw.mean(axis=0))
    deviation = _frames(replace(bare, mean=mean)).std(axis=0)
    return replace(bare, mean=mean, scale=tuple(round(float(value), 4) for value in deviation))


def _frames(settings_: LogMelSettings) -> np.ndarray:
    """Given settings, return the features of a few batches, [frames, bands]; a huge prior gives bare energies."""
    batches = iter(Source(1, settings_, Emphasis(masks=0.0)))
    return np.concatenate(
        [next(batches).frames.astype(np.float64).reshape(-1, settings_.bands) for _ in range(BATCHES)]
    )


if __name__ == "__main__":
    print(settings(), LogMel(settings()))
