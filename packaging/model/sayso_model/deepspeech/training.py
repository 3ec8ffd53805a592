"""Training DeepSpeech's network: `deepspeech train`, `deepspeech export`.

Rule of this file: a run is its folder: `log.tsv`, `dev.tsv`, `last.pt`. Started again it goes on from `last.pt`. The
learning rate follows the hours of audio presented, as sayso_model/training.py has it.
"""

from __future__ import annotations

import argparse
import copy
import datetime as dt
import time
from pathlib import Path

import numpy as np
import torch

from sayso.recognition.features import Mfcc, MfccSettings
from sayso_model import shards
from sayso_model.augmentation import Chances
from sayso_model.deepspeech.loader import LetterLoader
from sayso_model.deepspeech.network import BLANK, Network, decode, encode, loss_of, spread
from sayso_model.deepspeech.shape import STEP, Shape
from sayso_model.deepspeech.stage import LetterStage
from sayso_model.loader import Batch, Emphasis, usable
from sayso_model.places import SHARDS, WORK
from sayso_model.run import rate
from sayso_model.scoring import distance

FOLDER = WORK / "deepspeech"
PEAK = 1e-3
EASY_STEPS = 1100
"""Steps at the beginning with short and mostly clean clips only."""
EASY = Emphasis(longest=3.5, chances=Chances(noise=0.2, room=0.1, quietest_db=12.0), masks=False)
LATER = Emphasis(masks=False)
EMA = 0.9995
DEV = {"clean": "dev-librispeech-test-clean", "commonvoice": "dev-commonvoice1-valid-test"}
PARTS = 4
"""Steps that a batch is good for: it takes CTC's LSTM some thousand before it hears anything, and 40 s of speech show
the direction."""
LEAST_PRIOR = 2e-3
"""Half a step of an int8 softmax: a label that is rarer is not told from none, and must not gain by the division."""
RANGES = 40
"""Training clips whose ranges the conversion measures."""


def coefficients(clip: shards.Clip, samples: shards.Samples) -> np.ndarray:
    """Given a clip, return its coefficients, float32 [frames, 26]."""
    return Mfcc(MfccSettings()).feed(np.asarray(samples(clip)))


def drawn(name: str, most: int, seed: int = 5) -> list[shards.Clip]:
    """Given a shard, return up to so many of its clips, always the same ones."""
    clips = [clip for clip in shards.read(SHARDS, name) if usable(clip)]
    order = np.random.default_rng(seed).permutation(len(clips))
    return [clips[place] for place in order[:most]]


def heard(prefix: str, most: int) -> list[np.ndarray]:
    """Given a prefix of shards, return the coefficients of up to so many clips, spread over them."""
    samples, names = shards.Samples(SHARDS), shards.names(SHARDS, prefix)
    clips = [clip for name in names for clip in drawn(name, -(-most // len(names)))]
    return [coefficients(clip, samples) for clip in clips[:most]]


class Run:
    """One training run."""

    def __init__(self, folder: Path, hidden: int, device: torch.device) -> None:
        self.folder, self.device = folder, device
        folder.mkdir(parents=True, exist_ok=True)
        self.step, self.hours = 0, 0.0
        last = folder / "last.pt"
        stored = torch.load(last, map_location=device, weights_only=False) if last.exists() else None
        mean, scale = (stored["mean"], stored["scale"]) if stored else spread(np.concatenate(heard("train-", 300)))
        self.mean, self.scale = mean, scale
        self.network = Network(Shape(stored["hidden"] if stored else hidden), mean, scale).to(device)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=PEAK, weight_decay=0.01)
        self.average = copy.deepcopy(self.network).eval()
        if stored:
            self.network.load_state_dict(stored["network"])
            self.average.load_state_dict(stored["average"])
            if "optimiser" in stored:
                self.optimiser.load_state_dict(stored["optimiser"])
            self.step, self.hours = stored["step"], stored["hours"]

    def save(self) -> None:
        """Write a checkpoint, whole or not at all."""
        state = {
            "hidden": self.network.shape.hidden, "mean": self.mean, "scale": self.scale, "step": self.step,
            "hours": self.hours, "network": self.network.state_dict(), "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        part = self.folder / "last.pt.part"
        torch.save(state, part)
        part.rename(self.folder / "last.pt")

    def train(self, batch: Batch, progress: float) -> float:
        """Given a batch, take `PARTS` steps and return the loss per letter."""
        self.network.train()
        letters = np.split(batch.targets, np.cumsum(batch.lengths)[:-1])
        clips = [part for part in np.array_split(np.arange(len(letters)), PARTS) if len(part)]
        losses = [
            self._step(
                batch.frames[part], np.concatenate([letters[clip] for clip in part]), batch.lengths[part], progress
            )
            for part in clips
        ]
        self.hours += batch.frames.shape[0] * batch.frames.shape[1] * STEP / 16_000 / 3600
        return sum(losses) / len(losses)

    def _step(
        self, frames: np.ndarray | torch.Tensor, targets: np.ndarray, lengths: np.ndarray, progress: float
    ) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.step, progress, PEAK)
        heard = torch.as_tensor(frames).to(self.device, torch.float32)
        letters = torch.from_numpy(targets).to(self.device)
        loss = loss_of(self.network, heard, letters, torch.from_numpy(lengths))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self._move_average()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def _move_average(self) -> None:
        decay = min(EMA, (1 + self.step) / (20 + self.step))
        for mine, theirs in zip(self.average.parameters(), self.network.parameters()):
            mine.lerp_(theirs, 1 - decay)

    @torch.no_grad()
    def score(self, most: int) -> dict[str, float]:
        """Return the averaged network's letter error rate on so many clips of each dev set, decoded greedily."""
        samples, rates = shards.Samples(SHARDS), {}
        for name, shard in DEV.items():
            if not shards.present(SHARDS, shard):
                continue  # a machine that only trains
            wrong = total = 0
            for clip in drawn(shard, most):
                frames = torch.from_numpy(coefficients(clip, samples)).to(self.device)
                said = decode(self.average(frames[None])[0].argmax(1).cpu())
                wrong += distance(encode(said), encode(clip.text))
                total += len(clip.text)
            rates[name] = wrong / max(1, total)
        return rates


def follow(run: Run, options: argparse.Namespace) -> None:
    """Given a run and the options, train to the end of the plan."""
    shape = run.network.shape
    print(f"{shape.parameters / 1e6:.2f} M parameters, {run.device}, {run.hours:.2f} h presented so far", flush=True)
    loader: LetterLoader | LetterStage
    if run.device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        loader = LetterStage(run.device, options.seed + run.step)
    else:
        loader = LetterLoader(options.workers, options.seed + run.step)
    phase = EASY if run.step < EASY_STEPS else LATER
    loader.see(phase)
    began = spoken = scored = time.time()
    losses: list[float] = []
    with (run.folder / "log.tsv").open("a") as log, (run.folder / "dev.tsv").open("a") as dev:
        while (progress := _progress(run, options, began)) < 1.0:
            if phase is EASY and run.step >= EASY_STEPS:
                phase = LATER
                loader.see(phase)
            losses.append(run.train(loader.next(), progress))
            if time.time() - spoken > 60:
                line = f"{dt.datetime.now():%H:%M:%S}\t{run.step}\t{run.hours:.2f}\t{sum(losses) / len(losses):.4f}"
                print(line, file=log, flush=True)
                run.save()
                spoken, losses = time.time(), []
            if time.time() - scored > options.every:
                _report(run, dev)
                scored = time.time()
        run.save()
        _report(run, dev)
    loader.close()


def _progress(run: Run, options: argparse.Namespace, began: float) -> float:
    """Given a run and when it was started, return how much of the plan is done, 0 to 1."""
    return float((time.time() - began) / options.seconds if options.seconds else run.hours / options.hours)


def _report(run: Run, target: object) -> None:
    rates = "\t".join(f"{name} {value:.4f}" for name, value in run.score(60).items())
    line = f"{dt.datetime.now():%H:%M:%S}\t{run.step}\t{run.hours:.2f}\t{rates}"
    print(line, file=target, flush=True)  # type: ignore[call-overload]
    print(line, flush=True)


def export(folder: Path, network: Network, clips: list[np.ndarray]) -> None:
    """Given a trained network and clips, write weights, ranges and label priors for `conversion`."""
    network = network.cpu().eval()
    np.savez(folder / "weights.npz", **network.weights())
    np.savez(folder / "ranges.npz", **{str(number): clip for number, clip in enumerate(clips)})
    with torch.no_grad():
        shares = sum(network(torch.from_numpy(clip)[None])[0].softmax(1).sum(0) for clip in clips)
    prior = np.log(np.maximum((shares / shares.sum()).numpy(), LEAST_PRIOR))
    np.savez(folder / "prior.npz", log_prior=prior)
    print(f"{folder}: blank is {float(np.exp(prior[BLANK])):.1%} of all steps")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="deepspeech")
    parser.set_defaults(threads=1)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train")
    train.add_argument("run")
    train.add_argument("--hidden", type=int, default=512)
    train.add_argument("--hours", type=float, default=600.0, help="hours of audio to present in all")
    train.add_argument("--seconds", type=float, help="plan for so long, and not for hours of audio")
    train.add_argument("--workers", type=int, default=1, help="augmentation processes")
    train.add_argument("--threads", type=int, default=1, help="threads of the training itself, on a CPU")
    train.add_argument("--every", type=float, default=900.0, help="seconds between scores on dev")
    train.add_argument("--seed", type=int, default=11)
    commands.add_parser("export").add_argument("run")
    options = parser.parse_args()
    torch.manual_seed(5)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(options.threads)
    if options.command == "export":
        if not (FOLDER / options.run / "last.pt").exists():
            raise SystemExit(f"{FOLDER / options.run}: nothing trained there")
        run = Run(FOLDER / options.run, 0, device)
        export(run.folder, run.average, heard("train-", RANGES))
    else:
        follow(Run(FOLDER / options.run, options.hidden, device), options)


if __name__ == "__main__":
    main()
