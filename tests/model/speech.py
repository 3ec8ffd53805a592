"""What a GPU hears of a scene, and which scenes it makes; what a teacher makes of them; rooms, a synthesiser.

Run by tests/model/run, in an empty work folder. Needs no recordings but those of the tests.
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import onnxruntime
import soundfile
import soxr
import torch
from sayso_model import accents, kokoro, rows, shards
from sayso_model.alignment import Spoken, phrases
from sayso_model.augmentation import Chances
from sayso_model.gpu.corpus import Corpus, faster
from sayso_model.gpu.features import LogMels, Mfccs
from sayso_model.gpu.scenes import Stage
from sayso_model.gpu.taught import Taught
from sayso_model.loader import LATENESS, ROW, TAIL, TAUGHT, WARPS, Emphasis, Said, Source, taught_of
from sayso_model.parcel import places
from sayso_model.phones import INDEX
from sayso_model.places import BUNDLE, REPOSITORY, SHARDS
from sayso_model.recovery import recovered, take_features
from sayso_model.retention import retain
from sayso_model.rooms import LONGEST, response
from sayso_model.run import apart
from sayso_model.scoring import collapsed, distance
from sayso_model.splicing import SHORTER, splice
from sayso_model.weights import posteriors
from sayso_model.whisper import Encoder, model, weights

from sayso.assembly import load_model
from sayso.config import read_config
from sayso.recognition.bundle import load_bundle
from sayso.recognition.features import LogMel, LogMelSettings, Mfcc, MfccSettings

UNDISTURBED = Chances(noise=0.0, room=0.0, band=0.0, codec=0.0, clip=0.0, event=0.0)
CPU = torch.device("cpu")


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


def two_scenes_of_a_clip_hold_the_same_words_at_the_same_moments() -> None:
    """On a CPU and on a GPU; the rest is each scene's own, its loudness for one."""
    _corpus_of_one_tone()
    settings, twice = LogMelSettings(mean=(-5.0,) * 40, scale=(4.0,) * 40), Emphasis(chances=UNDISTURBED, views=2)
    random = np.random.default_rng(4)
    stage = Stage(Corpus(CPU, 2, random), _power, CPU, random)
    stage.see(replace(twice, longest=3.2))
    batches, made = iter(Source(5, settings, replace(twice, masks=0.0))), stage(100.0)
    for _ in range(3):
        batch, scenes = next(batches), next(made)
        power = np.exp(batch.frames.astype(np.float32).max(2))
        for lengths, loud in ((batch.lengths, power), (scenes.lengths.numpy(), scenes.frames[:, :, 0].numpy())):
            assert (lengths[::2] == lengths[1::2]).all()
            heard = loud > 0.1 * loud.max(1, keepdims=True)
            same = (heard[::2] == heard[1::2]).mean(1)[lengths[::2] > 0]
            assert np.median(same) > 0.97, same
        assert (scenes.frames[::2] != scenes.frames[1::2]).any()


def a_network_agrees_with_what_is_retained_of_it_where_all_is_clean() -> None:
    """Of recordings, wherever in a scene they begin; not of other moments."""
    take_features(BUNDLE)
    speech = REPOSITORY / "tests" / "data" / "speech"
    sounds = [soundfile.read(file, dtype="int16")[0] for file in sorted(speech.glob("*.opus"))[:24]]
    shards.write(SHARDS, "train-an4", [(sound, "x", "one", str(n), "a") for n, sound in enumerate(sounds)])
    network = recovered(BUNDLE, [load_bundle(BUNDLE).golden.features])
    run = SHARDS / "run.pt"
    torch.save({"settings": network.settings.as_dict(), "average": network.state_dict()}, run)
    retain(run)
    told = torch.nn.Linear(network.settings.width, TAUGHT)
    told.load_state_dict(torch.load(run, weights_only=False)["told"])
    courses, stream = rows.Courses("train-an4", "taught", TAUGHT), LogMel(load_bundle(BUNDLE).features)
    same, later = [], []
    for clip, sound in zip(shards.read(SHARDS, "train-an4"), sounds):
        lead, after = 5000, round(TAIL * 16_000)
        stream.reset()
        frames = stream.feed(np.pad(sound, (lead, after)))
        with torch.no_grad():
            found = told(network.body(torch.from_numpy(frames[None, : len(frames) // 4 * 4])))
        found = found[:, network.settings.look_ahead :]
        said = Said(sound / np.float32(32_768.0), (), courses(clip))
        taught = torch.from_numpy(taught_of(said, lead, found.shape[1]))[None].float()
        same.append(float(apart(found, taught).detach()))
        later.append(float(apart(found[:, 2:], taught[:, :-2]).detach()))
    assert np.mean(same) < 0.2 < 1.0 < np.mean(later), (np.mean(same), np.mean(later))
    for file in (*SHARDS.glob("train-an4.*"), run):
        file.unlink()


def a_phrase_begins_where_its_first_word_does() -> None:
    """Where one word follows another at once, the last phone of the one before comes out later than that."""
    random = np.random.default_rng(6)
    sound = (random.standard_normal(40 * ROW) * 3000).astype(np.int16)
    sound[12 * ROW : 18 * ROW] = 0  # a pause before the last word
    spoken = [Spoken((1, 2, 3), 2, 5), Spoken((4, 5, 6), 6, 9), Spoken((7, 8, 9), 20, 23)]
    begun = set()
    for seed in range(20):
        for start, its, text, _ in phrases(sound, ["one", "two", "three"], spoken, np.random.default_rng(seed)):
            assert np.abs(its[100:-100].astype(int) - sound[start + 100 : start + len(its) - 100]).max() == 0
            begun.add((text.split()[0], start))
    assert any(word == "two" for word, _ in begun)
    assert any(word == "three" for word, _ in begun)
    for word, start in begun:
        if word == "two":
            assert abs(start - 4.25 * ROW) <= 160
        if word == "three":
            assert 12 * ROW <= start <= 18.25 * ROW


def a_sentence_of_phrases_has_their_phones_and_what_a_teacher_makes_of_them() -> None:
    """One behind another, in another order than they were said in."""
    _corpus_of_one_tone()
    splice("train-phrases-an4")
    name = shards.spliced_of("train-phrases-an4")
    said, courses, samples = shards.phones(SHARDS, name), rows.Courses(name, "taught", TAUGHT), shards.Samples(SHARDS)
    clips = list(shards.read(SHARDS, name))
    assert said is not None
    assert sum(map(len, said.values())) > 70  # 40 phrases, twice, but for those left over
    for clip in clips:
        course, count = courses(clip), clip.length // rows.ROW
        assert course is not None
        assert clip.length >= (8080 - SHORTER) * len(said[clip.key])
        told = course.at(np.arange(count) * float(rows.ROW))[:, 0]
        loud = np.abs(np.asarray(samples(clip), np.int32)[: count * rows.ROW]).reshape(count, -1).max(1) > 4000
        sure = ~np.isnan(told)
        assert np.mean(loud[sure] == (told[sure] > 0.5)) > 0.9
    for file in SHARDS.glob(f"{name}.*"):
        file.unlink()


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
        features_of_a_batch_are_those_of_a_stream,
        a_room_rings_as_long_as_its_rt60_says,
        a_clip_is_played_faster_as_a_resampler_does,
        scenes_hold_what_was_said_where_it_is_said,
        whispers_encoder_hears_in_torch_what_its_file_says,
        what_a_teacher_makes_of_a_clip_lies_where_the_clip_is_heard,
        two_scenes_of_a_clip_hold_the_same_words_at_the_same_moments,
        a_network_agrees_with_what_is_retained_of_it_where_all_is_clean,
        a_phrase_begins_where_its_first_word_does,
        a_sentence_of_phrases_has_their_phones_and_what_a_teacher_makes_of_them,
        kokoro_says_the_phones_it_is_asked_for,
        an_accent_says_what_the_dictionary_spells_otherwise,
    ):
        check()
        print(f"{check.__name__.replace('_', ' ')}: ok")
