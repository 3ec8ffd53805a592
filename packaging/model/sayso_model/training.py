"""Training: `train`.

Rule of this file: a run is its folder: `log.tsv`, `dev.tsv`, `last.pt`. Started again it goes on from `last.pt`.
The learning rate follows the hours of audio presented, warming up and then falling along a cosine to the
planned hours (or, with --until, to a time of day: the plan follows the speed measured).
"""

from __future__ import annotations

import argparse
import copy
import datetime as dt
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.nn import functional

from sayso_model import shards
from sayso_model.augmentation import Chances
from sayso_model.discriminative import PhoneBigram, denominator, phone_bigram
from sayso_model.growth import grow
from sayso_model.loader import SPEECH, TAUGHT, Batch, Emphasis, Loader
from sayso_model.network import BLOCKS, Network, NetworkSettings, delays, macs_per_second, parameters
from sayso_model.optimiser import Optimiser
from sayso_model.places import RUNS, SHARDS
from sayso_model.scoring import errors, examples
from sayso_model.statistics import settings as feature_settings

PEAK, LOWEST = 3e-3, 1e-5
WARM_UP = 600
"""Steps until the peak."""
EASY_HOURS = 12.0
"""Hours at the beginning with short and mostly clean clips only: CTC finds its first alignments there."""
EASY = Emphasis(longest=3.5, chances=Chances(noise=0.25, room=0.1, quietest_db=12.0))
LATE = 0.55
"""Progress from which the noise is eased a little: below 2 dB there is hardly anything to learn."""
EASED = Chances(noise=0.66, room=0.40, quietest_db=2.0)
EMA = 0.9995
TAUGHT_UNTIL = 0.9
"""Progress from which the teacher no longer counts."""


class Averaged:
    """An exponential average of the weights and of the normalisation's statistics."""

    def __init__(self, network: Network) -> None:
        self.network = copy.deepcopy(network).eval()
        self._steps = 0

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Given the network after a step, move the average."""
        self._steps += 1
        decay = min(EMA, (1 + self._steps) / (20 + self._steps))
        for mine, theirs in zip(self.network.state_dict().values(), network.state_dict().values()):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
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


def loss_of(logits: torch.Tensor, batch: Batch, objective: Objective | None) -> torch.Tensor:
    """Given a batch and the logits [clips, rows, outputs] of it, return the loss per phone."""
    device = logits.device
    log_probs = logits.float().log_softmax(2).transpose(0, 1)
    rows = torch.full((logits.shape[0],), log_probs.shape[0], dtype=torch.long)
    lengths = torch.from_numpy(batch.lengths)
    losses = functional.ctc_loss(
        log_probs, torch.from_numpy(batch.targets).to(device), rows, lengths, reduction="none", zero_infinity=True
    )
    if objective is not None:
        possible = losses > 0  # CTC gives zero to a clip too short for its phones
        losses = losses + objective.share * possible * denominator(log_probs, objective.bigram)
    return losses.sum() / max(1, int(lengths.sum()))


def apart(told: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """Given what the network makes of the teacher's rows and what these are, [clips, rows, TAUGHT], return the mean
    square between them where the teacher says something; 1 is what saying nothing gives."""
    known = ~taught[:, :, 0].isnan()
    return functional.mse_loss(told[known], taught[known]) if known.any() else told.sum() * 0.0


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
    ) -> None:
        self.folder, self.device, self.peak, self.objective, self.taught = folder, device, peak, objective, taught
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
        if grown_from and not stored:
            smaller = torch.load(grown_from, map_location=device, weights_only=False)
            small = Network(NetworkSettings(**smaller["settings"]))
            small.load_state_dict(smaller["average"])
            grow(small, self.network)
        if quantised:
            self.network.quantise()
        self.told = torch.nn.Linear(shape.width, TAUGHT).to(device)
        """Makes a teacher's rows of what the head hears; not shipped."""
        # The layer beside it learns always, so that any run can go on.
        self.optimiser = Optimiser(self.network, self.told.parameters(), peak)
        self.average = Averaged(self.network)
        if stored:
            self.network.load_state_dict(stored["network"])
            self.average.network.load_state_dict(stored["average"])
            self.average._steps = stored["step"]
            self.optimiser.restore(stored["optimiser"])
            self.step, self.hours, self.progress = stored["step"], stored["hours"], stored.get("progress", 0.0)
            self.easy = stored.get("easy", True)
            self.told.load_state_dict(stored["told"])
        self.dev = {
            name: examples(shard, self.features, most, decibels)
            for name, shard, most, decibels in (
                ("clean", "dev-librispeech-test-clean", 90, None),
                ("10dB", "dev-librispeech-test-clean", 90, 10.0),
                ("commonvoice", "dev-commonvoice1-valid-test", 120, None),
            )
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

    def train(self, batch: Batch, progress: float) -> tuple[float, float]:
        """Given a batch, take a step and return the loss per phone, and how far it is from the teacher."""
        frames = torch.from_numpy(batch.frames).to(self.device, torch.float32)
        late = self.network.settings.look_ahead
        with torch.autocast(self.device.type, torch.bfloat16):
            heard = self.network.body(frames)[:, late:]
            logits = self.network.head(heard)
            told = self.told(heard) if self.taught else None
        loss = loss_of(logits, batch, self.objective)
        whole, away = loss, torch.zeros(())
        if told is not None and batch.taught is not None:
            rows = torch.from_numpy(batch.taught[:, : told.shape[1]]).to(self.device, torch.float32)
            away = apart(told.float(), rows)
            # The teacher counts less and less: in the end what was said counts alone.
            whole = loss + self.taught * max(0.0, 1.0 - progress / TAUGHT_UNTIL) * away
        self.optimiser.forget_gradients()
        whole.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step(rate(self.step, progress, self.peak))
        self.average.update(self.network)
        self.step += 1
        self.hours += batch.frames.shape[0] * batch.frames.shape[1] / 360_000
        return float(loss.detach()), float(away.detach())

    def score(self) -> dict[str, float]:
        """Return the averaged network's phone error rates: of its best outputs, and of the best phones in a bigram."""
        rates = {}
        for name, dev in self.dev.items():
            wrong, total = errors(self.average.network, dev)
            rates[name] = wrong / total
            if self.objective is not None:
                wrong, total = errors(self.average.network, dev, self.objective.bigram)
                rates[f"{name}, bigram"] = wrong / total
        return rates


def _until(clock: str) -> float:
    """Given HH:MM, return that time's next occurrence as seconds since the epoch."""
    hour, minute = map(int, clock.split(":"))
    now = dt.datetime.now()
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (then if then > now else then + dt.timedelta(days=1)).timestamp()


def _factor(text: str) -> tuple[str, float]:
    """Given `train-commonvoice=1.5`, return both sides. Raise ArgumentTypeError where it is nothing like that."""
    begin, _, factor = text.rpartition("=")
    try:
        number = float(factor)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no beginning of names, = and a number from 0 on")
    return begin, number


def main() -> None:
    """Train until the plan is fulfilled."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("run", help="name of the run's folder")
    parser.add_argument("--hours", type=float, default=600.0, help="hours of audio to present in all")
    parser.add_argument("--until", help="HH:MM at which the learning rate shall have fallen, instead of --hours")
    parser.add_argument("--stop", type=float, help="stop after this many hours; the plan goes on when started again")
    parser.add_argument("--width", type=int, default=NetworkSettings.width)
    parser.add_argument("--kernel", type=int, default=NetworkSettings.kernel)
    parser.add_argument("--block", choices=BLOCKS, default=NetworkSettings.block)
    parser.add_argument("--grow", metavar="RUN", help="begin with this run's network made wider, instead of anew")
    parser.add_argument("--peak", type=float, default=PEAK, help="highest learning rate")
    parser.add_argument(
        "--discriminative", type=float, default=0.0, metavar="SHARE", help="0: CTC; 1: against all other phones alone"
    )
    parser.add_argument("--quantised", action="store_true", help="compute as int8 will; a last, short stage")
    parser.add_argument(
        "--look-ahead", type=int, metavar="ROWS", help="of the network, instead of that of the one it grows from"
    )
    parser.add_argument(
        "--taught", type=float, default=0.0, metavar="WEIGHT", help="of what a teacher makes of it (corpus teach)"
    )
    parser.add_argument("--masks", type=float, default=Emphasis.masks, help="share of clips with parts blanked")
    parser.add_argument(
        "--emphasis",
        type=_factor,
        action="append",
        default=[],
        metavar="SHARDS=FACTOR",
        help="draw from the shards that begin so this much more often, as in synthetic-=0.5; may be given again",
    )
    parser.add_argument("--threads", type=int, default=1, help="of the trainer, where there is no GPU")
    parser.add_argument("--workers", type=int, default=1, help="augmentation processes")
    parser.add_argument("--every", type=float, default=600.0, help="seconds between scores on dev")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    for begin, _ in options.emphasis:
        if not any(name.startswith(SPEECH) for name in shards.names(SHARDS, begin)):
            parser.error(f"--emphasis: no shard of speech to train on begins with {begin!r}")
    if options.taught and not any(SHARDS.glob("*.taught")):
        parser.error("--taught: no teacher has heard the recordings yet; run `corpus teach`")
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(options.threads)
    grown_from = RUNS / options.grow / "last.pt" if options.grow else None
    objective = Objective(options.discriminative, phone_bigram()) if options.discriminative else None
    shape = NetworkSettings(width=options.width, kernel=options.kernel, block=options.block)
    if options.look_ahead is not None:
        if sum(delays(options.look_ahead)) != options.look_ahead:
            parser.error(f"--look-ahead: no network looks {options.look_ahead} rows ahead")
        shape = replace(shape, delays=delays(options.look_ahead))
    elif grown_from:
        shape = replace(shape, delays=torch.load(grown_from, weights_only=False)["settings"]["delays"])
    run = Run(RUNS / options.run, shape, options.peak, device, grown_from, objective, options.quantised, options.taught)
    _follow(run, options)


def _phase(run: Run, usual: Emphasis) -> Emphasis:
    """Given where a run stands and what the options ask for, return what it shall see."""
    if run.easy and run.hours < EASY_HOURS:
        return EASY
    return replace(usual, chances=EASED) if run.progress > LATE else usual


def _follow(run: Run, options: argparse.Namespace) -> None:
    """Given a run and the options, train to the end of the plan."""
    shape = run.network.settings
    print(
        f"{parameters(run.network) / 1e6:.2f} M parameters, {macs_per_second(shape) / 1e6:.0f} MMAC/s, {run.device}, "
        f"{run.hours:.1f} h presented so far",
        flush=True,
    )
    end = _until(options.until) if options.until else None
    usual = Emphasis(tuple(options.emphasis), masks=options.masks)
    phase = _phase(run, usual)
    loader, upcoming = Loader(options.workers, options.seed + run.step, run.features, phase), None
    run.train(loader.next(), run.progress)  # the first batch takes long to come; speed is measured from here
    started, began = time.time(), run.hours
    spoken = reported = scored = time.time()
    total, away, count = 0.0, 0.0, 0
    with (run.folder / "log.tsv").open("a") as log, (run.folder / "dev.tsv").open("a") as dev:
        while True:
            now = time.time()
            progress = run.hours / options.hours
            if end is not None:
                ahead = (run.hours - began) / (now - started) * max(0.0, end - now)
                progress = run.hours / (run.hours + ahead) if now - started > 90 else run.progress
            if (
                (end is not None and now >= end)
                or (end is None and progress >= 1)
                or run.hours >= (options.stop or math.inf)
            ):
                break
            if upcoming is None and phase != _phase(run, usual):
                phase = _phase(run, usual)
                upcoming = Loader(options.workers, options.seed + run.step, run.features, phase)
            if upcoming is not None and upcoming.waiting():
                loader.close()
                loader, upcoming = upcoming, None
            run.network.train()
            run.progress = progress
            lost, apart_ = run.train(loader.next(), progress)
            total, away, count = total + lost, away + apart_, count + 1
            if now - reported > 20:
                speed = (run.hours - began) / (now - started) * 3600
                line = (
                    f"{dt.datetime.now():%H:%M:%S}\t{run.step}\t{run.hours:.2f}\t{total / count:.4f}\t"
                    f"{rate(run.step, progress, run.peak):.2e}\t{progress:.3f}\t{speed:.0f}\t{loader.waiting()}"
                    f"\t{away / count:.4f}"
                )
                print(line, file=log, flush=True)
                reported, total, away, count = now, 0.0, 0.0, 0
            if now - spoken > 120:
                run.save()
                spoken = now
            if now - scored > options.every:
                _score(run, dev)
                scored = time.time()
    loader.close()
    run.save()
    with (run.folder / "dev.tsv").open("a") as dev:
        _score(run, dev)


def _score(run: Run, target: object) -> None:
    """Write the averaged network's error rates."""
    rates = "\t".join(f"{name} {rate:.4f}" for name, rate in run.score().items())
    line = f"{dt.datetime.now():%H:%M:%S}\t{run.step}\t{run.hours:.2f}\t{rates}"
    print(line, file=target, flush=True)  # type: ignore[call-overload]
    print(line, flush=True)


if __name__ == "__main__":
    main()
