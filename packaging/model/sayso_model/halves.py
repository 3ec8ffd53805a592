"""Sentences that break off and sentences with a pause in them, through the shipped path: `evaluate halves RUN`.

Rule of this file: the daemon's own pipeline on recordings that a float network has cut between two words. Without its
last word a sentence is none, and a command that comes out of it was made up. With a pause between two words, where the
clip is quietest, it is still the same. The evidence for the calibration is of training's recordings.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table

from sayso.assembly import load_model
from sayso.config import read_config
from sayso.records import SAMPLE_RATE, Command, Heard
from sayso_model import shards
from sayso_model.acceptance import Shipped, Trial, accepted, evidence_of, slotted, wilson, with_bundle, write
from sayso_model.alignment import Spoken, aligned, between, posteriors, ways
from sayso_model.export import averaged
from sayso_model.phones import Speller
from sayso_model.places import BUNDLE, REPOSITORY, RUNS, SHARDS
from sayso_model.statistics import settings as feature_settings
from sayso_model.surroundings import Surroundings

SLOTTED = "phrases with slots"
KINDS = {"house commands": "dev-eval-rhasspy-en", SLOTTED: "dev-phrases-librispeech-test-clean"}
LEARNT = "train-phrases-librispeech-tc100-251spk"
BROKEN_OFF = "broken off"
"""Suite of sentences without their last word, in tables of evidence."""
HOUSE = REPOSITORY / "config" / "commands"
FEWEST, MOST = 3, 7
"""Words of a sentence that is tried."""
PAUSES = (0.6, 1.2)
"""Pauses that are put into a sentence [s]."""

Sound = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Cut:
    """A sentence, and the places between its words."""

    trial: Trial
    joints: Sequence[int]

    @property
    def half(self) -> Trial:
        """Return it without its last word."""
        sound = shards.faded(self.trial.samples[: self.joints[-1]])
        return replace(self.trial, samples=sound, said=self.trial.said.rpartition(" ")[0])

    def paused(self, seconds: float) -> Sound:
        """Given how long, return its sound with a pause between the two words where it is quietest."""
        sound = self.trial.samples
        place = min(self.joints, key=lambda one: float(np.mean(sound[one - 80 : one + 80].astype(np.float64) ** 2)))
        quiet = np.zeros(round(seconds * SAMPLE_RATE), np.int16)
        return np.concatenate((shards.faded(sound[:place]), quiet, shards.faded(sound[place:])))


def cuts(run: str, shard: str, most: int) -> Iterator[Cut]:
    """Given a run, a shard and how many clips at most, yield its sentences, cut."""
    samples = shards.Samples(SHARDS)
    clips = [clip for clip in shards.read(SHARDS, shard) if FEWEST <= len(clip.text.split()) <= MOST]
    clips = clips[:: max(1, -(-len(clips) // most))]
    speller = Speller([clip.text for clip in clips])
    for clip, rows in posteriors(averaged(RUNS / run / "last.pt"), feature_settings(), clips):
        words = clip.text.split()
        found = aligned(rows, [ways(speller, word) for word in words])
        if found is not None and len(found[0]) == len(words):
            sound = np.array(samples(clip))
            yield Cut(Trial(clip.key, sound, clip.text), _joints(sound, found[0]))


def _joints(sound: Sound, spoken: Sequence[Spoken]) -> list[int]:
    return [between(sound, before, after) for before, after in zip(spoken, spoken[1:])]


@dataclass(frozen=True)
class There:
    """The daemon's path in some surroundings."""

    shipped: Shipped
    surroundings: Surroundings
    condition: str

    def right(self, trials: Sequence[Trial]) -> int:
        """Given sentences, return how many came out as what was said."""
        return sum(accepted(self.shipped.meanings(one.said), found) for one, found in self._heard(trials))

    def made_up(self, tried: Sequence[Cut]) -> int:
        """Given sentences, return how many became a command without their last word."""
        return sum(
            any(
                isinstance(it, Command) and (it.intent, dict(it.slots)) not in self.shipped.meanings(one.said)
                for it in found
            )
            for one, found in self._heard([one.half for one in tried])
        )

    def evidence(self, tried: Sequence[Cut]) -> Iterator[dict[str, object]]:
        """Given sentences, yield the evidence for what came out of them without their last word, unless that is a
        sentence, too."""
        halves = [one.half for one in tried]
        for one, found in self._heard([one for one in halves if not self.shipped.meanings(one.said)]):
            yield from evidence_of(self.shipped, BROKEN_OFF, self.condition, replace(one, said=""), found)

    def _heard(self, trials: Sequence[Trial]) -> Iterator[tuple[Trial, list[Heard]]]:
        for number, one in enumerate(trials):
            yield one, self.shipped.outcomes(self.surroundings(one.samples, self.condition, number))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="the float network that finds where the words are")
    parser.add_argument("--most", type=int, default=200, help="sentences of a kind at most")
    parser.add_argument("--conditions", default="clean,kitchen:12", help="comma-separated: clean, kitchen:12, …")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument(
        "--evidence", type=Path, help="write what the calibration needs to this table, and measure nothing"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = with_bundle(read_config(REPOSITORY / "config" / "sayso.toml"), options.bundle)
    model, surroundings = load_model(config), Surroundings()
    conditions = options.conditions.split(",")
    if options.evidence:
        tried = list(cuts(options.run, LEARNT, options.most))
        with tempfile.TemporaryDirectory() as folder:
            shipped = Shipped(config, model, slotted(Path(folder), [one.trial.said for one in tried]))
            places = [There(shipped, surroundings, condition) for condition in conditions]
            write([row for there in places for row in there.evidence(tried)], options.evidence)
        return
    table = Table(title=f"{model.bundle.label}: commands out of sentences without their last word; right with a pause")
    pauses = [f"a pause of {seconds:g} s" for seconds in PAUSES]
    for title in ("what", "condition", "of", "made up", "as they were", *pauses):
        table.add_column(title)
    with tempfile.TemporaryDirectory() as folder:
        for name, shard in KINDS.items():
            tried = list(cuts(options.run, shard, options.most))
            templates = slotted(Path(folder), [one.trial.said for one in tried]) if name == SLOTTED else HOUSE
            shipped = Shipped(config, model, templates)
            for condition in conditions:
                there = There(shipped, surroundings, condition)
                counts = [there.made_up(tried), there.right([one.trial for one in tried])]
                for seconds in PAUSES:
                    counts.append(there.right([replace(one.trial, samples=one.paused(seconds)) for one in tried]))
                table.add_row(name, condition, str(len(tried)), *(_share(count, len(tried)) for count in counts))
    Console().print(table)


def _share(hits: int, count: int) -> str:
    low, high = wilson(hits, count)
    return f"{hits} ({low:.0%} to {high:.0%})"


if __name__ == "__main__":
    main()
