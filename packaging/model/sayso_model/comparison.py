"""Networks of several kinds of block from nothing, side by side: each sees the same scenes in the same order.

Rule of this file: CTC alone, one plan, one batch for all; what differs is the network. A checkpoint holds all of them,
and started again it goes on from there.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time

import torch
from torch import Tensor
from torch.nn import functional

from sayso_model.discriminative import phone_bigram
from sayso_model.evaluation import rate
from sayso_model.learner import Learner
from sayso_model.lessons import Lesson, Lessons, OnCpu, OnGpu
from sayso_model.loader import Emphasis
from sayso_model.network import SUBSAMPLING, Network, NetworkSettings, macs_per_second, parameters
from sayso_model.places import RUNS
from sayso_model.scoring import counts, examples
from sayso_model.statistics import settings as feature_settings
from sayso_model.training import EASY, EASY_STEPS

SHAPES = (("dense", 160, 5), ("gated", 152, 5), ("separable", 256, 9), ("separable", 320, 9))
"""Block, width, kernel: about as many parameters, or about as many multiplications as memory lets through."""
PEAK = 3e-3
SEED = 3
GPU_BATCH, GPU_SPEEDS = 800.0, 2
"""On a GPU: seconds of sound in a batch, speeds that each clip is held at."""
DEV = {
    "clean": ("dev-librispeech-test-clean", None),
    "10 dB": ("dev-librispeech-test-clean", 10.0),
    "Common Voice": ("dev-commonvoice1-valid-test", None),
}
FOLDER = RUNS / "comparison"


def _lessons(device: torch.device, steps: int) -> Lessons:
    """Given how many steps were taken before, return what comes then."""
    phase = EASY if steps < EASY_STEPS else Emphasis()
    if device.type == "cuda":
        return OnGpu(device, SEED + steps, feature_settings(), phase, GPU_SPEEDS, seconds=GPU_BATCH)
    return OnCpu(1, SEED + steps, feature_settings(), phase)


def loss_of(learner: Learner, lesson: Lesson) -> Tensor:
    """Given a network and a batch, return CTC's loss per phone."""
    rows = lesson.frames.shape[1] // SUBSAMPLING - learner.network.settings.look_ahead
    losses = functional.ctc_loss(
        learner.log_probs(lesson.frames, rows),
        lesson.labels,
        torch.full((len(lesson.frames),), rows, dtype=torch.long),
        lesson.lengths,
        reduction="sum",
        zero_infinity=True,
    )
    return losses / max(1, int(lesson.lengths.sum()))


def train(planned: float) -> None:
    """Given hours of audio, train all networks for them, or go on with it."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(SEED)
    shapes = [NetworkSettings(width=width, kernel=kernel, block=block) for block, width, kernel in SHAPES]
    learners = [Learner(Network(shape), PEAK, device) for shape in shapes]
    steps, hours, spent = 0, 0.0, [0.0] * len(learners)
    file = FOLDER / "last.pt"
    if file.exists():
        stored = torch.load(file, map_location=device, weights_only=False)
        for learner, state in zip(learners, stored["networks"]):
            learner.restore(state)
        steps, hours, spent = stored["steps"], stored["hours"], stored["spent"]
    FOLDER.mkdir(parents=True, exist_ok=True)
    saved = reported = time.time()
    count, totals = 0, torch.zeros(len(learners), device=device)
    lessons = _lessons(device, steps)
    while hours < planned:
        lesson = lessons.next()
        for number, learner in enumerate(learners):
            begun = time.process_time()
            learner.network.train()
            loss = loss_of(learner, lesson)
            learner.scaled(loss).backward()  # type: ignore[no-untyped-call]
            learner.step(steps, hours / planned)
            totals[number] += loss.detach()
            spent[number] += time.process_time() - begun
        steps, hours, count = steps + 1, hours + lesson.hours, count + 1
        if steps == EASY_STEPS:
            lessons.see(Emphasis())
        if time.time() - reported > 20:
            losses = "\t".join(f"{loss:.3f}" for loss in (totals / count).tolist())
            print(f"{dt.datetime.now():%H:%M:%S}\t{steps}\t{hours:.1f}\t{losses}", flush=True)
            reported, count, totals = time.time(), 0, torch.zeros_like(totals)
        if time.time() - saved > 180:
            _save(learners, steps, hours, spent)
            saved = time.time()
    lessons.close()
    _save(learners, steps, hours, spent)


def _save(learners: list[Learner], steps: int, hours: float, spent: list[float]) -> None:
    """Write a checkpoint, whole or not at all."""
    part = FOLDER / "last.pt.part"
    networks = [learner.state() for learner in learners]
    torch.save({"networks": networks, "steps": steps, "hours": hours, "spent": spent}, part)
    part.replace(FOLDER / "last.pt")


def score() -> None:
    """Print each network's size, what its training cost, and its phone error rates on dev speech."""
    stored = torch.load(FOLDER / "last.pt", map_location="cpu", weights_only=False)
    bigram, features = phone_bigram(), feature_settings()
    dev = {name: examples(shard, features, 200, decibels) for name, (shard, decibels) in DEV.items()}
    print(f"{stored['hours']:.0f} h, {stored['steps']} steps; phones wrong by a bigram")
    for one, spent in zip(stored["networks"], stored["spent"]):
        network = Network(NetworkSettings(**one["settings"]))
        network.load_state_dict(one["average"])
        network.eval()
        shape = network.settings
        rates = []
        for name, its in dev.items():
            rates.append(f"{name} {rate(*zip(*counts(network, its, bigram)))}")
        print(
            f"{shape.block} {shape.width} x {shape.kernel}: {parameters(network) / 1e6:.2f} M parameters, "
            f"{macs_per_second(shape) / 1e6:.0f} MMAC/s, {spent / 60:.0f} min: {', '.join(rates)}",
            flush=True,
        )


def main() -> None:
    """Train, then score."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--hours", type=float, default=100.0, help="hours of audio to present to each")
    train(parser.parse_args().hours)
    score()


if __name__ == "__main__":
    main()
