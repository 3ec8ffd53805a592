"""Which settings of the broker's connection agree."""

from __future__ import annotations

import pytest

from sayso.errors import ConfigError
from sayso.mqtt.settings import MqttSettings, back_off


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("host", {"host": " "}),
        ("port", {"port": 65536}),
        ("time_to_live", {"time_to_live": float("nan")}),
        ("keepalive", {"keepalive": 0}),
        ("username", {"password_file": "/etc/sayso/password"}),
        ("tls", {"ca_file": "/etc/ca.pem"}),
        ("key_file", {"tls": True, "cert_file": "/etc/client.pem"}),
        ("websocket_path", {"websocket_path": "mqtt"}),
    ],
)
def test_settings_that_do_not_agree_are_named(key: str, settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"^\[mqtt\] {key}: "):
        MqttSettings(**settings)  # type: ignore[arg-type]


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        MqttSettings(host="", port=-1, keepalive=1)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("settings", "port"),
    [
        ({}, 1883),
        ({"tls": True}, 8883),
        ({"websocket_path": "/"}, 80),
        ({"tls": True, "websocket_path": "/"}, 443),
        ({"port": 99}, 99),
    ],
)
def test_the_usual_port_is_dialled_where_none_is_set(settings: dict[str, object], port: int) -> None:
    assert MqttSettings(**settings).address == f"127.0.0.1:{port}"  # type: ignore[arg-type]


def test_waiting_grows_to_15_seconds_and_is_never_nothing() -> None:
    assert [back_off(attempt, 1.0) for attempt in (1, 2, 3, 4, 5, 6, 10_000)] == [1, 2, 4, 8, 15, 15, 15]
    assert back_off(1, 0.0) == 0.1
    assert back_off(6, 0.5) == 7.5
