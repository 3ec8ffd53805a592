"""The Hermes dialect: what flows made for Rhasspy and Snips say and expect.

Rule of this file: values in, values out; who is listening for which session is the caller's to
remember. Every startListening is answered by a textCaptured, with empty text if need be: peers wait
for it. Spontaneous speech that is no command is not told: nobody asked.

Source: Rhasspy's documentation, "Reference, MQTT API" (a superset of Snips's Hermes protocol). Keys
are camelCase; a missing siteId is `default`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Union

from sayso.errors import BrokerError, ConfigError
from sayso.mqtt.contract import Contract, Stamp, encode
from sayso.records import Command, Message, Outcome, SlotValue, seconds

MAX_PAYLOAD = 16 * 1024
"""Bytes; a query with a long intent filter is a tenth of it."""

MAX_TEXT = 500
"""Characters of anything that is given back: text, ids."""

MAX_REASONS = 16
"""Reasons to be silent that are remembered; flows have four."""

_DEFAULT_SITE = "default"

_UNSAFE = re.compile(r"[+#/\x00-\x1f\ud800-\udfff]")
"""What a level of a topic must not hold."""


@dataclass(frozen=True)
class HermesSettings:
    """Whether and for whom to speak it. Raise ConfigError where a site can't be one."""

    enabled: bool = False
    sites: tuple[str, ...] = ()
    """Site ids answered to; events without a session carry the first. Empty: the site of the contract."""
    dialogue_manager: bool = False
    """Somebody else manages dialogues: in a session the intent then waits for its `hermes/nlu/query`."""
    language: str = "en"

    def __post_init__(self) -> None:
        for site in self.sites:
            if not site or len(site) > MAX_TEXT or _UNSAFE.search(site):
                what = f"{site!r} can't be a site id"
                raise ConfigError(what, where="[hermes] sites", remedy="use letters, digits, - and _")


@dataclass(frozen=True)
class Session:
    """Whose question an answer belongs to."""

    site: str
    id: str = ""
    """Empty outside a dialogue."""
    wakeword: str = ""
    language: str = ""
    intents: tuple[str, ...] = ()
    """The only intents wanted; empty: all."""


@dataclass(frozen=True)
class StartListening:
    """Listen for one command, and answer."""

    session: Session


@dataclass(frozen=True)
class StopListening:
    """Stop, and answer with what there is."""

    session: Session


@dataclass(frozen=True)
class Toggle:
    """Recognise nothing (`asr`) or no wake word (`hotword`) for a while, or again."""

    part: str
    """`asr` or `hotword`."""
    on: bool
    reason: str
    """`dialogueSession`, `playAudio`, `ttsSay`; empty: no reason given, which overrides all others."""

    def applied(self, off: frozenset[str]) -> frozenset[str]:
        """Given the reasons for which the part is off, return those that hold now; it works when there is none."""
        if not self.on:
            return off | {self.reason} if len(off) < MAX_REASONS else off
        return off - {self.reason} if self.reason else frozenset()


@dataclass(frozen=True)
class Query:
    """Say what a text means."""

    text: str
    id: str
    session: Session


Ask = Union[StartListening, StopListening, Toggle, Query]

SUBSCRIPTIONS = (
    "hermes/asr/startListening",
    "hermes/asr/stopListening",
    "hermes/asr/toggleOn",
    "hermes/asr/toggleOff",
    "hermes/hotword/toggleOn",
    "hermes/hotword/toggleOff",
    "hermes/nlu/query",
)


@dataclass(frozen=True)
class Hermes:
    """One daemon, as Hermes sees it."""

    contract: Contract
    settings: HermesSettings

    @property
    def sites(self) -> tuple[str, ...]:
        """Return the site ids that this daemon answers to."""
        return self.settings.sites or (self.contract.site,)

    def parse(self, topic: str, payload: bytes, retained: bool) -> Ask | None:
        """Given what came in on a topic of SUBSCRIPTIONS, return it; None when it is meant for another site.

        Raise BrokerError, one line that names the topic, for what is no such message.
        """
        said = _Fields(topic, payload)
        if said.text("siteId", _DEFAULT_SITE) not in self.sites:
            return None
        if retained:
            raise BrokerError("a retained request is not obeyed", where=topic, remedy="publish it without the flag")
        _, part, verb = topic.split("/", 2)
        if verb in ("toggleOn", "toggleOff"):
            return Toggle(part, verb == "toggleOn", said.text("reason"))
        session = self._session(said)
        if verb == "startListening":
            return StartListening(session)
        if verb == "stopListening":
            return StopListening(session)
        return Query(said.text("input", required=True), said.text("id"), session)

    def answer(self, outcome: Outcome, stamp: Stamp, session: Session | None) -> tuple[Message, ...]:
        """Given an outcome and the session that listened for it, return what Hermes says; None: it was spontaneous."""
        whose = session or Session(self.sites[0], language=self.settings.language)
        if isinstance(outcome, Command) and _wanted(outcome.intent, whose):
            captured = self._captured(outcome, whose)
            managed = self.settings.dialogue_manager and whose.id
            return (captured,) if managed else (captured, self._intent(outcome, stamp.id, whose))
        if session is None:
            return ()
        return self.silence(session)

    def silence(self, session: Session) -> tuple[Message, ...]:
        """Given a session in which nothing was understood, or that was stopped or ran out, return its answer."""
        captured = {"text": "", "likelihood": 0.0, "seconds": 0.0, "asrTokens": None, **_whose(session)}
        answers = (self._message("hermes/asr/textCaptured", captured),)
        if self.settings.dialogue_manager and session.id:
            return answers
        return (*answers, self._not_recognised("", "", session))

    def meaning(self, query: Query, command: Command | None) -> tuple[Message, ...]:
        """Given a query and what its text means (None: nothing), return the answer."""
        if command is None or not _wanted(command.intent, query.session):
            return (self._not_recognised(query.text, query.id, query.session),)
        parsed = {
            "input": command.text,
            "intent": _classified(command),
            "slots": _slots(command),
            "id": query.id or None,
            "siteId": query.session.site,
            "sessionId": query.session.id or None,
        }
        intent = self._intent(command, query.id, query.session)
        return (self._message("hermes/nlu/intentParsed", parsed), intent)

    def detected(self, wakeword: str, sensitivity: float) -> Message:
        """Given a wake word just heard and how easily it is believed (0 to 1), return that."""
        payload = {
            "modelId": wakeword,
            "modelVersion": "",
            "modelType": "personal",
            "currentSensitivity": sensitivity,
            "siteId": self.sites[0],
            "sessionId": None,
            "sendAudioCaptured": None,
            "lang": self.settings.language,
        }
        return self._message(f"hermes/hotword/{_level(wakeword)}/detected", payload)

    def error(self, part: str, line: str, session: Session | None) -> Message:
        """Given `asr`, `nlu` or `hotword` and what is wrong with it, return that."""
        whose = session or Session(self.sites[0])
        payload = {"error": line, "context": None, "siteId": whose.site, "sessionId": whose.id or None}
        return self._message(f"hermes/error/{part}", payload)

    def _session(self, said: _Fields) -> Session:
        return Session(
            said.text("siteId", _DEFAULT_SITE),
            said.text("sessionId"),
            said.text("wakewordId"),
            said.text("lang") or self.settings.language,
            said.texts("intentFilter"),
        )

    def _captured(self, command: Command, session: Session) -> Message:
        payload = {
            "text": command.text,
            "likelihood": round(command.confidence, 4),
            "seconds": round(command.timings.final / 1000, 4),
            "asrTokens": _tokens(command),
            **_whose(session),
        }
        return self._message("hermes/asr/textCaptured", payload)

    def _intent(self, command: Command, id_: str, session: Session) -> Message:
        payload = {
            "input": command.text,
            "intent": _classified(command),
            "slots": _slots(command),
            "id": id_ or None,
            "customData": None,
            "asrTokens": _tokens(command),
            "asrConfidence": round(command.confidence, 4),
            "rawInput": command.text,
            **_whose(session),
        }
        return self._message(f"hermes/intent/{_level(command.intent)}", payload)

    def _not_recognised(self, text: str, id_: str, session: Session) -> Message:
        payload = {"input": text, "id": id_ or None, "customData": None, **_whose(session)}
        return self._message("hermes/nlu/intentNotRecognized", payload)

    def _message(self, topic: str, payload: dict[str, Any]) -> Message:
        return Message(topic, encode(payload), expires=self.contract.time_to_live)


class _Fields:
    """The JSON object of a payload, read without trust."""

    def __init__(self, topic: str, payload: bytes) -> None:
        self._topic = topic
        if len(payload) > MAX_PAYLOAD:
            raise BrokerError(f"{len(payload)} bytes are too long", where=topic, remedy=f"at most {MAX_PAYLOAD}")
        try:
            fields = json.loads(payload or b"{}")
        except (ValueError, RecursionError):
            raise self._wrong("the payload is no JSON") from None
        if not isinstance(fields, dict):
            raise self._wrong("the payload is no JSON object")
        self._fields = fields

    def text(self, key: str, default: str = "", required: bool = False) -> str:
        """Return a text; null counts as missing."""
        value = self._fields.get(key)
        if value is None and not required:
            return default
        if not isinstance(value, str) or len(value) > MAX_TEXT or _has_surrogate(value):
            raise self._wrong(f"{key} is no text of at most {MAX_TEXT} characters")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; null counts as empty."""
        value = self._fields.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self._wrong(f"{key} is no list of texts")
        return tuple(value)

    def _wrong(self, what: str) -> BrokerError:
        return BrokerError(what, where=self._topic, remedy="see Rhasspy's reference of the Hermes protocol")


def _wanted(intent: str, session: Session) -> bool:
    return not session.intents or intent in session.intents


def _whose(session: Session) -> dict[str, Any]:
    return {
        "siteId": session.site,
        "sessionId": session.id or None,
        "wakewordId": session.wakeword or None,
        "lang": session.language or None,
    }


def _classified(command: Command) -> dict[str, Any]:
    return {"intentName": command.intent, "confidenceScore": round(command.confidence, 4)}


def _slots(command: Command) -> list[dict[str, Any]]:
    return [_slot(command, name, value) for name, value in command.slots.items()]


def _slot(command: Command, name: str, value: SlotValue) -> dict[str, Any]:
    raw = command.raw_slots.get(name, str(value))
    start = max(0, command.text.find(raw))
    end = start + len(raw)
    return {
        "entity": name,
        "slotName": name,
        "confidence": round(command.confidence, 4),
        "rawValue": raw,
        "value": {"kind": "Unknown" if isinstance(value, str) else "Number", "value": value},
        "range": {"start": start, "end": end, "rawStart": start, "rawEnd": end},
    }


def _tokens(command: Command) -> list[list[dict[str, Any]]]:
    """Return the words of one recognition, each with its place in the text and in time [s from its start]."""
    tokens, place = [], 0
    for word in command.words:
        place = max(place, command.text.find(word.text, place))
        begin, end = (round(seconds(sample - command.start), 3) for sample in (word.start, word.end))
        tokens.append(
            {
                "value": word.text,
                "confidence": round(command.confidence, 4),
                "rangeStart": place,
                "rangeEnd": place + len(word.text),
                "time": {"start": begin, "end": end},
            }
        )
        place += len(word.text)
    return [tokens]


def _level(name: str) -> str:
    """Given a name, return it as one level of a topic."""
    return _UNSAFE.sub("_", name) or "_"


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
