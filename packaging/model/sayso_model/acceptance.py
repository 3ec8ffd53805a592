"""Commands accepted and other sound refused, through the shipped path: `evaluate commands`.

Rule of this file: what is measured is the daemon's own pipeline, gate and int8 network included, on dev speech only.
A command counts as accepted when exactly one command comes out and it means what was said: the same intent, the same
slots, none too many. A second command out of the same clip is an error. Proportions come with Wilson's 95 % interval.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from sayso.assembly import Model, load_grammar, load_model, make_pipeline, make_recognizer
from sayso.config import Config, read_config
from sayso.grammar.graph import DecodingGraph
from sayso.reading import read_text
from sayso.recognition.precedence import read_path
from sayso.records import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, Command, Evidence, Heard, Hypothesis
from sayso_model import shards
from sayso_model.places import BUNDLE, REPOSITORY, SHARDS
from sayso_model.spelled import spelled_templates
from sayso_model.surroundings import LEAD, Surroundings, last_speech, loudness

Sound = npt.NDArray[np.int16]
CROWD = 30
"""Length of a trial in which many talk at once [s]."""
PHRASES = 2000
"""Sentences of the grammar of `phrases`, at least."""
SLOT_WORDS = 40
"""Words that a slot of `phrases with slots` takes."""
Meant = tuple[str, dict[str, object]]
"""Intent and slots."""


@dataclass(frozen=True)
class Trial:
    """One clip, and what should come of it."""

    key: str
    samples: Sound
    said: str
    """Empty: nothing should."""


@dataclass(frozen=True)
class Suite:
    """Trials that share a grammar."""

    name: str
    trials: Sequence[Trial]
    templates: Path


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Given successes of trials, return the 95 % interval of the proportion (Wilson, 1927)."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - spread) / (1 + z * z / count), (middle + spread) / (1 + z * z / count)


def plain(text: str) -> str:
    """Given a sentence, return it as it is compared."""
    return " ".join(re.findall(r"[a-z0-9]+", text.casefold().replace("'", "")))


def clips(prefix: str, wanted: Callable[[shards.Clip], bool] = lambda _: True) -> Iterator[Trial]:
    """Given the prefix of shards' names, yield their clips."""
    samples = shards.Samples(SHARDS)
    for name in shards.names(SHARDS, prefix):
        for clip in shards.read(SHARDS, name):
            if wanted(clip):
                yield Trial(clip.key, np.array(samples(clip)), clip.text)


def with_bundle(config: Config, folder: Path) -> Config:
    """Given settings and a bundle, return the settings that name it."""
    return config.model_copy(update={"model": config.model.model_copy(update={"path": str(folder)})})


def sentences(folder: Path, texts: Iterable[str]) -> Path:
    """Given sentences, write them as templates, each an intent's, and return the file."""
    file = folder / f"{len(list(folder.iterdir()))}.yaml"
    intents = {f"Said{n}": {"data": [{"sentences": [text]}]} for n, text in enumerate(sorted(set(texts)))}
    file.write_text(json.dumps({"language": "en", "intents": intents}))
    return file


def slotted(folder: Path, texts: Sequence[str]) -> Path:
    """Given sentences, write templates in which every other word is a slot that takes any of its list, and return the
    file. Each such word is in one list, so that a sentence has one meaning."""
    vocabulary = sorted({word for text in texts for word in text.split()[1::2]})
    count = max(1, len(vocabulary) // SLOT_WORDS)
    number = {word: place % count for place, word in enumerate(vocabulary)}

    def template(text: str) -> str:
        numbered = enumerate(text.split())
        return " ".join(f"{{list{number[word]}:slot{place}}}" if place % 2 else word for place, word in numbered)

    templates = sorted(set(map(template, texts)))
    lists = {f"list{n}": {"values": [word for word in vocabulary if number[word] == n]} for n in range(count)}
    intents = {"Said": {"data": [{"sentences": templates}]}}
    file = folder / f"{len(list(folder.iterdir()))}.yaml"
    file.write_text(json.dumps({"language": "en", "intents": intents, "lists": lists}))
    return file


def _among(texts: set[str], count: int) -> set[str]:
    """Given phrases, return so many in all, the others from recordings of the training. Raise ValueError where there
    are too few."""
    for name in shards.names(SHARDS, "train-phrases-"):
        for clip in shards.read(SHARDS, name):
            if len(texts) >= count:
                return texts
            if " " in clip.text:
                texts.add(clip.text)
    raise ValueError(f"{len(texts)} phrases of the {count} that they are tried among; run `corpus align RUN` first")


def suites(folder: Path) -> list[Suite]:
    """Return what is tried. The grammars hold the sentences of their own trials and all the others of the suite; that
    of phrases also such of training's recordings."""
    house = REPOSITORY / "config" / "commands"
    person = list(clips("dev-eval-rhasspy-en", lambda clip: "speech-to-phrase" in clip.key))
    synthesised = list(clips("dev-eval-rhasspy-en", lambda clip: "rhasspy-speech" in clip.key))
    single = list(clips("dev-speech-commands"))
    found = [
        Suite("commands, a person", [one for one in person if one.said], house),
        Suite("commands, synthesised", synthesised, house),
        Suite("30 words", single, sentences(folder, (one.said for one in single))),
    ]
    phrases = list(clips("dev-phrases"))
    if phrases:
        texts = _among({one.said for one in phrases}, PHRASES)
        found.append(Suite("phrases", phrases, sentences(folder, texts)))
        found.append(Suite("phrases with slots", phrases, slotted(folder, [one.said for one in phrases])))
    spelled = list(clips("dev-an4"))
    everything = [*(one.said for one in spelled), *(one.said for one in clips("train-an4"))]
    found.append(Suite("letters, numbers, dates", spelled, spelled_templates(folder, everything)))
    spoken = [one for one in clips("dev-commonvoice") if 2 <= len(one.said.split()) <= 8]
    found.append(Suite("Common Voice sentences", spoken, sentences(folder, (one.said for one in spoken))))
    return found


def crowd() -> list[Trial]:
    """Return people of LibriSpeech test-other, two to eight at once, as a television or a party has them."""
    voices = [one.samples for one in clips("dev-librispeech-testother")]
    chance, length = np.random.default_rng(7), CROWD * SAMPLE_RATE
    found = []
    for number, count in enumerate((2, 3, 5, 8) * 5):
        mix = np.zeros(length)
        for _ in range(count):
            order = chance.permutation(len(voices))[:8]
            voice = np.resize(np.concatenate([voices[place] for place in order]), length).astype(np.float64)
            mix += voice / loudness(voice)
        mix *= 10.0 ** chance.uniform(2.7, 3.7) / loudness(mix)
        found.append(Trial(f"{count} voices, {number}", np.clip(np.rint(mix), -32768, 32767).astype(np.int16), ""))
    return found


def others() -> list[tuple[str, list[Trial]]]:
    """Return sound that is no command. Speech of the training is hours of some 300 people; the network learnt from it,
    but nothing that decides what is believed was fitted on it."""
    return [
        ("out of vocabulary, a person", [one for one in clips("dev-eval-rhasspy-en") if not one.said]),
        ("dev speech", _no_command("dev-commonvoice", "dev-librispeech")),
        ("negatives", _no_command("negatives")),
        ("crowd", crowd()),
        ("noise", [one for one in _no_command("noise") if "rir" not in one.key]),
        ("speech of the training", _no_command("train-librispeech-tc100", "train-librispeech-dev")),
    ]


def _no_command(*prefixes: str) -> list[Trial]:
    return [replace(one, said="") for prefix in prefixes for one in clips(prefix)]


class Shipped:
    """The daemon's path with one grammar."""

    def __init__(self, config: Config, model: Model, templates: Path) -> None:
        self._config = config.model_copy(
            update={"commands": config.commands.model_copy(update={"path": str(templates)})}
        )
        self._grammar = load_grammar(self._config, model.bundle)
        self._recognizer = make_recognizer(self._config, model, self._grammar)

    @property
    def graph(self) -> DecodingGraph:
        """Return what is searched."""
        return self._grammar.graph

    def meaning(self, found: Hypothesis) -> Meant:
        """Given a path, return what it means."""
        one = read_path(self.graph, found.tags)
        return one.intent, dict(one.slots)

    def meanings(self, said: str) -> list[Meant]:
        """Given a sentence, return what it means: several things where nothing decides."""
        return [(one.intent, dict(one.slots)) for one in read_text(self.graph, said)]

    def outcomes(self, sound: Sound) -> list[Heard]:
        """Given a recording, return what the daemon makes of it."""
        pipeline = make_pipeline(self._config, self._recognizer)
        found: list[Heard] = []
        for start in range(0, len(sound) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            found += pipeline.feed(AudioFrame(sound[start : start + FRAME_SAMPLES], start))
        return found + pipeline.finish()


def accepted(meanings: Sequence[Meant], outcomes: Sequence[Heard]) -> bool:
    """Whether exactly one command came out, and it means what was said."""
    commands = [(one.intent, dict(one.slots)) for one in outcomes if isinstance(one, Command)]
    return len(commands) == 1 and commands[0] in meanings


def topmost(text: str, heard: Sequence[Heard]) -> bool:
    """Whether the best candidate was what was said, accepted or not."""
    return [plain(one.text) for one in heard if one.text] == [plain(text)]


def main() -> None:
    """Measure and print; write every outcome with its evidence to a table for the calibration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--conditions", default="clean", help="comma-separated: clean, kitchen:12, babble:6, pink:0, room:0.5, …"
    )
    parser.add_argument("--most", type=int, default=10**9, help="trials of a suite at most")
    parser.add_argument("--what", choices=("commands", "others", "all"), default="all", help="others: no command")
    parser.add_argument("--suites", default="", metavar="NAME", help="of the commands, those whose names begin so")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--evidence", type=Path, help="write each outcome's evidence to this table")
    options = parser.parse_args()
    config = with_bundle(read_config(REPOSITORY / "config" / "sayso.toml"), options.bundle)
    model = load_model(config)
    table = Table(title=f"{model.bundle.label}, through the shipped path")
    for title in ("what", "condition", "accepted", "of", "%", "95 % interval", "top choice %", "ms after, 50 / 95 %"):
        table.add_column(title)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as temporary:
        surroundings = Surroundings()
        try:
            known = suites(Path(temporary)) if options.what != "others" else []
        except ValueError as error:
            parser.error(str(error))
        wanted = [suite for suite in known if suite.name.startswith(options.suites)]
        if known and not wanted:
            parser.error(f"--suites: none of {', '.join(suite.name for suite in known)} begins {options.suites!r}")
        for suite in wanted:
            shipped = Shipped(config, model, suite.templates)
            for condition in options.conditions.split(","):
                trials = suite.trials[:: max(1, -(-len(suite.trials) // options.most))]
                hits = tops = 0
                delays: list[float] = []
                for number, trial in enumerate(trials):
                    found = shipped.outcomes(surroundings(trial.samples, condition, number))
                    if accepted(shipped.meanings(trial.said), found):
                        hits += 1
                        delays += _delays(trial, found)
                    tops += topmost(trial.said, found)
                    rows += evidence_of(shipped, suite.name, condition, trial, found)
                low, high = wilson(hits, len(trials))
                share = 100 / max(1, len(trials))
                table.add_row(
                    suite.name, condition, str(hits), str(len(trials)), f"{hits * share:.1f}",
                    f"{low * 100:.1f} to {high * 100:.1f}", f"{tops * share:.1f}",
                    " / ".join(f"{np.quantile(delays or [0.0], part) * 1000:.0f}" for part in (0.5, 0.95)),
                )  # fmt: skip
        Console().print(table)
        print("\n".join(_believed(rows)))
        if options.what != "commands":
            shipped = Shipped(config, model, REPOSITORY / "config" / "commands")
            for condition in options.conditions.split(","):
                rows += _refuse(shipped, surroundings, condition, options.most)
    if options.evidence:
        write(rows, options.evidence)


def write(rows: Sequence[dict[str, object]], table: Path) -> None:
    """Given evidence, write it."""
    with table.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0], delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def _believed(rows: Sequence[dict[str, object]]) -> Iterator[str]:
    """Given outcomes of what was said, yield how many of each confidence were right."""
    for low in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2):
        judged = [one["right"] for one in rows if one["heard"] and low <= float(str(one["confidence"])) < low + 0.1]
        yield f"confidence {low:.1f} to {low + 0.1:.1f}: {judged.count(1)} right of {len(judged)}"


def _refuse(shipped: Shipped, surroundings: Surroundings, condition: str, most: int) -> Iterator[dict[str, object]]:
    table = Table(title=f"sound that is no command, {condition}, default grammar")
    for title in ("what", "hours", "false accepts", "per hour"):
        table.add_column(title)
    for name, trials in others():
        tried = trials[:: max(1, -(-len(trials) // most))]
        hours = sum(len(trial.samples) for trial in tried) / SAMPLE_RATE / 3600
        wrong = 0
        for number, trial in enumerate(tried):
            found = shipped.outcomes(surroundings(trial.samples, condition, number))
            wrong += sum(isinstance(one, Command) for one in found)
            yield from evidence_of(shipped, name, condition, trial, found)
        table.add_row(name, f"{hours:.2f}", str(wrong), f"{wrong / max(hours, 1e-9):.1f}")
    Console().print(table)


def _delays(trial: Trial, found: Sequence[Heard]) -> Iterator[float]:
    """Given a trial that came out right, yield how long after its last sound the command was decided [s]."""
    last = int(LEAD * SAMPLE_RATE) + last_speech(trial.samples)
    yield from ((one.decided - last) / SAMPLE_RATE for one in found if isinstance(one, Command))


def evidence_of(
    shipped: Shipped, suite: str, condition: str, trial: Trial, outcomes: Sequence[Heard]
) -> Iterator[dict[str, object]]:
    """Given a trial and what came of it, yield the rows of the evidence table."""
    meanings = shipped.meanings(trial.said)
    length = len(trial.samples) / SAMPLE_RATE
    tried = {"suite": suite, "condition": condition, "key": trial.key, "seconds": length, "said": trial.said}
    # Only what ends a sentence can be taken for a command; the rest is refused whatever its confidence.
    judged = [one for one in outcomes if one.evidence is not None and one.intent]
    for one in judged:
        right = bool(trial.said) and any(meant in meanings for meant in shipped.meanings(one.text))
        delay = (one.decided - one.end) / SAMPLE_RATE
        came = {"heard": one.text, "right": int(right), "confidence": one.confidence, "delay": delay}
        yield {**tried, **came, **(asdict(one.evidence) if one.evidence else {})}
    if not judged:  # its length counts all the same
        nothing = {"heard": "", "right": "", "confidence": 0.0, "delay": 0.0}
        yield {**tried, **nothing, **dict.fromkeys((field.name for field in fields(Evidence)), 0.0)}


if __name__ == "__main__":
    main()
