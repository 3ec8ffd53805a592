"""Score -> probability of being right, and the threshold: `evaluate calibrate EVIDENCE`.

Rule of this file: fitted on dev speech that is not reported as commands (`eval-rhasspy-en` is left out), by logistic
regression over records.Evidence: once against sound that is no command, as if that came as often, and each kind of it
as often as another, because nobody knows how much a house talks; once against other sentences of the grammar, as often
as they were mistaken; and once against sentences that broke off, as if one in ten did. The threshold is a choice
between commands lost and commands nobody gave: printed is what each would cost.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tomli_w
import tomllib

from sayso.records import Evidence
from sayso_model.places import MODEL

ENDED = ("unended",)
BOUND = ("rivalry",)
"""Nothing to fit: however likely a choice, this bounds it (sayso/recognition/interpret.py)."""
CHOSEN = tuple(field.name for field in fields(Evidence) if field.name not in (*ENDED, *BOUND))
SPOKEN = tuple(name for name in CHOSEN if name != "margin")
"""Features of each regression; a rival in the grammar says nothing of whether a sentence was said at all."""
REPORTED = ("commands, a person", "commands, synthesised", "out of vocabulary, a person", "speech of the training")
NOTHING = ("dev speech", "negatives", "crowd", "noise")
BREAKS_OFF = 0.1
"""Share of sentences that are taken to break off; how many do in a house nobody has counted."""
RIDGE = 1.0
"""Pulls weights towards zero. Features that say nearly the same otherwise get large weights of opposite signs, which
fit these recordings and no other grammar's."""

Row = dict[str, str]
Reals = npt.NDArray[np.float64]


def read(table: Path) -> list[Row]:
    """Given an evidence table, return its rows."""
    with table.open(newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def features(rows: Sequence[Row], names: Sequence[str]) -> Reals:
    """Given rows of the evidence table, return [rows, 1 + names], ones first."""
    return np.array([[1.0, *(float(row[name]) for name in names)] for row in rows])


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


def fitted(rows: Sequence[Row], right: npt.NDArray[np.bool_], weights: Reals, names: Sequence[str]) -> dict[str, float]:
    """Given rows, which are right, how much each counts, and the features, return bias and weights by name."""
    coefficients = fit(features(rows, names), right, weights)
    return {name: round(float(value), 4) for name, value in zip(("bias", *names), coefficients)}


def probabilities(rows: Sequence[Row], weights: Mapping[str, float]) -> Reals:
    """Given rows and what `fitted` returned, return the probability of each."""
    names = [name for name in weights if name != "bias"]
    score = features(rows, names) @ np.array([weights["bias"], *(weights[name] for name in names)])
    result: Reals = 1 / (1 + np.exp(-score))
    return result


def confidences(rows: Sequence[Row], weights: Sequence[Mapping[str, float]]) -> Reals:
    """Given rows and the weights of all regressions, return the confidence of each."""
    return np.prod([probabilities(rows, one) for one in weights], axis=0)


def per_hour(tried: Sequence[Row], rows: Sequence[Row], found: Reals, suite: str, least: float) -> float:
    """Given all clips, the evidence, its probabilities and a threshold, return commands per hour out of nothing."""
    lengths = {(row["key"], row["condition"]): float(row["seconds"]) for row in tried if row["suite"] == suite}
    hours = sum(lengths.values()) / 3600
    wrong = sum(p >= least for row, p in zip(rows, found) if row["suite"] == suite)
    return wrong / max(hours, 1e-9)


def not_ended(right: Sequence[Row], broken: Sequence[Row]) -> dict[str, float]:
    """Given rows of what was heard right and of what was made of sentences that broke off, return what tells them
    apart."""
    answers = np.array([True] * len(right) + [False] * len(broken))
    weights = np.where(answers, (1 - BREAKS_OFF) / len(right), BREAKS_OFF / len(broken)) * len(answers)
    return fitted([*right, *broken], answers, weights, ENDED)


def main() -> None:
    """Fit, print what it comes to, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("evidence", type=Path, nargs="+", help="tables written by `evaluate commands --evidence`")
    parser.add_argument("--halves", type=Path, required=True, help="a table written by `evaluate halves --evidence`")
    parser.add_argument("--prior-weight", type=float, required=True)
    parser.add_argument("--threshold", type=float, required=True, help="min_confidence to ship")
    parser.add_argument("--to", type=Path, default=MODEL / "decoding.toml", help="the file to write")
    parser.add_argument(
        "--ends", action="store_true", help="fit only whether what was said had ended; the rest of the file stays"
    )
    parser.add_argument("--plots", action="store_true", help="draw reliability.svg and trade-off.svg for the card")
    options = parser.parse_args()
    try:
        tried = [row for table in options.evidence for row in read(table) if row["suite"] not in REPORTED]
        broken = [row for row in read(options.halves) if row["right"]]
    except OSError as error:
        parser.error(f"no table of evidence: {error}")
    rows = [row for row in tried if row["right"]]
    right = np.array([row["right"] == "1" for row in rows])
    nothing = np.array([row["suite"] in NOTHING for row in rows])
    if not right.any() or not broken:
        parser.error("the tables must hold sentences that were heard right, and --halves some that broke off")
    ended = not_ended([row for row, is_right in zip(rows, right) if is_right], broken)
    if options.ends:
        known = tomllib.loads(options.to.read_text(encoding="utf-8"))["calibration"]
        spoken, chosen = known["spoken"], known["chosen"]
    else:
        spoken = fitted(rows, right, _balanced(rows, right, nothing), SPOKEN)
        chosen = fitted(rows, right, 1.0 * ~nothing, CHOSEN)
    weights = (spoken, chosen, ended)
    found = confidences(rows, weights)
    for low in np.arange(0, 1, 0.1):
        among = (found >= low) & (found < low + 0.1)
        if among.any():
            print(f"confidence {low:.1f} to {low + 0.1:.1f}: {right[among].mean():.2f} right of {among.sum()}")
    made_up = confidences(broken, weights)
    heard = [suite for suite in NOTHING if any(row["suite"] == suite for row in tried)]
    for least in np.arange(0.1, 1, 0.1):
        costs = "".join(f", {per_hour(tried, rows, found, suite, least):.1f} an hour of {suite}" for suite in heard)
        kept, wrong = (found[right] >= least).mean(), (found[~right & ~nothing] >= least).sum()
        ends = f"{(made_up >= least).sum()} of {len(broken)} ends made up"
        print(f"threshold {least:.1f} keeps {kept:.3f} of what was heard right, {wrong} wrong, {ends}{costs}")
    if options.plots:
        from sayso_model import plots  # here, because it takes long to import

        steps = np.arange(0.05, 1, 0.05)
        curves = [(kind, np.array([per_hour(tried, rows, found, kind, at) for at in steps])) for kind in NOTHING]
        plots.reliability(found, right, MODEL / "reliability.svg")
        kept_at = np.array([(found[right] >= at).mean() for at in steps])
        plots.trade_off(curves, kept_at, steps, MODEL / "trade-off.svg")
    data = {
        "prior_weight": options.prior_weight,
        "acoustic_scale": 1.0,
        "min_confidence": options.threshold,
        "calibration": {"spoken": spoken, "chosen": chosen, "ended": ended},
    }
    text = "# A model's [decoding] section, fitted on dev speech; conversion copies it.\n"
    options.to.write_text(text + tomli_w.dumps(data), encoding="utf-8")


def _balanced(rows: Sequence[Row], right: npt.NDArray[np.bool_], nothing: npt.NDArray[np.bool_]) -> Reals:
    """Return how much each row counts: sound that is no command as much as what was heard right, each kind alike."""
    weights: Reals = right * (0.5 / right.sum())
    for kind in NOTHING:
        of_kind = np.array([row["suite"] == kind for row in rows])
        weights[of_kind] = 0.5 / len(NOTHING) / max(1, of_kind.sum())
    return weights * (right | nothing).sum() * (right | nothing)


if __name__ == "__main__":
    main()
