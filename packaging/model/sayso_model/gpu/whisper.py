"""What Whisper's encoder makes of the clips, on a GPU: what the network is taught there is made there.

Rule of this file: nothing is computed here; the weights and what is taught of its rows came in a parcel.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from sayso_model import rows
from sayso_model.augmentation import RATE, Sound
from sayso_model.loader import TAUGHT
from sayso_model.places import WORK
from sayso_model.teacher import TELLING, Telling
from sayso_model.whisper import Encoder, listened_to, write

TOGETHER = 2000.0
"""Seconds of sound that are encoded at once."""
ENCODER = WORK / "whisper.pt"
"""The weights."""


def main() -> None:
    """Write what is taught of all that Whisper hears."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.parse_args()
    if not ENCODER.exists() or not TELLING.exists():
        parser.error(
            f"{ENCODER.name} and {TELLING.name} are not in {WORK}; `parcel pack` takes them along after `corpus teach`"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = Encoder(torch.load(ENCODER, weights_only=True), device)
    tell = Telling(**torch.load(TELLING, weights_only=True)).to(device)

    def told(clips: list[Sound]) -> Tensor:
        return tell(encoder(clips))

    for shard in listened_to():
        if not rows.path(shard, "taught").exists():
            print(write(shard, "taught", TAUGHT, told, TOGETHER * RATE), flush=True)


if __name__ == "__main__":
    main()
