"""A figure of several curves over one logarithmic axis, as SVG.

Rule of this file: it draws numbers and computes none. The only one here that needs matplotlib (the extra `bench`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Sequence, Tuple

import matplotlib as mpl
from matplotlib import pyplot as plt

mpl.rcParams.update({"svg.hashsalt": "sayso", "svg.fonttype": "none", "font.size": 9})


@dataclass(frozen=True)
class Panel:
    """One curve; both axes are logarithmic."""

    title: str
    points: Sequence[Tuple[float, float]]
    """x and y, above 0, x rising."""


def draw(panels: Sequence[Panel], across: str, file: Path, columns: int = 2) -> None:
    """Given panels and what their x axis is, write them side by side into an SVG file."""
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.3 * columns, 2.4 * rows), squeeze=False)
    for place in axes.flat[len(panels) :]:
        place.set_visible(False)
    for place, panel in zip(axes.flat, panels):
        place.loglog(*zip(*panel.points), marker=".")
        place.set_title(panel.title, fontsize=9)
        place.set_xlabel(across)
        place.grid(color="0.9")
    figure.tight_layout()
    figure.savefig(file, format="svg", metadata={"Date": None})
    plt.close(figure)
