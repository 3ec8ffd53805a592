"""Files and streams that are not what they should be."""

from __future__ import annotations

import io
import os
import pty
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sayso.audio.files import PcmStream, SoundFile
from sayso.errors import AudioError
from sayso.records import AudioFrame

SPEECH = Path(__file__).parent.parent / "data" / "speech"
SOUND = np.random.default_rng(5).integers(-9000, 9000, 48_000, np.int16)


def read(path: Path, channel: int | None = None) -> list[AudioFrame]:
    with SoundFile(path, channel) as source:
        return list(source)


@pytest.mark.parametrize("clip", ["pause.opus", "cv_7.opus"])
def test_recordings_of_people_can_be_read(clip: str) -> None:
    frames = read(SPEECH / clip)
    assert abs(len(frames) * 0.02 - soundfile.info(SPEECH / clip).duration) < 0.02
    assert max(np.abs(frame.samples.astype(int)).max() for frame in frames) > 1000


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_any_rate_lasts_as_long_as_it_lasts(rate: int, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND[:rate], rate)
    assert len(read(path)) == 50


def test_a_channel_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([SOUND, -SOUND // 2], axis=1), 16_000)
    assert read(path, channel=1)[0].samples.tolist() == (-SOUND // 2)[:320].tolist()


def test_the_last_frame_is_filled_with_zeros(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND[:330], 16_000)
    assert read(path)[1].samples.tolist() == SOUND[320:330].tolist() + [0] * 310


@pytest.mark.parametrize(
    ("name", "keep"), [("a.wav", 0.5), ("a.wav", 0.9999), ("a.flac", 0.5), ("a.ogg", 0.5), ("a.aiff", 0.5)]
)
def test_a_truncated_file_is_an_error_that_names_it(name: str, keep: float, tmp_path: Path) -> None:
    path = tmp_path / name
    soundfile.write(path, SOUND, 16_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(AudioError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_truncated_recording_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    path.write_bytes((SPEECH / "turn_on_Standing_Light.opus").read_bytes()[:-500])
    with pytest.raises(AudioError, match="truncated: its last page is missing"):
        read(path)


def test_a_wav_from_a_recorder_that_never_wrote_the_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND, 16_000)
    whole = bytearray(path.read_bytes())
    at = whole.index(b"data") + 4
    whole[4:8] = whole[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(whole)
    assert len(read(path)) == SOUND.size // 320


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "not a sound file"), (b"turn the light on\n" * 100, "not a sound file"), (None, "no such file")],
)
def test_what_is_no_sound_is_an_error_that_names_it(content: bytes | None, what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=what) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_sound_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="not a file"):
        read(tmp_path)


def test_a_file_without_samples_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, SOUND[:0], 16_000)
    with pytest.raises(AudioError, match="holds no sound"):
        read(path)


def test_half_a_sample_at_the_end_of_a_stream_is_dropped_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    with PcmStream(io.BytesIO(SOUND[:330].astype("<i2").tobytes() + b"\x7f")) as source:
        frames = list(source)
    assert [frame.samples.size for frame in frames] == [320, 320]
    assert frames[1].samples.tolist() == SOUND[320:330].tolist() + [0] * 310
    assert "ends in the middle of a sample" in caplog.text


def test_a_pipe_that_gives_odd_pieces_loses_nothing() -> None:
    readable, writable = os.pipe()
    data = SOUND[:640].astype("<i2").tobytes()
    with os.fdopen(readable, "rb", buffering=0) as stream:
        for piece in (data[:1], data[1:700], data[700:701], data[701:]):
            os.write(writable, piece)
        os.close(writable)
        with PcmStream(stream) as source:
            frames = list(source)
    assert np.concatenate([frame.samples for frame in frames]).tolist() == SOUND[:640].tolist()


def test_a_keyboard_is_not_taken_for_a_microphone() -> None:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "rb", buffering=0) as terminal, pytest.raises(AudioError, match="is a terminal"):
            PcmStream(terminal).open()
    finally:
        os.close(ours)
