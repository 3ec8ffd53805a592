"""A small network that knows a few recordings by heart: `deepspeech recite`.

Rule of this file: it is no model. It is for the tests: what it was taught must come out of the daemon's whole path as
the command it is, which it only does if features, context, states, alphabet and decoding are those of its training.
"""

from __future__ import annotations

import argparse
import csv

import numpy as np
import soundfile
import soxr
import torch

from sayso.recognition.features import Mfcc, MfccSettings
from sayso_model.deepspeech.network import Network, decode, encode, loss_of, spread
from sayso_model.deepspeech.shape import Shape
from sayso_model.deepspeech.training import FOLDER, export
from sayso_model.places import REPOSITORY

RECORDINGS = REPOSITORY / "tests" / "data" / "speech"
LEARNT = (
    "pause", "cancel_timer", "lock_the_Front_Door", "is_the_Garage_Door_open", "run_Party_Time",
    "set_Bed_Light_brightness_to_50_percent",
)  # fmt: skip
HIDDEN = 64
LEAD = 1.2
"""Sound before the speech that a gate may hand on, at most [s]: it opens at a click, too."""


def recordings() -> list[tuple[np.ndarray, str]]:
    """Return the samples, int16, and the words of what is learnt."""
    with (RECORDINGS / "transcripts.tsv").open(newline="") as table:
        said = {row["file"].rsplit(".", 1)[0]: row["transcript"] for row in csv.DictReader(table, delimiter="\t")}
    found = []
    for name in LEARNT:
        samples, rate = soundfile.read(RECORDINGS / f"{name}.opus", dtype="int16")
        found.append((soxr.resample(samples, rate, 16_000), said[name].replace("50", "fifty")))
    return found


def begun(samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Given a recording, return its coefficients from somewhere near the first word on, as a gate would hand it on."""
    loud = np.abs(samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(np.float32)).mean(axis=1)
    spoken = np.flatnonzero(loud > 0.08 * loud.max()) * 160
    start = max(0, int(spoken[0]) - int(random.uniform(0.05, 1.0) * LEAD * 16_000))
    # Mostly cut short behind the last word: else it may write when nobody speaks any more.
    end = min(len(samples), int(spoken[-1]) + int(random.choice((0.1, 0.3, 3.0), p=(0.5, 0.3, 0.2)) * 16_000))
    noisy = samples[start:end] * random.uniform(0.7, 1.3) + random.normal(0, 3, end - start)
    return Mfcc(MfccSettings()).feed(np.clip(noisy, -32768, 32767).astype(np.int16))


def main() -> None:
    """Teach, until it is known."""
    parser = argparse.ArgumentParser(prog="deepspeech recite")
    parser.add_argument("run")
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()
    torch.manual_seed(5)
    torch.set_num_threads(1)
    random = np.random.default_rng(5)
    taught = recordings()
    clips = [begun(samples, random) for samples, _ in taught]
    network = Network(Shape(HIDDEN), *spread(np.concatenate(clips)), dropout=0.0)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 50, 2 * (1 - step / options.steps))
        samples, text = taught[step % len(taught)]
        frames = torch.from_numpy(begun(samples, random))[None]
        target = torch.tensor([encode(text)])
        loss = loss_of(network, frames, target.flatten(), torch.tensor([target.shape[1]]))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    network.eval()
    for (_, text), clip in zip(taught, clips):
        print(f"{text!r} -> {decode(network(torch.from_numpy(clip)[None])[0].argmax(1))!r}")
    folder = FOLDER / options.run
    folder.mkdir(parents=True, exist_ok=True)
    export(folder, network, clips)


if __name__ == "__main__":
    main()
