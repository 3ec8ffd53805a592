"""What Whisper's encoder makes of the clips, on a GPU: what the network is taught there is made there.

Rule of this file: nothing is computed here; the weights came in a parcel, and what is taught of its rows, too, where
`corpus teach` had learnt it. Where it hadn't, that is learnt here first.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from sayso_model import rows
from sayso_model.augmentation import RATE, Sound
from sayso_model.loader import TAUGHT
from sayso_model.places import WORK
from sayso_model.teacher import TELLING, Telling, learnt
from sayso_model.whisper import HEARD, WIDTH, Encoder, listened_to, write

TOGETHER = 2000.0
"""Seconds of sound that are encoded at once."""
ENCODER = WORK / "whisper.pt"
"""The weights."""


def main() -> None:
    """Write what is taught of all that Whisper hears."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.parse_args()
    if not ENCODER.exists():
        parser.error(f"{ENCODER.name} is not in {WORK}; `parcel pack` takes it along")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = Encoder(torch.load(ENCODER, weights_only=True), device)
    if TELLING.exists():
        tell = Telling(**torch.load(TELLING, weights_only=True)).to(device)
    else:
        recorded = [shard for shard in listened_to() if shard.startswith("train-")]
        for shard in recorded:
            if not rows.path(shard, HEARD).exists():
                print(write(shard, HEARD, WIDTH, encoder, TOGETHER * RATE), flush=True)
        tell = learnt(recorded, device).to(device)

    def told(clips: list[Sound]) -> Tensor:
        return tell(encoder(clips))

    for shard in listened_to():
        if not rows.path(shard, "taught").exists():
            print(write(shard, "taught", TAUGHT, told, TOGETHER * RATE), flush=True)


if __name__ == "__main__":
    main()
