"""Phone error rates of the float and the int8 network: `evaluate`.

Rule of this file: dev speech only. Each clip is heard alone, 0.2 s of digital silence before it; the int8 network
is run as the daemon runs it, call by call, by the daemon's own code. Its label prior is divided out as the daemon does
it; the phones are the best in a bigram, as discriminative.py has it. 95 % intervals by a bootstrap over clips.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sayso.recognition.acoustic import AcousticStream
from sayso.recognition.bundle import Bundle, load_bundle
from sayso.recognition.tflite import TfliteNetwork, streaming
from sayso_model.discriminative import PhoneBigram, best_phones, phone_bigram
from sayso_model.export import averaged
from sayso_model.network import SUBSAMPLING, Network
from sayso_model.places import BUNDLE, RUNS
from sayso_model.scoring import Example, distance, examples
from sayso_model.statistics import settings as feature_settings

SETS = (
    ("LibriSpeech, dev speakers", "dev-librispeech-test-clean"),
    ("LibriSpeech test-other", "dev-librispeech-testother-100"),
    ("Common Voice", "dev-commonvoice1-valid-test"),
    ("Speech Commands, words", "dev-speech-commands-subset"),
)
CONDITIONS = (("clean", None, "kitchen"), ("kitchen, 12 dB", 12.0, "kitchen"), ("babble, 12 dB", 12.0, "babble"))
SAMPLES = 2000
"""Bootstrap samples."""

Rows = npt.NDArray[np.float32]
Hearing = Callable[[Rows], Rows]
"""Features -> log-posteriors."""


@dataclass(frozen=True)
class Rate:
    """An error rate and its 95 % interval."""

    rate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.rate:.1f} % ({100 * self.low:.1f}-{100 * self.high:.1f})"


def rate(wrong: Sequence[int], total: Sequence[int]) -> Rate:
    """Given errors and phones of each clip, return the rate; the interval is that of other clips like these."""
    errors, phones = np.array(wrong), np.array(total)
    draws = np.random.default_rng(1).integers(0, len(errors), (SAMPLES, len(errors)))
    rates = errors[draws].sum(axis=1) / phones[draws].sum(axis=1)
    low, high = np.percentile(rates, (2.5, 97.5))
    return Rate(errors.sum() / phones.sum(), float(low), float(high))


def shipped(bundle: Bundle) -> Hearing:
    """Given a bundle, return what its int8 network hears."""
    network = TfliteNetwork(bundle.model, bundle, 1)

    def hear(frames: Rows) -> Rows:
        stream = AcousticStream(network, streaming(bundle))
        whole = np.pad(frames, ((0, -len(frames) % bundle.manifest.network.window), (0, 0)), "edge")
        return stream.feed(whole).log_probs

    return hear


def trained(network: Network) -> Hearing:
    """Given a float network, return what it hears."""

    @torch.no_grad()
    def hear(frames: Rows) -> Rows:
        whole = frames[: len(frames) // SUBSAMPLING * SUBSAMPLING]
        rows: Rows = network(torch.from_numpy(whole[None]))[0, network.settings.look_ahead :].log_softmax(1).numpy()
        return rows

    return hear


def score(hear: Hearing, dev: Sequence[Example], prior: Rows, bigram: PhoneBigram) -> Rate:
    """Given who hears, clips, what is divided out of the posteriors and a bigram, return the phone error rate."""
    found = [best_phones(torch.from_numpy(hear(one.frames) - prior)[:, None], bigram)[0] for one in dev]
    return rate([distance(best, one.phones) for best, one in zip(found, dev)], [len(one.phones) for one in dev])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--run", help="also score this run's averaged float network")
    parser.add_argument("--checkpoint", default="last.pt")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--most", type=int, help="clips of each set, for a quick look")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bundle, bigram = load_bundle(options.bundle), phone_bigram()
    weight, log_prior = bundle.manifest.decoding.prior_weight, bundle.manifest.tokens.log_prior
    prior = np.array(log_prior, np.float32) * np.float32(weight)
    networks = {"int8": shipped(bundle)}
    if options.run:
        networks = {"float": trained(averaged(RUNS / options.run / options.checkpoint)), **networks}
    print(f"| phone error rate | condition | clips | {' | '.join(networks)} |")
    print("|---|---|---|" + "---|" * len(networks))
    for title, shard in SETS:
        for condition, decibels, kind in CONDITIONS:
            dev = examples(shard, feature_settings(), options.most, decibels, kind)
            rates = " | ".join(str(score(hear, dev, prior, bigram)) for hear in networks.values())
            print(f"| {title} | {condition} | {len(dev)} | {rates} |", flush=True)


if __name__ == "__main__":
    main()
