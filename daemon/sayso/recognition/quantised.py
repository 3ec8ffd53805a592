"""Real numbers in the format of a network's tensor, and back.

Rule of this file: pure. scale × (value − zero_point) is the real number (TensorFlow Lite's quantisation specification,
2019); a scale of zero means that the tensor isn't quantised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Tuple

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TensorFormat:
    """How a tensor holds its numbers."""

    shape: Tuple[int, ...]
    dtype: str
    """numpy's name: `int8`, `float32`."""
    scale: float = 0.0
    zero_point: int = 0

    @property
    def bytes(self) -> int:
        """Return how many bytes it has."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def quantise(self, real: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Given real numbers, return them in this format; what doesn't fit becomes the nearest that does."""
        if not self.scale:
            return real.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        scaled = np.rint(real / self.scale) + self.zero_point
        quantised: npt.NDArray[Any] = np.clip(scaled, limits.min, limits.max).astype(self.dtype)
        return quantised

    def restore(self, value: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Given values of this format, return the real numbers."""
        if not self.scale:
            return value.astype(np.float32)
        return (value.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)

    def zeros(self) -> npt.NDArray[Any]:
        """Return real zeros."""
        return self.quantise(np.zeros(self.shape, np.float32))


def carry(value: npt.NDArray[Any], given: TensorFormat, taken: TensorFormat) -> npt.NDArray[Any]:
    """Given a value of one format, return it in another: as it is where both are the same, else by its real numbers."""
    if (given.dtype, given.scale, given.zero_point) == (taken.dtype, taken.scale, taken.zero_point):
        return value
    return taken.quantise(given.restore(value))
