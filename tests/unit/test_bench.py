"""`sayso bench`: a row for each way of running each model, and what can't be run says why."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from edge_tpu import EdgeTpu, compiled

from sayso.assembly import SHIPPED_MODEL
from sayso.cli.bench import installed

SAYSO = Path(sys.executable).with_name("sayso")


def _bench(*arguments: str | Path) -> dict[str, Any]:
    command = [str(SAYSO), "bench", "--json", "--seconds", "1", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100)
    assert done.stderr == b""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_way_of_running_a_model_has_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "library").mkdir()
    for name, value in EdgeTpu(tmp_path / "library").environment.items():
        monkeypatch.setenv(name, value)
    found = _bench("--threads", "2", compiled(SHIPPED_MODEL, tmp_path / "en"))
    rows = found["rows"]
    assert [(row["threads"], row["edgetpu"], row["error"]) for row in rows] == [
        (1, False, ""),
        (2, False, ""),
        (1, True, ""),
    ]
    for row in rows:
        assert row["chunk_sound"] == 80
        assert 0 < row["chunk_median"] <= row["chunk_p95"]
        assert row["real_time_factor"] == row["second"] / 1000 > 0
        assert row["processor"] > 0
        assert row["memory"] > 1
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["interpreter"].startswith(("tflite-runtime ", "ai-edge-litert "))


def test_an_edge_tpu_that_is_not_there_is_a_row_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    processor, accelerator = _bench("--threads", "1", compiled(SHIPPED_MODEL, tmp_path / "en"))["rows"]
    assert processor["second"] > 0
    assert "libedgetpu.so.1 is not installed" in accelerator["error"]


def test_the_table_fits_a_terminal() -> None:
    command = [str(SAYSO), "bench", "--seconds", "1", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100, text=True)
    rows = [line for line in done.stdout.splitlines() if "CPU, 1 thread" in line]
    assert len(rows) >= 1
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if "thread" in line)


def test_the_configured_model_comes_first_and_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = tmp_path / "deepspeech-0.9.3"
    fetched.mkdir()
    (fetched / "output_graph.tflite").touch()
    (fetched / "output_graph_edgetpu.tflite").touch()
    (tmp_path / "en").symlink_to(SHIPPED_MODEL)
    monkeypatch.setattr("sayso.cli.bench.state_folder", lambda: tmp_path)
    assert installed(tmp_path / "en") == (tmp_path / "en", fetched / "output_graph.tflite")
