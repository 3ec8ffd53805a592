"""What every source of sound promises, on each of them: a microphone through PyAudio, sound files, raw samples."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Callable, Iterator

import numpy as np
import pytest
import soundfile
from virtual_microphone import VirtualMicrophone

from sayso.audio.capture import AudioSource
from sayso.audio.files import PcmStream, SoundFile
from sayso.audio.microphone import Microphone
from sayso.audio.watch import MicrophoneSettings
from sayso.records import FRAME_SAMPLES, AudioFrame

SPEECH = Path(__file__).parent.parent / "data" / "speech"

SOUND = np.random.default_rng(5).integers(-9000, 9000, 24_000, np.int16)
"""1.5 s that is like nothing else, and no whole number of frames less one sample."""


class Heard:
    """A source, and a way to get `SOUND` out of it."""

    def __init__(self, source: AudioSource, play: Callable[[], None] = lambda: None) -> None:
        self.source = source
        self.play = play

    def frames(self) -> list[AudioFrame]:
        """Return the frames of the opened source up to the end, or until a second after `SOUND` was played."""
        if not isinstance(self.source, Microphone):
            return list(self.source)
        frames = [self.first()]
        playing = threading.Thread(target=self.play)
        playing.start()
        silent = 0
        while silent < 50:
            frame = self.source.read()
            assert frame is not None
            frames.append(frame)
            silent = 0 if playing.is_alive() or np.abs(frame.samples).max() > 100 else silent + 1
        playing.join()
        return frames

    def first(self) -> AudioFrame:
        """Return the opened source's next frame."""
        frame = self.source.read(timeout=60.0)
        assert frame is not None
        return frame


@pytest.fixture(params=["wav", "flac", "pcm", "microphone"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Heard]:
    if request.param == "pcm":
        yield Heard(PcmStream(io.BytesIO(SOUND.astype("<i2").tobytes())))
        return
    path = tmp_path / f"sound.{'wav' if request.param == 'microphone' else request.param}"
    soundfile.write(path, SOUND, 16_000)
    if request.param != "microphone":
        yield Heard(SoundFile(path))
        return
    virtual: VirtualMicrophone = request.getfixturevalue("virtual_microphone")
    yield Heard(Microphone(MicrophoneSettings(device="virtual", rate=16_000)), lambda: virtual.play(path))


def test_every_sample_arrives_in_order_in_whole_frames(heard: Heard) -> None:
    with heard.source:
        frames = heard.frames()
    assert all(frame.samples.shape == (FRAME_SAMPLES,) and frame.samples.dtype == np.int16 for frame in frames)
    assert not any(frame.samples.flags.writeable for frame in frames)
    samples = np.concatenate([frame.samples for frame in frames])
    starts = np.flatnonzero(np.abs(samples) > 100)
    sound = samples[starts[0] : starts[0] + SOUND.size].astype(int)
    offset = np.flatnonzero(np.abs(SOUND) > 100)[0]
    # A real microphone's sound lies on its own noise; the virtual one's is two steps.
    assert np.abs(sound[: SOUND.size - offset] - SOUND[offset:]).max() <= 2


def test_the_index_counts_every_sample_from_the_opening(heard: Heard) -> None:
    with heard.source:
        frames = heard.frames()
    assert frames[0].start == 0
    assert [frame.start for frame in frames] == [number * FRAME_SAMPLES for number in range(len(frames))]
    assert not any(frame.lost for frame in frames)


def test_a_closed_source_gives_nothing_and_may_be_closed_again(heard: Heard) -> None:
    heard.source.close()
    with heard.source:
        heard.first()
    assert heard.source.read() is None
    heard.source.close()


def test_a_source_can_be_opened_again(heard: Heard) -> None:
    with heard.source:
        heard.first()
    with heard.source:
        frame = heard.first()
    if isinstance(heard.source, Microphone):
        assert frame.lost == frame.start - FRAME_SAMPLES > 0 or frame.lost > 0


def test_a_sentence_from_an_opus_file_arrives_through_the_microphone_at_its_native_rate(
    virtual_microphone: VirtualMicrophone,
) -> None:
    clip = SPEECH / "pause.opus"
    with SoundFile(clip) as source:
        expected = np.concatenate([frame.samples for frame in source]).astype(float)
    microphone = Heard(Microphone(MicrophoneSettings(device="virtual")), lambda: virtual_microphone.play(clip))
    with microphone.source:
        samples = np.concatenate([frame.samples for frame in microphone.frames()]).astype(float)
    spectrum = np.fft.rfft(samples, 1 << 18) * np.conj(np.fft.rfft(expected, 1 << 18))
    at = int(np.argmax(np.fft.irfft(spectrum)[: samples.size]))
    part = samples[at : at + expected.size]
    assert np.corrcoef(part, expected[: part.size])[0, 1] > 0.99
