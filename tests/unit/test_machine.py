"""What a computer says of itself, read from folders as Linux makes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sayso import machine


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_raspberry_pi_says_what_it_is_and_what_holds_it_back(tmp_path: Path) -> None:
    _write(
        tmp_path,
        {
            "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
            "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 108.00\n",
            "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "ondemand\n",
            "sys/class/thermal/thermal_zone0/temp": "61300\n",
            "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
            "proc/meminfo": "MemTotal:        3884036 kB\nMemFree: 1 kB\nMemAvailable:    2097152 kB\n",
        },
    )
    assert machine.name(tmp_path).startswith("Raspberry Pi 4 Model B Rev 1.4, ")
    assert machine.governors(tmp_path) == ("ondemand",)
    assert machine.temperature(tmp_path) == pytest.approx(61.3)
    assert machine.held_back(tmp_path) == (("under-voltage", "throttled"), ("under-voltage", "throttled"))
    memory = machine.memory(tmp_path)
    assert memory is not None
    assert memory.available == 2048


def test_a_machine_that_says_nothing_is_no_error(tmp_path: Path) -> None:
    assert machine.name(tmp_path)
    assert machine.governors(tmp_path) == ()
    assert machine.temperature(tmp_path) is None
    assert machine.held_back(tmp_path) is None
    assert machine.memory(tmp_path) is None
    assert machine.resident(1, root=tmp_path) == 0
    assert machine.processor_seconds(1, tmp_path) == 0


def test_this_process_has_memory_and_uses_time() -> None:
    assert 5 < machine.resident(os.getpid()) <= machine.resident(os.getpid(), "VmHWM")
    before = machine.processor_seconds(os.getpid())
    while machine.processor_seconds(os.getpid()) == before:
        sum(range(10_000))
    assert machine.cores() >= 1
