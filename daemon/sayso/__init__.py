"""Sayso: offline voice commands, from a microphone to an MQTT event."""

__version__ = "0.1.0"
