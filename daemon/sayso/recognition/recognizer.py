"""One utterance: samples -> features -> log-posteriors -> hypothesis -> outcome.

Rule of this file: no threads, no clock of its own, no input or output. Everything runs while the
person speaks; at the end only the network's look-ahead is left, which is fed with digital silence.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Callable, Dict, Iterator, List, Mapping, Sequence

from sayso.grammar.graph import DecodingGraph
from sayso.grammar.tags import WOKEN
from sayso.recognition.acoustic import AcousticStream, Network, Streaming
from sayso.recognition.context import FeatureSettings, FeatureStream, feature_stream
from sayso.recognition.decode import Decoder, DecoderSettings
from sayso.recognition.endpoint import Glimpse, Progress
from sayso.recognition.features import Frames
from sayso.recognition.hesitation import HALVES, NOBODY, Half
from sayso.recognition.interpret import (
    FEWEST_FREE_PHONES,
    Belief,
    Calibration,
    Meaning,
    believe,
    reason_to_reject,
    weigh,
)
from sayso.recognition.opinion import Opinion
from sayso.recognition.precedence import Meanings
from sayso.recognition.rivals import AMBIGUITY, Costly, rivals_of, shares
from sayso.records import (
    Alternative,
    Command,
    Evidence,
    Heard,
    Hypothesis,
    Posteriors,
    Rejection,
    Samples,
    Timings,
    UtteranceEnd,
    UtteranceStart,
    Wake,
    seconds,
)

_SEARCHED = 16
"""Sentences that are looked through for another meaning; many of them mean the same."""

_UNHEARD = {"audio_gap": "audio_gap", "too_long": "too_long", "too_short": "no_speech", "nothing": "no_speech"}
"""Ends of an utterance after which it is not judged, and the reason that is given."""


@dataclass(frozen=True)
class RecognizerSettings:
    """What does not change from utterance to utterance."""

    features: FeatureSettings
    streaming: Streaming
    decoder: DecoderSettings
    calibration: Calibration = field(default_factory=Calibration)
    min_confidence: float = 0.5
    """Commands less probable than this are rejected, 0 to 1."""
    intent_confidence: Mapping[str, float] = field(default_factory=dict)
    """Intent -> its own threshold."""
    wake_confidence: float = 0.3
    """A wake phrase less probable than this was none, 0 to 1."""
    rejoin: int = 0
    """Between the halves of a sentence, the longest pause [samples]; 0: there are no halves."""
    alternatives: int = 3
    """Most alternatives in an outcome."""


class Recognizer:
    """Judges one utterance after another. Only one is open at a time."""

    def __init__(
        self,
        network: Network,
        graph: DecodingGraph,
        settings: RecognizerSettings,
        clock: Callable[[], float],
        opinion: Opinion | None = None,
    ) -> None:
        """`clock` returns seconds, from anywhere, for the timings; a test may pass one that stands still. `opinion`
        is asked for a second one on each command."""
        self._opinion = opinion
        self._network = network
        self._graph = graph
        self._settings = settings
        self._clock = clock
        self._decoder = Decoder(graph, settings.decoder)
        self._begun = Decoder(graph, settings.decoder, beginnings=True)
        self._ended = Decoder(graph, settings.decoder)
        self._features = feature_stream(settings.features)
        self._acoustic = AcousticStream(network, settings.streaming)
        self._spent: Dict[str, float] = {}
        self._meaning = Meanings(graph)
        self._opened = UtteranceStart(0, 0)
        self._frames = 0
        self._half: Half | None = None
        self.spoken = False
        """Whether there was anything like a phone, as far as the network has answered."""

    @property
    def min_confidence(self) -> float:
        """Return the threshold in force for intents that have none of their own."""
        return self._settings.min_confidence

    @property
    def start(self) -> int:
        """Return the index of the first speech sample of the utterance."""
        return self._opened.speech

    def begin(self, start: UtteranceStart) -> None:
        """Given where an utterance starts, forget the one before."""
        self._decoder.reset()
        self._features.reset()
        self._acoustic = AcousticStream(self._network, self._settings.streaming)
        self._spent = {}
        self._opened = start
        self._frames = 0
        self.spoken = False

    def hear(self, samples: Samples) -> None:
        """Given the next samples of the utterance, do all that can be done with them."""
        with self._timed("features"):
            frames = self._features.feed(samples)
        self._frames += len(frames)
        self._search(self._rows(frames, self._acoustic, self._frames))

    def so_far(self) -> Meaning | None:
        """Return the best sentence, or beginning of one, as far as the network has answered; None: nothing yet."""
        hypothesis = self._decoder.best(self._opened.start)
        if hypothesis is None or hypothesis.free_phones < FEWEST_FREE_PHONES:
            return None  # in silence the search guesses a word
        return self._meaning(hypothesis.tags)

    def glimpse(self, least: int = 0) -> Glimpse:
        """Return how far the sentence is, as if nothing but silence followed; where something like a phone came within
        the last `least` samples, only that: all that was heard is searched anew here.

        The network's look-ahead is answered with digital silence, on copies of the streams: what is really said
        next is heard as if nobody had asked.
        """
        heard = [*self._decoder.heard, self._last_rows(self._features.fork(), self._acoustic.fork())]
        still = self._since_a_phone(heard)
        if still is None:
            return Glimpse(Progress.NOTHING, 0)
        if still < least:
            return Glimpse(Progress.SPEAKING, still)
        with self._timed("decode"):
            return Glimpse(self._progress(heard), still)

    def _best(self, decoder: Decoder, heard: Sequence[Posteriors]) -> Hypothesis | None:
        decoder.reset()
        for posteriors in heard:
            decoder.feed(posteriors)
        return decoder.best(self._opened.start)

    def _progress(self, heard: Sequence[Posteriors]) -> Progress:
        whole = self._best(self._ended, heard)
        if whole is None or not whole.complete:
            return Progress.UNFINISHED if whole else Progress.UNKNOWN
        unended, meaning = self._unended(whole, heard), self._meaning(whole.tags)
        belief = self._believe(whole, (), unended)
        if belief.broken_off:
            return Progress.UNFINISHED
        if belief.confidence < self._threshold(meaning):
            return Progress.UNKNOWN
        rivals = rivals_of(meaning, whole.cost, self._read(self._ended.alternatives(_SEARCHED)))
        if rivals and self._believe(whole, rivals, unended).confidence < self._threshold(meaning):
            return Progress.UNKNOWN
        if not meaning.intent:
            return Progress.WOKEN
        return Progress.CONTINUABLE if self._graph.goes_on(whole.tags) else Progress.FINISHED

    def _believe(self, hypothesis: Hypothesis, rivals: Sequence[Costly], unended: float) -> Belief:
        return believe(weigh(_sentence(hypothesis), _dearer(rivals), unended), self._settings.calibration)

    def _unended(self, whole: Hypothesis, heard: Sequence[Posteriors]) -> float:
        """Given the best whole sentence in what was heard, return how much dearer it is than the likeliest beginning of
        one [nats].

        Whatever has begun, the grammar can end, and the search takes the cheapest end though nobody said it: of "turn
        the bedroom light" and silence it makes "turn the bedroom light on", with every word but one as clear as can be.
        """
        begun = self._best(self._begun, heard)
        if begun is None or not begun.complete or not begun.words:
            return -math.inf
        # Its words may be a sentence on another way through the grammar ("5 minute timer", which "status" may follow).
        return -math.inf if self._meaning.all(begun.tags) else whole.cost - begun.cost

    def _since_a_phone(self, heard: Sequence[Posteriors]) -> int | None:
        """Given rows, return for how many samples nothing like a phone has followed the last; None: there is none."""
        rows = 0
        blank = self._settings.decoder.blank
        for posteriors in reversed([one for one in heard if len(one.log_probs)]):
            for token in reversed(posteriors.log_probs.argmax(axis=1).tolist()):
                if token != blank:
                    return rows * self._settings.decoder.step
                rows += 1
        return None

    def forget(self) -> None:
        """Nothing that was said before belongs to what comes."""
        self._half = None

    def end(self, end: UtteranceEnd) -> Heard:
        """Given how the utterance ended, return its outcome; of a wake phrase alone, that."""
        began = self._clock()
        heard = self._as_one(self._judge(end, began), end, began)
        if self._opinion is None or not isinstance(heard, Command):
            return heard
        return self._opinion.consider(heard, self._decoder.heard)

    def _as_one(self, heard: Heard, end: UtteranceEnd, began: float) -> Heard:
        """Given what was heard, return that, or the command that it is together with what was refused before it."""
        refused = heard.reason if isinstance(heard, Rejection) else ""
        pause = self._settings.rejoin
        if not pause or refused in NOBODY:
            return heard
        before, opened, rows = self._half, self._opened, self._decoder.heard
        self._half = Half(opened, end.end, rows) if refused in HALVES else None
        if self._half is None or before is None or not before.goes_on(opened, end.end, pause):
            return heard
        decoder = self._settings.decoder
        self._opened = before.opened
        self._decoder.reset()
        self._search(before.joined(opened, rows, decoder.step, decoder.blank))
        both = self._outcome(end, began)
        return both if isinstance(both, Command) else heard

    def _judge(self, end: UtteranceEnd, began: float) -> Heard:
        if end.reason in _UNHEARD:
            return self._reject(_UNHEARD[end.reason], None, 0.0, (), None, end, began)
        self._search(self._last_rows(self._features, self._acoustic))
        return self._outcome(end, began)

    def _outcome(self, end: UtteranceEnd, began: float) -> Heard:
        found: List[tuple[tuple[str, ...], float]] = []
        unended = -math.inf
        with self._timed("decode"):
            hypothesis = self._decoder.best(self._opened.start)
            if hypothesis and hypothesis.complete:
                found = self._decoder.alternatives(_SEARCHED)
                unended = self._unended(hypothesis, self._decoder.heard)
        with self._timed("interpret"):
            meaning = self._meaning(hypothesis.tags) if hypothesis else None
            rivals = rivals_of(meaning, hypothesis.cost, self._read(found)) if hypothesis and meaning else []
            sentence = _sentence(hypothesis) if hypothesis else None
            evidence = weigh(sentence, _dearer(rivals), unended) if sentence else None
            belief = believe(evidence, self._settings.calibration) if evidence else Belief()
            reason = reason_to_reject(sentence, belief, self._threshold(meaning))
            if reason in ("", "low_confidence") and rivals and rivals[0][1] < AMBIGUITY:
                reason = "ambiguous"
            wake = self._wake(hypothesis, found, end) if hypothesis else None
        if reason == "no_speech":
            # What the search made of a click is not worth telling.
            meaning = None
        if meaning and meaning.wake_phrase:
            if wake and not meaning.intent and hypothesis and hypothesis.complete:
                return wake
            # Whatever was said before the sentence, it was no wake phrase.
            reason = reason or ("" if wake and meaning.intent else "not_a_command")
        shown = shares(rivals, self._settings.alternatives, belief)
        if reason or meaning is None or hypothesis is None:
            rejection = self._reject(reason, meaning, belief.confidence, shown, evidence, end, began)
            return replace(rejection, wake=wake)
        return Command(
            text=meaning.text,
            intent=meaning.intent,
            slots=meaning.slots,
            raw_slots=meaning.raw_slots,
            confidence=belief.confidence,
            start=_sentence(hypothesis).words[0].start if wake else self._opened.speech,
            end=self._last_sound(hypothesis, end),
            decided=end.decided,
            words=_sentence(hypothesis).words,
            alternatives=shown,
            evidence=evidence,
            timings=self._timings(end, began),
            wake=wake,
        )

    def _wake(
        self, hypothesis: Hypothesis, found: Sequence[tuple[tuple[str, ...], float]], end: UtteranceEnd
    ) -> Wake | None:
        """Given the best path and all that was found, return the wake phrase that the path begins with, if that
        alone is sure enough; what speaks against it is the best path without one."""
        said = hypothesis.wake
        if said is None:
            return None
        without = [cost for output, cost in found if not any(symbol.startswith(WOKEN) for symbol in output)]
        if min(without, default=math.inf) - hypothesis.cost < AMBIGUITY:
            return None
        probability = self._settings.calibration.spoken.probability(weigh(said))
        if probability < self._settings.wake_confidence:
            return None
        phrase = self._meaning(said.tags).wake_phrase
        return Wake(phrase, probability, said.words[0].start, said.words[-1].end, end.decided)

    def _last_sound(self, hypothesis: Hypothesis, end: UtteranceEnd) -> int:
        """Where speech ended: by the gate, or, where noise kept that open, by the last word."""
        return min(end.end, hypothesis.words[-1].end) if end.reason == "grammar" else end.end

    def _rows(self, frames: Frames, acoustic: AcousticStream, spoken: int) -> Posteriors:
        """Feed frames to the network, and return its rows as far as they speak of the first `spoken` frames."""
        before = acoustic.rows
        with self._timed("acoustic"):
            posteriors = acoustic.feed(frames)
        rows = max(0, acoustic.frames_to_row(spoken) - before)
        return Posteriors(posteriors.log_probs[:rows], posteriors.start)

    def _search(self, posteriors: Posteriors) -> None:
        self.spoken = self.spoken or self._since_a_phone([posteriors]) is not None
        with self._timed("decode"):
            self._decoder.feed(posteriors)

    def _last_rows(self, features: FeatureStream, acoustic: AcousticStream) -> Posteriors:
        """Feed what follows an utterance until the last row that speaks of it has come out, and return those rows."""
        spoken = self._frames + features.behind
        missing = acoustic.frames_to_flush(spoken) + features.behind
        with self._timed("features"):
            frames = features.silence(missing)
        return self._rows(frames, acoustic, spoken)

    def _read(self, found: Sequence[tuple[tuple[str, ...], float]]) -> List[tuple[Meaning, float]]:
        return [(meaning, cost) for sentence, cost in found for meaning in self._meaning.all(sentence)]

    def _threshold(self, meaning: Meaning | None) -> float:
        everywhere = self._settings.min_confidence
        return self._settings.intent_confidence.get(meaning.intent, everywhere) if meaning else everywhere

    def _reject(
        self,
        reason: str,
        meaning: Meaning | None,
        probability: float,
        alternatives: tuple[Alternative, ...],
        evidence: Evidence | None,
        end: UtteranceEnd,
        began: float,
    ) -> Rejection:
        return Rejection(
            reason=reason,
            text=meaning.text if meaning else "",
            intent=meaning.intent if meaning else "",
            confidence=probability,
            start=self._opened.speech,
            end=end.end,
            decided=end.decided,
            alternatives=alternatives,
            evidence=evidence,
            timings=self._timings(end, began),
        )

    def _timings(self, end: UtteranceEnd, began: float) -> Timings:
        return Timings(
            **{stage: spent * 1000 for stage, spent in self._spent.items()},
            final=(self._clock() - began) * 1000,
            delay=seconds(end.decided - end.end) * 1000,
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = self._clock()
        yield
        self._spent[stage] = self._spent.get(stage, 0.0) + self._clock() - began


def _sentence(hypothesis: Hypothesis) -> Hypothesis:
    """Given a path, return what of it is judged as a sentence: all but the wake phrase before it."""
    return hypothesis.rest if hypothesis.rest and hypothesis.rest.words else hypothesis


def _dearer(rivals: Sequence[Costly]) -> List[float]:
    """Given rivals, return how much dearer each is [nats]."""
    return [dearer for _, dearer in rivals]
