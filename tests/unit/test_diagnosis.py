"""What the doctor makes of numbers: every finding that isn't well says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sayso.audio.device import Device
from sayso.diagnosis.accelerator import look_at_accelerator
from sayso.diagnosis.computer import look_at_computer
from sayso.diagnosis.finding import BAD, NOTE, OK, Finding
from sayso.diagnosis.libedgetpu import judge_pair
from sayso.diagnosis.sound import judge, look_at_device
from sayso.recognition.usb import EdgeTpu
from sayso.records import FRAME_SAMPLES, AudioFrame


def _levels(findings: list[Finding]) -> dict[str, str]:
    for one in findings:
        assert bool(one.remedy) or one.level == OK, one
    return {one.what: one.level for one in findings}


@pytest.mark.parametrize(
    ("interpreter", "library", "known"),
    [
        ("tflite-runtime 2.5.0.post1", "16.0", "works"),
        ("tflite-runtime 2.11.1", "16.0", "works"),
        ("tflite-runtime 2.12.0", "16.0", "crashes"),
        ("tflite-runtime 2.14.0", "16.0", "crashes"),
        ("tflite-runtime 2.14.0", "16.0tf2.13.1-1", "works"),
        ("tflite-runtime 2.17.1", "16.0tf2.17.1-1.bookworm", "works"),
        ("tflite-runtime 2.14.0", "16.0tf2.14.1-1", "unknown"),
        ("tflite-runtime 2.14.0", "16.0tf2.17.1-1", "unknown"),
        ("tflite-runtime 2.14.0", "unknown", "unknown"),
        ("ai-edge-litert 2.3.0", "16.0tf2.19.1-1", "unknown"),
    ],
)
def test_pairs_of_interpreter_and_library(interpreter: str, library: str, known: str) -> None:
    assert judge_pair(interpreter, library).known == known


def test_a_stick_on_usb_2_and_a_library_that_crashes() -> None:
    stick = EdgeTpu("1-1", "1a6e:089a", 480)
    findings = list(look_at_accelerator("tflite-runtime 2.14.0", "auto", (stick,), "16.0"))
    assert _levels(findings) == {"interpreter": OK, "Edge TPU": NOTE, "libedgetpu": BAD}
    assert "its firmware is not loaded yet" in findings[1].detail


def test_nobody_needs_an_edge_tpu_who_did_not_ask_for_one() -> None:
    assert _levels(list(look_at_accelerator("tflite-runtime 2.14.0", "auto", (), ""))) == {
        "interpreter": OK, "Edge TPU": OK, "libedgetpu": OK,
    }  # fmt: skip
    insisted = _levels(list(look_at_accelerator("tflite-runtime 2.14.0", "edgetpu", (), "")))
    assert insisted == {"interpreter": OK, "Edge TPU": BAD, "libedgetpu": BAD}


def _frames(sound: np.ndarray[tuple[int], np.dtype[np.float64]], lost: int = 0) -> list[AudioFrame]:
    samples = np.clip(sound * 32768, -32768, 32767).astype(np.int16).reshape(-1, FRAME_SAMPLES)
    return [AudioFrame(row, n * FRAME_SAMPLES, lost if n == 5 else 0) for n, row in enumerate(samples)]


def _noise(decibels: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(0, 10 ** (decibels / 20), 100 * FRAME_SAMPLES)


@pytest.mark.parametrize(
    ("sound", "lost", "wrong"),
    [
        (_noise(-55), 0, {}),
        (_noise(-90), 0, {"level": NOTE}),
        (_noise(-25), 0, {"level": NOTE}),
        (_noise(-5), 0, {"level": NOTE, "clipping": BAD}),
        (_noise(-55), 1600, {"overruns": BAD}),
        (np.zeros(100 * FRAME_SAMPLES), 0, {"sound": BAD}),
    ],
)
def test_sound(sound: np.ndarray[tuple[int], np.dtype[np.float64]], lost: int, wrong: dict[str, str]) -> None:
    levels = _levels(list(judge(_frames(sound, lost))))
    assert {what: level for what, level in levels.items() if level != OK} == wrong


def test_a_telephones_microphone_is_noted() -> None:
    assert look_at_device(Device(0, "headset", "ALSA", 8000, 1, True)).level == NOTE
    assert look_at_device(Device(0, "usb", "ALSA", 48000, 2, True)).level == OK


@pytest.mark.parametrize(
    ("files", "wrong"),
    [
        ({}, {}),
        ({"sys/class/thermal/thermal_zone0/temp": "83000"}, {"temperature": BAD}),
        ({"sys/class/thermal/thermal_zone0/temp": "72000"}, {"temperature": NOTE}),
        ({"sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "powersave"}, {"governor": NOTE}),
        ({"sys/devices/platform/soc/soc:firmware/get_throttled": "0"}, {}),
        ({"sys/devices/platform/soc/soc:firmware/get_throttled": "50000"}, {"power and heat": NOTE}),
        ({"sys/devices/platform/soc/soc:firmware/get_throttled": "50005"}, {"power and heat": BAD}),
        ({"proc/meminfo": "MemTotal: 948000 kB\nMemAvailable: 51200 kB"}, {"memory": BAD}),
        ({"run/systemd/timesync/synchronized": ""}, {}),
        ({"run/systemd/timesync/clock": ""}, {"clock": NOTE}),
    ],
)
def test_a_computer(tmp_path: Path, files: dict[str, str], wrong: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(f"{text}\n")
    levels = _levels([one for one in look_at_computer(tmp_path) if one.what != "load"])
    assert {what: level for what, level in levels.items() if level != OK} == wrong
