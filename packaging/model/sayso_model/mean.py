"""The mean of two runs' averaged networks, of which one began as the other: `mean`.

Rule of this file: such networks lie in one valley, and between them it is often lower than at either (Wortsman et al.
2022, "Model soups"). What normalisation divides by is no mean of theirs: it is measured anew, on training's scenes (as
Izmailov et al. 2018, "Averaging weights leads to wider optima"). Nothing else is measured here.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sayso_model.lessons import OnCpu
from sayso_model.loader import Emphasis
from sayso_model.network import Network, NetworkSettings
from sayso_model.places import RUNS
from sayso_model.statistics import settings as feature_settings

BATCHES = 100
"""Of `loader.BATCH_SECONDS` each, on which the normalisation is measured."""


def between(one: Mapping[str, Tensor], other: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Given two networks' weights, return those so much of the way from the first to the second."""
    return {name: torch.lerp(value.float(), other[name].float(), share) for name, value in one.items()}


@torch.no_grad()
def settle(network: Network, batches: int = BATCHES, masks: float = Emphasis.masks) -> None:
    """Given a network, measure what its normalisation needs in the middle of training's scenes."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.reset_running_stats()
            module.momentum = None  # the mean of all batches
    network.train()
    lessons = OnCpu(1, 29, feature_settings(), Emphasis(masks=masks))
    for _ in range(batches):
        with torch.autocast("cpu", torch.bfloat16):
            network(lessons.next().frames)
    lessons.close()
    network.eval()


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
    target = RUNS / options.run / "last.pt"
    if target.exists():
        parser.error(f"{target.parent} is there already")
    network = Network(NetworkSettings(**one["settings"]))
    network.load_state_dict(between(one["average"], other["average"], options.share))
    settle(network)
    target.parent.mkdir(parents=True, exist_ok=True)
    made: dict[str, Any] = {name: other.get(name) for name in ("settings", "told", "hours")}
    torch.save({**made, "average": network.state_dict()}, target)


if __name__ == "__main__":
    main()
