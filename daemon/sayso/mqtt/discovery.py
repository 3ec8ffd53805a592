"""Sayso's entry at Home Assistant over time: made, kept true, taken back.

Rule of this file: an introduction is published when it differs from the last one, so that reading back our
own never goes round in circles. Pure: messages in, messages out.
"""

from __future__ import annotations

from typing import Sequence

from sayso.mqtt.contract import Stamp
from sayso.mqtt.homeassistant import HomeAssistant
from sayso.records import Heard, Message, Wake

Messages = tuple[Message, ...]


class Discovery:
    """One daemon's entry."""

    def __init__(self, device: HomeAssistant) -> None:
        """Given the device as it is at the start."""
        self._device = device
        self._said: Message | None = None

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Return the topics to be heard."""
        return (self._device.birth_topic,) if self._device.settings.discovery else ()

    @property
    def recall(self) -> tuple[str, ...]:
        """Return the topics to be heard of which the broker's memory is wanted, too."""
        return (self._device.topic,)

    @property
    def optional(self) -> tuple[str, ...]:
        """Return those of them that a broker may keep from us: switched off, most have nothing there to take back."""
        return () if self._device.settings.discovery else self.recall

    def begin(self) -> Messages:
        """Return what is said at the start. Switched off, nothing is, until an earlier entry shows."""
        return self._introduce() if self._device.settings.discovery else ()

    def with_intents(self, intents: Sequence[str]) -> Messages:
        """Given the intents of new sentences, return what has to be said."""
        self._device = self._device.with_intents(intents)
        return self.begin()

    def recalled(self, payload: bytes, retained: bool) -> Messages:
        """Given what was said on the entry's topic, return what has to be said then.

        Only the broker's memory counts: MQTT 3.1.1 brings us back our own words, too.
        """
        if not (payload and retained):
            return ()
        self._device = self._device.recalled(payload)
        return self._introduce()

    def is_birth(self, topic: str, payload: bytes) -> bool:
        """Given a message, return whether Home Assistant has just started and wants all state again."""
        return self._device.is_birth(topic, payload)

    def events(self, heard: Heard, stamp: Stamp) -> Messages:
        """Given an outcome or a wake phrase, return it for the event entity, if there is one."""
        if not self._device.settings.discovery:
            return ()
        if isinstance(heard, Wake):
            return (self._device.wake_event(heard, stamp),)
        return (self._device.event(heard, stamp),)

    def _introduce(self) -> Messages:
        before, self._said = self._said, self._device.introduction()
        return () if self._said == before else (self._said,)
