"""The sums that the network is trained by, against every path written out; the shipped network, made one to train, or
grown; how it is rounded.

Run by tests/model/run, in an empty work folder. Needs no recordings.
"""

from __future__ import annotations

import itertools
from copy import deepcopy

import numpy as np
import torch
from sayso_model.discriminative import PhoneBigram, best_phones, denominator
from sayso_model.growth import grow
from sayso_model.network import STEP, Network, NetworkSettings
from sayso_model.optimiser import Optimiser
from sayso_model.places import BUNDLE
from sayso_model.recovery import recovered
from sayso_model.rounding import rounded_kernel
from sayso_model.run import disagreement
from sayso_model.scoring import collapsed

from sayso.recognition.bundle import load_bundle

PHONES, ROWS, CLIPS = 3, 5, 2
CPU = torch.device("cpu")


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


def a_network_grown_wider_and_deeper_hears_the_same_later() -> None:
    """By as many rows as its new blocks look ahead."""
    torch.manual_seed(1)
    small = Network(NetworkSettings(width=24, front=16, delays=(2, 0))).eval()
    large = Network(NetworkSettings(width=40, front=24, delays=(2, 0, 3, 0), dropout=0.2))
    grow(small, large)
    frames = torch.randn(2, 160, 40)
    with torch.no_grad():
        wanted, found = small(frames), large.eval()(frames)
    assert float((found[:, 3:] - wanted[:, :-3]).abs().max()) < 1e-4


def a_network_made_to_look_further_ahead_hears_nearly_the_same() -> None:
    """Where its kernels' oldest taps were nothing, the very same, later."""
    torch.manual_seed(1)
    small = Network(NetworkSettings(width=24, front=16, delays=(2, 0))).eval()
    for convolution in (small.blocks[1].first, small.blocks[1].second):
        convolution.kernel.data.view(24, 5, 24)[:, :2].zero_()
    large = Network(NetworkSettings(width=24, front=16, delays=(2, 3)))
    grow(small, large)
    frames = torch.randn(2, 160, 40)
    with torch.no_grad():
        wanted, found = small(frames), large.eval()(frames)
    assert float((found[:, 13:] - wanted[:, 10:-3]).abs().max()) < 1e-4


def a_network_that_computes_as_int8_learns_on_a_cpu() -> None:
    """In the same mixed precision as any other, and its rows lie on int8's steps."""
    torch.manual_seed(1)
    network = Network(NetworkSettings(width=24, front=16, delays=(2, 0)))
    network(torch.randn(4, 160, 40))  # gives the normalisation its statistics
    network.quantise()
    heard: list[torch.Tensor] = []
    network.blocks[-1].register_forward_hook(lambda _module, _inputs, rows: heard.append(rows))
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.randn(2, 160, 40))
    logits.float().log_softmax(2)[:, :, 1].sum().backward()
    steps = heard[0].detach().float() / STEP
    assert float((steps - steps.round()).abs().max()) < 1e-3
    for name, value in network.named_parameters():
        assert value.grad is not None, name
        assert torch.isfinite(value.grad).all(), name
    assert network.front[0].kernel.grad.abs().sum() > 0


def a_training_that_was_cut_short_goes_on_as_if_it_had_not_been() -> None:
    """With the momentum of both optimisers, which move every weight."""
    torch.manual_seed(1)
    first, beside = Network(NetworkSettings(width=24, front=16, delays=(2, 0))), torch.nn.Linear(24, 3)
    frames = torch.randn(4, 160, 40)

    def learn(network: Network, beside: torch.nn.Linear, optimiser: Optimiser) -> None:
        optimiser.forget_gradients()
        heard = network.body(frames)
        (network.head(heard).log_softmax(2)[:, :, 1].mean() + beside(heard).square().mean()).backward()
        optimiser.step(1e-3)

    whole = Optimiser(first, beside.parameters(), 1e-3)
    before = [weights.detach().clone() for weights in first.parameters()]
    learn(first, beside, whole)
    for name, (old, new) in zip(dict(first.named_parameters()), zip(before, first.parameters())):
        assert bool((old != new).any()), name
    second, aside = deepcopy(first), deepcopy(beside)
    resumed = Optimiser(second, aside.parameters(), 1e-3)
    resumed.restore(deepcopy(whole.state()))
    learn(first, beside, whole)
    learn(second, aside, resumed)
    for one, other in zip(first.state_dict().values(), second.state_dict().values()):
        assert torch.equal(one, other)


def gradients_that_are_no_numbers_move_nothing() -> None:
    """But for what AdamW and Muon still have in mind, of which there is nothing yet."""
    torch.manual_seed(1)
    network = Network(NetworkSettings(width=24, front=16, delays=(2, 0)))
    optimiser = Optimiser(network, (), 1e-3)
    before = [weights.detach().clone() for weights in network.parameters()]
    (network(torch.randn(2, 160, 40)).sum() * torch.inf).backward()
    optimiser.spare(torch.tensor(False))
    optimiser.step(1e-3)
    for old, new in zip(before, network.parameters()):
        assert float((old - new.detach()).abs().max()) <= 1e-4 * float(old.abs().max())  # weight decay


def of_two_scenes_the_one_nearer_to_the_truth_teaches_the_other() -> None:
    """Scene 0 learns nothing of scene 1, which learns of it; where both say the same, there is nothing to learn."""
    torch.manual_seed(5)
    logits = torch.randn(ROWS, 4, PHONES + 1)
    logits[:, 3] = logits[:, 2]
    log_probs = logits.log_softmax(2).requires_grad_()
    found = disagreement(log_probs, torch.tensor([1.0, 2.0, 5.0, 5.0]))
    found.backward()
    gradient, probs = log_probs.grad, log_probs.detach().exp()
    assert gradient is not None
    assert not gradient[:, 0].any()
    assert torch.equal(gradient[:, 1], -probs[:, 0])
    away = probs[:, 0] * (log_probs.detach()[:, 0] - log_probs.detach()[:, 1])
    assert abs(float(found.detach() - away.sum())) < 1e-5


def a_rounded_kernel_keeps_its_steps_and_what_it_hears() -> None:
    """Of sound whose inputs go together, an output is less far away than where each weight is rounded by itself."""
    torch.manual_seed(3)
    sound = torch.randn(4000, 12) @ torch.randn(12, 60) + 0.1 * torch.randn(4000, 60)
    kernel = torch.randn(8, 60).double()
    found = rounded_kernel(kernel, (sound.t() @ sound).double())
    step = kernel.abs().amax(1, keepdim=True) / 127
    assert ((found / step).round() - found / step).abs().max() < 1e-9
    assert (found.abs().amax(1, keepdim=True) / 127 - step).abs().max() < 1e-12  # the converter finds the same steps
    alone = (kernel / step).round() * step
    away, away_alone = (float(((one - kernel) @ sound.t().double()).norm()) for one in (found, alone))
    assert away < 0.4 * away_alone, away / away_alone


if __name__ == "__main__":
    for check in (
        the_sum_over_all_phones_and_the_best_of_them_are_those_of_an_enumeration,
        the_shipped_network_made_one_to_train_hears_what_it_heard,
        a_network_grown_wider_and_deeper_hears_the_same_later,
        a_network_made_to_look_further_ahead_hears_nearly_the_same,
        a_network_that_computes_as_int8_learns_on_a_cpu,
        a_training_that_was_cut_short_goes_on_as_if_it_had_not_been,
        gradients_that_are_no_numbers_move_nothing,
        of_two_scenes_the_one_nearer_to_the_truth_teaches_the_other,
        a_rounded_kernel_keeps_its_steps_and_what_it_hears,
    ):
        check()
        print(f"{check.__name__.replace('_', ' ')}: ok")
