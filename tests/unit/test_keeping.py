"""Sound kept for debugging: only on request, only so long, only so much."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from sayso.keeping import Keeping
from sayso.records import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, Rejection

HOUR = 3600.0
NOW = 1_800_000_000.0


def hear(keeping: Keeping, seconds: float) -> list[AudioFrame]:
    """Let a microphone be read for so long; every frame holds its own number."""
    frames = [
        AudioFrame(np.full(FRAME_SAMPLES, number, np.int16), number * FRAME_SAMPLES)
        for number in range(int(seconds * SAMPLE_RATE / FRAME_SAMPLES))
    ]
    waiting = iter(frames)
    read = keeping.through(lambda _: next(waiting, None))
    while read(0.1) is not None:
        pass
    return frames


def utterance(start: float, end: float) -> Rejection:
    first, last = int(start * SAMPLE_RATE), int(end * SAMPLE_RATE)
    return Rejection("not_a_command", "", "", 0.0, start=first, end=last, decided=last)


def kept(folder: Path) -> list[str]:
    return sorted(file.name.split("-")[1].removesuffix(".wav") for file in folder.glob("*.wav"))


def test_nothing_is_kept_unless_asked_for(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path / "audio", 0.0, 1.0, 12.0, NOW)
    hear(keeping, 2.0)
    keeping.keep(utterance(0.0, 1.0), "one", NOW)
    assert not (tmp_path / "audio").exists()
    assert keeping.until(NOW) == ""


def test_the_sound_of_an_utterance_is_written_and_no_other(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path, 1.0, 1.0, 12.0, NOW)
    hear(keeping, 4.0)
    keeping.keep(utterance(1.0, 2.0), "one", NOW)
    (file,) = tmp_path.glob("*.wav")
    with wave.open(str(file)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (SAMPLE_RATE, 1, 2)
        numbers = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")[::FRAME_SAMPLES]
    assert list(numbers) == list(range(50, 100))
    assert file.stat().st_mode & 0o077 == 0


def test_after_its_time_nothing_is_written_and_what_was_goes(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path, 1.0, 1.0, 12.0, NOW)
    hear(keeping, 2.0)
    assert keeping.until(NOW) == "2027-01-15T09:00:00Z"
    keeping.keep(utterance(0.0, 1.0), "late", NOW + HOUR)
    assert kept(tmp_path) == []
    keeping.keep(utterance(0.0, 1.0), "one", NOW)
    written = next(tmp_path.glob("*.wav")).stat().st_mtime
    keeping.expire(written + HOUR - 1)
    assert kept(tmp_path) == ["one"]
    keeping.expire(written + HOUR)
    assert kept(tmp_path) == []


def test_a_start_without_it_removes_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "20260101T000000-one.wav").write_bytes(bytes(100))
    Keeping(tmp_path, 0.0, 1.0, 12.0, NOW)
    assert kept(tmp_path) == []


def test_it_never_takes_more_than_its_share(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path, 1.0, 1.0, 12.0, NOW)
    hear(keeping, 12.0)
    for number in range(6):  # 375 KiB each
        keeping.keep(utterance(0.0, 12.0), f"n{number}", NOW + number)
    assert kept(tmp_path) == ["n4", "n5"]


def test_a_full_disk_ends_the_keeping_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "audio").write_text("a file where the folder should be")
    keeping = Keeping(tmp_path / "audio", 1.0, 1.0, 12.0, NOW)
    hear(keeping, 2.0)
    keeping.keep(utterance(0.0, 1.0), "one", NOW)
    assert keeping.until(NOW) == ""
