"""How the search should weigh the network: `evaluate weights`.

Rule of this file: dev speech that is not reported as commands, heard whole and without a gate, so that nothing but the
search counts; the int8 network is run once a clip, and searched with each pair of weights.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from sayso.assembly import Model, decoder_settings, load_model
from sayso.config import read_config
from sayso.recognition.acoustic import AcousticStream
from sayso.recognition.context import feature_stream
from sayso.recognition.decode import Decoder
from sayso.recognition.tflite import streaming
from sayso.records import Posteriors
from sayso_model.acceptance import Shipped, Sound, Suite, suites, wilson, with_bundle
from sayso_model.calibration import REPORTED
from sayso_model.places import BUNDLE, REPOSITORY
from sayso_model.surroundings import Surroundings


def posteriors(model: Model, sound: Sound) -> Posteriors:
    """Given a recording, return what the network makes of it, its look-ahead answered with digital silence."""
    features = feature_stream(model.bundle.features)
    stream = AcousticStream(model.network, streaming(model.bundle))
    frames = features.feed(sound)
    missing = stream.frames_to_flush(len(frames) + features.behind) + features.behind
    rows = [stream.feed(part).log_probs for part in (frames, features.silence(missing))]
    return Posteriors(np.concatenate(rows), 0)


def right(shipped: Shipped, decoder: Decoder, heard: Posteriors, said: str) -> bool:
    """Given what the network heard, return whether the search finds what was said."""
    decoder.reset()
    decoder.feed(heard)
    found = decoder.best(0)
    return found is not None and shipped.meaning(found) in shipped.meanings(said)


def chosen(suite: Suite, most: int) -> Iterator[tuple[int, Sound, str]]:
    """Given a suite, yield number, sound and text of as many trials."""
    for number, trial in enumerate(suite.trials[:: max(1, -(-len(suite.trials) // most))]):
        yield number, trial.samples, trial.said


def main(arguments: Sequence[str] | None = None) -> None:
    """Print how often the search is right with each pair of weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prior", default="0,0.2,0.4,0.6,0.8", help="powers of the label prior to divide out")
    parser.add_argument("--scale", default="1", help="factors on the network's logarithms")
    parser.add_argument("--conditions", default="clean,kitchen:12,babble:12,room:0.5")
    parser.add_argument("--most", type=int, default=120, help="trials of a suite at most")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    options = parser.parse_args(arguments)
    config = with_bundle(read_config(REPOSITORY / "config" / "sayso.toml"), options.bundle)
    model, surroundings = load_model(config), Surroundings()
    usual = decoder_settings(config, model)
    pairs = list(itertools.product(map(float, options.scale.split(",")), map(float, options.prior.split(","))))
    hits, count = dict.fromkeys(pairs, 0), 0
    table = Table(title=f"{model.bundle.label}, int8, whole clips, what the search chooses [%]")
    for title in ("what", "condition", "clips", *(f"scale {scale:g}, prior {prior:g}" for scale, prior in pairs)):
        table.add_column(title)
    with tempfile.TemporaryDirectory() as temporary:
        for suite in suites(Path(temporary)):
            if suite.name in REPORTED:
                continue
            shipped = Shipped(config, model, suite.templates)
            decoders = {
                (scale, prior): Decoder(shipped.graph, replace(usual, acoustic_scale=scale, prior_weight=prior))
                for scale, prior in pairs
            }
            for condition in options.conditions.split(","):
                heard = [
                    (posteriors(model, surroundings(sound, condition, number)), said)
                    for number, sound, said in chosen(suite, options.most)
                ]
                found = {pair: sum(right(shipped, one, *trial) for trial in heard) for pair, one in decoders.items()}
                count += len(heard)
                hits = {pair: hits[pair] + found[pair] for pair in pairs}
                shares = (f"{100 * found[pair] / len(heard):.1f}" for pair in pairs)
                table.add_row(suite.name, condition, str(len(heard)), *shares)
    low = {pair: wilson(hits[pair], count) for pair in pairs}
    together = (f"{100 * hits[pair] / count:.1f} ({100 * low[pair][0]:.1f}-{100 * low[pair][1]:.1f})" for pair in pairs)
    table.add_row("all", "", str(count), *together)
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
