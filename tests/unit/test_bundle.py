"""A model bundle that is damaged, foreign or inconsistent is one clear line; the shipped one answers as it should."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from sayso.assembly import SHIPPED_MODEL
from sayso.errors import AcceleratorError, ModelError
from sayso.recognition.acoustic import AcousticStream, log_softmax
from sayso.recognition.bundle import EDGETPU_MODEL, GOLDEN, MANIFEST, MODEL, Bundle, load_bundle
from sayso.recognition.tflite import TfliteNetwork, check_golden, load_delegate, streaming


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(SHIPPED_MODEL)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED_MODEL, tmp_path / "bundle"))


def _change(bundle: Path, pattern: str, replacement: str) -> None:
    """Change the manifest at one place."""
    path = bundle / MANIFEST
    text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1, pattern
    path.write_text(text)


def _sign(bundle: Path, name: str) -> None:
    """Make the manifest speak of the file as it is now."""
    digest = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    _change(bundle, rf'^"{re.escape(name)}" = .*$', f'"{name}" = "{digest}"')


def _complaint(bundle: Path, load: Callable[[Bundle], object] = lambda bundle: bundle) -> str:
    """The one line that loading gives, without the folder."""
    with pytest.raises(ModelError) as caught:
        load(load_bundle(bundle))
    (problem,) = caught.value.problems
    assert "\n" not in str(problem)
    assert problem.remedy
    assert problem.where.startswith(str(bundle))
    return str(problem).replace(f"{bundle}/", "").replace(f"{bundle}", "bundle")


def _network(bundle: Bundle) -> TfliteNetwork:
    return TfliteNetwork(bundle.model, bundle, 1)


def test_the_shipped_bundle_answers_its_golden_vector(shipped: Bundle) -> None:
    assert check_golden(_network(shipped), shipped) <= shipped.golden.tolerance


def test_the_shipped_bundle_speaks_in_probabilities_of_its_tokens(shipped: Bundle) -> None:
    tokens = shipped.manifest.tokens
    assert len(tokens.symbols) == 40
    found = AcousticStream(_network(shipped), streaming(shipped)).feed(shipped.golden.features).log_probs
    assert found.shape[1] == len(tokens.symbols)
    assert np.exp(found).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_the_shipped_bundle_knows_how_phones_follow_one_another(shipped: Bundle) -> None:
    assert shipped.log_bigram is not None
    phones = shipped.manifest.tokens.symbols
    assert np.exp(shipped.log_bigram).sum(axis=1) == pytest.approx(1, abs=1e-4)
    after = {phone: shipped.log_bigram[phones.index(phone)] for phone in ("HH", "Z")}
    assert after["HH"][phones.index("AW")] > after["HH"][phones.index("NG")]
    assert after["Z"].argmax() == phones.index("AH")


def test_a_filler_of_other_phones_is_refused(copy: Path) -> None:
    np.savez(copy / "filler.npz", log_bigram=np.zeros((3, 3), np.float32))
    _sign(copy, "filler.npz")
    assert _complaint(copy).startswith("filler.npz: log_bigram is [3, 3], the manifest has 40 tokens")


def test_frames_in_any_chunks_give_the_same_rows(shipped: Bundle) -> None:
    features, network = shipped.golden.features, _network(shipped)
    whole = AcousticStream(network, streaming(shipped)).feed(features)
    for size in (1, 7, 64):
        stream = AcousticStream(network, streaming(shipped))
        parts = [stream.feed(features[begin : begin + size]) for begin in range(0, len(features), size)]
        assert [part.start for part in parts] == list(np.cumsum([0, *(len(part.log_probs) for part in parts[:-1])]))
        rows = np.concatenate([part.log_probs for part in parts if len(part.log_probs)])
        assert np.array_equal(rows, whole.log_probs)


def test_a_fork_hears_on_its_own(shipped: Bundle) -> None:
    features, network = shipped.golden.features, _network(shipped)
    stream = AcousticStream(network, streaming(shipped))
    stream.feed(features[:80])
    stream.fork().feed(np.zeros_like(features[:64]))
    alone = AcousticStream(network, streaming(shipped))
    alone.feed(features[:80])
    assert np.array_equal(stream.feed(features[80:]).log_probs, alone.feed(features[80:]).log_probs)


def test_the_last_row_comes_out_with_the_frames_that_are_asked_for(shipped: Bundle) -> None:
    how = streaming(shipped)
    for frames in (1, how.window - 1, how.window, how.window + 1, 100):
        stream = AcousticStream(_network(shipped), how)
        missing = stream.frames_to_flush(frames)
        stream.feed(np.zeros((frames, 40), np.float32))
        if missing >= how.stride:
            stream.feed(np.zeros((missing - how.stride, 40), np.float32))
            assert stream.rows < stream.frames_to_row(frames)
            missing = how.stride
        stream.feed(np.zeros((missing, 40), np.float32))
        assert stream.rows >= stream.frames_to_row(frames)


def test_a_softmax_of_large_numbers_is_finite() -> None:
    assert log_softmax(np.array([[1000, 0, -1000]], np.float32))[0] == pytest.approx([0, -1000, -2000])


@pytest.mark.parametrize("name", [MODEL, GOLDEN, "lexicon.txt.gz", "filler.npz"])
@pytest.mark.parametrize("damage", ["missing", "cut", "altered"])
def test_a_damaged_file_is_named(copy: Path, name: str, damage: str) -> None:
    whole = (copy / name).read_bytes()
    (copy / name).unlink()
    if damage != "missing":
        (copy / name).write_bytes(
            whole[:-100] if damage == "cut" else whole[:500] + bytes([whole[500] ^ 1]) + whole[501:]
        )
    reason = (
        "No such file or directory" if damage == "missing" else "is not the file that the manifest describes (SHA-256 "
    )
    assert _complaint(copy).startswith(f"{name}: {reason}")


def test_all_damaged_files_are_named_at_once(copy: Path) -> None:
    (copy / MODEL).unlink()
    (copy / GOLDEN).write_bytes(b"")
    with pytest.raises(ModelError) as caught:
        load_bundle(copy)
    assert sorted(Path(problem.where).name for problem in caught.value.problems) == [GOLDEN, MODEL]


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (
            "^format = 1$",
            "format = 2",
            "manifest.toml: bundle format 2, this version reads 1 (install a model made for ",
        ),
        ("^format = 1$", "", "manifest.toml: bundle format None, this version reads 1"),
        ("^format = 1$", "format = = 1", "manifest.toml: not TOML: "),
        ("^sample_rate = 16000$", "sample_rate = 8000", "manifest.toml: audio.sample_rate: Input should be 16000"),
        ("^bands = 40$", "bands = 41", "manifest.toml: features: Value error, mean has 40 values for 41 bands"),
        (
            "^stride = 8$",
            "stride = 4",
            "manifest.toml: network: Value error, a streaming network takes every frame once",
        ),
        ("^blank = 0$", "blank = 40", "manifest.toml: tokens: Value error, blank is no symbol"),
        ('^    "AA",$', '    "AE",', "manifest.toml: tokens: Value error, symbols are not distinct"),
        ('^    "AA",$', "", "manifest.toml: tokens: Value error, log_prior has 40 values for 39 symbols"),
        ("^licence = .*$", "", "manifest.toml: licence: Field required"),
        ("^licence = ", "license = 1\nlicence = ", "manifest.toml: license: Extra inputs are not permitted"),
        ('^"golden.npz" = .*$', "", "manifest.toml: [files] doesn't name golden.npz"),
        ('^file = "lexicon.txt.gz"$', 'file = "other.gz"', "manifest.toml: [files] doesn't name other.gz"),
        (
            '^"golden.npz" = ',
            '"../x" = "0"\n"golden.npz" = ',
            "manifest.toml: [files] names '../x', which is not in the ",
        ),
    ],
)
def test_a_manifest_that_does_not_add_up_says_where(copy: Path, pattern: str, replacement: str, complaint: str) -> None:
    _change(copy, pattern, replacement)
    assert _complaint(copy).startswith(complaint)


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        ('^input = "serving.*$', 'input = "x"', "model.tflite: no tensor 'x'; there are "),
        (
            "^window = 8\nstride = 8$",
            "window = 16\nstride = 16",
            "model.tflite: input has shape (8, 40), the manifest says (16, 40)",
        ),
        ("^subsampling = 4$", "subsampling = 2", "model.tflite: output has shape (2, 40), the manifest says (4, 40)"),
        ("^    3,\n    1,\n    40,$", "    4,\n    1,\n    40,", "model.tflite: state "),
        (
            r"^\[quantisation.input\]\nscale = ",
            "[quantisation.input]\nscale = 1",
            "model.tflite: input is quantised by ",
        ),
        ("^zero_point = -?[0-9]+$", "zero_point = 99", "model.tflite: input is quantised by "),
    ],
)
def test_a_network_that_is_not_what_the_manifest_says_is_refused(
    copy: Path, pattern: str, replacement: str, complaint: str
) -> None:
    _change(copy, pattern, replacement)
    assert _complaint(copy, _network).startswith(complaint)


@pytest.mark.parametrize("foreign", [b"", b"TFL3", b"\x1c\x00\x00\x00TFL3" + bytes(200), b"not a network" * 100])
def test_a_foreign_network_is_refused(copy: Path, foreign: bytes) -> None:
    (copy / MODEL).write_bytes(foreign)
    _sign(copy, MODEL)
    assert _complaint(copy, _network).startswith("model.tflite: not a network this interpreter runs: ")


@pytest.mark.parametrize("foreign", [b"", b"PK\x03\x04", b"text"])
def test_a_foreign_golden_vector_is_refused(copy: Path, foreign: bytes) -> None:
    (copy / GOLDEN).write_bytes(foreign)
    _sign(copy, GOLDEN)
    assert _complaint(copy).startswith("golden.npz: no golden vector: ")


@pytest.mark.parametrize(
    ("bands", "tokens", "complaint"),
    [(39, 40, "golden.npz: features are 39 wide, the manifest says 40"), (40, 3, "golden.npz: log_probs are 3 wide, ")],
)
def test_a_golden_vector_of_another_model_is_refused(copy: Path, bands: int, tokens: int, complaint: str) -> None:
    np.savez(copy / GOLDEN, features=np.zeros((9, bands)), log_probs=np.zeros((2, tokens)), tolerance=0.1)
    _sign(copy, GOLDEN)
    assert _complaint(copy).startswith(complaint)


def test_a_network_that_answers_something_else_is_refused(copy: Path, shipped: Bundle) -> None:
    wrong = np.roll(shipped.golden.log_probs, 5, axis=1)
    np.savez(copy / GOLDEN, features=shipped.golden.features, log_probs=wrong, tolerance=shipped.golden.tolerance)
    _sign(copy, GOLDEN)
    complaint = _complaint(copy, lambda bundle: check_golden(_network(bundle), bundle))
    assert complaint.startswith("bundle: answers the golden vector 0.")


def test_a_folder_without_a_bundle_is_one_line(tmp_path: Path) -> None:
    assert _complaint(tmp_path).startswith("manifest.toml: no model bundle here: No such file or directory (reinstall")


def test_a_bundle_says_whether_it_has_a_network_for_the_edge_tpu(copy: Path) -> None:
    assert load_bundle(copy).edgetpu_model is None
    shutil.copy(copy / MODEL, copy / EDGETPU_MODEL)
    digest = hashlib.sha256((copy / MODEL).read_bytes()).hexdigest()
    _change(copy, r"^\[files\]$", f'[files]\n"{EDGETPU_MODEL}" = "{digest}"')
    assert load_bundle(copy).edgetpu_model == copy / EDGETPU_MODEL


def test_an_accelerator_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(AcceleratorError) as caught:
        load_delegate("usb:7")
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].remedy
