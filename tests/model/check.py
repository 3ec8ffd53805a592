"""The sums that the network is trained by, against every path written out; the shipped network, made one to train, or
grown; what a GPU hears of a scene, and which scenes it makes; a synthesiser.

Run by tests/model/run, in an empty work folder. Needs no recordings.
"""

from __future__ import annotations

import itertools
import random
from copy import deepcopy
from dataclasses import replace

import numpy as np
import onnxruntime
import soundfile
import soxr
import torch
from sayso_model import accents, kokoro, rows, shards
from sayso_model.augmentation import Chances
from sayso_model.discriminative import PhoneBigram, best_phones, denominator
from sayso_model.gpu.corpus import Corpus, faster
from sayso_model.gpu.features import LogMels, Mfccs
from sayso_model.gpu.scenes import Stage
from sayso_model.gpu.taught import Taught
from sayso_model.growth import grow
from sayso_model.loader import LATENESS, TAUGHT, WARPS, Emphasis, Source
from sayso_model.network import STEP, Network, NetworkSettings
from sayso_model.optimiser import Optimiser
from sayso_model.parcel import places
from sayso_model.phones import INDEX
from sayso_model.places import BUNDLE, REPOSITORY, SHARDS
from sayso_model.recovery import recovered
from sayso_model.rooms import LONGEST, response
from sayso_model.rounding import rounded_kernel
from sayso_model.scoring import collapsed, distance
from sayso_model.weights import posteriors
from sayso_model.whisper import Encoder, model, weights

from sayso.assembly import load_model
from sayso.config import read_config
from sayso.recognition.bundle import load_bundle
from sayso.recognition.features import LogMel, LogMelSettings, Mfcc, MfccSettings

PHONES, ROWS, CLIPS = 3, 5, 2
UNDISTURBED = Chances(noise=0.0, room=0.0, band=0.0, codec=0.0, clip=0.0, event=0.0)
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


def features_of_a_batch_are_those_of_a_stream() -> None:
    """Log-mel with warped vocal tracts, and MFCC; digital silence in the middle."""
    random = np.random.default_rng(2)
    sound = (random.standard_normal((3, 16_000)) * 3000).astype(np.int16)
    sound[0, 4000:8000] = 0
    settings = LogMelSettings(mean=(-5.0,) * 40, scale=(4.0,) * 40)
    bins = np.linspace(0.0, 8000.0, 257)
    batch, warps = torch.from_numpy(sound.astype(np.float32)), [0, len(WARPS) // 2, len(WARPS) - 1]
    found = LogMels(settings, WARPS, CPU)(batch, torch.tensor(warps)).numpy()
    coefficients = Mfccs(MfccSettings(), CPU)(batch, torch.tensor(warps)).numpy()
    for number, warp in enumerate(warps):
        assert np.abs(found[number] - LogMel(settings, bins * WARPS[warp]).feed(sound[number])).max() < 1e-3
    assert np.abs(coefficients[1] - Mfcc(MfccSettings()).feed(sound[1])).max() < 1e-3


def a_room_rings_as_long_as_its_rt60_says() -> None:
    """Measured from 5 to 25 dB below the whole; high sounds, which end sooner, shorten it a little."""
    for rt60 in (0.3, 0.5, 0.8):
        random = np.random.default_rng(6)
        echo = response(random, (5.5, 4.2, 2.6), rt60, (4.0, 2.1, 1.5), (1.0, 2.0, 1.0)).astype(np.float64)
        left = 10 * np.log10(np.cumsum((echo**2)[::-1])[::-1] + 1e-12)
        first, last = int(np.argmax(left < left[0] - 5)), int(np.argmax(left < left[0] - 25))
        found = 3 * (last - first) / 16_000
        assert 0.65 * rt60 < found < 1.1 * rt60, (rt60, found)


def a_clip_is_played_faster_as_a_resampler_does() -> None:
    """25 dB or more between the sound and the difference, for noise below 6 kHz."""
    noise = np.random.default_rng(3).standard_normal(32_000)
    sound = soxr.resample(soxr.resample(noise, 16_000, 12_000), 12_000, 16_000)
    sound = np.rint(sound / np.abs(sound).max() * 20_000).astype(np.int16)
    for factor in (0.88, 1.14):
        out = torch.empty(int(len(sound) / factor), dtype=torch.int16)
        faster(torch.from_numpy(sound), factor, out)
        wanted = soxr.resample(sound.astype(np.float64), 16_000 * factor, 16_000)
        length = min(len(out), len(wanted)) - 200
        apart = out.numpy()[200:length] - wanted[200:length]
        assert np.mean(apart**2) < 10**-2.5 * np.mean(wanted[200:length] ** 2)


def _power(sound: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """Given scenes, return each frame's power as the only feature."""
    return sound.unfold(1, 400, 160).square().mean(2, keepdim=True)


def _corpus_of_one_tone() -> None:
    """Write 40 clips of a tone that goes on and off, each once more as a phrase, and what else a corpus has."""
    tone = (8000 * np.sin(np.arange(16_000) * 0.3)).astype(np.int16)
    quiet = np.zeros(4000, np.int16)
    clips = [(np.concatenate((quiet, tone, quiet)), "x", "one", str(number), "a") for number in range(40)]
    shards.write(SHARDS, "train-an4", clips)
    (SHARDS / "train-an4.phones").write_text("".join(f"{number}\tEY\n" for number in range(40)))
    cuts = [(np.asarray(clip[0])[3920:12_000], "x", "one", shards.cut(clip[3], 3920), "a") for clip in clips]
    shards.write(SHARDS, "train-phrases-an4", cuts)
    (SHARDS / "train-phrases-an4.phones").write_text("".join(f"{key}\tEY\n" for _, _, _, key, _ in cuts))
    assert (places("train-phrases-an4", "train-an4") == 24_000 * np.arange(40) + 3920).all()
    shards.write(SHARDS, "noise-x", [(tone, "x", "", "0", "")])
    shards.write(SHARDS, "noise-rir-reverbjs", [(np.eye(1, 400, 20, dtype=np.int16)[0] * 20_000, "x", "", "0", "")])
    np.savez(SHARDS / "rooms.npz", r0=np.eye(1, LONGEST, 8, dtype=np.float32)[0])
    at = np.arange(24_000 // rows.ROW) * rows.ROW
    heard = np.tile(((at >= 4000) & (at < 20_000)).astype(np.float16), 40)
    rows.path("train-an4", "taught").write_bytes(np.repeat(heard, TAUGHT).tobytes())


def scenes_hold_what_was_said_where_it_is_said() -> None:
    """Without noise, the tone is in the scene whole, and else nothing; what a teacher makes of it lies there."""
    _corpus_of_one_tone()
    random = np.random.default_rng(4)
    corpus = Corpus(CPU, 2, random)
    stage = Stage(corpus, _power, CPU, random, Taught(corpus.clips, CPU))
    stage.see(Emphasis(longest=3.2, chances=UNDISTURBED))
    made = stage(100.0)
    right = known = tones = 0
    for _ in range(4):
        scenes = next(made)
        assert scenes.frames.shape[1] % 4 == 0
        assert scenes.taught is not None
        for length, power, taught in zip(scenes.lengths.tolist(), scenes.frames[:, :, 0], scenes.taught):
            loud = power > 0.1 * power.max()
            assert not length or 35 < int(loud.sum()) < 120
            told = taught[LATENESS:, 0]
            heard = loud.unflatten(0, (-1, 4)).float().mean(1)[: len(told)] > 0.5
            sure = ~told.isnan()
            right += int((heard == (told > 0.5))[sure].sum())
            known += int(sure.sum())
            tones += int((told[sure] > 0.5).sum())
    assert 0.5 < tones / known < 0.95
    assert right / known > 0.93, right / known


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


def whispers_encoder_hears_in_torch_what_its_file_says() -> None:
    """Of a recording and silence up to the 30 s that the file wants; its activations are int8, too."""
    voice, _ = soundfile.read(BUNDLE.parents[3] / "tests" / "data" / "speech" / "cancel_timer.opus", dtype="float32")
    sound = torch.from_numpy(np.pad(voice, (0, 30 * 16_000 - len(voice))))[None]
    encoder = Encoder(weights(), CPU)
    session = onnxruntime.InferenceSession(model())
    [wanted] = session.run(["last_hidden_state"], {"input_features": encoder.log_mels(sound).numpy()})
    said = slice(0, len(voice) // rows.ROW)
    found, wanted = encoder.encode(sound)[0, said].numpy(), wanted[0, said]
    assert np.linalg.norm(found - wanted) < 0.2 * np.linalg.norm(wanted)


def what_a_teacher_makes_of_a_clip_lies_where_the_clip_is_heard() -> None:
    """Of clips and of phrases cut from them, at any speed: the rows say that there is a tone where there is one."""
    _corpus_of_one_tone()
    settings = LogMelSettings(mean=(-5.0,) * 40, scale=(4.0,) * 40)
    batches = iter(Source(5, settings, Emphasis(chances=replace(UNDISTURBED, speed=0.8), masks=0.0)))
    right = known = tones = 0
    for _ in range(4):
        batch = next(batches)
        assert batch.taught is not None
        loud = batch.frames.astype(np.float32).max(2)
        loud = loud.reshape(len(loud), -1, 4).mean(2)
        for its, taught in zip(loud, batch.taught[:, LATENESS:, 0].astype(np.float32)):
            its = its[: len(taught)]
            sure = ~np.isnan(taught)
            right += int(((its > (its.max() + its.min()) / 2)[sure] == (taught > 0.5)[sure]).sum())
            known += int(sure.sum())
            tones += int((taught[sure] > 0.5).sum())
    assert 0.5 < tones / known < 0.95
    assert right / known > 0.93, right / known


def kokoro_says_the_phones_it_is_asked_for() -> None:
    """Mixed speakers, drawn by chance: the shipped network hears most of what they were asked to say."""
    voice, choose = kokoro.Kokoro(), random.Random(4)  # noqa: S311
    shipped = load_model(read_config(REPOSITORY / "config" / "sayso.toml"))
    errors = total = 0
    texts = ("pause", "turn on the oven", "forty five percent", "open the garage door now", "what time is it")
    together = list(kokoro.sayable(texts * 3))
    assert together[0] == ["pause", "turn on the oven"]
    for some in together:
        said = [kokoro.pronounced(text, choose) for text in some]
        phones = [INDEX[phone.rstrip("012")] for text in said for way in text for phone in way]
        spoken = [accents.GENERAL.spoken(text, ways) for text, ways in zip(some, said)]
        sound, _ = voice.say(kokoro.punctuated(spoken, choose), choose)
        slower = np.pad(soxr.resample(sound, kokoro.RATE, 16_000), (3_200, 9_000))
        heard = posteriors(shipped, (slower.clip(-1, 1) * 32_767).astype(np.int16))
        errors += distance(collapsed(heard.log_probs.argmax(1)), phones)
        total += len(phones)
    assert errors < 0.35 * total, errors / total


def an_accent_says_what_the_dictionary_spells_otherwise() -> None:
    """A Briton says an R before vowels alone; whatever accent is drawn, Kokoro has a number for all of its signs."""
    british = accents.Accent("british", ("b",), accents.British())
    for text, spelt, american, southern in (
        ("the car is far", "DH AH0|K AA1 R|IH0 Z|F AA1 R", "ðə kˈɑɹ ɪz fˈɑɹ", "ðə kˈɑːɹ ɪz fˈɑː"),
        (
            "stop after half past",
            "S T AA1 P|AE1 F T ER0|HH AE1 F|P AE1 S T",
            "stˈɑp ˈæftəɹ hˈæf pˈæst",
            "stˈɒp ˈɑːftə hˈɑːf pˈɑːst",
        ),
        ("hurry the new road", "HH ER1 IY0|DH AH0|N UW1|R OW1 D", "hˈɜɹi ðə nˈu ɹˈOd", "hˈʌɹi ðə njˈuː ɹˈQd"),
    ):
        said = [tuple(word.split()) for word in spelt.split("|")]
        assert accents.GENERAL.spoken(text, said) == american
        assert british.spoken(text, said) == southern
    choose = random.Random(5)  # noqa: S311
    for text in ("measure the joy of hearing poor chefs", "which thing would they value on the huge boat"):
        for _ in range(200):
            kokoro.punctuated([accents.drawn(choose).spoken(text, kokoro.pronounced(text, choose))], choose)


if __name__ == "__main__":
    for check in (
        a_network_grown_wider_and_deeper_hears_the_same_later,
        a_network_that_computes_as_int8_learns_on_a_cpu,
        a_training_that_was_cut_short_goes_on_as_if_it_had_not_been,
        features_of_a_batch_are_those_of_a_stream,
        a_clip_is_played_faster_as_a_resampler_does,
        a_room_rings_as_long_as_its_rt60_says,
        scenes_hold_what_was_said_where_it_is_said,
        a_rounded_kernel_keeps_its_steps_and_what_it_hears,
        kokoro_says_the_phones_it_is_asked_for,
        an_accent_says_what_the_dictionary_spells_otherwise,
        whispers_encoder_hears_in_torch_what_its_file_says,
        gradients_that_are_no_numbers_move_nothing,
        what_a_teacher_makes_of_a_clip_lies_where_the_clip_is_heard,
        a_network_made_to_look_further_ahead_hears_nearly_the_same,
        the_sum_over_all_phones_and_the_best_of_them_are_those_of_an_enumeration,
        the_shipped_network_made_one_to_train_hears_what_it_heard,
    ):
        check()
        print(f"{check.__name__.replace('_', ' ')}: ok")
