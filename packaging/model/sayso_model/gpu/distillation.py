"""A large network and the one that is shipped, trained side by side on a GPU: `distil`.

Rule of this file: both begin as a trained network, the large one grown from it; both learn from the same scenes, and
the small one also from what the large one's average hears in the same words with less noise and no room. The plan is
a time, not an amount: the learning rate falls along a cosine to the end of it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sayso_model.discriminative import PhoneBigram, Recorded, denominator, phone_bigram
from sayso_model.gpu.corpus import Corpus
from sayso_model.gpu.features import LogMels
from sayso_model.gpu.scenes import Scenes, Stage, masked
from sayso_model.growth import grow
from sayso_model.learner import Learner
from sayso_model.loader import WARPS, Emphasis
from sayso_model.network import Network, NetworkSettings, parameters
from sayso_model.places import RUNS
from sayso_model.statistics import settings as feature_settings
from sayso_model.training import EASED

TEACHER = {"front": 256, "width": 640, "further": (2, 2, 2, 0, 0, 0), "dropout": 0.15}
PEAK, TEACHERS_PEAK = 2.5e-3, 1.5e-3
DISCRIMINATIVE = 0.8
TAUGHT = 0.5
"""Weight of what the teacher says, beside 1 for what was said."""
MASKED = 0.75
SPEEDS = 5
LATE = 0.6
"""Progress from which the noise is eased, as in training.py."""


class Distillation:
    """A teacher and its student."""

    def __init__(self, start: Path, device: torch.device, random: np.random.Generator) -> None:
        stored = torch.load(start, map_location="cpu", weights_only=False)
        small = Network(NetworkSettings(**stored["settings"]))
        small.load_state_dict({name: value.float() for name, value in stored["average"].items()})
        its = small.settings.as_dict()
        its |= {name: TEACHER[name] for name in ("front", "width", "dropout")}
        its["delays"] = (*small.settings.delays, *TEACHER["further"])  # type: ignore[misc]
        large = Network(NetworkSettings(**its))  # type: ignore[arg-type]
        grow(small, large)
        self.student, self.teacher = Learner(small, PEAK, device), Learner(large, TEACHERS_PEAK, device)
        self._random, self.step_ = random, 0
        self._bigram: PhoneBigram = phone_bigram().to(device)
        self._recorded = Recorded(self._bigram) if device.type == "cuda" else None

    def step(self, scenes: Scenes, progress: float) -> Tensor:
        """Given a batch, take a step; return what the student lost to the labels and to the teacher, and the teacher's
        loss, each per phone, [3], on the device."""
        rows = scenes.frames.shape[1] // 4 - self.teacher.network.settings.look_ahead
        frames = masked(scenes.frames, self._random, MASKED)
        with torch.no_grad():
            assert scenes.cleaner is not None
            right = self.teacher.log_probs(scenes.cleaner, rows, average=True).exp()
        self.student.network.train()
        self.teacher.network.train()
        both = torch.cat((self.student.log_probs(frames, rows), self.teacher.log_probs(frames, rows)), 1)
        clips = frames.shape[0]
        phones = max(1, int(scenes.lengths.sum()))
        losses = functional.ctc_loss(
            both,
            scenes.labels.repeat(2).to(both.device),
            torch.full((2 * clips,), rows, dtype=torch.long),
            scenes.lengths.repeat(2),
            reduction="none",
            zero_infinity=True,
        )
        possible = losses.detach() > 0  # CTC gives zero to a clip too short for its phones
        losses = losses + DISCRIMINATIVE * possible * denominator(both, self._bigram, self._recorded)
        taught = functional.kl_div(both[:, :clips], right, reduction="sum") / phones
        mine, theirs = losses[:clips].sum() / phones, losses[clips:].sum() / phones
        (self.student.scaled(mine + TAUGHT * taught) + self.teacher.scaled(theirs)).backward()  # type: ignore[no-untyped-call]
        self.student.step(self.step_, progress)
        self.teacher.step(self.step_, progress)
        self.step_ += 1
        return torch.stack((mine.detach(), taught.detach(), theirs.detach()))

    def save(self, folder: Path, hours: float) -> None:
        """Write the student's average, whole or not at all."""
        average = self.student.average
        part = folder / "last.pt.part"
        torch.save(
            {
                "settings": average.settings.as_dict(),
                "average": {name: value.cpu() for name, value in average.state_dict().items()},
                "step": self.step_,
                "hours": hours,
            },
            part,
        )
        part.replace(folder / "last.pt")


def main() -> None:
    """Train for the time planned."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run", help="name of the run's folder")
    parser.add_argument("--grow", metavar="RUN", required=True, help="the network to begin with")
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long the plan is")
    parser.add_argument("--batch", type=float, default=1600.0, help="seconds of sound in a step")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.time()
    corpus = Corpus(device, SPEEDS, random)
    print(f"{time.time() - began:.1f} s: {len(corpus.labels)} clips", flush=True)
    stage = Stage(corpus, LogMels(feature_settings(), WARPS, device), device, random, cleaner=True)
    run = Distillation(RUNS / options.grow / "last.pt", device, random)
    print(
        f"{time.time() - began:.1f} s: teacher {parameters(run.teacher.network) / 1e6:.1f} M parameters, "
        f"student {parameters(run.student.network) / 1e6:.1f} M, {device}",
        flush=True,
    )
    folder = RUNS / options.run
    folder.mkdir(parents=True, exist_ok=True)
    began = reported = saved = time.time()
    hours, count, total = 0.0, 0, torch.zeros(3, device=device)
    with (folder / "log.tsv").open("a") as log:
        for scenes in stage(options.batch):
            progress = (time.time() - began) / options.seconds
            if progress >= 1.0:
                break
            if progress > LATE:
                stage.see(Emphasis(chances=EASED))
            total += run.step(scenes, progress)
            count += 1
            hours += scenes.hours
            if time.time() - reported > 10:
                mine, taught, theirs = (total / count).tolist()
                line = (
                    f"{time.time() - began:.0f}\t{run.step_}\t{hours:.1f}\t{mine:.4f}\t{taught:.4f}\t{theirs:.4f}"
                    f"\t{progress:.3f}"
                )
                print(line, flush=True)
                print(line, file=log, flush=True)
                reported, count, total = time.time(), 0, torch.zeros_like(total)
            if time.time() - saved > 60:
                run.save(folder, hours)
                saved = time.time()
    run.save(folder, hours)


if __name__ == "__main__":
    main()
