"""Grammars of 10^2 to 10^8 sentences: what it costs to compile, to hold and to search them, as a table and a figure.

Rule of this file: each size in a process of its own, so that its memory is its own; Sayso's own compiler and decoder.
A sentence is four words, each from a list of its own; the lists grow. What is searched are posteriors made up for
random sentences of the grammar, as a network that is often in doubt would give them. Nothing is asserted about time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import numpy.typing as npt
import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sayso.assembly import SHIPPED_MODEL, phonology
from sayso.config import DecoderConfig
from sayso.errors import SaysoError
from sayso.grammar.compiler import Grammar, Phonology, compile_grammar
from sayso.recognition.bundle import load_bundle
from sayso.recognition.decode import Decoder, DecoderSettings
from sayso.records import SAMPLE_RATE, Posteriors

LISTS = {
    2: (2, 5, 2, 5),
    3: (5, 5, 4, 10),
    4: (10, 10, 10, 10),
    5: (20, 20, 25, 10),
    6: (25, 40, 25, 40),
    7: (50, 50, 50, 80),
    8: (100, 100, 100, 100),
}
"""Power of ten -> values of each list."""

SLOTS = ("first", "second", "third", "fourth")
SENTENCES = 20
"""Sentences searched for at each size."""

STEP = 640
"""Samples that a row of posteriors stands for (40 ms)."""

CHUNK = 2
"""Rows that come at a time."""

DOUBT = 2.5
"""Standard deviation of the noise on the made-up logits; the right token's logit is 5."""


def main() -> None:
    options = _options()
    if options.size:
        print(json.dumps(measure(options.size, options.model)))
        return
    console = Console(stderr=options.json, width=100)
    results = []
    with console.status("") as status:
        for size in LISTS:
            status.update(f"10^{size} sentences")
            command = [sys.executable, __file__, "--size", str(size), "--model", str(options.model)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                sys.exit(done.returncode)
            results.append(json.loads(done.stdout))
    if options.plot:
        _draw(results, options.plot)
    if options.json:
        print(json.dumps({"processor": platform.processor(), "results": results}, indent=2))
    else:
        console.print(_table(results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench/grammar", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a figure there, as SVG")
    parser.add_argument("--model", type=Path, default=SHIPPED_MODEL, help="model bundle, for its phones and dictionary")
    parser.add_argument("--size", type=int, choices=LISTS, help="measure one power of ten only, print JSON")
    return parser.parse_args()


def measure(size: int, model: Path) -> Dict[str, Any]:
    """Given a power of ten, return what a grammar of so many sentences costs."""
    phones = phonology(load_bundle(model))
    chosen = np.random.default_rng(size)
    lists = _lists(size, phones.lexicon)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "commands.yaml"
        file.write_text(yaml.safe_dump(_template(lists)), encoding="utf-8")
        began = time.process_time()
        grammar = compile_grammar(file, phones, {})
        compiling = time.process_time() - began
    sentences = [" ".join(values[chosen.integers(len(values))] for values in lists) for _ in range(SENTENCES)]
    rows = [_posteriors(sentence, grammar, phones, size) for sentence in sentences]
    cpu, right = _search(grammar, phones, rows, sentences)
    seconds = sum(len(one) for one in rows) * STEP / SAMPLE_RATE
    return {
        "sentences": grammar.graph.sentences,
        "compile_s": compiling,
        "states": grammar.graph.states,
        "arcs": grammar.graph.arcs,
        "memory_mib": _most_memory(),
        "decode_ms_per_s": cpu / seconds * 1000,
        "right": right,
        "of": SENTENCES,
    }


def _lists(size: int, lexicon: Path) -> List[List[str]]:
    """Given a power of ten, return as many words for each slot, always the same ones."""
    with gzip.open(lexicon, "rt", encoding="utf-8") as lines:
        words = sorted({line.partition("\t")[0] for line in lines if re.match(r"[a-z]{4,9}\t", line)})
    picked = [words[at] for at in np.random.default_rng(1).permutation(len(words))]
    return [picked[slot * 100 :][:values] for slot, values in enumerate(LISTS[size])]


def _template(lists: Sequence[Sequence[str]]) -> Dict[str, Any]:
    return {
        "language": "en",
        "lists": {slot: {"values": list(values)} for slot, values in zip(SLOTS, lists)},
        "intents": {"Say": {"data": [{"sentences": [" ".join(f"{{{slot}}}" for slot in SLOTS)]}]}},
    }


def _posteriors(sentence: str, grammar: Grammar, phones: Phonology, seed: int) -> npt.NDArray[np.float32]:
    """Given a sentence, return log-posteriors [rows, tokens]: two rows a phone, a blank between, noise on all."""
    tokens = [phones.blank] * 5
    for word in sentence.split():
        for phone in grammar.pronunciations[word].ways[0]:
            tokens += [phones.tokens.index(phone)] * 2 + [phones.blank]
    tokens += [phones.blank] * 5
    noise = np.random.default_rng([seed, *sentence.encode()])
    logits = noise.normal(0, DOUBT, (len(tokens), len(phones.tokens)))
    logits[np.arange(len(tokens)), tokens] += 5
    log_probs: npt.NDArray[np.float64] = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return log_probs.astype(np.float32)


def _search(
    grammar: Grammar, phones: Phonology, utterances: Sequence[npt.NDArray[np.float32]], sentences: Sequence[str]
) -> Tuple[float, int]:
    """Return the processor seconds that searching took, and how many sentences were found."""
    defaults = DecoderConfig()
    uniform = np.zeros(len(phones.tokens), np.float32)
    settings = DecoderSettings(uniform, phones.blank, beam=defaults.beam, max_active=defaults.max_active)
    decoder = Decoder(grammar.graph, settings)
    right = 0
    began = time.process_time()
    for rows, sentence in zip(utterances, sentences):
        decoder.reset()
        for start in range(0, len(rows), CHUNK):
            decoder.feed(Posteriors(rows[start : start + CHUNK], start))
        best = decoder.best(0)
        right += best is not None and best.complete and " ".join(word.text for word in best.words) == sentence
    return time.process_time() - began, right


def _most_memory() -> float:
    """Return the most memory that this process has held, interpreter and libraries included [MiB]."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found, "no VmHWM in /proc/self/status"
    return int(found.group(1)) / 1024


def _table(results: Sequence[Dict[str, Any]]) -> Table:
    table = Table(title="Grammars by size: processor time on one thread, memory of the whole process", box=SIMPLE_HEAD)
    for column in ("sentences", "compiled in", "states", "arcs", "memory", "search per s", "found"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in results:
        table.add_row(
            f"{one['sentences']:,}",
            f"{one['compile_s']:.2f} s",
            f"{one['states']:,}",
            f"{one['arcs']:,}",
            f"{one['memory_mib']:.1f} MiB",
            f"{one['decode_ms_per_s']:.2f} ms",
            f"{one['right']} of {one['of']}",
        )
    return table


def _draw(results: Sequence[Dict[str, Any]], file: Path) -> None:
    from plot import Panel, draw  # here: only who wants the figure needs matplotlib

    shown = {
        "compile_s": "compiling [s of processor time]",
        "states": "states of the decoding graph",
        "memory_mib": "memory of the process [MiB]",
        "decode_ms_per_s": "search [ms per s of sound]",
    }
    draw(
        [Panel(title, [(one["sentences"], one[key]) for one in results]) for key, title in shown.items()],
        "sentences",
        file,
    )


if __name__ == "__main__":
    try:
        main()
    except SaysoError as error:
        print(f"tests/bench/grammar: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
