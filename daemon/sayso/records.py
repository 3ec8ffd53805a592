"""What flows through Sayso, from a sound to a message.

Rule of this file: plain frozen values, no behaviour beyond arithmetic on their own fields.
Time is a sample index on the source's clock (16 kHz, counted from the opening of the source, lost
samples included), never wall time. Arrays are read-only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Union

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
"""Samples per second everywhere behind capture [Hz]."""

FRAME_SAMPLES = 320
"""Samples in one AudioFrame (20 ms), a length webrtcvad accepts."""

Samples = npt.NDArray[np.int16]
"""Mono PCM, int16 [n], 16 kHz."""

SlotValue = Union[str, int, float]
"""What a slot means to the house: `out` of a list value, or a number of a range."""


def seconds(samples: int) -> float:
    """Given a number of samples, return the seconds they last."""
    return samples / SAMPLE_RATE


def samples(seconds: float) -> int:
    """Given seconds, return the nearest number of samples."""
    return round(seconds * SAMPLE_RATE)


@dataclass(frozen=True)
class AudioFrame:
    """20 ms of sound as it left the source."""

    samples: Samples
    """int16 [FRAME_SAMPLES], read-only."""
    start: int
    """Index of the first sample."""
    lost: int = 0
    """Samples lost right before this frame; `start` already counts them."""


@dataclass(frozen=True)
class UtteranceStart:
    """The gate opened."""

    start: int
    """Index of the first sample handed on, pre-roll included."""
    speech: int
    """Index of the first sample judged to be speech."""


@dataclass(frozen=True)
class UtteranceAudio:
    """A stretch of the open utterance, contiguous with the one before it."""

    samples: Samples
    """int16 [n], read-only."""
    start: int
    """Index of the first sample."""


@dataclass(frozen=True)
class UtteranceEnd:
    """The gate closed."""

    end: int
    """Index one past the last sample judged to be speech."""
    decided: int
    """Index one past the last sample heard when the end was decided."""
    speech: int
    """Samples judged to be speech within the utterance."""
    reason: str
    """`silence`, `too_short`, `too_long`, `audio_gap`, `grammar`, `nothing` (the listener heard no speech in it) or
    `stopped`."""


GateEvent = Union[UtteranceStart, UtteranceAudio, UtteranceEnd]


@dataclass(frozen=True)
class Posteriors:
    """Log-probabilities of the tokens, one row per output step of the acoustic model."""

    log_probs: npt.NDArray[np.float32]
    """float32 [steps, tokens], natural logarithm, each row sums to 1 in probability; read-only."""
    start: int
    """Index of the first row, counted from the start of the utterance."""


@dataclass(frozen=True)
class Word:
    """One spoken word and where it lies in the audio."""

    text: str
    start: int
    """Index of its first sample."""
    end: int
    """Index one past its last sample."""


@dataclass(frozen=True)
class Hypothesis:
    """One path through the decoding graph, with what it cost."""

    words: tuple[Word, ...]
    """What was said, in order."""
    tags: tuple[str, ...]
    """Output symbols of the path: words and the grammar's tags, in order."""
    complete: bool
    """Whether the path ends at the end of a sentence."""
    acoustic: float
    """Sum of the path's log-posteriors over its words' steps, prior not divided out [nats, <= 0]."""
    free: float
    """The same of the best unconstrained path over the same steps [nats, >= acoustic]."""
    cost: float
    """What the decoder minimised: graph plus prior-corrected acoustic cost [nats]."""
    advantage: float
    """How much less that is, over the words' steps, than what the best sequence of phones costs, whatever words it
    makes up [nats]."""
    outside: float
    """How far the path falls behind the free path before its first word and after its last [nats, >= 0]: what else was
    to be heard."""
    phones: int
    """Phones on the path."""
    free_phones: int
    """Phones on the best unconstrained path."""
    steps: int
    """Output steps decoded."""
    worst_word: float = 0.0
    """Of the words, how far the worst falls behind the free path over its own steps [nats per phone, >= 0]: one wrong
    word in a long sentence."""
    evident: int = 0
    """Phones on the best unconstrained path over the words' steps."""
    freedom: float = 0.0
    """Natural logarithm of how many ways the grammar offered along the path, each step's multiplied."""
    wake: Hypothesis | None = None
    """The wake phrase alone, where the path begins with one: its words, tags and scores over its own steps."""
    rest: Hypothesis | None = None
    """What follows the wake phrase, likewise; its words are empty where nothing does."""


MARGIN_CAP = 5.0
"""Largest margin that is told apart [nats]: beyond, nobody doubts."""

UNENDED_CAP = 10.0
"""Likewise of `unended`."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for a path; the features of the calibration."""

    distance: float
    """How much less probable than the best free path while the words last, per phone of the path [nats, >= 0]."""
    outside: float
    """The same before and after the words: other speech, a chime, a door."""
    worst_word: float
    """As `distance`, of the word that fits worst."""
    advantage: float
    """How much better the path explains the sound than any phones would, per phone of the path [nats]; mostly
    negative, because a sentence leaves less choice."""
    log_ratio: float
    """The same for the whole path [nats]."""
    evident: float
    """Phones of the best free path while the words last, per phone of the path: a chime or a far voice has few."""
    unclear: float
    """How improbable the best free path itself is, per phone of the path [nats, >= 0]: noise, several voices."""
    freedom: float
    """How many ways the grammar offered along the path, as a natural logarithm: one of many may fit by chance."""
    chance: float
    """That, times how improbable the path is, per phone [nats]: the less clear the sound, the sooner one fits."""
    phones: float
    """Phones of the path."""
    length: float
    """Their natural logarithm: long sentences don't fit by chance."""
    unended: float
    """How much dearer the path is than the likeliest beginning of a sentence, up to any word that must be followed by
    another [nats, -UNENDED_CAP to UNENDED_CAP]: what was said may have broken off, and the end have been made up."""
    margin: float
    """How much dearer the best sentence of another meaning is [nats, 0 to MARGIN_CAP]."""
    rivalry: float
    """How likely the sentences of other meanings are together, the path being 1 [>= 0]: many near ones count."""


@dataclass(frozen=True)
class Alternative:
    """Another sentence that the same sound could have been."""

    text: str
    intent: str
    slots: Mapping[str, SlotValue]
    confidence: float
    """0 to 1."""


@dataclass(frozen=True)
class Timings:
    """Where the time of one utterance went [ms of wall time, spent on this machine]."""

    features: float = 0.0
    acoustic: float = 0.0
    decode: float = 0.0
    interpret: float = 0.0
    final: float = 0.0
    """From the arrival of the last frame to the outcome; what a person waits for, beside `delay`."""
    delay: float = 0.0
    """Audio time from the last speech sample to the sample at which the outcome was decided."""


@dataclass(frozen=True)
class Wake:
    """The wake phrase, heard: somebody wants Sayso's attention."""

    phrase: str
    """As the owner wrote it."""
    confidence: float
    """Probability that it was said, 0 to 1."""
    start: int
    """Index of its first sample."""
    end: int
    """Index one past its last sample."""
    decided: int
    """Index at which it was known."""


@dataclass(frozen=True)
class Command:
    """A sentence of the owner's, understood."""

    text: str
    """The words as spoken."""
    intent: str
    slots: Mapping[str, SlotValue]
    raw_slots: Mapping[str, str]
    """Slot name -> the words that filled it."""
    confidence: float
    """Probability that this is what was said, 0 to 1."""
    start: int
    """Index of the first speech sample."""
    end: int
    """Index one past the last speech sample."""
    decided: int
    """Index at which the outcome was known."""
    words: tuple[Word, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    evidence: Evidence | None = None
    """What the confidence rests on; None where nothing was decoded."""
    timings: Timings = field(default_factory=Timings)
    wake: Wake | None = None
    """The wake phrase that it began with; None where it was said without one."""
    repeated: bool = False
    """Whether the same was said a moment ago."""


@dataclass(frozen=True)
class Rejection:
    """Sound that is not a command, and why."""

    reason: str
    """`unfinished`, `not_a_command`, `low_confidence`, `ambiguous`, `too_long`, `audio_gap`, `no_speech` or
    `not_addressed`."""
    text: str
    """The best candidate's words; empty where there is none."""
    intent: str
    confidence: float
    """The best candidate's probability, 0 to 1."""
    start: int
    end: int
    decided: int
    alternatives: tuple[Alternative, ...] = ()
    evidence: Evidence | None = None
    """What the confidence rests on; None where nothing was decoded."""
    timings: Timings = field(default_factory=Timings)
    wake: Wake | None = None
    """The wake phrase that it began with, if that was heard well."""


Outcome = Union[Command, Rejection]
Heard = Union[Wake, Command, Rejection]


@dataclass(frozen=True)
class Answer:
    """What came of a request."""

    request: str
    """Its topic below the site's: `set/mute`."""
    time: float
    """When it was obeyed or refused [Unix seconds]."""
    error: str = ""
    """Why it was refused, one line; empty: it was obeyed."""


@dataclass(frozen=True)
class State:
    """What the daemon is, right now; retained on the broker."""

    version: str
    listening: bool
    """Whether sound is being captured and judged."""
    muted: bool
    microphone: str
    """`ok: <name>`, or one word and why: `missing`, `stalled`, `silent`, `silenced`, `muted`."""
    accelerator: str
    """`cpu` or `edgetpu:<device>`, and why."""
    model: str
    """Name and version of the bundle."""
    grammar: str
    """Short digest of the templates at work, and how many sentences they allow."""
    mode: str = "always"
    """`always`, `wake` or `push`."""
    hearing: bool = False
    """Whether somebody is speaking: the gate is open."""
    min_confidence: float = 0.0
    """Commands less probable than this are rejected, 0 to 1."""
    chunk_ms: float = 0.0
    """What the network took of late for a chunk of sound, wherever it runs [ms]; not renewed while somebody speaks."""
    last_error: str = ""
    """The newest error as one line; empty when all is well."""
    keeps_audio: str = ""
    """Until when the sound of utterances is written down for debugging (ISO 8601); empty: it is not."""
    answer: Answer | None = None
    """To the newest request; None before the first."""


@dataclass(frozen=True)
class Live:
    """The sound of the last moment, for somebody who watches."""

    level: float
    """Root mean square [dB of full scale, -96 to 0]."""
    peak: float
    """Largest sample [dB of full scale, -96 to 0]."""
    hearing: bool
    """Whether somebody is speaking: the gate is open."""
    text: str = ""
    """What has been understood of the sentence so far; empty while nobody speaks."""


@dataclass(frozen=True)
class Health:
    """How the daemon has fared since it started; retained on the broker."""

    uptime: float
    """Seconds since the start."""
    utterances: int
    commands: int
    rejections: Mapping[str, int]
    """Reason of rejection -> how often."""
    dropped: int
    """Messages that could not be delivered while they were fresh."""
    gaps: int
    """Stretches of sound lost between the microphone and the recogniser."""
    reconnects: int
    """Times the broker was lost and found again."""
    latency_p50: float | None
    """Median time from the end of speech to the outcome [ms]; None before the first."""
    latency_p95: float | None
    """95th percentile of the same [ms]."""
    load: float
    """Load average of the machine over one minute."""
    memory: float
    """Resident memory of the process [MiB]."""
    temperature: float | None = None
    """Of the processor [°C]; None where the machine doesn't tell."""
    handed_over: int = 0
    """Commands that Home Assistant's conversation API acted on."""
    not_handed_over: int = 0
    """Commands that it did not."""


@dataclass(frozen=True)
class Message:
    """One MQTT publication, ready to be sent."""

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 1
    """1; or 0: it is sent if the broker can take it now, gives way to a newer one, and nobody misses it."""
    expires: float | None = None
    """Seconds after which it must not be delivered any more; None: it is state and stays true."""
