"""A network that is trained, with all that belongs to it: its folder, its optimiser, its average, its objective.

Rule of this file: a run is its folder: what `save` wrote, a run of the same name goes on from. The device is whichever
it is given; nothing in a step waits for it.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from sayso_model import shards
from sayso_model.discriminative import PhoneBigram, Recorded, denominator, phone_bigram
from sayso_model.growth import grow
from sayso_model.lessons import Lesson
from sayso_model.loader import BATCH_SECONDS, TAUGHT
from sayso_model.network import Network, NetworkSettings
from sayso_model.optimiser import Optimiser
from sayso_model.places import SHARDS
from sayso_model.scoring import errors, examples
from sayso_model.statistics import settings as feature_settings

PEAK, LOWEST = 3e-3, 1e-5
WARM_UP = 600
"""Steps until the peak."""
EMA = 0.9995
"""What is left of the average after `BATCH_SECONDS` of sound."""
TAUGHT_UNTIL = 0.9
"""Progress from which the teacher no longer counts."""


class Averaged:
    """An exponential average of the weights and of the normalisation's statistics."""

    def __init__(self, network: Network) -> None:
        self.network = copy.deepcopy(network).eval()
        self.steps = 0

    @torch.no_grad()
    def update(self, network: Network, seconds: float) -> None:
        """Given the network after a step, and how much sound that was for, move the average."""
        self.steps += 1
        decay = min(EMA ** (seconds / BATCH_SECONDS), (1 + self.steps) / (20 + self.steps))
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values()))
        moved = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([mine for mine, _ in moved], [theirs for _, theirs in moved], 1 - decay)
        for mine, theirs in pairs:
            if not mine.is_floating_point():
                mine.copy_(theirs)


def rate(step: int, progress: float, peak: float) -> float:
    """Given steps done and progress 0…1, return the learning rate."""
    return min(1.0, (step + 1) / WARM_UP) * (
        LOWEST + (peak - LOWEST) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    )


@dataclass(frozen=True)
class Objective:
    """What training lowers: CTC, or what was said against all that might have been said, or something between."""

    share: float
    """0: CTC alone; 1: discriminative alone."""
    bigram: PhoneBigram
    recorded: Recorded | None = None
    """On a GPU: the sum over all phones."""


def objective_of(share: float, device: torch.device) -> Objective:
    """Given its share, return the objective on a device."""
    bigram = phone_bigram().to(device)
    return Objective(share, bigram, Recorded(bigram) if device.type == "cuda" else None)


def losses_of(log_probs: Tensor, lesson: Lesson, objective: Objective | None) -> Tensor:
    """Given a batch and log-posteriors [rows, clips, outputs] of it, return the loss of each clip, [clips]."""
    rows = torch.full((log_probs.shape[1],), log_probs.shape[0], dtype=torch.long)
    losses = functional.ctc_loss(log_probs, lesson.labels, rows, lesson.lengths, reduction="none", zero_infinity=True)
    if objective is not None:
        possible = losses.detach() > 0  # CTC gives zero to a clip too short for its phones
        every = denominator(log_probs, objective.bigram, objective.recorded)
        losses = losses + objective.share * possible * every
    return losses


def disagreement(log_probs: Tensor, losses: Tensor) -> Tensor:
    """Given log-posteriors [rows, clips, outputs] of scenes, two of each clip, and their losses, [clips], return what
    the one that is further from the truth would have to learn from the other: Kullback and Leibler's divergence, summed
    over rows and clips. (Of CTC, with both learning: Yao et al. 2024, "CR-CTC".)"""
    one, other = log_probs[:, ::2], log_probs[:, 1::2]
    nearer = (losses[::2] < losses[1::2])[None, :, None]
    knows = torch.where(nearer, one, other).detach()
    learns = torch.where(nearer, other, one)
    return (knows.exp() * (knows - learns)).sum()


def apart(told: Tensor, taught: Tensor) -> Tensor:
    """Given what the network makes of the teacher's rows and what these are, [clips, rows, TAUGHT], return the mean
    square between them where the teacher says something; 1 is what saying nothing gives."""
    known = ~taught[:, :, :1].isnan()
    away = (told - taught.nan_to_num()) * known
    return away.square().sum() / (known.sum() * TAUGHT).clamp_min(1)


class Run:
    """One training run."""

    def __init__(
        self,
        folder: Path,
        shape: NetworkSettings,
        peak: float,
        device: torch.device,
        grown_from: Path | None,
        objective: Objective | None,
        quantised: bool = False,
        taught: float = 0.0,
        agree: float = 0.0,
    ) -> None:
        """`taught` and `agree` weigh what a teacher says, and what the other scene of the same words does."""
        self.folder, self.device, self.peak, self.objective = folder, device, peak, objective
        self.taught, self.agree = taught, agree
        folder.mkdir(parents=True, exist_ok=True)
        self.features = feature_settings()
        self.step, self.hours, self.progress = 0, 0.0, 0.0
        self.easy = grown_from is None
        """Whether it begins with easy clips."""
        last = folder / "last.pt"
        stored = torch.load(last, map_location=device, weights_only=False) if last.exists() else None
        if stored:
            shape = NetworkSettings(**stored["settings"])
        self.network = Network(shape).to(device)
        told = None
        if grown_from and not stored:
            smaller = torch.load(grown_from, map_location=device, weights_only=False)
            small = Network(NetworkSettings(**smaller["settings"]))
            small.load_state_dict({name: value.float() for name, value in smaller["average"].items()})
            grow(small.to(device), self.network)
            told = smaller.get("told")
        if quantised:
            self.network.quantise()
        self.told = torch.nn.Linear(shape.width, TAUGHT).to(device)
        """Makes a teacher's rows of what the head hears; not shipped."""
        if told is not None and told["weight"].shape == self.told.weight.shape:
            self.told.load_state_dict(told)
        # The layer beside it learns always, so that any run can go on.
        self.optimiser = Optimiser(self.network, self.told.parameters(), peak)
        self.average = Averaged(self.network)
        if stored:
            self.network.load_state_dict(stored["network"])
            self.average.network.load_state_dict(stored["average"])
            self.average.steps = stored["step"]
            self.optimiser.restore(stored["optimiser"])
            self.step, self.hours, self.progress = stored["step"], stored["hours"], stored.get("progress", 0.0)
            self.easy = stored.get("easy", True)
            self.told.load_state_dict(stored["told"])
        self.dev = {  # none on a machine that only trains
            name: examples(shard, self.features, most, decibels)
            for name, shard, most, decibels in (
                ("clean", "dev-librispeech-test-clean", 90, None),
                ("10dB", "dev-librispeech-test-clean", 90, 10.0),
                ("commonvoice", "dev-commonvoice1-valid-test", 120, None),
            )
            if shards.present(SHARDS, shard)
        }

    def save(self, name: str = "last.pt") -> None:
        """Write a checkpoint, whole or not at all."""
        part = self.folder / f"{name}.part"
        torch.save(
            {
                "settings": self.network.settings.as_dict(),
                "network": self.network.state_dict(),
                "average": self.average.network.state_dict(),
                "told": self.told.state_dict(),
                "optimiser": self.optimiser.state(),
                "step": self.step,
                "hours": self.hours,
                "progress": self.progress,
                "easy": self.easy,
            },
            part,
        )
        part.rename(self.folder / name)

    def train(self, lesson: Lesson, progress: float) -> Tensor:
        """Given a batch, take a step; return the loss per phone, and how far it is from the teacher, [2], on the
        device."""
        late = self.network.settings.look_ahead
        with torch.autocast(self.device.type, torch.bfloat16):
            heard = self.network.body(lesson.frames)[:, late:]
            logits = self.network.head(heard)
            told = self.told(heard) if self.taught else None
        log_probs = logits.float().log_softmax(2).transpose(0, 1)
        losses, phones = losses_of(log_probs, lesson, self.objective), max(1, int(lesson.lengths.sum()))
        loss = losses.detach().sum() / phones
        whole, away = losses.sum() / phones, torch.zeros_like(loss)
        if self.agree:
            away = disagreement(log_probs, losses.detach()) / phones
            whole = whole + self.agree * away
        if told is not None and lesson.taught is not None:
            away = apart(told.float(), lesson.taught[:, : told.shape[1]])
            # The teacher counts less and less: in the end what was said counts alone.
            whole = whole + self.taught * max(0.0, 1.0 - progress / TAUGHT_UNTIL) * away
        self.optimiser.forget_gradients()
        whole.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.spare(norm.isfinite())
        self.optimiser.step(rate(self.step, progress, self.peak))
        self.average.update(self.network, lesson.hours * 3600)
        self.step += 1
        self.hours += lesson.hours
        return torch.stack((loss, away.detach()))

    def score(self) -> dict[str, float]:
        """Return the averaged network's phone error rates: of its best outputs, and of the best phones in a bigram."""
        rates = {}
        for name, dev in self.dev.items():
            wrong, total = errors(self.average.network, dev)
            rates[name] = wrong / total
            if self.objective is not None:
                wrong, total = errors(self.average.network, dev, self.objective.bigram.to(torch.device("cpu")))
                rates[f"{name}, bigram"] = wrong / total
        return rates
