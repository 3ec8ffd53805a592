"""Wake phrases heard, and heard where nobody said them, through the shipped path: `evaluate wake`.

Rule of this file: the daemon's own pipeline with the default grammar and all phrases at once, every confidence kept, so
that each threshold's table comes out of one run. Recordings of a phrase are found by their folder's name.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from sayso.assembly import load_model
from sayso.config import Config, read_config
from sayso.records import SAMPLE_RATE, Wake
from sayso_model.acceptance import Shipped, Trial, clips, wilson
from sayso_model.places import REPOSITORY
from sayso_model.surroundings import Surroundings

PHRASES = ("computer", "hey computer", "hey chatterbox", "athena", "amelia")
"""Wake words of other products, of which there are recordings of many people."""

THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Heard:
    """What one recording yielded."""

    seconds: float
    wakes: Sequence[tuple[str, float]]
    """Phrase and confidence of each."""

    def woke(self, threshold: float, phrases: Sequence[str]) -> bool:
        """Return whether one of the phrases was heard at a threshold."""
        return any(phrase in phrases and sure >= threshold for phrase, sure in self.wakes)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=10**9, help="recordings of a kind at most")
    parser.add_argument("--condition", default="clean", help="clean, kitchen:12, …")
    options = parser.parse_args()
    config = read_config(REPOSITORY / "config" / "sayso.toml")
    listening = {"mode": "wake", "wake_phrases": list(PHRASES), "wake_confidence": 0.0}
    config = config.model_copy(update={"listening": config.listening.model_copy(update=listening)})
    console = Console()
    shown, total = _table("wake phrases, of many people", "of"), _table("other sound", "hours")
    for name, heard in _heard(config, options.most, options.condition):
        if name in PHRASES:
            # "hey computer" ends in another of the phrases; whoever says it wants to be heard.
            meant = [phrase for phrase in PHRASES if name.endswith(phrase)]
            hits = [sum(one.woke(threshold, meant) for one in heard) for threshold in THRESHOLDS]
            shown.add_row(name, str(len(heard)), *(_share(count, len(heard)) for count in hits))
        else:
            hours = sum(one.seconds for one in heard) / 3600
            false = [sum(one.woke(threshold, PHRASES) for one in heard) for threshold in THRESHOLDS]
            total.add_row(name, f"{hours:.2f}", *map(str, false))
    console.print(shown)
    console.print(total)


def _table(title: str, count: str) -> Table:
    table = Table(title=title)
    for column in ("what", count, *(f"at {threshold:g}" for threshold in THRESHOLDS)):
        table.add_column(column)
    return table


def _share(hits: int, count: int) -> str:
    low, high = wilson(hits, count)
    return f"{hits} ({low:.0%} to {high:.0%})"


def _heard(config: Config, most: int, condition: str) -> Iterator[tuple[str, list[Heard]]]:
    """Given the settings, yield each kind of recording with what was heard in it."""
    shipped = Shipped(config, load_model(config), REPOSITORY / "config" / "commands")
    surroundings = Surroundings()
    for name, trials in _kinds():
        heard = []
        for number, trial in enumerate(trials[:: max(1, -(-len(trials) // most))]):
            found = shipped.outcomes(surroundings(trial.samples, condition, number))
            wakes = [(one.phrase, one.confidence) for one in found if isinstance(one, Wake)]
            heard.append(Heard(len(trial.samples) / SAMPLE_RATE, wakes))
        yield name, heard


def _kinds() -> list[tuple[str, list[Trial]]]:
    """Return recordings of each phrase, and of what is none."""
    negatives = list(clips("negatives"))
    folders = {phrase: f"ovos-wakewords-en/{phrase.replace(' ', '_')}/" for phrase in PHRASES}
    said = [(phrase, [one for one in negatives if folder in one.key]) for phrase, folder in folders.items()]
    speech = [one for part in ("dev-librispeech", "dev-commonvoice") for one in clips(part)]
    return [
        *said,
        ("single words", [one for one in negatives if "ovos-" not in one.key]),
        ("read speech", speech),
        ("noise", [one for one in clips("noise") if "rir" not in one.key]),
    ]


if __name__ == "__main__":
    main()
