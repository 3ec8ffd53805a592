"""A converted network -> the folder that the daemon loads: `convert`, last step.

Rule of this file: everything in the bundle is written here, and read back with the daemon's own checks.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tomli_w
import tomllib

from sayso.recognition.acoustic import AcousticStream
from sayso.recognition.bundle import Bundle, Golden, Manifest, load_bundle
from sayso.recognition.features import LogMel
from sayso.recognition.tflite import TfliteNetwork, check_golden, streaming
from sayso_model import shards
from sayso_model.conversion_settings import PRECISIONS, WINDOW
from sayso_model.filler import log_bigram
from sayso_model.network import SUBSAMPLING
from sayso_model.phones import SYMBOLS, dictionary
from sayso_model.places import BUNDLE, EXPORT, MODEL, SHARDS
from sayso_model.statistics import settings as feature_settings

TOLERANCE = 0.002
"""Mean absolute difference in probability that two runtimes may have on the golden clip. Interpreters differ by a
tenth of it; a network that hears nothing at all is ten times as far off."""
HEADER = "# Written by packaging/model/convert; every file named below is checked against its SHA-256.\n"


def lexicon() -> bytes:
    """Return the dictionary: word, tab, phones, a line a pronunciation, sorted, gzip without a time."""
    lines = [f"{word}\t{' '.join(way)}" for word, ways in dictionary().items() for way in ways]
    for line in (MODEL / "words.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            lines.append(line)
    return gzip.compress(("\n".join(sorted(set(lines), key=_in_order(lines))) + "\n").encode(), 9, mtime=0)


def _in_order(lines: list[str]) -> Any:
    """Sort by word, and keep the dictionary's order, the commonest pronunciation first, within it."""
    place = {line: number for number, line in reversed(list(enumerate(lines)))}
    return lambda line: (line.split("\t", 1)[0], place[line])


def manifest(version: str, converted: Path) -> dict[str, Any]:
    """Given the version and the folder of the converted network, return the manifest but for the files' digests."""
    shape = json.loads((EXPORT / "shape.json").read_text())
    tensors = json.loads((converted / "tensors.json").read_text())
    features = feature_settings()
    taken, given = tensors["inputs"], tensors["outputs"]
    states = [
        {
            "input": taken[f"state_{number}"]["name"],
            "output": given[f"new_state_{number}"]["name"],
            "shape": taken[f"state_{number}"]["shape"],
        }
        for number in range(len(taken) - 1)
    ]
    quantisation = {
        "input": {name: taken["frames"][name] for name in ("scale", "zero_point")},
        "output": {name: given["logits"][name] for name in ("scale", "zero_point")},
    }
    return {
        "format": 1,
        "name": "en",
        "language": "en-US",
        "version": version,
        "licence": "CC-BY-4.0",
        "audio": {"sample_rate": features.sample_rate},
        "features": {
            "kind": "log-mel", "window": features.window, "step": features.step, "fft": features.fft,
            "bands": features.bands, "low_hz": features.low_hz, "high_hz": features.high_hz, "floor": features.floor,
            "prior_frames": features.prior_frames, "mean": list(features.mean), "scale": list(features.scale),
        },
        "network": {
            "kind": "streaming", "window": WINDOW, "stride": WINDOW, "look_ahead": shape["look_ahead"] * SUBSAMPLING,
            "subsampling": SUBSAMPLING, "input": taken["frames"]["name"], "output": given["logits"]["name"],
            "output_kind": "logits", "parameters": shape["parameters"], "macs_per_second": shape["macs_per_second"],
            "states": states,
        },
        "tokens": {"symbols": list(SYMBOLS), "blank": 0, "log_prior": shape["log_prior"]},
        **({"quantisation": quantisation} if quantisation["input"]["scale"] else {}),
        "decoding": tomllib.loads((MODEL / "decoding.toml").read_text()),
        "lexicon": {"file": "lexicon.txt.gz", "variants": "sayso.grammar.variants"},
        "filler": {"file": "filler.npz"},
        "files": {},
    }  # fmt: skip


def golden_features(frames_to_flush: Any) -> npt.NDArray[np.float32]:
    """Return the features of a dev clip of Common Voice (CC0), with the zeros that flush the network."""
    samples = shards.Samples(SHARDS)
    clip = next(one for one in shards.read(SHARDS, "dev-commonvoice1-valid-test") if 24_000 < one.length < 40_000)
    stream = LogMel(feature_settings())
    frames = stream.feed(np.asarray(samples(clip)))
    silence = stream.feed(np.zeros(160 * (frames_to_flush(len(frames)) + 3), np.int16))
    return np.concatenate((frames, silence))[: len(frames) + frames_to_flush(len(frames))]


def write(version: str, precision: str, folder: Path) -> float:
    """Given a version and the network's precision, write the bundle, read it back, and return how far its golden
    answer is off then."""
    converted = EXPORT / precision
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(converted / "model.tflite", folder / "model.tflite")
    compiled = converted / "model_edgetpu.tflite"
    if compiled.exists():
        shutil.copy(compiled, folder / compiled.name)
        shutil.copy(converted / "model_edgetpu.log", folder / "model_edgetpu.log")
    else:
        (folder / compiled.name).unlink(missing_ok=True)
    (folder / "lexicon.txt.gz").write_bytes(lexicon())
    np.savez_compressed(folder / "filler.npz", log_bigram=log_bigram())
    data = manifest(version, converted)
    nothing = Golden(np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32), 0.0)
    bundle = Bundle(folder, Manifest.model_validate(data), nothing)
    stream = AcousticStream(TfliteNetwork(bundle.model, bundle, 1), streaming(bundle))
    frames = golden_features(stream.frames_to_flush)
    np.savez_compressed(
        folder / "golden.npz",
        features=frames,
        log_probs=stream.feed(frames).log_probs.astype(np.float32),
        tolerance=np.float32(TOLERANCE),
    )
    data["files"] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.tflite", "model_edgetpu.tflite", "lexicon.txt.gz", "filler.npz", "golden.npz")
        if (folder / name).exists()
    }
    (folder / "manifest.toml").write_text(HEADER + tomli_w.dumps(data), encoding="utf-8")
    checked = load_bundle(folder)
    return check_golden(TfliteNetwork(checked.model, checked, 1), checked)


def main() -> None:
    """Write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("version", help="YYYY.MM.DD, or .N more for a second of that day")
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0])
    parser.add_argument("--folder", type=Path, default=BUNDLE)
    options = parser.parse_args()
    print(f"{options.folder}: golden answer {write(options.version, options.precision, options.folder):.5f} off")


if __name__ == "__main__":
    main()
