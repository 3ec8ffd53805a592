"""The settings file: every key is in it, and every mistake is named with its line."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.assembly import mqtt_settings
from sayso.audio.gate import GateSettings
from sayso.audio.watch import MicrophoneSettings
from sayso.config import Config, parse_config, read_config, render, template
from sayso.errors import ConfigError
from sayso.mqtt.settings import MqttSettings
from sayso.recognition.decode import DecoderSettings
from sayso.recognition.endpoint import EndpointSettings

ROOT = Path(__file__).resolve().parents[2]


def _wrong(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "s.toml")
    assert all("\n" not in str(problem) for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


def test_the_shipped_file_is_the_schemas() -> None:
    assert (ROOT / "config" / "sayso.toml").read_text(encoding="utf-8") == template()


def test_every_key_stands_in_the_file_and_is_valid_as_it_stands_there() -> None:
    # A comment that is a setting: one word, an equals sign, a value.
    uncommented = re.sub(r"(?m)^# (\w+ = )", r"\1", template())
    found, default = parse_config(uncommented, "template"), Config()
    for name, section in found:
        keys = set(type(section).model_fields)
        assert keys == set(re.findall(r"(?m)^(\w+) = ", uncommented.split(f"[{name}]")[1].split("\n[")[0])), name
    # An unset threshold has no TOML value; the file shows one.
    assert found.commands.min_confidence is not None
    changed = found.commands.model_copy(update={"min_confidence": None})
    assert found.model_copy(update={"commands": changed}) == default


def test_every_default_is_explained() -> None:
    paragraphs = [one.splitlines() for one in template().split("\n\n")]
    for lines in paragraphs:
        assert all(line.startswith(("#", "[")) for line in lines), lines
    settings = [lines for lines in paragraphs if re.match(r"# \w+ = ", lines[-1])]
    assert len(settings) == sum(len(type(section).model_fields) for _, section in Config())
    assert all(len(lines) == 2 and len(lines[0]) > 8 for lines in settings)


def test_settings_in_force_read_back_as_they_are() -> None:
    text = '[mqtt]\nsite = "a"\nalpn = ["x", "y"]\n[commands]\nmin_confidence = 0.25\n'
    text += 'context = {area = "hall", floors = [1, 2]}\n'
    found = parse_config(text, "s.toml")
    assert parse_config(render(found), "printed") == found
    assert parse_config(render(Config()), "printed") == Config()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[audio]\nstal = 1", "s.toml:2: [audio] stal: unknown key (did you mean `stall`?)"),
        ("[adio]\nx = 1", "s.toml:1: [adio]: unknown section (did you mean `audio`?)"),
        ('site = "x"', "s.toml:1: [site]: unknown section (it belongs to [mqtt] site)"),
        ("[gate]\n\nhangover = 9", "s.toml:3: [gate] hangover: input should be less than or equal to 3 (it is 9)"),
        ('[gate]\nhangover = "1"', "s.toml:2: [gate] hangover: input should be a valid number (it is '1')"),
        ("[audio]\ndevice = 3", "s.toml:2: [audio] device: input should be a valid string (it is 3)"),
        ('[mqtt]\nsite = "a b"', "s.toml:2: [mqtt] site: string should match pattern"),
        ('[mqtt]\nsite = ""', "s.toml:2: [mqtt] site: string should match pattern"),
        ('[model]\naccelerator = "gpu"', "s.toml:2: [model] accelerator: input should be 'auto', 'edgetpu' or 'cpu'"),
        ('[mqtt]\nalpn = ["x", 1]', "s.toml:2: [mqtt] alpn.1: input should be a valid string (it is 1)"),
        ('[hermes]\nsites = ["a", "b/c"]', "s.toml:2: [hermes] sites.1: string should match pattern"),
        ('[home_assistant]\nprefix = "#"', "s.toml:2: [home_assistant] prefix: string should match pattern"),
        ("audio = 3", "s.toml:1: [audio]: is a section (write [audio] on a line of its own, its keys below)"),
        ("[audio\n", "s.toml: not TOML: "),
        ("[gate]\nhangover = 1\nhangover = 2", "s.toml: not TOML: "),
        (
            "[gate]\nonset_speech = 6",
            "s.toml:1: [gate]: onset_speech (6) is more than onset_window (5): it never opens",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(text: str, problem: str) -> None:
    (found,) = _wrong(text)
    assert found.startswith(problem)


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    found = _wrong('[mqtt]\nport = -1\nhots = ""\n[gate]\naggressiveness = 7\n[log]\nlevel = "loud"\n[x]\n')
    assert [one.split(": ")[0] for one in found] == ["s.toml:2", "s.toml:3", "s.toml:5", "s.toml:7", "s.toml:8"]


def test_paths_are_as_seen_from_the_settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house").mkdir()
    file = tmp_path / "house" / "sayso.toml"
    file.write_text('[model]\npath = "../models/en"\n[mqtt]\ncert_file = "/root/house.pem"\n')
    monkeypatch.chdir(tmp_path)
    found = read_config(Path("house/sayso.toml"))
    assert found.commands.path == str(tmp_path / "house" / "commands")
    assert Path(found.model.path).resolve() == (tmp_path / "models" / "en")
    assert found.mqtt.cert_file == "/root/house.pem"
    assert (found.mqtt.ca_file, found.scorer.path) == ("", "")
    assert Config().commands.path == "/etc/sayso/commands"


def test_a_missing_file_matters_only_where_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sayso.config.DEFAULT_PATH", tmp_path / "none.toml")
    assert read_config(None) == Config()
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="can't be read"):
        read_config(tmp_path)
    (tmp_path / "latin.toml").write_bytes('[mqtt]\nhost = "é"'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin.toml: can't be read: "):
        read_config(tmp_path / "latin.toml")


def test_the_stages_defaults_are_the_files() -> None:
    config = Config()
    assert config.gate.model_dump(exclude={"aggressiveness", "noise_margin"}) == asdict(GateSettings())
    assert mqtt_settings(config) == MqttSettings()
    assert config.endpoint.model_dump(exclude={"rejoin"}) == asdict(EndpointSettings())
    decoder = DecoderSettings(log_prior=np.zeros(1, np.float32), blank=0)
    assert (config.decoder.beam, config.decoder.max_active) == (decoder.beam, decoder.max_active)
    audio: dict[str, Any] = config.audio.model_dump(exclude={"channel", "rate"})
    assert MicrophoneSettings(**audio) == MicrophoneSettings()
    assert (config.audio.channel, config.audio.rate) == (-1, 0)


@given(st.text(max_size=40))
def test_any_text_is_a_settings_file_or_says_why_not(text: str) -> None:
    try:
        parse_config(text, "s.toml")
    except ConfigError as error:
        lines = [str(problem) for problem in error.problems]
        if not all(line.startswith("s.toml") and len(line.splitlines()) == 1 for line in lines):
            raise
