"""What CMUdict spells -> IPA, as people from elsewhere say it: for a synthesiser that is asked for phones.

Rule of this file: pure. The dictionary is American, and a clip's label says what the dictionary does; so what changes
is the sound alone. Southern and northern British, after the lexical sets of Wells (Accents of English, 1982); Indian,
after the same; and, of no country in particular, what learners make of phones that their own language hasn't.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sayso_model.phones import VOWELS

Stressed = tuple[str, ...]
"""Phones of CMUdict, vowels with their stress: AH0."""

CONSONANTS = {
    "B": "b", "CH": "ʧ", "D": "d", "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "ʤ", "K": "k", "L": "l", "M": "m",
    "N": "n", "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "V": "v", "W": "w", "Y": "j",
    "Z": "z", "ZH": "ʒ",
}  # fmt: skip
AMERICAN = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "EH": "ɛ", "ER": "ɜɹ", "EY": "A", "IH": "ɪ",
    "IY": "i", "OW": "O", "OY": "Y", "UH": "ʊ", "UW": "u", "AH0": "ə", "ER0": "əɹ",
}  # fmt: skip
"""Vowels; diphthongs are one letter, as in Kokoro's alphabet (A, I, O, Q, W, Y: day, my, go, British go, how, boy)."""
BRITISH = AMERICAN | {
    "AA": "ɑː", "AE": "a", "AO": "ɔː", "ER": "ɜː", "IY": "iː", "IY0": "i", "OW": "Q", "UW": "uː", "ER0": "ə"
}  # fmt: skip
BEFORE_R = {
    "AA": "ɑː", "AO": "ɔː", "AE": "a", "EH": "ɛː", "IH": "ɪə", "IY": "ɪə", "UH": "ʊə", "UW": "ʊə", "OW": "ɔː",
    "AY": "Iə", "AW": "Wə", "AH": "ə",
}  # fmt: skip
"""What a British vowel and the R behind it are together; the R itself is said only before a vowel."""

BATH = re.compile(
    r"(after|answer|ask|aunt|basket|bath|blast|branch|brass|calf|cast|castle|chance|chant|class|command|craft|dance|demand|draft"
    r"|example|fast|france|giraffe|glance|glass|graph|grant|grass|half|last|laugh|mask|master|nasty|pass|past|path|plant|raft"
    r"|rather|sample|shaft|slant|staff|task|vast)(s|es|ed|er|ers|ing|room|noon|ward|wards|man|port|word)?"
)
"""Words whose AE is long in the south of England."""
CLOTH = re.compile(r"o(?!u|a|o|r|w)")
"""In a spelling: AO is short, as in dog, off, coffee; else it is that of law, all, caught."""
LOT = re.compile(r"o|wa|qua")
"""In a spelling: AA is short and round, as in stop or want; else it is that of father."""
ROUND = frozenset(("what", "was", "of", "from", "because"))
"""Words whose AH is that of stop when it is stressed."""
YOD = re.compile(r"[tdn](u|ew|eu)")
"""In a spelling: UW behind T, D or N begins with a Y, as in tune or new."""


@dataclass(frozen=True)
class Accent:
    """How somebody speaks."""

    name: str
    manners: tuple[str, ...]
    """How the names of Kokoro's voices begin whose manner goes with it."""
    word: Callable[[str, Stressed, bool], str]
    """Given a word, its phones and whether a vowel follows it, return it in IPA."""

    def spoken(self, text: str, said: Sequence[Stressed]) -> str:
        """Given a text and each word's phones, return it in IPA."""
        follows = [way[0].rstrip("012") in VOWELS for way in said[1:]] + [False]
        return " ".join(self.word(*one) for one in zip(text.split(), said, follows, strict=True))


def _parts(phone: str) -> tuple[str, str, str]:
    """Given a phone, return it without stress, the sign of its stress, and what its vowel is looked up as."""
    name = phone.rstrip("012")
    return name, {"1": "ˈ", "2": "ˌ"}.get(phone[-1], ""), f"{name}0" if phone[-1] == "0" else name


def _american(_word: str, way: Stressed, _follows: bool) -> str:
    found = ""
    for phone in way:
        name, stress, key = _parts(phone)
        found += stress + (CONSONANTS.get(name) or AMERICAN.get(key) or AMERICAN[name])
    return found


@dataclass(frozen=True)
class British:
    """The south of England, or the north: no long AE in bath, cup as in put. Rhotic: says each R."""

    north: bool = False
    rhotic: bool = False
    instead: dict[str, str] = field(default_factory=dict)
    """Signs said instead of others, of one letter each."""

    def __call__(self, word: str, way: Stressed, follows: bool) -> str:
        found, place = "", 0
        while place < len(way):
            name, stress, key = _parts(way[place])
            rest = [phone.rstrip("012") for phone in way[place + 1 :]]
            if name == "ER":
                found += stress + self._er(word, stress, rest, follows)
            elif name in BEFORE_R and rest[:1] == ["R"]:
                found += stress + self._before_r(word, name, rest[1:2] != [] and rest[1] in VOWELS)
                found += "ɹ" if self._heard(rest[1:], follows) else ""
                place += 1
            elif name in CONSONANTS:
                yod = name in ("T", "D", "N") and rest[:1] == ["UW"] and YOD.search(word)
                found += CONSONANTS[name] + ("j" if yod else "")
            else:
                found += stress + self._vowel(word, name, key)
            place += 1
        return "".join(self.instead.get(sign, sign) for sign in found)

    def _heard(self, rest: list[str], follows: bool) -> bool:
        """Given the phones behind an R, say whether it is said."""
        return self.rhotic or (rest[0] in VOWELS if rest else follows)

    def _er(self, word: str, stress: str, rest: list[str], follows: bool) -> str:
        r = "ɹ" if self._heard(rest, follows) else ""
        if not stress:
            return "ə" + r
        hurry = rest[:1] and rest[0] in VOWELS and re.search("urr|our|orr", word)
        return ("ʌ" if hurry else "ɜː") + r

    def _before_r(self, word: str, name: str, inside: bool) -> str:
        """Given a vowel and whether the R behind it is between vowels of the word, return the vowel's sound."""
        if inside and name == "EH" and not re.search("air|are|ear|ary|aring", word):
            return "a" if "ar" in word else "ɛ"
        if inside and name == "IH" and "irr" in word:
            return "ɪ"
        if inside and name == "AO" and re.search("orr|ore[nsi]|ori|oran", word):
            return "ɒ"
        if inside and name == "AA" and "o" in word:
            return "ɒ"
        return BEFORE_R[name]

    def _vowel(self, word: str, name: str, key: str) -> str:
        if name == "AE" and not self.north and BATH.fullmatch(word):
            return "ɑː"
        if key == "AH" and word in ROUND:
            return "ɒ"
        if (name == "AA" and LOT.search(word)) or (name == "AO" and CLOTH.search(word)):
            return "ɒ"
        if self.north and key == "AH":
            return "ʊ"
        return BRITISH.get(key) or BRITISH[name]


VOICELESS = {"b": "p", "d": "t", "ɡ": "k", "v": "f", "z": "s", "ʤ": "ʧ"}
"""What becomes of a voiced consonant that loses its voice."""


@dataclass(frozen=True)
class Learner:
    """Puts a sound of another language in the place of some."""

    instead: dict[str, str]
    """Signs said instead of others, of one letter each."""
    voiceless: bool
    """Whether a consonant that ends a word loses its voice, as in German."""

    def __call__(self, word: str, way: Stressed, follows: bool) -> str:
        found = _american(word, way, follows)
        if self.voiceless and found[-1] in VOICELESS:
            found = found[:-1] + VOICELESS[found[-1]]
        return "".join(self.instead.get(sign, sign) for sign in found)


INDIAN = {
    "t": ("ʈ",), "d": ("ɖ", "ɖ", "d"), "θ": ("tʰ", "t"), "ð": ("d",), "v": ("ʋ", "v"), "w": ("ʋ", "w"),
    "A": ("eː", "A"), "Q": ("oː", "O"), "ɹ": ("ɹ", "r", "ɾ"), "a": ("æ", "ɛ", "a"), "ʒ": ("ʒ", "z"), "ʌ": ("ə", "ʌ"),
}  # fmt: skip
"""What an Indian makes of a British sign, one of these wherever it stands."""
LEARNT = {
    "θ": ("θ", "s", "t", "f"), "ð": ("ð", "z", "d"), "ɹ": ("ɹ", "ɹ", "r", "ɾ", "ʁ"), "w": ("w", "w", "v", "ʋ"),
    "v": ("v", "v", "ʋ", "β"), "ɪ": ("ɪ", "i"), "ʊ": ("ʊ", "u"), "æ": ("æ", "ɛ", "a"), "ʌ": ("ʌ", "a", "ɐ"),
    "ə": ("ə", "ə", "a", "ɛ"), "A": ("A", "e", "eː"), "O": ("O", "o", "oː"), "ɑ": ("ɑ", "ɔ", "a"), "h": ("h", "h", "x"),
    "ɜ": ("ɜ", "ɜ", "ɛ", "œ"), "ʒ": ("ʒ", "ʃ"), "ʤ": ("ʤ", "ʤ", "ʒ"),
}  # fmt: skip
"""What a learner makes of an American sign, likewise."""


def _some(ways: dict[str, tuple[str, ...]], choose: random.Random) -> dict[str, str]:
    return {sign: choose.choice(others) for sign, others in ways.items()}


GENERAL = Accent("american", ("a", "b"), _american)


def drawn(choose: random.Random) -> Accent:
    """Return an accent other than American: half of them British, a fifth Indian, the rest learners'."""
    kind = choose.random()
    if kind < 0.5:
        return Accent("british", ("b",), British(north=choose.random() < 0.25))
    if kind < 0.7:
        return Accent("indian", ("h", "b"), British(rhotic=choose.random() < 0.6, instead=_some(INDIAN, choose)))
    return Accent("learner", ("e", "f", "i", "j", "p", "z"), Learner(_some(LEARNT, choose), choose.random() < 0.3))
