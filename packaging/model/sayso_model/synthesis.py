"""Texts -> synthetic speech: `corpus synthesise`.

Rule of this file: each shard is made from its own seed by one engine, with the voice, speed and pitch of
each clip drawn anew. Voices: espeak-ng's (GPL program, output free), flite's and festival's kal, ked
and slt-hts, awb, rms, slt of CMU ARCTIC: all from Debian, all free to use; and those of kokoro.py.
"""

from __future__ import annotations

import io
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sayso_model import accents, kokoro, shards
from sayso_model.decode import samples
from sayso_model.places import SHARDS
from sayso_model.texts import Writer

ACCENTS = ("en-us",) * 5 + (
    "en-us-nyc", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029"
)  # fmt: skip
VARIANTS = """
Alex Alicia Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike Storm adam
anika announcer antonio aunty belinda benjamin boris caleb david ed edward edward2 f1 f2 f3 f4 f5 grandma grandpa
gustave iven iven2 iven3 iven4 john kaukovalta klatt klatt2 klatt3 klatt4 linda m1 m2 m3 m4 m5 m6 m7 m8 marcelo max
michel miguel norbert pablo paul pedro quincy rob robert sandro shelby steph steph2 steph3 travis victor zac
""".split()
FLITE = ("kal16", "awb", "rms", "slt", "slt", "rms")
FESTIVAL = ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts")
CLIPS = 1000
ENGINES = ("espeak", "flite", "festival", "kokoro", "kokoro-accents")

Said = tuple[npt.NDArray[np.int16], str, str, str, str]


def _espeak(text: str, choose: random.Random) -> tuple[npt.NDArray[np.int16], str]:
    voice = f"{choose.choice(ACCENTS)}+{choose.choice(VARIANTS)}"
    speed, pitch = round(choose.uniform(110, 230)), round(choose.uniform(15, 85))
    sound = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", "--", text],
        capture_output=True,
        check=True,
    ).stdout
    # The header's length is that of an endless stream; take what is there.
    pcm = np.frombuffer(sound[44 : 44 + (len(sound) - 44) // 2 * 2], "<i2")
    return samples(_wav(pcm, 22050)), voice


def _wav(pcm: npt.NDArray[np.int16] | npt.NDArray[np.float32], rate: int) -> bytes:
    import soundfile

    target = io.BytesIO()
    soundfile.write(target, pcm, rate, format="WAV", subtype="PCM_16")
    return target.getvalue()


def _flite(text: str, choose: random.Random) -> tuple[npt.NDArray[np.int16], str]:
    voice = choose.choice(FLITE)
    with tempfile.NamedTemporaryFile(suffix=".wav") as target:
        subprocess.run(
            [
                "flite", "-voice", voice, "--setf", f"duration_stretch={choose.uniform(0.75, 1.35):.2f}",
                "--setf", f"int_f0_target_mean={choose.uniform(80, 220):.0f}", "-t", text, target.name,
            ],
            check=True,
        )  # fmt: skip
        return samples(Path(target.name).read_bytes()), f"flite-{voice}"


def _festival(texts: list[str], choose: random.Random) -> Iterator[Said]:
    """Given texts, say all with one process a voice."""
    with tempfile.TemporaryDirectory() as folder:
        script = [f"(voice_{FESTIVAL[0]})"]
        voices = [choose.choice(FESTIVAL) for _ in texts]
        for number, (text, voice) in enumerate(zip(texts, voices)):
            stretch = f"{choose.uniform(0.75, 1.35):.2f}"
            script += [
                f"(voice_{voice})",
                f"(Parameter.set 'Duration_Stretch {stretch})",
                f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{folder}/{number}.wav" \'riff)',
            ]
        subprocess.run(["festival", "--pipe"], input="\n".join(script), text=True, check=True, capture_output=True)
        for number, (text, voice) in enumerate(zip(texts, voices)):
            sound = Path(folder) / f"{number}.wav"
            if sound.exists():
                yield samples(sound.read_bytes()), "synthetic", f"festival-{voice}", str(number), text


def _kokoro(name: str, texts: list[str], choose: random.Random, from_elsewhere: bool) -> Iterator[Said]:
    """Given a shard's name and texts, say those whose words are all known, as Americans or as people from elsewhere do,
    and write the dictionary's phones."""
    voice = kokoro.Kokoro()
    phones: list[tuple[str, list[str]]] = []
    for number, together in enumerate(kokoro.sayable(texts)):
        accent = accents.drawn(choose) if from_elsewhere else accents.GENERAL
        said = [kokoro.pronounced(text, choose) for text in together]
        spoken = [accent.spoken(text, ways) for text, ways in zip(together, said)]
        sound, speaker = voice.say(kokoro.punctuated(spoken, choose), choose, accent)
        phones.append((str(number), [phone.rstrip("012") for text in said for way in text for phone in way]))
        yield (
            samples(_wav(sound, kokoro.RATE)),
            "synthetic",
            f"{speaker}-{accent.name}",
            str(number),
            " ".join(together),
        )
    shards.write_phones(SHARDS, name, phones)


def clips(name: str, engine: str, seed: int, transcripts: list[str]) -> Iterator[Said]:
    """Given a shard's name, an engine and a seed, return its clips."""
    writer, choose = Writer(seed, transcripts), random.Random(seed + 1)
    texts = [writer() for _ in range(CLIPS)]
    if engine in ("kokoro", "kokoro-accents"):
        yield from _kokoro(name, texts, choose, from_elsewhere=engine == "kokoro-accents")
        return
    if engine == "festival":
        for start in range(0, len(texts), 100):
            yield from _festival(texts[start : start + 100], choose)
        return
    for number, text in enumerate(texts):
        sound, voice = (_espeak if engine == "espeak" else _flite)(text, choose)
        if len(sound) > 1600:
            yield sound, "synthetic", voice, str(number), text


def asked(argument: str) -> tuple[str, int]:
    """Given `engine:seed`, return both. Raise ValueError where it isn't that."""
    engine, _, seed = argument.partition(":")
    if engine not in ENGINES or not seed.isdecimal():
        raise ValueError(f"{argument!r} is no shard to synthesise; say ENGINE:SEED, with one of {', '.join(ENGINES)}")
    return engine, int(seed)


def main(arguments: list[str]) -> None:
    """Given shards to make as `engine:seed`, make those that are missing."""
    try:
        wanted = [asked(argument) for argument in arguments]
    except ValueError as error:
        sys.exit(f"synthesis: {error}")
    transcripts = [
        clip.text
        for name in shards.names(SHARDS, "train-")
        if ("librispeech" in name or "commonvoice" in name) and not shards.are_of_others(name)
        for clip in shards.read(SHARDS, name)
    ]
    for engine, seed in wanted:
        name = f"synthetic-{engine}-{seed}"
        if not shards.present(SHARDS, name):
            print(name, shards.write(SHARDS, name, clips(name, engine, seed, transcripts)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
