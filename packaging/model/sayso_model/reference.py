"""Reference vectors from TensorFlow for the tests of features.py: `reference`.

Rule of this file: the sound is made here from a seed; what TensorFlow's own operators say of it is stored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from sayso.recognition.features import LogMelSettings, MfccSettings

SECONDS = 1.3


def sound() -> np.ndarray:
    """Return int16 [samples]: a gliding harmonic tone, clicks, noise and a stretch of digital silence."""
    random = np.random.default_rng(42)
    time = np.arange(int(16_000 * SECONDS)) / 16_000
    phase = 2 * np.pi * np.cumsum(110 + 90 * np.sin(2 * np.pi * 1.7 * time)) / 16_000
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 30))
    noise = random.standard_normal(len(time)) * np.interp(time, (0, 0.4, 0.9, 1.3), (0.001, 0.02, 0.4, 0.01))
    mixed = 0.12 * voice * (time > 0.25) + 0.2 * noise
    mixed[2000:3200] = 0.0
    mixed[9000] = 1.2
    return np.clip(np.rint(mixed * 32768), -32768, 32767).astype(np.int16)


def log_mel(samples: np.ndarray, settings: LogMelSettings) -> np.ndarray:
    """Given samples, return tf.signal's log-mel energies, float32 [frames, bands], not normalised."""
    stft = tf.signal.stft(
        samples.astype(np.float32) / 32768.0, settings.window, settings.step, settings.fft, tf.signal.hann_window
    )
    weights = tf.signal.linear_to_mel_weight_matrix(
        settings.bands, settings.fft // 2 + 1, settings.sample_rate, settings.low_hz, settings.high_hz, tf.float64
    )
    power = tf.cast(tf.abs(stft), tf.float64) ** 2
    return np.asarray(tf.math.log(power @ weights + settings.floor), np.float32)


def mfcc(samples: np.ndarray, settings: MfccSettings) -> np.ndarray:
    """Given samples, return TensorFlow's MFCC, float32 [frames, coefficients]."""
    spectrogram = tf.raw_ops.AudioSpectrogram(
        input=(samples.astype(np.float32) / 32768.0)[:, None],
        window_size=settings.window,
        stride=settings.step,
        magnitude_squared=True,
    )
    return np.asarray(
        tf.raw_ops.Mfcc(
            spectrogram=spectrogram,
            sample_rate=settings.sample_rate,
            upper_frequency_limit=settings.high_hz,
            lower_frequency_limit=settings.low_hz,
            filterbank_channel_count=settings.channels,
            dct_coefficient_count=settings.coefficients,
        )
    )[0]


def main(target: Path) -> None:
    """Write the vectors."""
    samples = sound()
    np.savez_compressed(
        target,
        samples=samples,
        log_mel=log_mel(samples, LogMelSettings()),
        mfcc=mfcc(samples, MfccSettings()),
        tensorflow=np.array(tf.__version__),
    )


if __name__ == "__main__":
    import sys

    main(Path(sys.argv[1]))
