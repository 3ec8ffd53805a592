"""A .tflite file with DeepSpeech's graph interface, as a bundle.

Rule of this file: the file says all of itself, and what it says is checked before it is believed. DeepSpeech 0.9 keeps
it in tensors named `metadata_…` (native_client/tflitemodelstate.cc); a network without the feature operators keeps the
same in notes beside its graph, or its labels in an alphabet.txt beside the file. Features in the graph aren't run,
since an interpreter would run the whole network with them: ours are compared with them once, when the file is read.
"""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple, Union

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from sayso.errors import ModelError
from sayso.recognition.acoustic import AcousticStream
from sayso.recognition.bundle import (
    Audio,
    Bundle,
    Decoding,
    Golden,
    Manifest,
    MfccFeatures,
    Network,
    NetworkState,
    Tokens,
)
from sayso.recognition.context import ContextSettings, feature_stream
from sayso.recognition.features import Mfcc
from sayso.recognition.modelfile import Graph, Tensor, read_graph
from sayso.recognition.tflite import TfliteNetwork, probe, streaming
from sayso.records import SAMPLE_RATE

OLDEST = 6
"""The graph version of DeepSpeech 0.7 and later, whose features and states these are."""

BLANK = "<blank>"

INPUT, SAMPLES = "input_node", "input_samples"
LOGITS, MFCCS = "logits", "mfccs"
STATES = (("previous_state_c", "new_state_c"), ("previous_state_h", "new_state_h"))

FEATURE_TOLERANCE = 1e-2
"""Largest difference of a coefficient from the graph's own; these reach 250, and differ by 10^-5 when all is well."""

GOLDEN_CALLS = 3
"""Windows that the network is asked when the file is read; an accelerator must answer them alike."""

GOLDEN_TOLERANCE = 0.02
"""Mean absolute difference in probability at which an accelerator still counts as right."""

_REMEDY = "give it a model exported by DeepSpeech 0.7 to 0.9, or by packaging/model/deepspeech"

_Said = Mapping[str, Any]
"""What the file says of itself, by the names of its metadata."""


def read_deepspeech(path: Path) -> Bundle:
    """Given a .tflite file with DeepSpeech's interface, return it as a bundle. Raise ModelError where it isn't one."""
    graph = read_graph(path)
    inputs, outputs = _named(graph, graph.inputs), _named(graph, graph.outputs)
    taken, given = (INPUT, *(one for one, _ in STATES)), (LOGITS, *(one for _, one in STATES))
    for kind, names, found in (("takes", taken, inputs), ("gives", given, outputs)):
        for name in names:
            if name not in found:
                what = f"no DeepSpeech graph: it {kind} {', '.join(sorted(found))}, and no {name}"
                raise ModelError(what, where=str(path), remedy=_REMEDY)
    sweep = _sweep()
    answer = probe(path, {SAMPLES: sweep[0] / 32768.0})
    manifest = _manifest(path, inputs, outputs, _said(path, graph, answer))
    bundle = Bundle(path, manifest, Golden(np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32), 0.0))
    if MFCCS in answer:
        _compare_features(path, bundle, sweep[0], answer[MFCCS])
    return replace(bundle, golden=_golden(bundle, sweep))


def _named(graph: Graph, indices: Tuple[int, ...]) -> Dict[str, Tensor]:
    return {graph.tensors[index].name: graph.tensors[index] for index in indices}


def _said(path: Path, graph: Graph, answer: Mapping[str, npt.NDArray[Any]]) -> _Said:
    """Given a file, and what it answered, return what it says of itself."""
    said: Dict[str, Any] = dict(graph.notes)
    said.update({name: value.ravel()[0] for name, value in answer.items() if name.startswith("metadata_")})
    beside = path.with_name("alphabet.txt")
    if "metadata_alphabet" not in said and beside.is_file():
        said["alphabet.txt"] = beside.read_text(encoding="utf-8")
    return said


def _manifest(path: Path, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor], said: _Said) -> Manifest:
    heard, logits = inputs[INPUT].shape, outputs[LOGITS].shape
    if len(heard) != 4 or heard[2] % 2 == 0:
        what = f"{INPUT} has shape {heard}; DeepSpeech's is 1 × steps × frames with context × coefficients"
        raise ModelError(what, where=str(path), remedy=_REMEDY)
    steps, context = heard[1], heard[2] // 2
    features = _features(path, said, heard[3], context)
    labels = _labels(path, said)
    if logits[-1] != len(labels) + 1:
        what = f"its alphabet has {len(labels)} labels, its output {logits[-1]} columns: one must be the blank"
        raise ModelError(what, where=str(path), remedy="put the model's own alphabet.txt beside it")
    states = [NetworkState(input=one, output=other, shape=list(inputs[one].shape)) for one, other in STATES]
    wide = inputs[STATES[0][0]].shape[-1]
    weights = _parameters(heard[2] * heard[3], wide, logits[-1])
    network = Network(
        kind="streaming", window=steps, stride=steps, look_ahead=0, subsampling=1, input=INPUT, output=LOGITS,
        output_kind="probabilities", parameters=weights, macs_per_second=weights * SAMPLE_RATE // features.step,
        states=states,
    )  # fmt: skip
    notes = _notes(path, said, len(labels) + 1)
    tokens = Tokens(symbols=[*labels, BLANK], blank=len(labels), log_prior=notes["log_prior"])
    return Manifest(
        format=1, name=path.stem, language=_text(said.get("metadata_language", b"")) or "unknown",
        version=f"graph {_number(said, 'metadata_version', OLDEST)}", licence="the model's own",
        audio=Audio(sample_rate=16_000), features=features, network=network, tokens=tokens,
        decoding=notes["decoding"], files={},
    )  # fmt: skip


def _features(path: Path, said: _Said, coefficients: int, context: int) -> MfccFeatures:
    """Return how the network hears. Raise ModelError where that is not how we do."""
    milliseconds = SAMPLE_RATE // 1000
    rate = _number(said, "metadata_sample_rate", SAMPLE_RATE)
    version = _number(said, "metadata_version", OLDEST)
    if version < OLDEST:
        what = f"graph version {version}, the oldest that is read is {OLDEST}"
        raise ModelError(what, where=str(path), remedy=_REMEDY)
    if rate != SAMPLE_RATE:
        raise ModelError(f"hears {rate} Hz, Sayso records {SAMPLE_RATE}", where=str(path), remedy=_REMEDY)
    window = _number(said, "metadata_feature_win_len", 32) * milliseconds
    step = _number(said, "metadata_feature_win_step", 20) * milliseconds
    return MfccFeatures(kind="mfcc", window=window, step=step, coefficients=coefficients, context=context)


def _labels(path: Path, said: _Said) -> List[str]:
    """Return the labels in order. Raise ModelError where the file doesn't tell."""
    if "alphabet.txt" in said:
        lines = (line for line in said["alphabet.txt"].splitlines() if line and not line.startswith("#"))
        return [line.replace("\\#", "#") for line in lines]
    packed = said.get("metadata_alphabet")
    if packed is None:
        raise ModelError("no alphabet in it", where=str(path), remedy="put the model's own alphabet.txt beside it")
    try:
        return _unpack_alphabet(bytes(packed))
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise ModelError(f"its alphabet is damaged: {error}", where=str(path), remedy="copy the file again") from None


def _unpack_alphabet(packed: bytes) -> List[str]:
    """Given a serialised alphabet, return its labels: a count, then index, length and UTF-8 of each (alphabet.cc).

    numpy drops zero bytes at a string's end, but none of an alphabet's is one there.
    """
    (count,) = struct.unpack_from("<H", packed)
    labels: Dict[int, str] = {}
    place = 2
    for _ in range(count):
        index, length = struct.unpack_from("<HH", packed, place)
        labels[index] = packed[place + 4 : place + 4 + length].decode()
        place += 4 + length
    if sorted(labels) != list(range(count)) or place > len(packed):
        raise ValueError("labels are missing")
    return [labels[index] for index in range(count)]


def _number(said: _Said, name: str, otherwise: int) -> int:
    value: Union[int, bytes, None] = said.get(name)
    if isinstance(value, bytes):
        return int.from_bytes(value[:4], "little")
    return otherwise if value is None else int(value)


def _text(value: Union[bytes, str]) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _notes(path: Path, said: _Said, tokens: int) -> Dict[str, Any]:
    """Return label priors and calibration as packaging/model/deepspeech measures them; DeepSpeech's files have none."""
    if "sayso_decoding" not in said:
        return {"log_prior": [0.0] * tokens, "decoding": Decoding(prior_weight=0.0)}
    try:
        notes = json.loads(said["sayso_decoding"])
        return {"log_prior": notes.pop("log_prior"), "decoding": Decoding(**notes)}
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        what = f"its notes on decoding are damaged: {' '.join(str(error).split())}"
        raise ModelError(what, where=str(path), remedy="convert it again") from None


def _parameters(inputs: int, wide: int, outputs: int) -> int:
    """Given the widths, return the network's parameters: dense layers 1, 2, 3, 5, 6 and the LSTM's gates."""
    return (inputs + 1) * wide + 3 * (wide + 1) * wide + (2 * wide + 1) * 4 * wide + (wide + 1) * outputs


def _sweep() -> List[npt.NDArray[np.int16]]:
    """Return a second or so of a rising tone in noise, in windows of 512 samples: anything but silence would do."""
    random = np.random.default_rng(9)
    time = np.arange(64 * 512) / SAMPLE_RATE
    sound = 8000 * np.sin(2 * np.pi * (200 + 900 * time) * time) + random.normal(0, 600, len(time))
    return list(sound.astype(np.int16).reshape(-1, 512))


def _compare_features(
    path: Path, bundle: Bundle, samples: npt.NDArray[np.int16], theirs: npt.NDArray[np.float32]
) -> None:
    """Raise ModelError where the graph's features of the samples aren't ours."""
    settings = bundle.features
    assert isinstance(settings, ContextSettings)
    ours = Mfcc(settings).feed(samples)
    if ours.size != theirs.size or not np.allclose(ours.ravel(), theirs.ravel(), atol=FEATURE_TOLERANCE):
        what = "its features aren't those of DeepSpeech 0.9: the same sound gives other coefficients"
        raise ModelError(what, where=str(path), remedy=_REMEDY)


def _golden(bundle: Bundle, sweep: List[npt.NDArray[np.int16]]) -> Golden:
    """Return a question and what the CPU answers to it."""
    rows = bundle.manifest.network.window * GOLDEN_CALLS
    stream = feature_stream(bundle.features)
    features = np.concatenate((stream.feed(np.concatenate(sweep)), stream.silence(rows)))[:rows]
    answers = AcousticStream(TfliteNetwork(bundle.model, bundle, 1), streaming(bundle)).feed(features)
    return Golden(features, answers.log_probs, GOLDEN_TOLERANCE)
