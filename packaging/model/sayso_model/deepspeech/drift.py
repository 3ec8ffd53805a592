"""Whether a state fed back through int8 drifts: `deepspeech drift`.

Rule of this file: two streams of one network hear the same speech without a pause and are never reset, one in float,
one in int8. If the int8 state drifted, the streams would part as the minutes pass. Beside them goes an int8 stream that
is handed the float's state at every call: what of the difference is rounding, and what is memory, can so be told apart.
"""

from __future__ import annotations

import argparse

import numpy as np

from sayso.recognition.acoustic import States, log_softmax
from sayso.recognition.context import ContextSettings, feature_stream
from sayso_model import shards
from sayso_model.deepspeech.listening import Listener
from sayso_model.deepspeech.shape import STEP
from sayso_model.deepspeech.training import DEV, FOLDER, drawn
from sayso_model.places import SHARDS

ROWS_PER_MINUTE = 60 * 16_000 // STEP


def speech(minutes: float) -> np.ndarray:
    """Return that much dev speech, one clip after another, as rows for the network."""
    samples, clips = shards.Samples(SHARDS), drawn(DEV["clean"], 400)
    stream = feature_stream(ContextSettings())
    heard = [stream.feed(np.asarray(samples(clip))) for clip in clips]
    rows = np.concatenate(heard)
    wanted = round(minutes * ROWS_PER_MINUTE)
    return np.resize(rows, (wanted, rows.shape[1])) if len(rows) < wanted else rows[:wanted]


def _real(listener: Listener, states: States) -> list[np.ndarray]:
    return [form.restore(state) for form, state in zip(listener.network.state_formats, states)]


def _held(listener: Listener, real: list[np.ndarray]) -> States:
    return tuple(form.quantise(state) for form, state in zip(listener.network.state_formats, real))


def main() -> None:
    """Print, minute by minute, how far the streams are apart."""
    parser = argparse.ArgumentParser(prog="deepspeech drift")
    parser.add_argument("run")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    folder = FOLDER / options.run
    exact, rounded = Listener(folder / "float.tflite"), Listener(folder / "int8.tflite")
    truth, own = exact.network.initial_states(), rounded.network.initial_states()
    apart: list[tuple[float, ...]] = []
    print("| minute | probabilities apart | with the float's state | same best label | LSTM output apart |")
    print("|---|---|---|---|---|")
    for row in speech(options.minutes):
        led = _held(rounded, _real(exact, truth))
        guided, _ = rounded.network.run(row[None], led)
        wanted, truth = exact.network.run(row[None], truth)
        found, own = rounded.network.run(row[None], own)
        answers = [np.exp(log_softmax(one)) for one in (wanted, found, guided)]
        # The output, not the cell: where that is saturated, its size says nothing any more.
        wrote, kept = _real(exact, truth)[1], _real(rounded, own)[1]
        apart.append(
            (
                float(np.abs(answers[1] - answers[0]).mean()),
                float(np.abs(answers[2] - answers[0]).mean()),
                float(answers[1].argmax() == answers[0].argmax()),
                float(((kept - wrote) ** 2).sum()),
                float((wrote**2).sum()),
            )
        )
    for minute, begin in enumerate(range(0, len(apart), ROWS_PER_MINUTE), 1):
        part = np.array(apart[begin : begin + ROWS_PER_MINUTE])
        own_apart, led_apart, same = part[:, :3].mean(0)
        size = np.sqrt(part[:, 3].sum() / part[:, 4].sum())
        print(f"| {minute} | {own_apart:.5f} | {led_apart:.5f} | {same:.1%} | {size:.1%} |", flush=True)


if __name__ == "__main__":
    main()
