"""Score -> probability of being right, and the threshold: `evaluate calibrate EVIDENCE`.

Rule of this file: fitted on dev speech that is not reported as commands (`eval-rhasspy-en` is left out), by logistic
regression over interpret.Evidence, in which what was said and what was not a command weigh the same. The threshold is
the lowest at which no more than one command an hour comes out of other people's talk, and none out of noise.
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
LOWEST, HIGHEST = 0.3, 0.95
"""Limits of the threshold."""

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


def threshold(rows: Sequence[Row], found: Reals) -> float:
    """Given the evidence and its probabilities, return the lowest threshold that keeps false accepts in bounds."""
    speech = sorted((p for row, p in zip(rows, found) if row["suite"] in ("dev speech", "negatives")), reverse=True)
    hours = sum({row["key"]: float(row["seconds"]) for row in rows if row["suite"] in NOTHING[:2]}.values()) / 3600
    noise = [p for row, p in zip(rows, found) if row["suite"] == "noise"]
    allowed = int(hours)
    lowest = max(speech[allowed] if len(speech) > allowed else 0.0, max(noise, default=0.0))
    return float(np.clip(np.ceil(lowest * 100) / 100, LOWEST, HIGHEST))


def main() -> None:
    """Fit, print what it comes to, and write decoding.toml."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("evidence", type=Path, nargs="+", help="tables written by `evaluate commands --evidence`")
    parser.add_argument("--prior-weight", type=float, required=True)
    options = parser.parse_args()
    rows = [row for table in options.evidence for row in read(table) if row["suite"] not in REPORTED]
    inputs = features(rows)
    right = np.array([row["right"] == "1" for row in rows])
    weights = np.where(right, 0.5 / right.sum(), 0.5 / (~right).sum()) * len(rows)
    coefficients = fit(inputs, right, weights)
    found = probabilities(inputs, coefficients)
    least = threshold(rows, found)
    for low in np.arange(0, 1, 0.1):
        among = (found >= low) & (found < low + 0.1)
        if among.any():
            print(f"confidence {low:.1f} to {low + 0.1:.1f}: {right[among].mean():.2f} right of {among.sum()}")
    print(f"threshold {least:.2f} keeps {(found[right] >= least).mean():.3f} of what was heard right")
    calibration = dict(zip(("bias", *FEATURES), (round(float(value), 4) for value in coefficients)))
    data = {"prior_weight": options.prior_weight, "acoustic_scale": 1.0, "min_confidence": least}
    text = "# The bundle's [decoding] section, fitted on dev speech; `convert` copies it into the manifest.\n"
    (MODEL / "decoding.toml").write_text(text + tomli_w.dumps({**data, "calibration": calibration}), encoding="utf-8")


if __name__ == "__main__":
    main()
