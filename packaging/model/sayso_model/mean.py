"""The mean of two runs' averaged networks, of which one began as the other: `mean`.

Rule of this file: such networks lie in one valley, and between them it is often lower than at either (Wortsman et al.
2022, "Model soups"). Nothing is measured here.
"""

from __future__ import annotations

import argparse

import torch

from sayso_model.places import RUNS


def main() -> None:
    """Write a run whose average is the mean of two others'."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run", help="name of the new run's folder")
    parser.add_argument("first", help="a run")
    parser.add_argument("second", help="the run that was grown from it, or the other way round")
    parser.add_argument("--share", type=float, default=0.5, help="of the second")
    options = parser.parse_args()
    for run in (options.first, options.second):
        if not (RUNS / run / "last.pt").exists():
            parser.error(f"there is no run {run!r} in {RUNS}")
    one, other = (
        torch.load(RUNS / run / "last.pt", map_location="cpu", weights_only=False)
        for run in (options.first, options.second)
    )
    if one["settings"] != other["settings"]:
        parser.error(f"the networks of {options.first} and {options.second} have not the same shape")
    average = {
        name: torch.lerp(value.float(), other["average"][name].float(), options.share)
        for name, value in one["average"].items()
    }
    target = RUNS / options.run / "last.pt"
    if target.exists():
        parser.error(f"{target.parent} is there already")
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {"settings": one["settings"], "average": average, "told": other["told"], "hours": other["hours"]}, target
    )


if __name__ == "__main__":
    main()
