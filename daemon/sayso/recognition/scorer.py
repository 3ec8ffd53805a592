"""A `.scorer` package at work: by ds_ctcdecoder where it is installed, elsewhere by our own beam search.

Rule of this file: the only one that imports ds_ctcdecoder. Both roads take the same package and settings and give the
same kind of answer; `road` says which it was.
"""

from __future__ import annotations

import importlib
import mmap
import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, List, Protocol, Sequence

import numpy as np
import numpy.typing as npt

from sayso.errors import ModelError
from sayso.recognition.beam import BeamSettings, Transcript, best_texts

_MARK = struct.pack("<ii", 0x54524945, 6)
"""What DeepSpeech writes behind the language model: 'TRIE', and the version of the format (scorer.cpp)."""

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
    try:
        importlib.import_module("ds_ctcdecoder")
    except ImportError:
        return False
    return True


class MozillaDecoder:
    """ds_ctcdecoder 0.9.3 with a package."""

    road = "ds_ctcdecoder"

    def __init__(self, package: Path, alphabet: Sequence[str], settings: BeamSettings) -> None:
        """Given a package, the model's alphabet and the settings, load it. Raise ModelError where it is refused."""
        self._module: Any = importlib.import_module("ds_ctcdecoder")
        self._settings = settings
        _check(package)
        with TemporaryDirectory() as folder:
            # It reads alphabets from files only; a line that begins with # would be a comment.
            file = Path(folder) / "alphabet.txt"
            lines = (f"\\{label}" if label == "#" else label for label in alphabet)
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            self._alphabet = self._module.Alphabet(str(file))
        self._scorer = self._module.Scorer()
        code = self._scorer.init(str(package).encode(), self._alphabet)
        if code:
            why = _REFUSALS.get(code, f"error 0x{code:x}")
            raise ModelError(f"no package of ds_ctcdecoder 0.9: {why}", where=str(package), remedy="build it again")
        self._scorer.reset_params(settings.alpha, settings.beta)

    def transcribe(self, log_probs: npt.NDArray[np.float32], most: int = 1) -> List[Transcript]:
        """Given float32 [steps, labels], return up to so many texts, the best first."""
        found = self._module.ctc_beam_search_decoder(
            np.exp(log_probs.astype(np.float64)),
            self._alphabet,
            self._settings.beam,
            scorer=self._scorer,
            hot_words={word.encode(): boost for word, boost in self._settings.hot_words.items()},
            num_results=3 * most,
        )
        return best_texts((Transcript(text.strip(), float(score)) for score, text in found), most)


def _check(package: Path) -> None:
    """Raise ModelError for what KenLM would end the process over instead of refusing: a file that breaks off."""
    try:
        with package.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            whole = content.find(_MARK) >= 0
    except (OSError, ValueError) as error:
        raise ModelError(f"can't be read: {error}", where=str(package), remedy="name a .scorer file") from None
    if not whole:
        what = "no package of ds_ctcdecoder 0.9: no dictionary behind the language model"
        raise ModelError(what, where=str(package), remedy="build or fetch it again")
