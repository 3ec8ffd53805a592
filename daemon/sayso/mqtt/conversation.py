"""The Hermes dialect over time: who asked to be listened for, until when, and whether we may listen at all.

Rule of this file: whoever asks is answered, once: with what was said, or with silence when nothing was, when
somebody else asks, when time is up or when Sayso ends. Pure: it is told the time [s], and returns messages.
"""

from __future__ import annotations

from typing import Callable

from sayso.mqtt.contract import Stamp
from sayso.mqtt.hermes import SUBSCRIPTIONS, Hermes, Query, Session, StartListening, StopListening
from sayso.records import Command, Message, Outcome, Wake

NOBODY_SPOKE = ("no_speech", "not_addressed")
"""Rejections of a noise, or of what was said to somebody else; whoever asked still waits for somebody to speak."""

LONGEST_SENTENCE = 15.0
"""While somebody speaks, time is up so much later [s]; an utterance is given up sooner."""

Messages = tuple[Message, ...]


class Conversation:
    """One daemon's part in Hermes. With Hermes disabled it hears and says nothing."""

    def __init__(
        self, hermes: Hermes, timeout: float, meaning: Callable[[str], Command | None], sensitivity: float = 0.5
    ) -> None:
        """Given how to speak, how long to listen for nothing [s], what a text means, and how easily a wake phrase is
        believed (0 to 1), take part."""
        self._hermes = hermes
        self._timeout = timeout
        self._meaning = meaning
        self._session: Session | None = None
        self._until = 0.0
        self._reasons: frozenset[str] = frozenset()
        self._sensitivity = sensitivity
        self._unwakeable: frozenset[str] = frozenset()

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Return the topics to be heard."""
        return SUBSCRIPTIONS if self._hermes.settings.enabled else ()

    @property
    def listening(self) -> bool:
        """Return whether somebody waits for an answer."""
        return self._session is not None

    @property
    def silenced(self) -> bool:
        """Return whether somebody asked us not to recognise anything for now: we would hear the loudspeaker."""
        return bool(self._reasons)

    def heard(self, topic: str, payload: bytes, retained: bool, now: float) -> Messages:
        """Given a message on one of the subscriptions, return the answers due at once.

        Raise BrokerError, one line that names the topic, where it is wrong.
        """
        ask = self._hermes.parse(topic, payload, retained)
        if isinstance(ask, Query):
            return self._hermes.meaning(ask, self._meaning(ask.text))
        if isinstance(ask, StartListening):
            answer = self.end()
            self._session, self._until = ask.session, now + self._timeout
            return answer
        if isinstance(ask, StopListening):
            # Dialogue managers send it after the answer, too; a second answer would be taken for the next question's.
            return self.end() if self._session and ask.session.id in ("", self._session.id) else ()
        if ask is not None and ask.part == "asr":
            self._reasons = ask.applied(self._reasons)
        elif ask is not None:
            self._unwakeable = ask.applied(self._unwakeable)
        return ()

    def woken(self, wake: Wake) -> Messages:
        """Given a wake phrase just heard, return what Hermes says of it; nothing while somebody asked for that."""
        if not self._hermes.settings.enabled or self._unwakeable:
            return ()
        return (self._hermes.detected(wake.phrase, self._sensitivity),)

    def answer(self, outcome: Outcome, stamp: Stamp) -> Messages:
        """Given what was said, return what Hermes says of it; it answers the open session, if there is one."""
        if not self._hermes.settings.enabled:
            return ()
        if not isinstance(outcome, Command) and outcome.reason in NOBODY_SPOKE:
            return ()
        session, self._session = self._session, None
        return self._hermes.answer(outcome, stamp, session)

    def timed_out(self, now: float, hearing: bool) -> Messages:
        """Given the time and whether somebody is speaking, return silence to who has waited in vain."""
        due = self._until + (LONGEST_SENTENCE if hearing else 0.0)
        return self.end() if now >= due else ()

    def deaf(self, line: str) -> Messages:
        """Given why nothing can be heard, return that to whoever waits."""
        if self._session is None:
            return ()
        return (self._hermes.error("asr", line, self._session), *self.end())

    def end(self) -> Messages:
        """Return silence to whoever still waits."""
        session, self._session = self._session, None
        return () if session is None else self._hermes.silence(session)
