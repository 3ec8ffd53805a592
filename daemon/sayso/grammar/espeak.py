"""espeak-ng's guess at the pronunciation of a word.

Rule of this file: the only one that runs espeak-ng, and the only one that knows IPA.
"""

from __future__ import annotations

import re
import subprocess
from typing import Sequence

from sayso.errors import GrammarError

_TIMEOUT = 20.0

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
"""What espeak-ng writes for American English, and the nearest ARPAbet phones (CMUdict's set)."""

_LONGEST = max(map(len, _IPA))


def guess(words: Sequence[str], voice: str = "en-us") -> list[tuple[str, ...]]:
    """Given words, return for each the ARPAbet phones that espeak-ng's rules give it.

    Raise GrammarError where espeak-ng is not installed or fails.
    """
    if not words:
        return []
    said = _speak("\n\n".join(words), voice)
    if len(said) != len(words):
        # espeak-ng joined or split lines: ask for one at a time.
        said = [" ".join(_speak(word, voice)) for word in words]
    return [arpabet(line) for line in said]


def arpabet(ipa: str) -> tuple[str, ...]:
    """Given espeak-ng's IPA of one word, return phones; marks that are no sound of English are passed over."""
    ipa = re.sub(r"\([a-z-]+\)|[ˈˌ\u200d_'\u0329\u0303]", "", ipa)
    phones: list[str] = []
    place = 0
    while place < len(ipa):
        for length in range(min(_LONGEST, len(ipa) - place), 0, -1):
            found = _IPA.get(ipa[place : place + length])
            if found:
                phones += found.split()
                place += length
                break
        else:
            place += 1
    return tuple(phones)


def _speak(text: str, voice: str) -> list[str]:
    remedy = "install espeak-ng, or write the word under `pronunciations:`"
    first = text.split("\n", 1)[0]
    try:
        done = subprocess.run(
            ["espeak-ng", "-q", "--ipa", "-v", voice],
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        raise GrammarError(f'"{first}" is in no dictionary and espeak-ng is not installed', remedy=remedy) from None
    except subprocess.TimeoutExpired:
        raise GrammarError(f'espeak-ng did not answer for "{first}"', remedy=remedy) from None
    if done.returncode != 0:
        reason = " ".join(done.stderr.split()) or f"status {done.returncode}"
        raise GrammarError(f'espeak-ng failed for "{first}": {reason}', remedy=remedy)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
