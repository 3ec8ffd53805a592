"""Score -> probability of being right, and the threshold: `evaluate calibrate EVIDENCE`.

Rule of this file: fitted on dev speech that is not reported as commands (`eval-rhasspy-en` is left out), by logistic
regression over interpret.Evidence, in which what was said and what was not a command weigh the same. The threshold is a
choice between commands lost and commands nobody gave: printed is what each would cost.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tomli_w

from sayso.records import Evidence
from sayso_model.places import MODEL

FEATURES = tuple(field.name for field in fields(Evidence))
REPORTED = ("commands, a person", "commands, synthesised", "out of vocabulary, a person")
NOTHING = ("dev speech", "negatives", "noise")
RIDGE = 1e-3

Row = dict[str, str]
Reals = npt.NDArray[np.float64]


def read(table: Path) -> list[Row]:
    """Given an evidence table, return its rows."""
    with table.open(newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def features(rows: Sequence[Row]) -> Reals:
    """Given rows of the evidence table, return [rows, 1 + features], ones first."""
    return np.array([[1.0, *(float(row[name]) for name in FEATURES)] for row in rows])


def fit(inputs: Reals, right: npt.NDArray[np.bool_], weights: Reals) -> Reals:
    """Given inputs [n, k], answers and weights, return coefficients [k] (Newton's method, with a ridge)."""
    scale = inputs.std(axis=0)
    scale[0] = 1.0
    scaled = inputs / scale
    coefficients = np.zeros(scaled.shape[1])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-scaled @ coefficients))
        gradient = scaled.T @ (weights * (right - probability)) - RIDGE * coefficients
        curvature = (scaled * (weights * probability * (1 - probability))[:, None]).T @ scaled
        step = np.linalg.solve(curvature + RIDGE * np.eye(len(coefficients)), gradient)
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-9:
            break
    return coefficients / scale


def probabilities(inputs: Reals, coefficients: Reals) -> Reals:
    """Given inputs and coefficients, return the probability of each row's being right."""
    result: Reals = 1 / (1 + np.exp(-inputs @ coefficients))
    return result


def per_hour(rows: Sequence[Row], found: Reals, suite: str, least: float) -> float:
    """Given the evidence, its probabilities and a threshold, return the commands per hour that came out of nothing."""
    hours = sum({row["key"]: float(row["seconds"]) for row in rows if row["suite"] == suite}.values()) / 3600
    wrong = sum(p >= least for row, p in zip(rows, found) if row["suite"] == suite)
    return wrong / max(hours, 1e-9)


def main() -> None:
    """Fit, print what it comes to, and write decoding.toml."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("evidence", type=Path, nargs="+", help="tables written by `evaluate commands --evidence`")
    parser.add_argument("--prior-weight", type=float, required=True)
    parser.add_argument("--threshold", type=float, required=True, help="min_confidence to ship")
    options = parser.parse_args()
    rows = [row for table in options.evidence for row in read(table) if row["suite"] not in REPORTED]
    inputs = features(rows)
    right = np.array([row["right"] == "1" for row in rows])
    weights = np.where(right, 0.5 / right.sum(), 0.5 / (~right).sum()) * len(rows)
    coefficients = fit(inputs, right, weights)
    found = probabilities(inputs, coefficients)
    for low in np.arange(0, 1, 0.1):
        among = (found >= low) & (found < low + 0.1)
        if among.any():
            print(f"confidence {low:.1f} to {low + 0.1:.1f}: {right[among].mean():.2f} right of {among.sum()}")
    for least in np.arange(0.2, 1, 0.1):
        costs = ", ".join(f"{per_hour(rows, found, suite, least):.1f} of {suite}" for suite in NOTHING)
        kept = (found[right] >= least).mean()
        print(f"threshold {least:.1f} keeps {kept:.3f} of what was heard right; per hour: {costs}")
    calibration = dict(zip(("bias", *FEATURES), (round(float(value), 4) for value in coefficients)))
    data = {"prior_weight": options.prior_weight, "acoustic_scale": 1.0, "min_confidence": options.threshold}
    text = "# The bundle's [decoding] section, fitted on dev speech; `convert` copies it into the manifest.\n"
    (MODEL / "decoding.toml").write_text(text + tomli_w.dumps({**data, "calibration": calibration}), encoding="utf-8")


if __name__ == "__main__":
    main()
