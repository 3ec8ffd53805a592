"""A `.scorer` package at work in ds_ctcdecoder, Mozilla's decoder.

Rule of this file: the only one that imports ds_ctcdecoder, and only in a process of its own: it holds a copy of OpenFst
that is not kaldifst's, and whichever of the two is loaded second into a process can hang there. KenLM, too, ends its
process where a package is damaged, instead of refusing it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import select
import struct
import subprocess
import sys
import weakref
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, List, Protocol, Sequence

import numpy as np
import numpy.typing as npt

from sayso.errors import ModelError
from sayso.recognition.beam import BeamSettings, Transcript, best_texts

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from sayso.recognition.mozilla import serve; serve(json.loads(sys.argv[2]))"
)
"""Finds what this process finds, wherever it is installed."""

_PATIENCE = 60.0
"""What loading a package, or an utterance, may take [s]; a gigabyte is mapped, not read."""

_SHAPE = struct.Struct("<qqq")
"""Steps, labels and texts wanted; then float64 probabilities follow."""

_REFUSALS = {
    0x2004: "it is damaged: no trie",
    0x2005: "its dictionary doesn't fit this alphabet",
    0x2006: "its dictionary is of another version",
    0x2007: "it ends behind the language model: no dictionary",
    0x2008: "its language model isn't KenLM's, or was built without its vocabulary",
    0x2009: "it can't be read",
}
"""ds_ctcdecoder's error codes (deepspeech.h)."""


class Transcriber(Protocol):
    """Turns log-probabilities of letters into text."""

    road: str

    def transcribe(self, log_probs: npt.NDArray[np.float32], most: int = 1) -> List[Transcript]:
        """Given float32 [steps, labels], return up to so many texts, the best first."""


def has_ds_ctcdecoder() -> bool:
    """Return whether Mozilla's decoder is installed."""
    return importlib.util.find_spec("ds_ctcdecoder") is not None


class MozillaDecoder:
    """ds_ctcdecoder 0.9.3 with a package."""

    road = "ds_ctcdecoder"

    def __init__(self, package: Path, alphabet: Sequence[str], settings: BeamSettings) -> None:
        """Given a package, the model's alphabet and the settings, load it. Raise ModelError where it is refused."""
        self._package = package
        task = {"package": str(package), "alphabet": list(alphabet), "settings": asdict(settings)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._finalizer = weakref.finalize(self, _end, self._process)
        self._answer()

    def transcribe(self, log_probs: npt.NDArray[np.float32], most: int = 1) -> List[Transcript]:
        """Given float32 [steps, labels], return up to so many texts, the best first. Raise ModelError on failure."""
        assert self._process.stdin is not None
        probabilities = np.exp(log_probs.astype(np.float64))
        try:
            self._process.stdin.write(_SHAPE.pack(*probabilities.shape, most) + probabilities.tobytes())
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None
        found = self._answer()["texts"]
        return best_texts((Transcript(text.strip(), score) for score, text in found), most)

    def close(self) -> None:
        """End its process."""
        self._finalizer()

    def _answer(self) -> Dict[str, Any]:
        """Return the next answer. Raise ModelError where there is none, or it is a refusal."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            raise self._ended()
        answer: Dict[str, Any] = json.loads(line)
        if "refused" in answer:
            self.close()
            what = f"no package of ds_ctcdecoder 0.9: {answer['refused']}"
            raise ModelError(what, where=str(self._package), remedy="build or fetch it again")
        return answer

    def _ended(self) -> ModelError:
        self.close()
        what = "ds_ctcdecoder ended: the package is damaged, or not one of its kind"
        return ModelError(what, where=str(self._package), remedy="build or fetch it again")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Given the decoder's process, leave nothing of it: whoever drops the decoder needn't think of it."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with suppress(OSError):
            pipe.close()


def serve(task: Dict[str, Any]) -> None:
    """Given what MozillaDecoder was given, answer utterances on standard input until it ends."""
    module: Any = importlib.import_module("ds_ctcdecoder")
    answers = sys.stdout
    if not Path(task["package"]).is_file():
        print(json.dumps({"refused": "no such file"}), file=answers, flush=True)
        return
    with TemporaryDirectory() as folder:
        # It reads alphabets from files only; a line that begins with # would be a comment.
        file = Path(folder) / "alphabet.txt"
        lines = (f"\\{label}" if label == "#" else label for label in task["alphabet"])
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        alphabet = module.Alphabet(str(file))
    scorer = module.Scorer()
    code = scorer.init(task["package"].encode(), alphabet)
    if code:
        print(json.dumps({"refused": _REFUSALS.get(code, f"error 0x{code:x}")}), file=answers, flush=True)
        return
    settings = BeamSettings(**task["settings"])
    scorer.reset_params(settings.alpha, settings.beta)
    print(json.dumps({}), file=answers, flush=True)
    hot = {word.encode(): boost for word, boost in settings.hot_words.items()}
    while head := sys.stdin.buffer.read(_SHAPE.size):
        steps, labels, most = _SHAPE.unpack(head)
        content = np.frombuffer(sys.stdin.buffer.read(8 * steps * labels)).reshape(steps, labels)
        found = module.ctc_beam_search_decoder(
            content, alphabet, settings.beam, scorer=scorer, hot_words=hot, num_results=3 * most
        )
        print(json.dumps({"texts": [(float(score), text) for score, text in found]}), file=answers, flush=True)
