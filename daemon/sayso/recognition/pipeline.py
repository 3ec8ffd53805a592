"""Frames -> outcomes: the path of a sound, in one place.

Rule of this file: no threads, no clock, no input or output. The same frames give the same outcomes
however they are spread over calls.
"""

from __future__ import annotations

from typing import Iterable, List, Protocol

from sayso.recognition.attention import Attention
from sayso.recognition.endpoint import EndpointSettings, Progress
from sayso.recognition.recognizer import Recognizer
from sayso.records import AudioFrame, GateEvent, Heard, UtteranceAudio, UtteranceEnd, UtteranceStart, samples

_LOOK_AGAIN = samples(0.08)
"""The grammar is asked at most so often: once a call of the network."""

_LOOKS = 16
"""In noise, while an utterance becomes twice as long, at most so many times."""

_VOWEL = samples(0.15)
"""The sound of a vowel may last longer than `EndpointSettings.still` by this; its phone comes when it begins."""


class Gate(Protocol):
    """What decides where an utterance starts and ends; audio/gate.py has it."""

    hangover: int
    """Silence that ends the open utterance, in samples."""

    @property
    def is_open(self) -> bool:
        """Return whether an utterance is open."""

    def feed(self, frame: AudioFrame, is_speech: bool) -> List[GateEvent]:
        """Given a frame and whether it holds speech, return what follows from it."""

    def close(self, reason: str = "grammar", still: int = 0) -> List[GateEvent]:
        """Given why, and for how many samples nothing was heard, end the open utterance; return what follows."""

    def finish(self) -> List[GateEvent]:
        """Given that the source has ended, return what follows from that."""


class Voice(Protocol):
    """What tells speech from noise; audio/vad.py has it."""

    is_loud: bool
    """Whether the last frame was far louder than the noise, speech or not."""

    def is_speech(self, frame: AudioFrame) -> bool:
        """Given the source's next frame, return whether it holds speech."""


class Pipeline:
    """Turns one source's frames into outcomes."""

    def __init__(
        self,
        gate: Gate,
        voice: Voice,
        recognizer: Recognizer,
        endpoint: EndpointSettings,
        attention: Attention,
    ) -> None:
        self.attention = attention
        """Who decides whether a wake phrase is needed."""
        self._gate = gate
        self._pauses = {progress: samples(pause) for progress, pause in endpoint.pauses().items()}
        self._quiet = 0
        self._shortest, self._longest = self._pauses[Progress.FINISHED], max(self._pauses.values())
        self._look_at = self._shortest
        self._still = samples(endpoint.still)
        # What the gate takes for speech may be the rest of the sentence, of which no phone has come out yet.
        unsure = Progress.UNFINISHED, Progress.UNKNOWN, Progress.NOTHING, Progress.SPEAKING
        patient = dict.fromkeys(unsure, self._longest + self._still)
        woken = self._pauses[Progress.UNFINISHED]
        self._enough = {**self._pauses, Progress.FINISHED: self._still, Progress.WOKEN: woken, **patient}
        self._look_through = 0
        self._voice = voice
        self._calm = 0
        self._recognizer = recognizer
        self._next: Recognizer | None = None

    @property
    def hearing(self) -> bool:
        """Return whether somebody is speaking."""
        return self._gate.is_open

    def so_far(self) -> str:
        """Return the words of the open utterance as they look so far; a word more may change them all.

        While a wake phrase is needed, they are nobody's business before it has been said.
        """
        said = self._recognizer.so_far() if self._gate.is_open else None
        if said is None or not (said.wake_phrase or self.attention.listens(self._recognizer.start)):
            return ""
        return said.text

    def use(self, recognizer: Recognizer) -> None:
        """Given another recogniser (a new grammar, say), take it from the next utterance on."""
        self._next = recognizer

    def feed(self, frame: AudioFrame) -> List[Heard]:
        """Given the source's next frame, return the outcomes that it decides; mostly none."""
        self.attention.heed()
        if self._next is not None and not self._gate.is_open:
            self._recognizer, self._next = self._next, None  # the one before goes, with all that it holds
        speech = self._voice.is_speech(frame)
        self._calm = 0 if self._voice.is_loud else self._calm + len(frame.samples)
        outcomes = self._follow(self._gate.feed(frame, speech))
        self._quiet = 0 if speech or not self._gate.is_open else self._quiet + len(frame.samples)
        if not self._quiet:
            self._look_at = self._shortest
        if self._quiet >= self._look_at:
            self._look_at = self._quiet + _LOOK_AGAIN
            outcomes += self._judge_pause()
        elif speech and self._gate.is_open:
            outcomes += self._judge_noise(frame.start + len(frame.samples))
        return outcomes

    def _judge_pause(self) -> List[Heard]:
        """Ask the grammar how long the pause that has begun must be; end the utterance if it is long enough.

        In noise the gate is deaf to weak syllables, so a pause counts from the last phone that the network heard.
        """
        glimpse = self._recognizer.glimpse(self._shortest)
        pause = self._pauses[glimpse.progress]
        heard = glimpse.progress is not Progress.NOTHING
        if (min(self._quiet, glimpse.still) if heard else self._quiet) >= pause:
            return self._follow(self._gate.close("grammar", glimpse.still) if heard else self._gate.close("nothing"))
        late = max(0, self._quiet - glimpse.still) if heard else 0
        self._gate.hangover = min(pause + late, self._longest)
        return []

    def _judge_noise(self, now: int) -> List[Heard]:
        """What keeps the gate open may be a kettle: end what was said when nothing like a phone follows.

        What is loud may also be a vowel that goes on. That gets time, and the next utterance shall not make a word of
        it. `now` is the index of the next sample. To look is as dear as some calls of the network, so that is done only
        when the pause could be long enough.
        """
        if now < self._look_through or not self._recognizer.spoken:
            return []
        glimpse = self._recognizer.glimpse(self._still)
        if glimpse.still >= self._enough[glimpse.progress] + (0 if self._calm else _VOWEL):
            return self._follow(self._gate.close("grammar", min(glimpse.still, self._calm)))
        # All of it is searched anew at each look: the longer it is, the rarer, lest the search fall behind in noise.
        rarely = (now - self._recognizer.start) // _LOOKS
        self._look_through = now + max(_LOOK_AGAIN, rarely, self._still - glimpse.still)
        return []

    def forget(self) -> None:
        """Given that nobody may listen any more, drop the open utterance, if any, and what it may have begun with, as
        if it had not been said."""
        self._gate.finish()
        self._recognizer.forget()
        self._quiet = 0

    def finish(self) -> List[Heard]:
        """Given that the source has ended, return the outcome of the open utterance, if any."""
        outcomes = self._follow(self._gate.finish())
        self._recognizer.forget()
        return outcomes

    def _follow(self, events: Iterable[GateEvent]) -> List[Heard]:
        outcomes: List[Heard] = []
        for event in events:
            if isinstance(event, UtteranceStart):
                self._recognizer.begin(event)
                self._look_through = 0
            elif isinstance(event, UtteranceAudio):
                self._recognizer.hear(event.samples)
            elif isinstance(event, UtteranceEnd):
                outcomes += self.attention.consider(self._recognizer.end(event))
        return outcomes
