"""Networks of several kinds of block from nothing, side by side on a GPU: each sees the same scenes in the same order.

Rule of this file: CTC alone, one plan, one batch for all; what differs is the network. Phone error rates are measured
afterwards, by `comparison score`, where the dev speech is.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch.nn import functional

from sayso_model.discriminative import phone_bigram
from sayso_model.gpu.corpus import Corpus
from sayso_model.gpu.distillation import Learner
from sayso_model.gpu.features import LogMels
from sayso_model.gpu.scenes import Stage, masked
from sayso_model.loader import WARPS, Emphasis
from sayso_model.network import Network, NetworkSettings, macs_per_second, parameters
from sayso_model.places import RUNS
from sayso_model.scoring import errors, examples
from sayso_model.statistics import settings as feature_settings
from sayso_model.training import EASY

SHAPES = (("dense", 160, 5), ("gated", 152, 5), ("separable", 256, 9), ("separable", 320, 9))
"""Block, width, kernel: about as many parameters, or about as many multiplications as memory lets through."""
PEAK = 3e-3
EASY_STEPS = 400
SPEEDS = 2
BATCH_SECONDS = 800.0
MASKED = 0.5
DEV = {
    "clean": ("dev-librispeech-test-clean", None),
    "10 dB": ("dev-librispeech-test-clean", 10.0),
    "Common Voice": ("dev-commonvoice1-valid-test", None),
}
FOLDER = RUNS / "comparison"


def train(seconds: float) -> None:
    """Given a time, train all networks for it."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(3)
    random = np.random.default_rng(3)
    stage = Stage(Corpus(device, SPEEDS, random), LogMels(feature_settings(), WARPS, device), device, random)
    stage.see(EASY)
    shapes = [NetworkSettings(width=width, kernel=kernel, block=block) for block, width, kernel in SHAPES]
    learners = [Learner(Network(shape), PEAK, device) for shape in shapes]
    spent = [0.0] * len(learners)
    began = reported = time.time()
    hours, totals, count = 0.0, torch.zeros(len(learners), device=device), 0
    for step, scenes in enumerate(stage(BATCH_SECONDS)):
        progress = (time.time() - began) / seconds
        if progress >= 1.0:
            break
        if step == EASY_STEPS:
            stage.see(Emphasis())
        frames = masked(scenes.frames, random, MASKED)
        targets, clips = scenes.labels.to(device), len(frames)
        for number, learner in enumerate(learners):
            begun = time.time()
            rows = frames.shape[1] // 4 - learner.network.settings.look_ahead
            learner.network.train()
            losses = functional.ctc_loss(
                learner.log_probs(frames, rows),
                targets,
                torch.full((clips,), rows, dtype=torch.long),
                scenes.lengths,
                reduction="sum",
                zero_infinity=True,
            ) / max(1, int(scenes.lengths.sum()))
            learner.scaled(losses).backward()  # type: ignore[no-untyped-call]
            learner.step(step, progress)
            totals[number] += losses.detach()
            spent[number] += time.time() - begun
        hours += scenes.hours
        count += 1
        if time.time() - reported > 15:
            print(step, f"{hours:.1f} h", *(f"{loss:.3f}" for loss in (totals / count).tolist()), flush=True)
            reported, count, totals = time.time(), 0, torch.zeros_like(totals)
    FOLDER.mkdir(parents=True, exist_ok=True)
    state = [
        {
            "settings": learner.network.settings.as_dict(),
            "average": {
                name: value.half().cpu() if value.is_floating_point() else value.cpu()
                for name, value in learner.average.state_dict().items()
            },
        }
        for learner in learners
    ]
    torch.save({"networks": state, "hours": hours, "step": step}, FOLDER / "last.pt")


def score() -> None:
    """Print each network's size and its phone error rates on dev speech."""
    stored = torch.load(FOLDER / "last.pt", map_location="cpu", weights_only=False)
    bigram, features = phone_bigram(), feature_settings()
    dev = {name: examples(shard, features, 200, decibels) for name, (shard, decibels) in DEV.items()}
    print(f"{stored['hours']:.0f} h, {stored['step']} steps; phones wrong by a bigram")
    for one in stored["networks"]:
        network = Network(NetworkSettings(**one["settings"]))
        network.load_state_dict({name: value.float() for name, value in one["average"].items()})
        network.eval()
        shape = network.settings
        rates = []
        for name, its in dev.items():
            wrong, total = errors(network, its, bigram)
            rates.append(f"{name} {wrong / total:.1%} of {total}")
        print(
            f"{shape.block} {shape.width} x {shape.kernel}: {parameters(network) / 1e6:.2f} M parameters, "
            f"{macs_per_second(shape) / 1e6:.0f} MMAC/s: {', '.join(rates)}",
            flush=True,
        )


def main() -> None:
    """Train or score."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("command", choices=("train", "score"))
    parser.add_argument("--seconds", type=float, default=1800.0)
    options = parser.parse_args()
    if options.command == "train":
        train(options.seconds)
    else:
        score()


if __name__ == "__main__":
    main()
