"""The sums that the network is trained by, against every path written out; the shipped network, made one to train.

Run by tests/model/run. Needs no recordings.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from sayso_model.discriminative import PhoneBigram, best_phones, denominator
from sayso_model.places import BUNDLE
from sayso_model.recovery import recovered
from sayso_model.scoring import collapsed

from sayso.recognition.bundle import load_bundle

PHONES, ROWS, CLIPS = 3, 5, 2


def _bigram() -> PhoneBigram:
    shares = torch.rand(PHONES, PHONES + 1)
    shares = shares / shares.sum(1, keepdim=True)
    first = torch.rand(PHONES)
    return PhoneBigram(first / first.sum() * 0.9, shares[:, :PHONES].contiguous(), shares[:, PHONES].contiguous())


def _likelihood(phones: list[int], bigram: PhoneBigram) -> float:
    """Given phones from 1 on, return how probable they are in the bigram."""
    if not phones:
        return bigram.nothing
    inner = [float(bigram.next[one - 1, other - 1]) for one, other in zip(phones, phones[1:])]
    return float(bigram.first[phones[0] - 1]) * float(np.prod(inner)) * float(bigram.last[phones[-1] - 1])


def the_sum_over_all_phones_and_the_best_of_them_are_those_of_an_enumeration() -> None:
    """Value and gradient of the denominator; the best sequence by its best alignment."""
    for seed in range(8):
        torch.manual_seed(seed)
        bigram = _bigram()
        log_probs = (2 * torch.randn(ROWS, CLIPS, PHONES + 1)).log_softmax(2).requires_grad_()
        found = denominator(log_probs, bigram)
        found.sum().backward()
        best = best_phones(log_probs.detach(), bigram)
        for clip in range(CLIPS):
            scores = log_probs.detach()[:, clip].double().numpy()
            passed, total, highest, likeliest = np.zeros(scores.shape), 0.0, 0.0, [0]
            for path in itertools.product(range(PHONES + 1), repeat=ROWS):
                phones = collapsed(np.array(path))
                weight = float(np.exp(scores[np.arange(ROWS), path].sum())) * _likelihood(phones, bigram)
                passed[np.arange(ROWS), path] += weight
                total += weight
                if weight > highest:
                    highest, likeliest = weight, phones
            assert abs(float(found.detach()[clip]) - np.log(total)) < 1e-5
            assert log_probs.grad is not None
            assert np.abs(log_probs.grad[:, clip].numpy() - passed / total).max() < 1e-5
            assert best[clip] == likeliest


def the_shipped_network_made_one_to_train_hears_what_it_heard() -> None:
    """In eval mode, and after its normalisation has been unfolded."""
    golden = load_bundle(BUNDLE).golden
    network = recovered(BUNDLE, [golden.features])
    with torch.no_grad():
        rows = network(torch.from_numpy(golden.features[None, : len(golden.features) // 4 * 4]))
    heard = rows[0, network.settings.look_ahead :].softmax(1).numpy()
    assert np.abs(heard - np.exp(golden.log_probs[: len(heard)])).mean() < 0.005


if __name__ == "__main__":
    for check in (
        the_sum_over_all_phones_and_the_best_of_them_are_those_of_an_enumeration,
        the_shipped_network_made_one_to_train_hears_what_it_heard,
    ):
        check()
        print(f"{check.__name__.replace('_', ' ')}: ok")
