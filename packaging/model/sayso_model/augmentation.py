"""Clean clips -> what a microphone in a home would have heard.

Rule of this file: everything is drawn from one `numpy.random.Generator`, so that a seed gives the same
sound again. Sound is float32, full scale 1, 16 kHz, until `finish` makes int16 of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr
from scipy import signal

from sayso_model.shards import Clip, Samples

Sound = npt.NDArray[np.float32]
RATE = 16_000


@dataclass(frozen=True)
class Chances:
    """How often each change is made, and how far it goes."""

    speed: float = 0.7
    room: float = 0.5
    noise: float = 0.7
    quietest_db: float = 0.0
    loudest_db: float = 30.0
    band: float = 0.12
    codec: float = 0.04
    clip: float = 0.05
    event: float = 0.15
    """That something chimes, clicks or bangs shortly before the words or after them."""


def sound(samples: npt.NDArray[np.int16]) -> Sound:
    """Given int16, return float32 at full scale 1."""
    return samples.astype(np.float32) / np.float32(32768.0)


def level(clip: Sound) -> float:
    """Given a sound, return the amplitude of its louder frames: RMS of those within 20 dB of its loudest 20 ms."""
    frames = clip[: len(clip) // 320 * 320].reshape(-1, 320)
    if not len(frames):
        return float(np.sqrt(np.mean(clip**2)) + 1e-6)
    power = np.mean(frames**2, axis=1)
    return float(np.sqrt(power[power >= power.max() * 0.01].mean()) + 1e-6)


class Augmenter:
    """Draws rooms, noises and defects."""

    def __init__(
        self,
        random: np.random.Generator,
        noises: Sequence[Clip],
        voices: Sequence[Clip],
        samples: Samples,
        rooms: Sequence[Sound],
        chances: Chances = Chances(),
    ) -> None:
        self._random = random
        self._noises, self._voices, self._samples, self._rooms = noises, voices, samples, rooms
        self.chances = chances
        self._rings = [self._ring() for _ in range(60)]

    def speed(self, clip: Sound) -> tuple[Sound, float]:
        """Given a clip, return it faster or slower, pitch and formants with it, and how many times as fast."""
        if self._random.random() > self.chances.speed:
            return clip, 1.0
        factor = self._random.uniform(0.88, 1.14)
        return soxr.resample(clip, RATE * factor, RATE, quality="LQ").astype(np.float32), factor

    def scene(self, clip: Sound, lead: int, length: int, tail: int) -> npt.NDArray[np.int16]:
        """Given a clip and where it begins, return `length` samples of a room in which it is said, and `tail` more.

        The tail is what follows when the gate has closed: digital silence, or the room going on.
        """
        random, chances = self._random, self.chances
        total = length + tail
        scene = np.zeros(total, np.float32)
        scene[lead : lead + len(clip)] = clip[: total - lead]
        speech = level(clip) if len(clip) else 10.0 ** random.uniform(-3.0, -1.0)
        words = scene
        if random.random() < chances.event:
            words = scene.copy()
            self._happening(scene, speech, lead, lead + len(clip))
        if len(clip) and self._rooms and random.random() < chances.room:
            room = self._rooms[random.integers(len(self._rooms))]
            wet = signal.oaconvolve(scene, room)[:total].astype(np.float32)
            # The words are to be as loud as before, whatever happens beside them.
            heard = wet if words is scene else signal.oaconvolve(words, room)[:total].astype(np.float32)
            scene = wet * np.float32(speech / level(heard))
        if random.random() < chances.noise:
            noise = self.noise(total)
            decibels = random.uniform(chances.quietest_db, chances.loudest_db)
            scene += noise * np.float32(speech / level(noise) * 10.0 ** (-decibels / 20.0))
        elif random.random() < 0.85:
            scene += self.coloured(total) * np.float32(speech * 10.0 ** (-random.uniform(32.0, 65.0) / 20.0))
        scene = self._defects(scene)
        return self._finish(scene, speech, length)

    def _happening(self, scene: Sound, speech: float, first: int, last: int) -> None:
        """Given a scene and where its words are, add a short sound before the first or after the last of them."""
        random = self._random
        event = self._event(int(RATE * random.uniform(0.04, 0.7)))
        event *= np.float32(speech / level(event) * 10.0 ** (random.uniform(-15.0, 12.0) / 20.0))
        if random.random() < 0.7:
            place = max(0, first - len(event) - int(RATE * random.uniform(0.0, 0.25)))
            event = event[: max(0, first - place)]
        else:
            place = min(last + int(RATE * random.uniform(0.0, 0.25)), len(scene))
            event = event[: len(scene) - place]
        scene[place : place + len(event)] += event

    def _event(self, length: int) -> Sound:
        """Given a length, return a chime, a click or a piece of a recorded noise that fades in and out."""
        random = self._random
        kind = random.random()
        if kind < 0.4:
            sound_of_it = self.music(length)
        elif kind < 0.8:
            sound_of_it = self.recorded(length)
        else:
            decay = np.exp(-np.arange(length, dtype=np.float32) / np.float32(RATE * random.uniform(0.002, 0.03)))
            sound_of_it = self.coloured(length) * decay
        ramp = min(80, length // 2)
        sound_of_it = sound_of_it.astype(np.float32).copy()
        sound_of_it[:ramp] *= np.linspace(0.0, 1.0, ramp, dtype=np.float32)
        sound_of_it[-ramp:] *= np.linspace(1.0, 0.0, ramp, dtype=np.float32)
        return sound_of_it + np.float32(1e-5)

    def noise(self, length: int) -> Sound:
        """Given a length, return that much of some noise."""
        kind = self._random.random()
        if kind < 0.50:
            return self.recorded(length)
        if kind < 0.74:
            return self.babble(length)
        if kind < 0.84:
            return self.coloured(length)
        if kind < 0.92:
            return self.clatter(length)
        return self.music(length)

    def recorded(self, length: int) -> Sound:
        """Return a stretch of a recorded noise, repeated if it is short; now and then two of them."""
        noise = self._stretch(self._noises[self._random.integers(len(self._noises))], length)
        if self._random.random() < 0.25:
            other = self._stretch(self._noises[self._random.integers(len(self._noises))], length)
            noise = noise / np.float32(level(noise)) + other / np.float32(level(other))
        return noise

    def babble(self, length: int) -> Sound:
        """Return several people talking at once."""
        mix = np.zeros(length, np.float32)
        for _ in range(self._random.integers(2, 9)):
            voice = self._stretch(self._voices[self._random.integers(len(self._voices))], length)
            mix += voice / np.float32(level(voice))
        return mix

    def coloured(self, length: int) -> Sound:
        """Return noise with a power spectrum of 1 / f^a, a between 0 (white) and 2 (brown)."""
        size = 1 << 16
        spectrum = np.fft.rfft(self._random.standard_normal(size, dtype=np.float32))
        slope = np.maximum(np.arange(len(spectrum), dtype=np.float32), 20.0) ** (-self._random.uniform(0.0, 1.0))
        noise = np.fft.irfft(spectrum * slope).astype(np.float32)
        return self._loop(noise / np.float32(noise.std() + 1e-9), length)

    def music(self, length: int) -> Sound:
        """Return chords of harmonic tones that change a few times a second."""
        random = self._random
        out = np.zeros(length, np.float32)
        place = 0
        while place < length:
            note = min(int(RATE * random.uniform(0.12, 0.8)), length - place)
            time = np.arange(note, dtype=np.float32) / RATE
            tone = np.zeros(note, np.float32)
            for _ in range(random.integers(1, 4)):
                base = 55.0 * 2.0 ** (random.integers(0, 48) / 12.0)
                for harmonic in range(1, random.integers(3, 9)):
                    if base * harmonic < 7800:
                        tone += (
                            np.sin(2 * np.pi * base * harmonic * time + random.uniform(0, 6)).astype(np.float32)
                            / harmonic
                        )
            out[place : place + note] = tone * np.exp(-time * random.uniform(0.5, 6.0))
            place += note
        return out + np.float32(1e-4)

    def clatter(self, length: int) -> Sound:
        """Return crockery: struck things that ring a little, in irregular succession, over a faint hiss."""
        random = self._random
        out = self.coloured(length) * np.float32(10.0 ** random.uniform(-2.5, -1.0))
        strokes = random.poisson(length / RATE * random.uniform(1.5, 10.0)) + 1
        for place in random.integers(0, length, strokes):
            ring = self._rings[random.integers(len(self._rings))][: length - place]
            out[place : place + len(ring)] += ring * np.float32(10.0 ** random.uniform(-1.5, 0.0))
        return out

    def _ring(self) -> Sound:
        """Return one struck thing: a few modes that die away, and the stroke itself."""
        random = self._random
        time = np.arange(int(RATE * 0.25), dtype=np.float32) / RATE
        ring = random.standard_normal(len(time)).astype(np.float32) * np.exp(-time * random.uniform(150.0, 900.0))
        for _ in range(random.integers(2, 7)):
            pitch, decay = 300.0 * 25.0 ** random.random(), 10.0 ** random.uniform(1.1, 2.3)
            ring += np.sin(2 * np.pi * pitch * time + random.uniform(0, 6)) * np.exp(-time * decay)
        return ring.astype(np.float32)

    def _stretch(self, clip: Clip, length: int) -> Sound:
        samples = self._samples(clip)
        start = int(self._random.integers(0, max(1, len(samples) - length)))
        return self._loop(sound(np.asarray(samples[start : start + length])), length)

    def _loop(self, noise: Sound, length: int) -> Sound:
        if len(noise) >= length:
            start = int(self._random.integers(0, len(noise) - length + 1))
            return noise[start : start + length]
        return np.tile(noise, length // len(noise) + 1)[:length]

    def _defects(self, scene: Sound) -> Sound:
        """Given a scene, return it through a worse microphone now and then."""
        random, chances = self._random, self.chances
        if random.random() < chances.band:
            sections = (
                signal.butter(2, random.uniform(80, 350), "highpass", fs=RATE, output="sos")
                if random.random() < 0.5
                else signal.butter(4, random.uniform(3300, 7000), "lowpass", fs=RATE, output="sos")
            )
            scene = signal.sosfilt(sections, scene).astype(np.float32)
        if random.random() < 0.35:  # a tilt of the whole spectrum, as cheap capsules have
            tilt = np.float32(random.uniform(-0.45, 0.45))
            scene = np.concatenate((scene[:1], scene[1:] + tilt * scene[:-1]))
        if random.random() < chances.codec:
            peak = np.abs(scene).max() + 1e-9
            pressed = np.sign(scene) * np.log1p(255 * np.abs(scene) / peak) / np.log(256)
            pressed = np.rint(pressed * 127) / 127
            scene = (np.sign(pressed) * (256 ** np.abs(pressed) - 1) / 255 * peak).astype(np.float32)
        return scene

    def _finish(self, scene: Sound, speech: float, length: int) -> npt.NDArray[np.int16]:
        """Given a scene, return int16 at some loudness, clipped now and then, with its tail."""
        random = self._random
        wanted = 10.0 ** (random.uniform(-44.0, -12.0) / 20.0)
        if random.random() < self.chances.clip:
            wanted = 10.0 ** (random.uniform(-10.0, 0.0) / 20.0)
        scene = scene * np.float32(wanted / speech)
        if random.random() < 0.6:
            scene[length:] = 0.0
        if random.random() < 0.04:  # a source that is digitally silent between the words
            scene[np.abs(scene) < 2e-3 * np.abs(scene).max()] = 0.0
        return np.clip(np.rint(scene * 32768.0), -32768, 32767).astype(np.int16)
