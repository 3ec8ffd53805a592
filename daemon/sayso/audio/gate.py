"""Speech flags to utterances: where a sentence starts and where it ends.

Rule of this file: everything that opens or closes an utterance is one row of `TRANSITIONS`. Positions
are sample indices; there is no clock, so the same sound gives the same utterances however fast it comes.

A frame is first turned into one `Event` by counting (how many of the last frames were speech, how long
it has been quiet), then the table says what becomes of it. Frames wait in a ring until the gate opens,
so that an utterance starts a little before its first speech frame. No speech frame is handed on twice, unless
the listener heard nothing in it, and sound before and after a gap is never joined.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Mapping

import numpy as np

from sayso.records import AudioFrame, GateEvent, Samples, UtteranceAudio, UtteranceEnd, UtteranceStart, samples


@dataclass(frozen=True)
class GateSettings:
    """When the gate opens and closes. Times in seconds, onset in frames of 20 ms."""

    pre_roll: float = 0.3
    """Sound handed on from before the first speech frame [s]. A weak first consonant (the f of "fan", the
    h of "hall") is judged to be silence for up to 0.2 s; the rest lets the features settle."""
    onset_speech: int = 3
    """Speech frames among the last `onset_window` that open the gate. Clicks and taps last one or two."""
    onset_window: int = 5
    """Frames looked at for the onset: 0.1 s, shorter than any word."""
    hangover: float = 0.5
    """Silence that ends an utterance while nobody sets `Gate.hangover` [s]. Longer than the closure of a stop and
    than most hesitations inside a command, shorter than what feels like waiting."""
    shortest: float = 0.15
    """Utterances with less speech than this are `too_short` [s]. The shortest commands ("next", "stop") hold 0.25 s."""
    longest: float = 12.0
    """Speech is cut off as `too_long` after this [s, from the first speech sample]. Slow readers need 6 s for the
    longest sentences of a home; what is longer is a conversation or a television."""


NOTHING = "nothing"
"""Why an utterance is closed in which the listener heard no speech: the next one may begin within it."""


class State(Enum):
    """What the gate knows about the sound up to now."""

    IDLE = auto()
    """No speech among the last frames."""
    ONSET = auto()
    """Some speech, not enough to believe in."""
    SPEECH = auto()
    """Open, and the last frame was speech."""
    HANGOVER = auto()
    """Open, and quiet for less than the hangover."""
    BROKEN = auto()
    """Open, but samples are missing: waits for the sentence to end, lest its second half be taken for a whole one."""


class Event(Enum):
    """What a frame, or somebody from outside, says."""

    SPEECH = auto()
    """A speech frame; while closed: too few of them so far to open the gate."""
    CONFIRMED = auto()
    """A speech frame, and enough of them to open the gate."""
    SILENCE = auto()
    """A frame without speech."""
    FADED = auto()
    """A frame without speech, as are all that the onset looks at."""
    QUIET = auto()
    """A frame without speech that completes the hangover."""
    FULL = auto()
    """A frame that completes the longest utterance."""
    GAP = auto()
    """Samples are missing; of an open utterance fewer than the hangover: its sentence may go on behind them."""
    BREAK = auto()
    """So many samples are missing that the sentence must be over."""
    CLOSE = auto()
    """The listener has heard enough."""
    RESUME = auto()
    """The listener has heard enough, and speech that it has not heard has begun since."""
    STOP = auto()
    """There is no more sound."""


class Action(Enum):
    """What is done; a step's actions are carried out in order."""

    FORGET = auto()
    """Empty the ring: what it holds does not touch what comes."""
    OPEN = auto()
    """Start the utterance with what the ring holds, pre-roll first."""
    PASS = auto()
    """Hand the frame on."""
    END = auto()
    """End the utterance."""


@dataclass(frozen=True)
class Step:
    """One cell of the table."""

    state: State
    """The state afterwards."""
    actions: tuple[Action, ...] = ()
    reason: str = ""
    """Why the utterance ends; empty where whoever closes it says so."""


_FORGET, _OPEN, _PASS, _END = (Action.FORGET,), (Action.OPEN,), (Action.PASS,), (Action.END,)

TRANSITIONS: Mapping[tuple[State, Event], Step] = {
    (State.IDLE, Event.SPEECH): Step(State.ONSET),
    (State.IDLE, Event.CONFIRMED): Step(State.SPEECH, _OPEN),
    (State.IDLE, Event.FADED): Step(State.IDLE),
    (State.IDLE, Event.GAP): Step(State.IDLE, _FORGET),
    (State.IDLE, Event.CLOSE): Step(State.IDLE),
    (State.IDLE, Event.STOP): Step(State.IDLE, _FORGET),
    (State.ONSET, Event.SPEECH): Step(State.ONSET),
    (State.ONSET, Event.CONFIRMED): Step(State.SPEECH, _OPEN),
    (State.ONSET, Event.SILENCE): Step(State.ONSET),
    (State.ONSET, Event.FADED): Step(State.IDLE),
    (State.ONSET, Event.GAP): Step(State.IDLE, _FORGET),
    (State.ONSET, Event.CLOSE): Step(State.ONSET),
    (State.ONSET, Event.STOP): Step(State.IDLE, _FORGET),
    (State.SPEECH, Event.SPEECH): Step(State.SPEECH, _PASS),
    (State.SPEECH, Event.SILENCE): Step(State.HANGOVER, _PASS),
    (State.SPEECH, Event.QUIET): Step(State.IDLE, _PASS + _END, "silence"),
    (State.SPEECH, Event.FULL): Step(State.IDLE, _PASS + _END, "too_long"),
    (State.SPEECH, Event.GAP): Step(State.BROKEN, _FORGET),
    (State.SPEECH, Event.BREAK): Step(State.IDLE, _END + _FORGET, "audio_gap"),
    (State.SPEECH, Event.CLOSE): Step(State.IDLE, _END),
    (State.SPEECH, Event.RESUME): Step(State.ONSET, _END),
    (State.SPEECH, Event.STOP): Step(State.IDLE, _END + _FORGET, "stopped"),
    (State.HANGOVER, Event.SPEECH): Step(State.SPEECH, _PASS),
    (State.HANGOVER, Event.SILENCE): Step(State.HANGOVER, _PASS),
    (State.HANGOVER, Event.QUIET): Step(State.IDLE, _PASS + _END, "silence"),
    (State.HANGOVER, Event.FULL): Step(State.IDLE, _PASS + _END, "too_long"),
    (State.HANGOVER, Event.GAP): Step(State.BROKEN, _FORGET),
    (State.HANGOVER, Event.BREAK): Step(State.IDLE, _END + _FORGET, "audio_gap"),
    (State.HANGOVER, Event.CLOSE): Step(State.IDLE, _END),
    (State.HANGOVER, Event.RESUME): Step(State.ONSET, _END),
    (State.HANGOVER, Event.STOP): Step(State.IDLE, _END + _FORGET, "stopped"),
    (State.BROKEN, Event.SPEECH): Step(State.BROKEN),
    (State.BROKEN, Event.SILENCE): Step(State.BROKEN),
    (State.BROKEN, Event.QUIET): Step(State.IDLE, _END, "audio_gap"),
    (State.BROKEN, Event.FULL): Step(State.IDLE, _END, "audio_gap"),
    (State.BROKEN, Event.GAP): Step(State.BROKEN, _FORGET),
    (State.BROKEN, Event.BREAK): Step(State.IDLE, _END + _FORGET, "audio_gap"),
    (State.BROKEN, Event.CLOSE): Step(State.IDLE, _END, "audio_gap"),
    (State.BROKEN, Event.RESUME): Step(State.ONSET, _END, "audio_gap"),
    (State.BROKEN, Event.STOP): Step(State.IDLE, _END + _FORGET, "audio_gap"),
}
"""What happens; a pair that is not here can't come about (`FADED` only while closed, `QUIET` only while open, …)."""


@dataclass
class _Utterance:
    """The open utterance."""

    speech_start: int
    """Index of the first speech sample."""
    speech_end: int
    """Index one past the last speech sample."""
    speech: int
    """Speech samples up to now."""


class Gate:
    """Turns frames with a speech flag into utterances. Feed it every frame of one source, in order."""

    def __init__(self, settings: GateSettings | None = None) -> None:
        self.settings = settings or GateSettings()
        self.hangover = samples(self.settings.hangover)
        self._state = State.IDLE
        self._utterance: _Utterance | None = None
        self._heard: int | None = None
        self._ring: deque[tuple[AudioFrame, bool]] = deque()
        self._events: list[GateEvent] = []

    hangover: int
    """Silence that ends the open utterance, in samples. Whoever knows whether the sentence can go on may set it after
    any frame, for the next ones; it returns to the settings' value with the next utterance."""

    @property
    def is_open(self) -> bool:
        """Return whether an utterance has started and not ended."""
        return self._utterance is not None

    def feed(self, frame: AudioFrame, is_speech: bool) -> list[GateEvent]:
        """Given the source's next frame and whether it holds speech, return what starts, goes on and ends with it.

        Frames that don't follow upon one another, or say that samples were lost, are taken as a gap.
        """
        gap = frame.lost > 0 or self._heard not in (None, frame.start)
        self._heard = frame.start + frame.samples.size
        if gap:
            self._take(self._gap(frame.start))
        self._ring.append((frame, is_speech))
        if self._utterance and is_speech:
            self._utterance.speech += frame.samples.size
            self._utterance.speech_end = self._heard
        self._take(self._event(is_speech))
        self._trim()
        return self._flush()

    def close(self, reason: str = "grammar", still: int = 0) -> list[GateEvent]:
        """Given why, end the open utterance after the last frame and return its end; nothing if none is open.

        For the last `still` samples the listener has heard nothing: speech frames among them are noise, or the next
        utterance's beginning.
        """
        event = Event.CLOSE
        if self._utterance is not None and self._heard is not None:
            end = max(self._utterance.speech_start, min(self._utterance.speech_end, self._heard - still))
            self._utterance.speech_end = end
            # Where nobody heard anything, its frames stay, and may open the gate again.
            if any(frame.start >= end or reason == NOTHING for frame in self._onset()):
                event = Event.RESUME
        self._take(event, reason)
        return self._flush()

    def finish(self) -> list[GateEvent]:
        """Given that the source has ended, return the end of the open utterance, if any. The gate is then as new."""
        self._take(Event.STOP)
        self._heard = None
        return self._flush()

    def _gap(self, resumed: int) -> Event:
        """Given the index at which the sound goes on, return how bad the gap before it is."""
        if self._utterance and resumed - self._utterance.speech_end >= self.hangover:
            return Event.BREAK
        return Event.GAP

    def _event(self, is_speech: bool) -> Event:
        """Given the flag of the frame just counted, return what it means."""
        if self._utterance is None:
            if is_speech:
                confirmed = len(self._onset()) >= self.settings.onset_speech
                return Event.CONFIRMED if confirmed else Event.SPEECH
            return Event.SILENCE if self._onset() else Event.FADED
        assert self._heard is not None
        if self._heard - self._utterance.speech_start >= samples(self.settings.longest):
            return Event.FULL
        if is_speech:
            return Event.SPEECH
        return Event.QUIET if self._heard - self._utterance.speech_end >= self.hangover else Event.SILENCE

    def _take(self, event: Event, reason: str = "") -> None:
        """Given an event, do what the table says. `reason` is for steps that leave it open."""
        step = TRANSITIONS[self._state, event]
        for action in step.actions:
            if action is Action.FORGET:
                self._ring.clear()
            elif action is Action.OPEN:
                self._open()
            elif action is Action.PASS:
                frame, _ = self._ring[-1]
                self._events.append(UtteranceAudio(frame.samples, frame.start))
            elif action is Action.END:
                self._end(step.reason or reason)
        self._state = step.state

    def _open(self) -> None:
        """Start the utterance with the frames in the ring, the pre-roll before the first speech frame first."""
        frames = [frame for frame, _ in self._ring]
        speech = self._onset()
        self._utterance = _Utterance(
            speech_start=speech[0].start,
            speech_end=speech[-1].start + speech[-1].samples.size,
            speech=sum(frame.samples.size for frame in speech),
        )
        self._events.append(UtteranceStart(frames[0].start, speech[0].start))
        self._events.append(UtteranceAudio(_joined(frames), frames[0].start))

    def _end(self, reason: str) -> None:
        """Given why, end the utterance. Speech that belonged to it leaves the ring; the silence behind stays.

        Where nobody heard anything in it, all stays: it may have been the faint beginning of a word.
        """
        assert self._utterance is not None
        assert self._heard is not None
        utterance = self._utterance
        if reason in ("silence", "stopped") and utterance.speech < samples(self.settings.shortest):
            reason = "too_short"
        self._events.append(UtteranceEnd(utterance.speech_end, self._heard, utterance.speech, reason))
        self._trim()
        while reason != NOTHING and self._ring and self._ring[0][0].start < utterance.speech_end:
            self._ring.popleft()
        self._utterance = None
        self.hangover = samples(self.settings.hangover)

    def _onset(self) -> list[AudioFrame]:
        """Return the speech frames among the last `onset_window`."""
        window = islice(reversed(self._ring), self.settings.onset_window)
        return [frame for frame, is_speech in window if is_speech][::-1]

    def _trim(self) -> None:
        """Drop what no utterance to come can need: all but the onset and the pre-roll before it."""
        assert self._heard is not None
        onset = [] if self._utterance else self._onset()
        keep = (onset[0].start if onset else self._heard) - samples(self.settings.pre_roll)
        while self._ring and self._ring[0][0].start < keep:
            self._ring.popleft()

    def _flush(self) -> list[GateEvent]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events


def _joined(frames: list[AudioFrame]) -> Samples:
    """Given frames without a gap, return their samples as one read-only array."""
    joined = np.concatenate([frame.samples for frame in frames])
    joined.flags.writeable = False
    return joined
