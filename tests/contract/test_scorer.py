"""`.scorer` packages of the owner's sentences, built by KenLM's own tool and loaded by Mozilla's own decoder.

Mozilla's decoder exists for Python 3.9 on x86-64 only. Where that Python is, tests/run makes an environment with it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from sayso.cli.main import sayso
from sayso.errors import ModelError
from sayso.scorer_package import find_tool, read_ngrams

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "tests" / "data" / "speech"
MODEL = ROOT / "tests" / "data" / "tflite" / "deepspeech_recital_integer.tflite"
PYTHON = ROOT / "build" / "decoder-venv" / "bin" / "python"
KNOWN = {"pause": "pause", "lock_the_Front_Door": "lock the front door"}

mozilla = pytest.mark.skipif(not PYTHON.exists(), reason="no Python 3.9 for x86-64, which Mozilla's decoder needs")

NUMBERS = (
    "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "oh", "zero", "one", "two",
    "three", "four", "five", "six", "seven", "eight", "nine",
)  # fmt: skip

TEMPLATES = """
language: en
intents:
  HassTurnOn:
    data:
      - sentences: ["turn on [the] {name}", "{brightness} percent"]
lists:
  name: {values: [kitchen light, kettle]}
  brightness: {range: {from: 10, to: 90, step: 10}}
"""


def has_tool() -> bool:
    try:
        find_tool()
    except ModelError:
        return False
    return True


def _need_tool() -> None:
    if not has_tool():
        pytest.skip("no build_binary of KenLM's: packaging/kenlm makes it")


def build(output: Path, *options: str) -> str:
    done = CliRunner().invoke(sayso, ["scorer", "build", "-o", str(output), *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the shipped example's sentences, of which there are billions."""
    _need_tool()
    file = tmp_path_factory.mktemp("scorer") / "commands.scorer"
    assert "words" in build(file, "--commands", str(ROOT / "config" / "commands"))
    return file


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of three sentences."""
    _need_tool()
    folder = tmp_path_factory.mktemp("small")
    (folder / "commands.yaml").write_text(TEMPLATES, encoding="utf-8")
    build(folder / "small.scorer", "--commands", str(folder / "commands.yaml"))
    return folder / "small.scorer"


def transcribe(package: Path, *options: str, python: Path | None = None) -> list[Any]:
    """Given a package, return what `sayso scorer transcribe` prints of the recordings."""
    files = [str(SPEECH / f"{name}.opus") for name in KNOWN]
    arguments = ["transcribe", "--model", str(MODEL), "--scorer", str(package), "--beam", "30", *options, *files]
    if python is None:
        done = CliRunner().invoke(sayso, ["scorer", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    program = "from sayso.cli.scorer import scorer; scorer()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "daemon")}
    said = subprocess.run(
        [str(python), "-c", program, *arguments], capture_output=True, check=True, env=environment, timeout=100
    )
    return [json.loads(line) for line in said.stdout.splitlines()]


def in_mozillas_decoder(package: Path, script: str) -> Any:
    """Given a package and lines of Python that set `answer`, run them where the package has been loaded by it."""
    program = f"""
import json, sys, numpy, ds_ctcdecoder
open(sys.argv[2], "w").write("".join(f"{{one}}\\n" for one in " abcdefghijklmnopqrstuvwxyz'"))
alphabet = ds_ctcdecoder.Alphabet(sys.argv[2])
scorer = ds_ctcdecoder.Scorer()
code = scorer.init(sys.argv[1].encode(), alphabet)
def spoken(text, sure=0.6):
    rows = []
    for letter in text:
        rows += [numpy.full(29, (1 - sure) / 28), numpy.full(29, 0.02 / 28)]
        rows[-2][alphabet.EncodeSingle(letter)], rows[-1][28] = sure, 0.98
    return numpy.array(rows)
def heard(text, **options):
    return ds_ctcdecoder.ctc_beam_search_decoder(spoken(text), alphabet, 100, scorer=scorer, **options)[0]
{script}
print(json.dumps(answer))
"""
    alphabet = package.with_suffix(".alphabet")
    said = subprocess.run(
        [str(PYTHON), "-c", program, str(package), str(alphabet)], capture_output=True, check=True, timeout=60
    )
    return json.loads(said.stdout)


@mozilla
def test_mozillas_decoder_loads_it_and_hears_the_owners_words(package: Path) -> None:
    script = (
        "scorer.reset_params(0.93, 1.18)\n"
        "answer = [code, heard('tern on the kichen light')[1], heard('set bed light to fivty percent')[1]]"
    )
    code, first, second = in_mozillas_decoder(package, script)
    assert code == 0
    assert first == "turn on the kitchen light"
    assert "fifty percent" in second


@mozilla
def test_alpha_beta_and_hot_words_weigh(small: Path) -> None:
    script = (
        "scorer.reset_params(0.0, 0.0)\nbare = heard('turn on the kettle')[0]\n"
        "scorer.reset_params(1.0, 0.0)\nweighed = heard('turn on the kettle')[0]\n"
        "scorer.reset_params(1.0, 2.0)\nbonus = heard('turn on the kettle')[0]\n"
        "hot = heard('turn on the kettle', hot_words={b'kettle': 9.0})[0]\n"
        "answer = [bare, weighed, bonus, hot]"
    )
    bare, weighed, bonus, hot = in_mozillas_decoder(small, script)
    assert weighed < bare
    # Four words, each with its bonus.
    assert bonus - weighed == pytest.approx(8.0, abs=0.01)
    assert hot > bonus


@mozilla
def test_both_roads_write_the_same_and_score_it_alike(package: Path) -> None:
    ours, theirs = transcribe(package, "--decoder", "sayso"), transcribe(package, python=PYTHON)
    assert {line["decoder"] for line in ours} == {"sayso"}
    assert {line["decoder"] for line in theirs} == {"ds_ctcdecoder"}
    for one, other in zip(ours, theirs):
        assert one["transcripts"][0]["text"] == other["transcripts"][0]["text"]
        # KenLM keeps the n-grams in 8 bits.
        assert one["transcripts"][0]["score"] == pytest.approx(other["transcripts"][0]["score"], abs=0.05)


@mozilla
def test_a_package_that_is_cut_off_is_refused_in_words(package: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.scorer"
    damaged.write_bytes(package.read_bytes()[:300])
    with pytest.raises(subprocess.CalledProcessError) as refused:
        transcribe(damaged, python=PYTHON)
    assert b"ds_ctcdecoder ended: the package is damaged" in refused.value.stderr


def test_without_mozillas_decoder_the_same_package_transcribes(package: Path) -> None:
    found = transcribe(package, "--decoder", "sayso", "--alternatives", "3")
    assert {Path(line["file"]).stem: line["transcripts"][0]["text"] for line in found} == KNOWN
    for line in found:
        scores = [one["score"] for one in line["transcripts"]]
        assert scores == sorted(scores, reverse=True)


def test_a_word_that_the_owner_did_not_write_does_not_come_out(small: Path) -> None:
    words = {
        word for line in transcribe(small, "--decoder", "sayso") for word in line["transcripts"][0]["text"].split()
    }
    assert not words & {"pause", "lock", "door", "party", "run"}
    assert words <= {"turn", "on", "the", "kitchen", "light", "kettle", "percent", *NUMBERS}


def test_hot_words_are_preferred(package: Path) -> None:
    plain = transcribe(package, "--decoder", "sayso")
    hot = transcribe(package, "--decoder", "sayso", "--hot-word", "door=3", "--hot-word", "pause=-2")
    gained = {
        Path(one["file"]).stem: other["transcripts"][0]["score"] - one["transcripts"][0]["score"]
        for one, other in zip(plain, hot)
    }
    assert gained == pytest.approx({"pause": -2, "lock_the_Front_Door": 3}, abs=1e-3)


def test_what_is_no_package_of_ours_says_so(tmp_path: Path) -> None:
    other = tmp_path / "other.scorer"
    other.write_bytes(np.random.default_rng(1).bytes(5000))
    with pytest.raises(ModelError, match="holds no n-grams that can be read without ds_ctcdecoder"):
        read_ngrams(other)
    with pytest.raises(ModelError, match=r"other.scorer: No such file|No such file"):
        read_ngrams(tmp_path / "missing.scorer")


def test_a_missing_or_broken_tool_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="KenLM's build_binary is not here"):
        find_tool(tmp_path / "build_binary")
    broken = tmp_path / "build_binary"
    broken.write_text("#!/bin/sh\necho no memory >&2\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    options = ["scorer", "build", "-o", str(tmp_path / "x"), "--commands", str(ROOT / "config" / "commands")]
    with pytest.raises(ModelError, match="build_binary failed: no memory"):
        CliRunner().invoke(sayso, [*options, "--kenlm", str(broken)], catch_exceptions=False)


@pytest.mark.parametrize("sentences", ["lock the front door", "lock the back door"])
def test_a_command_counts_only_if_the_language_model_writes_the_same(sentences: str, tmp_path: Path) -> None:
    """The grammar takes the shipped sentences either way; the package was made of one sentence only."""
    _need_tool()
    templates = {"language": "en", "intents": {"HassLock": {"data": [{"sentences": [sentences]}]}}}
    (tmp_path / "one.yaml").write_text(json.dumps(templates), encoding="utf-8")
    build(tmp_path / "one.scorer", "--commands", str(tmp_path / "one.yaml"))
    settings = tmp_path / "sayso.toml"
    commands = ROOT / "config" / "commands"
    settings.write_text(
        f'[model]\npath = "{MODEL}"\n[commands]\npath = "{commands}"\nmin_confidence = 0.5\n'
        f'[scorer]\npath = "{tmp_path / "one.scorer"}"\nbeam = 30\nhot_words = {{door = 1.0}}\n',
        encoding="utf-8",
    )
    arguments = ["--config", str(settings), "recognize", str(SPEECH / "lock_the_Front_Door.opus")]
    done = CliRunner().invoke(sayso, arguments, catch_exceptions=False)
    line = json.loads(done.output.splitlines()[-1])
    if sentences == "lock the front door":
        assert (line["type"], line["slots"]["name"]) == ("command", "front door")
    else:
        assert (line["type"], line["reason"]) == ("rejected", "not_a_command")
        assert line["alternatives"][0]["text"] == "lock the front door"


def test_a_second_opinion_needs_a_model_that_writes_letters(package: Path, tmp_path: Path) -> None:
    settings = tmp_path / "sayso.toml"
    commands = ROOT / "config" / "commands"
    settings.write_text(f'[commands]\npath = "{commands}"\n[scorer]\npath = "{package}"\n', encoding="utf-8")
    with pytest.raises(ModelError, match="writes phones, not letters"):
        CliRunner().invoke(
            sayso, ["--config", str(settings), "recognize", str(SPEECH / "pause.opus")], catch_exceptions=False
        )
