"""What real microphones do to a program, done to ours through a real sound server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Callable

import pytest
from virtual_microphone import VirtualMicrophone

from sayso.audio.device import list_devices
from sayso.audio.microphone import Microphone
from sayso.audio.watch import MicrophoneSettings
from sayso.errors import AudioError
from sayso.records import AudioFrame

PATIENCE = 40.0
"""When a test gives up on a microphone [s]; nothing is measured by it."""

QUICK = MicrophoneSettings(device="virtual", silence=1.0, closing=4.0, first_retry=0.1, last_retry=0.5)


def read_until(microphone: Microphone, come: Callable[[list[AudioFrame]], bool]) -> list[AudioFrame]:
    """Given a microphone and what must come true of the frames read, read until it does; return them."""
    frames: list[AudioFrame] = []
    give_up = time.monotonic() + PATIENCE
    while not come(frames):
        assert time.monotonic() < give_up, f"the microphone is still {microphone.status}"
        frame = microphone.read(0.05)
        frames += [frame] if frame else []
    return frames


def until(microphone: Microphone, status: str) -> list[AudioFrame]:
    """Given a microphone and the start of a status, read until it has it; return the frames."""
    return read_until(microphone, lambda _: microphone.status.startswith(status))


def test_devices_are_listed(virtual_microphone: VirtualMicrophone) -> None:  # noqa: ARG001 - it is what is listed
    devices = {device.name: device for device in list_devices()}
    assert devices.keys() == {"virtual", "default"}
    assert devices["default"].is_default
    assert not devices["virtual"].is_default
    assert devices["virtual"].host_api == "ALSA"


def test_a_missing_microphone_is_named_with_those_there_are_and_the_others_can_be_used(
    virtual_microphone: VirtualMicrophone,  # noqa: ARG001 - it is what there is
) -> None:
    with Microphone(MicrophoneSettings(device="virtuel")) as microphone:
        until(microphone, "missing: ")
        assert (
            "no microphone named 'virtuel' (did you mean 'virtual'? there is 'virtual', 'default')" in microphone.status
        )


def test_one_that_appears_later_is_heard_without_a_restart(virtual_microphone: VirtualMicrophone) -> None:
    virtual_microphone.unplug()
    with Microphone(QUICK) as microphone:
        until(microphone, "missing: ")
        virtual_microphone.plug_in()
        until(microphone, "ok: virtual")
        read_until(microphone, bool)


@pytest.mark.parametrize("fault", [VirtualMicrophone.unplug, VirtualMicrophone.kill])
def test_one_that_vanishes_is_noticed_and_heard_again_when_it_is_back(
    virtual_microphone: VirtualMicrophone, fault: Callable[[VirtualMicrophone], None]
) -> None:
    with Microphone(QUICK) as microphone:
        before = until(microphone, "ok: virtual") + read_until(microphone, bool)
        fault(virtual_microphone)
        before += until(microphone, "stalled: ")
        before += until(microphone, "missing: ")
        if fault is VirtualMicrophone.unplug:
            virtual_microphone.plug_in()
        else:
            virtual_microphone.start()
        before += until(microphone, "ok: virtual")
        after = read_until(microphone, bool)
        frames = before + after
        lost = [frame for frame in frames if frame.lost]
        assert len(lost) == 1, "the pause is marked once, and nothing else is lost"
        assert all(b.start == a.start + a.samples.size + b.lost for a, b in zip(frames, frames[1:]))


def test_one_rerouted_to_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with VirtualMicrophone(other_source=True) as virtual:
        for name, value in virtual.environment.items():
            monkeypatch.setenv(name, value)
        with Microphone(MicrophoneSettings(device="default", silence=1.0, first_retry=0.1)) as microphone:
            until(microphone, "ok: default")
            virtual.unplug()
            until(microphone, "silent: default sends nothing but zeros")
            virtual.plug_in()
            until(microphone, "ok: default")


def test_one_that_hangs_is_given_up_in_time_and_says_so(virtual_microphone: VirtualMicrophone) -> None:
    microphone = Microphone(QUICK)
    microphone.open()
    until(microphone, "ok: virtual")
    virtual_microphone.freeze()
    with pytest.raises(AudioError, match=r"can't be closed: its sound server hangs \(restart"):
        until(microphone, "never")
    assert microphone.status == "stalled: virtual can't be closed"
    microphone.close()
    virtual_microphone.kill()
    end_of_capture()


def test_closing_one_that_hangs_returns(virtual_microphone: VirtualMicrophone) -> None:
    microphone = Microphone(QUICK)
    microphone.open()
    until(microphone, "ok: virtual")
    virtual_microphone.freeze()
    microphone.close(timeout=0.5)
    with pytest.raises(AudioError, match="its sound server hangs"):
        read_until(microphone, lambda _: False)
    virtual_microphone.kill()
    end_of_capture()


def test_one_that_is_thawed_in_time_is_heard_again(virtual_microphone: VirtualMicrophone) -> None:
    with Microphone(QUICK) as microphone:
        until(microphone, "ok: virtual")
        virtual_microphone.freeze()
        until(microphone, "stalled: ")
        virtual_microphone.thaw()
        until(microphone, "ok: virtual")


PROGRAM = """
import sys
from sayso.audio.microphone import Microphone
from sayso.audio.watch import MicrophoneSettings
from sayso.errors import AudioError
try:
    with Microphone(MicrophoneSettings(device="virtual", startup=1.0, stall=0.5, closing=1.0)) as microphone:
        while True:
            microphone.read(0.1)
            print(microphone.status, flush=True)
except AudioError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("when", ["before it is opened", "while it is heard"])
def test_a_hanging_sound_server_cannot_keep_the_process_from_ending_nor_take_its_stderr(
    virtual_microphone: VirtualMicrophone, when: str
) -> None:
    if when == "before it is opened":
        virtual_microphone.freeze()
    environment = {**os.environ, **virtual_microphone.environment}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        if when == "while it is heard":
            next(line for line in process.stdout if line.startswith("ok: virtual"))
            virtual_microphone.freeze()
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == AudioError.exit_code
    assert all(line.startswith("microphone") for line in errors.splitlines()), errors
    assert "its sound server hangs" in errors.splitlines()[-1]


def test_closed_means_that_nobody_listens(virtual_microphone: VirtualMicrophone) -> None:
    microphone = Microphone(QUICK)
    microphone.open()
    until(microphone, "ok: virtual")
    assert virtual_microphone.listeners() == 1
    microphone.close()
    assert virtual_microphone.listeners() == 0
    assert microphone.status == "closed"
    assert microphone.read(0.1) is None


def test_a_reader_that_stops_reading_loses_the_newest_sound_and_is_told(virtual_microphone: VirtualMicrophone) -> None:  # noqa: ARG001
    with Microphone(QUICK) as microphone:
        frames = until(microphone, "ok: virtual")
        progress = microphone.progress
        while microphone.dropped < 10:
            time.sleep(0.05)
        assert microphone.progress > progress, "it is the reader that stopped, not the capture"
        frames += read_until(microphone, lambda read: any(frame.lost for frame in read))
        assert frames[-1].lost >= 10 * 320


def end_of_capture() -> None:
    """Return when no thread hangs in the sound library any more."""
    for thread in threading.enumerate():
        if thread.name == "capture":
            thread.join(PATIENCE)
            assert not thread.is_alive()
