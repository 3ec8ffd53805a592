"""Parts of the microphone that need no device."""

from __future__ import annotations

import os

import numpy as np
import pytest

from sayso.audio.device import Device, find_device
from sayso.audio.microphone import FrameQueue
from sayso.errors import AudioError
from sayso.native_stderr import INTERPRETER, Collected, unborrowed
from sayso.records import FRAME_SAMPLES, AudioFrame

DEVICES = [
    Device(0, "HDA Intel: ALC269 (hw:0,0)", "ALSA", 44_100, 2, False),
    Device(3, "ReSpeaker 4 Mic Array (hw:1,0)", "ALSA", 16_000, 6, False),
    Device(4, "USB", "ALSA", 48_000, 1, False),
    Device(5, "USB PnP Sound Device (hw:2,0)", "ALSA", 48_000, 1, False),
    Device(7, "default", "ALSA", 44_100, 32, True),
]


@pytest.mark.parametrize(
    ("wanted", "index"), [("", 7), ("respeaker", 3), ("hw:2,0", 5), ("usb", 4), ("USB PNP", 5), ("3", 3), ("7", 7)]
)
def test_a_microphone_is_found_by_name_part_of_a_name_or_number(wanted: str, index: int) -> None:
    assert find_device(DEVICES, wanted).index == index


def test_a_misspelt_name_is_answered_with_the_nearest_and_with_all() -> None:
    with pytest.raises(
        AudioError, match=r"no microphone named 'defualt' \(did you mean 'default'\? there is 'HDA Intel"
    ):
        find_device(DEVICES, "defualt")


def test_no_microphone_at_all_says_so() -> None:
    with pytest.raises(AudioError, match="no microphone at all"):
        find_device([], "USB")


def frame(number: int, lost: int = 0) -> AudioFrame:
    return AudioFrame(np.zeros(FRAME_SAMPLES, np.int16), number * FRAME_SAMPLES + lost, lost)


def test_what_finds_the_queue_full_is_lost_and_the_next_frame_tells() -> None:
    queue = FrameQueue(capacity=2)
    for number in range(4):
        queue.put(frame(number))
    assert queue.dropped == 2
    assert [queue.get(0).start, queue.get(0).start] == [0, FRAME_SAMPLES]  # type: ignore[union-attr]
    queue.put(frame(4))
    queue.put(frame(5))
    late = queue.get(0)
    assert late is not None
    assert (late.start, late.lost) == (4 * FRAME_SAMPLES, 2 * FRAME_SAMPLES)
    after = queue.get(0)
    assert after is not None
    assert after.lost == 0
    assert queue.get(0) is None


def test_losses_before_and_in_the_queue_add_up() -> None:
    queue = FrameQueue(capacity=1)
    queue.put(frame(0))
    queue.put(frame(1, lost=7))
    queue.get(0)
    queue.put(frame(2, lost=7))
    late = queue.get(0)
    assert late is not None
    assert late.lost == FRAME_SAMPLES + 14


def test_what_is_thrown_away_unread_is_lost_too() -> None:
    queue = FrameQueue()
    queue.put(frame(0))
    queue.clear()
    assert queue.get(0) is None
    queue.put(frame(1))
    late = queue.get(0)
    assert late is not None
    assert late.lost == FRAME_SAMPLES


def test_chatter_of_sound_libraries_is_kept_from_stderr_and_errors_are_not(capfd: pytest.CaptureFixture[str]) -> None:
    with Collected() as collected:
        os.write(2, b"ALSA lib pcm.c:2664:(snd_pcm_open_noupdate) Unknown PCM cards.pcm.rear\n")
        os.write(2, b"jack server is not running or cannot be started\nsomething real\n")
        assert capfd.readouterr().err == ""
    collected.release()
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "something real\nafterwards\n"


def test_a_line_of_ours_among_the_pieces_of_a_librarys_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with unborrowed() as ours, Collected():
        os.write(2, b"ALSA lib pcm.c:2664:(snd_pcm_open_noupdate) ")
        ours.write("WARNING: the broker does not let this user in\n")
        os.write(2, b"Unknown PCM cards.pcm.rear\n")
        assert capfd.readouterr().err == "WARNING: the broker does not let this user in\n"
    assert capfd.readouterr().err == ""


def test_an_interpreters_praise_is_kept_from_stderr_and_its_errors_are_not(capfd: pytest.CaptureFixture[str]) -> None:
    with Collected(INTERPRETER):
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nERROR: Node 3 failed to prepare.\n")
    assert capfd.readouterr().err == "ERROR: Node 3 failed to prepare.\n"
