"""Log-probabilities of letters -> text, by an n-gram language model: the road without a grammar, on every machine.

Rule of this file: pure. CTC prefix beam search with a language model at word boundaries (Hannun et al., "First-pass
large vocabulary continuous speech recognition using bi-directional recurrent DNNs", 2014): a text's score is its
log-probability by sound, plus alpha times that of its words, plus beta a word. Only words of the vocabulary come out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterable, List, Mapping, Sequence, Set

import numpy as np
import numpy.typing as npt

LanguageModel = Callable[[Sequence[str], str], float]
"""Words said and a word -> its base-10 log-probability there."""

_LN10 = math.log(10.0)
_NEVER = -math.inf


@dataclass(frozen=True)
class BeamSettings:
    """How the search weighs and how widely it looks."""

    alpha: float
    """Weight of the language model."""
    beta: float
    """Bonus for a word [nats]."""
    beam: int = 100
    """Texts followed at the same time."""
    least: float = 1e-4
    """Letters less probable than this at a step are passed over there."""
    hot_words: Mapping[str, float] = field(default_factory=dict)
    """Word -> what each time it is said counts for [nats]. ds_ctcdecoder counts it again for every word that follows
    within the n-gram, and not for the last word of all."""


@dataclass(frozen=True)
class Transcript:
    """A text and what speaks for it."""

    text: str
    score: float
    """Logarithm of sound and language together; the higher, the better [nats, not normalised]."""


def best_texts(found: Iterable[Transcript], most: int) -> List[Transcript]:
    """Given transcripts, the best first, return up to so many different texts; a space at the end is no difference."""
    texts: Dict[str, Transcript] = {}
    for one in found:
        texts.setdefault(one.text, one)
    return list(texts.values())[:most]


def _either(first: float, second: float) -> float:
    """Given the logarithms of two probabilities, return that of their sum; numpy's own is slow for single numbers."""
    high, low = (first, second) if first > second else (second, first)
    return high if low == _NEVER else high + math.log1p(math.exp(low - high))


@dataclass
class _Scores:
    """What is known of a text at a step: by sound, ending in a blank or in its last letter, and by its words."""

    blank: float = _NEVER
    letter: float = _NEVER
    language: float = 0.0

    @property
    def sound(self) -> float:
        return _either(self.blank, self.letter)

    @property
    def total(self) -> float:
        return self.sound + self.language


class BeamSearch:
    """Transcribes utterances with one vocabulary and language model."""

    road = "sayso"

    def __init__(
        self, alphabet: Sequence[str], words: Iterable[str], model: LanguageModel, settings: BeamSettings
    ) -> None:
        """Given an alphabet whose blank comes after its last label, and a language model of those words."""
        self._alphabet, self._model, self._settings = tuple(alphabet), model, settings
        self._words: Set[str] = set(words)
        self._beginnings = {word[:end] for word in self._words for end in range(len(word) + 1)}
        self._language: Dict[str, float] = {}

    def transcribe(self, log_probs: npt.NDArray[np.float32], most: int = 1) -> List[Transcript]:
        """Given float32 [steps, labels], return up to so many texts, the best first."""
        beam: Dict[str, _Scores] = {"": _Scores(blank=0.0)}
        self._language.clear()
        floor = math.log(self._settings.least)
        for row in log_probs.astype(np.float64):
            letters = np.flatnonzero(row[:-1] > floor).tolist()
            beam = self._widest(self._step(beam, row.tolist(), letters))
        ended = [(text, self._ended(text, scores)) for text, scores in beam.items()]
        found = sorted((one for one in ended if one[1] > _NEVER), key=lambda one: -one[1])
        return best_texts((Transcript(text.strip(), score) for text, score in found), most)

    def _widest(self, beam: Dict[str, _Scores]) -> Dict[str, _Scores]:
        if len(beam) <= self._settings.beam:
            return beam
        kept = sorted(beam, key=lambda text: -beam[text].total)[: self._settings.beam]
        return {text: beam[text] for text in kept}

    def _step(self, beam: Mapping[str, _Scores], row: Sequence[float], letters: Sequence[int]) -> Dict[str, _Scores]:
        after: Dict[str, _Scores] = {}
        for text, scores in beam.items():
            heard = scores.sound
            stays = after.setdefault(text, _Scores(language=scores.language))
            stays.blank = _either(stays.blank, heard + row[-1])
            for place in letters:
                letter, sound = self._alphabet[place], heard
                if text.endswith(letter):
                    # The same letter again is one letter held, or, after a blank, a second one.
                    stays.letter = _either(stays.letter, scores.letter + row[place])
                    sound = scores.blank
                if sound > _NEVER and self._may_follow(text, letter):
                    longer = text + letter
                    grown = after.get(longer)
                    if grown is None:
                        grown = after[longer] = _Scores(language=self._weigh(longer))
                    grown.letter = _either(grown.letter, sound + row[place])
        return after

    def _may_follow(self, text: str, letter: str) -> bool:
        word = text.rpartition(" ")[2]
        return word in self._words if letter == " " else word + letter in self._beginnings

    def _weigh(self, text: str) -> float:
        """Given a text, return the score of its words; one that may go on yet doesn't count."""
        known = text.rpartition(" ")[0]
        if known not in self._language:
            self._language[known] = self._score(known.split())
        return self._language[known]

    def _score(self, words: Sequence[str]) -> float:
        said, score = ["<s>"], 0.0
        for word in words:
            score += self._settings.alpha * _LN10 * self._model(said, word) + self._settings.beta
            score += self._settings.hot_words.get(word, 0.0)
            said.append(word)
        return score

    def _ended(self, text: str, scores: _Scores) -> float:
        """Given a text at the end, return its score; one that breaks off within a word is none."""
        words = text.split()
        if any(word not in self._words for word in words[-1:]):
            return _NEVER
        return scores.sound + self._score(words)
