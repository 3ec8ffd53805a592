"""Hypothesis -> what was meant, and how sure that is.

Rule of this file: pure. The tags on a path say the intent and the slots. How sure that is has three sides: whether
any sentence was said at all, which the path's scores tell beside those of paths that the grammar doesn't bind, whether
it was this one, which its rivals tell, and whether it was said to its end, which its beginnings tell.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Mapping, Sequence

from sayso.grammar.tags import SENTENCE_ENDS, SLOT_BEGINS, SLOT_ENDS, TAG, WOKEN, SentenceEnd, SlotEnd
from sayso.records import MARGIN_CAP, UNENDED_CAP, Evidence, Hypothesis, seconds

FEWEST_FREE_PHONES = 1
"""Below this many phones in the unconstrained path, nobody spoke."""


SLOWEST = 0.3
"""Time for a phone in the slowest sentence that is believed [s]: slow speakers take 0.1, and half of this leaves room
for a hesitation. What lasts longer was put together from pieces of something else."""

ELSEWHERE = 2.0
"""What else may be heard before and after a sentence, per phone of it [nats]: a room and a few far voices cost less, a
sentence that is part of other speech more."""

FEWEST_BESIDE = 10
"""Phones that this is reckoned with at least: beside a short word a breath weighs as much as beside a sentence."""

LIKELY = 0.5
"""From this probability on, something is likelier than not."""


@dataclass(frozen=True)
class Logistic:
    """A probability = logistic(bias + weights · evidence)."""

    bias: float
    distance: float = 0.0
    outside: float = 0.0
    worst_word: float = 0.0
    advantage: float = 0.0
    log_ratio: float = 0.0
    evident: float = 0.0
    unclear: float = 0.0
    freedom: float = 0.0
    chance: float = 0.0
    phones: float = 0.0
    length: float = 0.0
    unended: float = 0.0
    margin: float = 0.0
    rivalry: float = 0.0

    def probability(self, evidence: Evidence) -> float:
        """Given evidence, return the probability, 0 to 1."""
        score = self.bias + sum(getattr(self, name) * value for name, value in asdict(evidence).items())
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, score))))


@dataclass(frozen=True)
class Calibration:
    """Evidence -> probability, fitted on development speech. The defaults are for a model whose bundle brings none."""

    spoken: Logistic = Logistic(bias=6.0, distance=-6.0, length=0.5)
    """That a sentence of the grammar was said."""
    chosen: Logistic = Logistic(bias=0.0, margin=1.0)
    """That it was this one, if so."""
    ended: Logistic = Logistic(bias=3.0, unended=-1.0)
    """That it was said to its end, if so: costs are negative log-likelihoods, so that their difference is the logarithm
    of the odds but for how often sentences break off. One end in twenty is taken to be made up."""


@dataclass(frozen=True)
class Belief:
    """How sure it is that a path is what was said: probabilities, 0 to 1, each if the ones before it are so."""

    spoken: float = 0.0
    chosen: float = 0.0
    ended: float = 0.0

    @property
    def confidence(self) -> float:
        """Return the probability of all three."""
        return self.spoken * self.chosen * self.ended

    @property
    def rivals(self) -> float:
        """Return the probability that another sentence was said."""
        return self.spoken * (1 - self.chosen) * self.ended

    @property
    def broken_off(self) -> bool:
        """Whether the end was likelier made up than said."""
        return self.ended < LIKELY


@dataclass(frozen=True)
class Meaning:
    """What the tags of a path say."""

    text: str
    intent: str
    slots: Mapping[str, Any]
    raw_slots: Mapping[str, str]
    template: str
    wake_phrase: str = ""
    """What was said to get our attention, which is no part of `text`; empty: nothing."""
    own: bool = True
    """Whether the template is the owner's; else it is one of Home Assistant's."""
    place: tuple[int, ...] = ()
    """Where it is written: the number of its template, then those of its slots' values."""

    @property
    def sense(self) -> tuple[str, str]:
        """Return what a house makes of it: two that are the same can't be told apart by what they do."""
        return self.intent, repr(sorted(self.slots.items()))


def read_tags(output: Sequence[str], slot_ends: Sequence[SlotEnd], sentence_ends: Sequence[SentenceEnd]) -> Meaning:
    """Given words and tags in order, return their meaning; intent is empty where the sentence didn't end."""
    words: list[str] = []
    slots: dict[str, Any] = {}
    raw: dict[str, str] = {}
    begun: dict[str, int] = {}
    values: list[int] = []
    intent = template = wake_phrase = ""
    own = True
    place: tuple[int, ...] = ()
    for symbol in output:
        if not symbol.startswith(TAG):
            words.append(symbol)
        elif symbol.startswith(WOKEN):
            wake_phrase = symbol[len(WOKEN) :]
            words.clear()
        elif symbol.startswith(SLOT_BEGINS):
            begun[symbol[len(SLOT_BEGINS) :]] = len(words)
        elif symbol.startswith(SLOT_ENDS):
            values.append(int(symbol[len(SLOT_ENDS) :]))
            end = slot_ends[values[-1]]
            raw[end.slot] = " ".join(words[begun.get(end.slot, 0) :])
            slots[end.slot] = raw[end.slot] if end.value is None else end.value
        elif symbol.startswith(SENTENCE_ENDS):
            number = int(symbol[len(SENTENCE_ENDS) :])
            sentence = sentence_ends[number]
            intent, template, own, place = sentence.intent, sentence.template, sentence.own, (number, *values)
            slots = {**sentence.slots, **slots}
    return Meaning(" ".join(words), intent, slots, raw, template, wake_phrase, own, place)


def weigh(hypothesis: Hypothesis, margins: Sequence[float] = (), unended: float = -math.inf) -> Evidence:
    """Given a path, how much dearer the best ones of other meanings are, and how much cheaper the likeliest beginning
    of a sentence [nats; -infinity: there is none], return the evidence for it."""
    phones = max(hypothesis.phones, 1)
    return Evidence(
        distance=(hypothesis.free - hypothesis.acoustic) / phones,
        outside=hypothesis.outside / phones,
        worst_word=hypothesis.worst_word,
        advantage=hypothesis.advantage / phones,
        log_ratio=hypothesis.advantage,
        evident=hypothesis.evident / phones,
        unclear=-hypothesis.free / phones,
        freedom=hypothesis.freedom,
        chance=-hypothesis.freedom * hypothesis.acoustic / phones,
        phones=phones,
        length=math.log(phones),
        unended=min(max(unended, -UNENDED_CAP), UNENDED_CAP),
        margin=min(max(min(margins, default=MARGIN_CAP), 0.0), MARGIN_CAP),
        rivalry=sum(math.exp(-max(margin, 0.0)) for margin in margins),
    )


def believe(evidence: Evidence, calibration: Calibration) -> Belief:
    """Given evidence, return how sure it is that the path is what was said.

    However clear the sound, nobody can be surer of one of several sentences than their likelihoods are: that bounds
    what the calibration says of the choice, which was fitted to few near ties.
    """
    return Belief(
        calibration.spoken.probability(evidence),
        min(calibration.chosen.probability(evidence), 1 / (1 + evidence.rivalry)),
        calibration.ended.probability(evidence),
    )


def reason_to_reject(hypothesis: Hypothesis | None, belief: Belief, threshold: float) -> str:
    """Given a path, how sure it is, and how sure it must be, return why it is no command; empty: it is one."""
    if hypothesis is None or hypothesis.free_phones < FEWEST_FREE_PHONES:
        return "no_speech"
    if not hypothesis.words:
        return "not_a_command"
    if not hypothesis.complete:
        return "unfinished" if belief.spoken >= LIKELY else "not_a_command"
    if seconds(hypothesis.words[-1].end - hypothesis.words[0].start) > SLOWEST * max(hypothesis.phones, 3):
        return "not_a_command"
    if hypothesis.outside > ELSEWHERE * max(hypothesis.phones, FEWEST_BESIDE):
        return "not_a_command"
    if belief.confidence >= threshold:
        return ""
    if belief.broken_off and belief.spoken * belief.chosen >= threshold:
        return "unfinished"
    return "low_confidence" if belief.spoken >= LIKELY else "not_a_command"
