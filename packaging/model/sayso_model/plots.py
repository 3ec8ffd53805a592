"""What the confidence is worth, as plots for the card: `evaluate calibrate --plots`.

Rule of this file: it draws what calibration.py has computed, and computes nothing but counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

mpl.rcParams.update({"svg.hashsalt": "sayso", "svg.fonttype": "none", "font.size": 9})
SIZE = (4.6, 3.4)
"""Width and height [inches]."""
BINS = 10

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def reliability(found: Reals, right: Flags, file: Path) -> None:
    """Given confidences and which were right, draw the share that was right among those of like confidence."""
    places = np.minimum((found * BINS).astype(int), BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    shares = np.bincount(places, right, minlength=BINS) / np.maximum(counts, 1)
    spread = 1.96 * np.sqrt(shares * (1 - shares) / np.maximum(counts, 1))
    middles = (np.arange(BINS) + 0.5) / BINS
    some = counts > 0
    figure, axes = plt.subplots(figsize=SIZE)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.errorbar(middles[some], shares[some], yerr=spread[some], fmt="o", capsize=3)
    for x, y, count in zip(middles[some], shares[some], counts[some]):
        axes.annotate(str(count), (x, y), textcoords="offset points", xytext=(5, -9), fontsize=7, color="0.4")
    axes.set(xlabel="confidence", ylabel="share that was right", xlim=(0, 1), ylim=(0, 1.02))
    _save(figure, file)


def trade_off(curves: Sequence[tuple[str, Reals]], kept: Reals, thresholds: Reals, file: Path) -> None:
    """Given what is accepted per hour of each kind of sound and the share kept, each per threshold, draw the curves."""
    figure, axes = plt.subplots(figsize=SIZE)
    for name, per_hour in curves:
        axes.plot(100 * kept, per_hour, marker=".", label=name)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    for share, threshold in zip(kept, thresholds):
        if round(threshold * 100) % 20 == 0:
            axes.axvline(100 * share, color="0.9", linewidth=1, zorder=0)
            axes.annotate(f"{threshold:.1f}", (100 * share, axes.get_ylim()[1]), fontsize=7, color="0.4", ha="center")
    axes.set(xlabel="of what was heard right, accepted [%]", ylabel="taken for a command, per hour")
    axes.legend(frameon=False)
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
