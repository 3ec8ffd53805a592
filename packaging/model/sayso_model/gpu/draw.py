"""What a batch is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Draw:
    """Clips of scenes of one length, one value a clip."""

    clip: npt.NDArray[np.int64]
    """Number of the clip; -1: nobody speaks."""
    start: npt.NDArray[np.int64]
    """First sample, among all of the device."""
    length: npt.NDArray[np.int64]
    lead: npt.NDArray[np.int64]
    """Samples of the scene before it."""
    first: npt.NDArray[np.int64]
    """First sample, of the clip as it was recorded."""
    speed: npt.NDArray[np.float64]
    """By which it is played faster."""
    total: int
    """Samples of the scene, its tail left out."""
