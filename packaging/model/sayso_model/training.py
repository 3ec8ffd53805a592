"""Training: `train`.

Rule of this file: started again, a run goes on. The learning rate follows the hours of audio presented, warming up and
then falling along a cosine to the planned hours (or, with --until, to a time of day: the plan follows the speed
measured). `log.tsv` and `dev.tsv` in its folder tell how it went.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import time
from dataclasses import replace
from typing import TextIO

import torch

from sayso_model import shards
from sayso_model.augmentation import Chances
from sayso_model.lessons import Lessons, OnCpu, OnGpu
from sayso_model.loader import BATCH_SECONDS, SPEECH, Emphasis
from sayso_model.network import BLOCKS, NetworkSettings, delays, macs_per_second, parameters
from sayso_model.places import RUNS, SHARDS
from sayso_model.run import PEAK, Run, objective_of, rate

EASY_STEPS = 300
"""Steps at the beginning with short and mostly clean clips only: CTC finds its first alignments there."""
EASY = Emphasis(longest=3.5, chances=Chances(noise=0.25, room=0.1, quietest_db=12.0))
LATE = 0.55
"""Progress from which the noise is eased a little: below 2 dB there is hardly anything to learn."""
EASED = Chances(noise=0.66, room=0.48, quietest_db=2.0)
SPEEDS = 5
"""At which a GPU holds each clip."""
MEASURED = 45.0
"""Seconds after which a plan that ends at a time of day trusts the speed measured."""


def _until(clock: str) -> float:
    """Given HH:MM or HH:MM:SS, return that time's next occurrence as seconds since the epoch. Raise ArgumentTypeError
    where it is nothing like that."""
    try:
        its = dt.time.fromisoformat(clock)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{clock!r} is no time of day like 17:30 or 17:30:15") from None
    now = dt.datetime.now()
    then = now.replace(hour=its.hour, minute=its.minute, second=its.second, microsecond=0)
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
    parser.add_argument(
        "--until", type=_until, metavar="HH:MM", help="when the learning rate shall have fallen, instead of --hours"
    )
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
        "--taught",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="of what a teacher makes of it (corpus teach, retain)",
    )
    parser.add_argument(
        "--agree", type=float, default=0.0, metavar="WEIGHT", help="of what the clearer of two scenes of a clip says"
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
    parser.add_argument(
        "--batch", type=float, default=BATCH_SECONDS, help="on a GPU: seconds of sound in a batch; 3200 fill an H100"
    )
    parser.add_argument("--threads", type=int, default=1, help="of the trainer, where there is no GPU")
    parser.add_argument("--workers", type=int, default=1, help="augmentation processes")
    parser.add_argument("--every", type=float, default=600.0, help="seconds between scores on dev")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    for begin, _ in options.emphasis:
        if not any(name.startswith(SPEECH) for name in shards.names(SHARDS, begin)):
            parser.error(f"--emphasis: no shard of speech to train on begins with {begin!r}")
    if options.grow and not (RUNS / options.grow / "last.pt").exists():
        parser.error(f"--grow: there is no run {options.grow!r} in {RUNS}")
    if options.taught and not any(SHARDS.glob("*.taught")):
        parser.error("--taught: no teacher has heard the recordings yet; run `corpus teach` or `corpus retain RUN`")
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(options.threads)
    grown_from = RUNS / options.grow / "last.pt" if options.grow else None
    objective = objective_of(options.discriminative, device) if options.discriminative else None
    shape = NetworkSettings(width=options.width, kernel=options.kernel, block=options.block)
    if options.look_ahead is not None:
        if sum(delays(options.look_ahead)) != options.look_ahead:
            parser.error(f"--look-ahead: no network looks {options.look_ahead} rows ahead")
        shape = replace(shape, delays=delays(options.look_ahead))
    elif grown_from:
        shape = replace(shape, delays=torch.load(grown_from, weights_only=False)["settings"]["delays"])
    run = Run(
        RUNS / options.run, shape, options.peak, device, grown_from, objective, options.quantised, options.taught,
        options.agree,
    )  # fmt: skip
    _follow(run, options)


def _phase(run: Run, usual: Emphasis) -> Emphasis:
    """Given where a run stands and what the options ask for, return what it shall see."""
    if run.easy and run.step < EASY_STEPS:
        return replace(EASY, views=usual.views)
    return replace(usual, chances=EASED) if run.progress > LATE else usual


def _lessons(run: Run, options: argparse.Namespace, phase: Emphasis) -> Lessons:
    """Given a run, return its batches."""
    seed = options.seed + run.step
    if run.device.type == "cuda":
        return OnGpu(run.device, seed, run.features, phase, SPEEDS, bool(options.taught), options.batch)
    return OnCpu(options.workers, seed, run.features, phase)


def _follow(run: Run, options: argparse.Namespace) -> None:
    """Given a run and the options, train to the end of the plan."""
    shape = run.network.settings
    print(
        f"{parameters(run.network) / 1e6:.2f} M parameters, {macs_per_second(shape) / 1e6:.0f} MMAC/s, {run.device}, "
        f"{run.hours:.1f} h presented so far",
        flush=True,
    )
    end = options.until
    usual = Emphasis(tuple(options.emphasis), masks=options.masks, views=2 if options.agree else 1)
    phase = _phase(run, usual)
    lessons = _lessons(run, options, phase)
    run.train(lessons.next(), run.progress)  # the first batch takes long to come; speed is measured from here
    started, began = time.time(), run.hours
    spoken = reported = scored = time.time()
    lost, count = torch.zeros(2, device=run.device), 0
    with (run.folder / "log.tsv").open("a") as log, (run.folder / "dev.tsv").open("a") as dev:
        while True:
            now = time.time()
            progress = run.hours / options.hours
            if end is not None:
                ahead = (run.hours - began) / (now - started) * max(0.0, end - now)
                progress = run.hours / (run.hours + ahead) if now - started > MEASURED else run.progress
            if (
                (end is not None and now >= end)
                or (end is None and progress >= 1)
                or run.hours >= (options.stop or math.inf)
            ):
                break
            if phase != _phase(run, usual):
                phase = _phase(run, usual)
                lessons.see(phase)
            run.network.train()
            run.progress = progress
            lost += run.train(lessons.next(), progress)
            count += 1
            if now - reported > 20:
                loss, away = (lost / count).tolist()
                speed = (run.hours - began) / (now - started) * 3600
                line = (
                    f"{dt.datetime.now():%H:%M:%S}\t{run.step}\t{run.hours:.2f}\t{loss:.4f}\t"
                    f"{rate(run.step, progress, run.peak):.2e}\t{progress:.3f}\t{speed:.0f}\t{lessons.waiting()}"
                    f"\t{away:.4f}"
                )
                print(line, file=log, flush=True)
                reported, count, lost = now, 0, torch.zeros_like(lost)
            if now - spoken > 120:
                run.save()
                spoken = now
            if now - scored > options.every and run.dev:
                _score(run, dev)
                scored = time.time()
        lessons.close()
        run.save()
        if run.dev:
            _score(run, dev)


def _score(run: Run, target: TextIO) -> None:
    """Write the averaged network's error rates."""
    rates = "\t".join(f"{name} {rate:.4f}" for name, rate in run.score().items())
    line = f"{dt.datetime.now():%H:%M:%S}\t{run.step}\t{run.hours:.2f}\t{rates}"
    print(line, file=target, flush=True)
    print(line, flush=True)


if __name__ == "__main__":
    main()
