"""How well each form of a trained network writes, and what it costs: `deepspeech evaluate`.

Rule of this file: dev speech only, greedy decoding without a grammar or a language model, by the daemon's own code.
Intervals are of a bootstrap over clips.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from sayso_model import shards
from sayso_model.deepspeech.listening import Listener
from sayso_model.deepspeech.network import decode, encode
from sayso_model.deepspeech.training import DEV, FOLDER, drawn
from sayso_model.places import SHARDS
from sayso_model.scoring import distance

FORMS = ("float", "dynamic", "int8", "output_graph")


def interval(wrong: np.ndarray, total: np.ndarray) -> tuple[float, float]:
    """Given errors and lengths of clips, return the 95 % interval of their rate."""
    picks = np.random.default_rng(0).integers(0, len(wrong), (1000, len(wrong)))
    low, high = np.percentile(wrong[picks].sum(1) / total[picks].sum(1), (2.5, 97.5))
    return float(low), float(high)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="deepspeech evaluate")
    parser.add_argument("run")
    parser.add_argument("--most", type=int, default=200, help="clips of each dev set")
    parser.add_argument("--forms", nargs="+", default=list(FORMS))
    options = parser.parse_args()
    samples = shards.Samples(SHARDS)
    print("| speech | form | clips | letters wrong | 95 % interval | words wrong | ms per second of sound |")
    print("|---|---|---|---|---|---|---|")
    for name, shard in DEV.items():
        clips = drawn(shard, options.most)
        for form in options.forms:
            listener = Listener(FOLDER / options.run / f"{form}.tflite")
            letters, words = [], []
            for clip in clips:
                best = torch.from_numpy(listener(np.asarray(samples(clip))).argmax(1))
                said = decode(best)
                letters.append((distance(encode(said), encode(clip.text)), len(clip.text)))
                table = {word: number for number, word in enumerate({*said.split(), *clip.text.split()})}
                wrong = distance([table[one] for one in said.split()], [table[one] for one in clip.text.split()])
                words.append((wrong, len(clip.text.split())))
            wrong, total = np.array(letters).T
            low, high = interval(wrong, total)
            word_wrong, word_total = np.array(words).sum(0)
            print(
                f"| {name} | {form} | {len(clips)} | {wrong.sum() / total.sum():.1%} | {low:.1%} to {high:.1%} "
                f"| {word_wrong / word_total:.1%} | {listener.milliseconds:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
