"""Weights -> .tflite files: `deepspeech convert`, `untrained` and `fixtures`.

Rule of this file: it only says which network goes where; the graph is graph.py's. Needs TensorFlow.
"""

from __future__ import annotations

import argparse
import json
import lzma
from pathlib import Path

import numpy as np
import tomllib

from sayso_model.deepspeech.graph import DeepSpeech, Form, converted, operators, write
from sayso_model.deepspeech.shape import Shape, imitated, untrained
from sayso_model.places import MODEL, WORK

FOLDER = WORK / "deepspeech"
RELEASED = Form(steps=16, kind="dynamic", features=True)
FORMS = {
    "int8": Form(),
    "float": Form(kind="float"),
    "dynamic": Form(kind="dynamic"),
    "output_graph": RELEASED,
}
"""File name -> what it is; `output_graph` is as DeepSpeech's releases are."""

DECODING = MODEL / "deepspeech-decoding.toml"
"""What a calibration has found: power of the label prior that decoding divides out, threshold, confidence."""

SMALL = 48
"""Width of the networks that the tests run."""


def _imitations() -> list[np.ndarray]:
    return [imitated(120, seed) for seed in range(3)]


def convert(run: str) -> None:
    """Given a trained run whose weights were exported, write all its files and print their operators."""
    folder = FOLDER / run
    network, heard, notes = _trained(folder)
    for name, form in FORMS.items():
        _show(folder / f"{name}.tflite", write(folder / f"{name}.tflite", network, heard, form, notes))


def _trained(folder: Path) -> tuple[DeepSpeech, list[np.ndarray], dict[str, bytes]]:
    """Given a run's folder, return its network, clips that show its ranges, and what decoding has to know of it."""
    with np.load(folder / "weights.npz") as stored, np.load(folder / "ranges.npz") as clips:
        weights, heard = dict(stored), list(clips.values())
    with np.load(folder / "prior.npz") as stored:
        prior = [round(float(value), 4) for value in stored["log_prior"]]
    notes = json.dumps({"log_prior": prior, **tomllib.loads(DECODING.read_text())}).encode()
    network = DeepSpeech(Shape(len(weights["layer_2.bias"]), len(weights["layer_6.bias"])), weights)
    return network, heard, {"sayso_decoding": notes}


def convert_recital(run: str, folder: Path) -> None:
    """Given a run that learnt the tests' recordings by heart, write its files for the tests."""
    network, heard, _ = _trained(FOLDER / run)
    for name, form in (("integer", Form()), ("released", RELEASED)):
        path = folder / f"deepspeech_recital_{name}.tflite"
        _show(path, write(path, network, heard, form))


def make_untrained(widths: list[int]) -> None:
    """Given widths, write full-integer networks with weights that have learnt nothing; print their operators."""
    for hidden in widths:
        shape = Shape(hidden)
        path = FOLDER / f"untrained_{hidden}.tflite"
        _show(path, write(path, DeepSpeech(shape, untrained(shape)), _imitations(), Form()))


def fixtures(folder: Path) -> None:
    """Given the tests' folder, write the networks they run, and the large ones, packed, whose operators they count."""
    shape = Shape(SMALL)
    network = DeepSpeech(shape, untrained(shape, tile=SMALL))
    for name, form in (
        ("deepspeech_integer", Form()),
        ("deepspeech_released", RELEASED),
        ("deepspeech_released_float", Form(steps=16, kind="float", features=True)),
    ):
        _show(folder / f"{name}.tflite", write(folder / f"{name}.tflite", network, _imitations(), form))
    for hidden in (512, 2048):
        shape = Shape(hidden)
        content = converted(DeepSpeech(shape, untrained(shape)), [imitated(24)], Form())
        path = folder / f"deepspeech_{hidden}.tflite.xz"
        path.write_bytes(lzma.compress(content, preset=9))
        print(f"{path}: {len(content)} bytes, packed {path.stat().st_size}: {dict(operators(content))}")


def _show(path: Path, found: dict[str, int]) -> None:
    print(f"{path}: {path.stat().st_size} bytes")
    print("  " + ", ".join(f"{name} {count}" for name, count in sorted(found.items())))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="deepspeech")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("convert").add_argument("run")
    commands.add_parser("untrained").add_argument("hidden", type=int, nargs="+")
    commands.add_parser("fixtures").add_argument("folder", type=Path)
    recital = commands.add_parser("recital")
    recital.add_argument("run")
    recital.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.command == "convert":
        convert(options.run)
    elif options.command == "untrained":
        make_untrained(options.hidden)
    elif options.command == "recital":
        convert_recital(options.run, options.folder)
    else:
        fixtures(options.folder)


if __name__ == "__main__":
    main()
