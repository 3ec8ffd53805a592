"""Models with DeepSpeech's graph interface, on real .tflite files that packaging/model/deepspeech makes."""

from __future__ import annotations

import lzma
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sayso.errors import ModelError
from sayso.recognition.acoustic import AcousticStream, log_softmax
from sayso.recognition.bundle import Bundle, open_bundle
from sayso.recognition.context import ContextMfcc, ContextSettings
from sayso.recognition.features import Mfcc
from sayso.recognition.inspect import inspect_model
from sayso.recognition.tflite import TfliteNetwork, check_golden, probe, streaming
from sayso.records import Samples

DATA = Path(__file__).resolve().parents[1] / "data" / "tflite"
INTEGER = DATA / "deepspeech_integer.tflite"
RELEASED = DATA / "deepspeech_released.tflite"

TABLE = {
    "SOFTMAX": 1, "FULLY_CONNECTED": 6, "MINIMUM": 4, "TANH": 2, "STRIDED_SLICE": 1, "LOGISTIC": 3, "ADD": 2,
    "SPLIT": 1, "MUL": 3, "CONCATENATION": 1, "RESHAPE": 1,
}  # fmt: skip
"""The operators of the conversion that the Edge TPU's compiler mapped whole."""

LETTERS = (" ", *"abcdefghijklmnopqrstuvwxyz", "'")


def sound(seconds: float = 1.3) -> Samples:
    random = np.random.default_rng(4)
    time = np.arange(int(seconds * 16_000)) / 16_000
    tone = 5000 * np.sin(2 * np.pi * (150 + 700 * time) * time) * np.sin(2 * np.pi * 3 * time)
    return np.asarray(tone + random.normal(0, 300, len(time)), np.int16)


def rows(settings: ContextSettings, samples: Samples) -> npt.NDArray[np.float32]:
    """Frames with their context as DeepSpeech's client makes them of a whole utterance: zeros around it."""
    frames = Mfcc(settings).feed(samples)
    padded = np.pad(frames, ((settings.context, settings.context), (0, 0)))
    return np.array([padded[place : place + 19].ravel() for place in range(len(frames))])


def posteriors(bundle: Bundle, samples: Samples, piece: int) -> npt.NDArray[np.float32]:
    """Log-probabilities of an utterance that comes in pieces, by the daemon's streams."""
    features = ContextMfcc(ContextSettings())
    acoustic = AcousticStream(TfliteNetwork(bundle.model, bundle, 1), streaming(bundle))
    frames = [features.feed(samples[place : place + piece]) for place in range(0, len(samples), piece)]
    found = [acoustic.feed(one).log_probs for one in frames]
    spoken = sum(map(len, frames)) + features.behind
    missing = acoustic.frames_to_flush(spoken) + features.behind
    found.append(acoustic.feed(features.silence(missing)).log_probs)
    return np.concatenate([one for one in found if one.size])[:spoken]


@pytest.mark.parametrize("hidden", [512, 2048])
def test_the_full_integer_network_has_the_operators_that_the_edge_tpu_takes(hidden: int, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(lzma.decompress((DATA / f"deepspeech_{hidden}.tflite.xz").read_bytes()))
    inspection = inspect_model(file)
    assert Counter(finding.operator.name for finding in inspection.findings) == TABLE
    assert inspection.edgetpu_operators == sum(TABLE.values())
    tensors = inspection.graph.tensors
    assert {tensors[index].name: tensors[index].shape for index in inspection.graph.inputs} == {
        "input_node": (1, 1, 19, 26), "previous_state_c": (1, hidden), "previous_state_h": (1, hidden),
    }  # fmt: skip
    assert {tensors[index].type for index in (*inspection.graph.inputs, *inspection.graph.outputs)} == {"int8"}


def test_the_released_form_is_not_for_the_edge_tpu() -> None:
    inspection = inspect_model(RELEASED)
    assert inspection.edgetpu_operators == 0
    assert {"AudioSpectrogram", "Mfcc"} <= {finding.operator.name for finding in inspection.findings}


@pytest.mark.parametrize(("file", "steps"), [(INTEGER, 1), (RELEASED, 16)])
def test_a_file_says_all_of_itself(file: Path, steps: int) -> None:
    manifest = open_bundle(file).manifest
    assert manifest.network.window == steps
    assert manifest.tokens.symbols == [*LETTERS, "<blank>"]
    assert manifest.tokens.blank == 28
    assert manifest.language == "en-US"
    assert [state.shape for state in manifest.network.states] == [[1, 48], [1, 48]]


def test_the_features_in_the_graph_are_ours() -> None:
    settings = ContextSettings()
    for start in (0, 5000, 9000):
        window = sound()[start : start + 512]
        theirs = probe(RELEASED, {"input_samples": window / 32768.0})["mfccs"]
        np.testing.assert_allclose(theirs.ravel(), Mfcc(settings).feed(window).ravel(), atol=2e-3)


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 20_800), max_size=20), owed=st.integers(0, 30))
def test_rows_are_the_clients_whatever_pieces_the_sound_comes_in(cuts: list[int], owed: int) -> None:
    stream, expected = ContextMfcc(ContextSettings()), rows(ContextSettings(), sound())
    pieces = [stream.feed(piece) for piece in np.split(sound(), sorted(cuts))]
    assert stream.behind == 9
    found = np.concatenate((*pieces, stream.fork().silence(9)))
    np.testing.assert_array_equal(found, expected)
    assert len(stream.silence(owed)) == owed


def test_an_utterance_shorter_than_the_context_is_brought_out_whole() -> None:
    stream, samples = ContextMfcc(ContextSettings()), sound()[: 512 + 2 * 320]
    assert len(stream.feed(samples)) == 0
    assert stream.behind == 3
    np.testing.assert_array_equal(stream.silence(3), rows(ContextSettings(), samples))


@pytest.mark.parametrize("file", [INTEGER, RELEASED])
def test_a_stream_is_answered_like_a_whole_utterance(file: Path) -> None:
    bundle, samples = open_bundle(file), sound()
    manifest = bundle.manifest
    network = TfliteNetwork(file, bundle, 1)
    heard = rows(ContextSettings(), samples)
    padded = np.pad(heard, ((0, -len(heard) % manifest.network.window), (0, 0)))
    states, expected = network.initial_states(), []
    for window in padded.reshape(-1, manifest.network.window, 494):
        answer, states = network.run(window, states)
        expected.append(log_softmax(answer))
    for piece in (320, 777, len(samples)):
        found = posteriors(bundle, samples, piece)
        np.testing.assert_allclose(found, np.concatenate(expected)[: len(heard)], atol=1e-4)


def test_probabilities_of_nothing_stay_finite() -> None:
    # This one is sure of what it writes: most of an int8 softmax is then zero.
    file = DATA / "deepspeech_recital_integer.tflite"
    network = TfliteNetwork(file, open_bundle(file), 1)
    answer, _ = network.run(np.zeros((1, 494), np.float32), network.initial_states())
    assert np.isfinite(answer).all()
    assert answer.min() == pytest.approx(np.log(1 / 512), abs=0.01)


def test_the_golden_vector_is_what_the_processor_answers() -> None:
    bundle = open_bundle(INTEGER)
    assert check_golden(TfliteNetwork(INTEGER, bundle, 1), bundle) == 0


def patched(file: Path, folder: Path, old: bytes, new: bytes) -> Path:
    """A copy of a file in which some bytes are others, as many."""
    content = file.read_bytes()
    assert content.count(old) >= 1
    assert len(old) == len(new)
    copy = folder / "patched.tflite"
    copy.write_bytes(content.replace(old, new))
    return copy


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (b"previous_state_c", b"previous_state_x", "no DeepSpeech graph: it takes .*, and no previous_state_c"),
        (b"metadata_alphabet", b"metadata_alphabex", "no alphabet in it .put the model's own alphabet.txt beside it."),
        (struct.pack("<HHH", 28, 0, 1), struct.pack("<HHH", 27, 0, 1), "its alphabet has 27 labels, its output 29"),
        (struct.pack("<HHH", 28, 0, 1), struct.pack("<HHH", 28, 1, 1), "its alphabet is damaged: labels are missing"),
    ],
)
def test_a_file_that_is_something_else_says_what(tmp_path: Path, old: bytes, new: bytes, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        open_bundle(patched(INTEGER, tmp_path, old, new))


def test_other_features_than_deepspeechs_are_refused(tmp_path: Path) -> None:
    # The upper limit of the filter bank, as the custom operator's options hold it.
    file = patched(RELEASED, tmp_path, struct.pack("<f", 4000), struct.pack("<f", 5000))
    with pytest.raises(ModelError, match="its features aren't those of DeepSpeech"):
        open_bundle(file)


def test_an_alphabet_may_lie_beside_the_file(tmp_path: Path) -> None:
    file = patched(INTEGER, tmp_path, b"metadata_alphabet", b"metadata_alphabex")
    lines = ["# letters", *LETTERS[:-1], "\\#"]
    (tmp_path / "alphabet.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert open_bundle(file).manifest.tokens.symbols == [*LETTERS[:-1], "#", "<blank>"]


def test_an_ordinary_model_is_no_deepspeech() -> None:
    with pytest.raises(ModelError, match="no DeepSpeech graph"):
        open_bundle(DATA / "integer.tflite")


def test_a_compiled_twin_beside_the_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "speech.tflite"
    file.write_bytes(INTEGER.read_bytes())
    assert open_bundle(file).edgetpu_model is None
    twin: Any = tmp_path / "speech_edgetpu.tflite"
    twin.write_bytes(b"")
    assert open_bundle(file).edgetpu_model == twin
