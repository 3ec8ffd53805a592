"""A language -> a `.scorer` package, as DeepSpeech and ds_ctcdecoder 0.9.3 load it; and the package at work.

Rule of this file: a package is KenLM's binary, what DeepSpeech appends to it (native_client/ctcdecode/scorer.cpp), and
behind that, where neither of them looks, the n-grams as text: so that Sayso can use the package without KenLM.
"""

from __future__ import annotations

import gzip
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import List, Optional

import numpy as np

from sayso.audio.files import SoundFile
from sayso.errors import ModelError
from sayso.grammar.dictionary import build_trie, const_fst
from sayso.grammar.ngram import Language, parse_arpa
from sayso.recognition.acoustic import AcousticStream
from sayso.recognition.beam import BeamSearch, BeamSettings, Transcript
from sayso.recognition.bundle import Bundle
from sayso.recognition.context import feature_stream
from sayso.recognition.mozilla import MozillaDecoder, Transcriber, has_ds_ctcdecoder
from sayso.recognition.tflite import TfliteNetwork, streaming

ALPHA, BETA = 0.931289039105002, 1.1834137581510284
"""DeepSpeech 0.9.3's weight of the language model and bonus for a word, tuned on LibriSpeech."""

MAGIC, VERSION = 0x54524945, 6
"""'TRIE', and the version of the package's format."""

TEXT = b"SAYSO-ARPA"
"""Ends a package of ours: before it stand the gzipped n-grams and, in 8 bytes, how long they are."""

TOOL = "build_binary"


def find_tool(named: Optional[Path] = None) -> Path:
    """Given where KenLM's build_binary is said to be, or nothing, return it. Raise ModelError where there is none."""
    found = named or shutil.which(TOOL) or shutil.which(TOOL, path=str(Path(sys.executable).parent))
    if found is None or not Path(found).is_file():
        remedy = "packaging/kenlm makes it from KenLM's source release; or say --kenlm PATH"
        raise ModelError(f"KenLM's {TOOL} is not here", where=str(named or ""), remedy=remedy)
    return Path(found)


def write_scorer(language: Language, target: Path, tool: Path, alpha: float = ALPHA, beta: float = BETA) -> int:
    """Given a language, write its package and return how many bytes it has. Raise ModelError where that fails."""
    text = language.ngrams.arpa()
    binary = _kenlm(text, tool)
    head = struct.pack("<ii?dd", MAGIC, VERSION, False, alpha, beta)
    dictionary = const_fst(build_trie(language.ngrams.words, language.alphabet), len(binary) + len(head))
    packed = gzip.compress(text.encode(), mtime=0)
    content = b"".join((binary, head, dictionary, packed, struct.pack("<q", len(packed)), TEXT))
    try:
        target.write_bytes(content)
    except OSError as error:
        raise ModelError(
            f"can't be written: {error.strerror or error}", where=str(target), remedy="choose another place"
        ) from None
    return len(content)


def _kenlm(arpa: str, tool: Path) -> bytes:
    """Given n-grams, return them as KenLM's trie: 8-bit probabilities, the vocabulary within (-v, or it is refused)."""
    with TemporaryDirectory() as folder:
        source, binary = Path(folder) / "lm.arpa", Path(folder) / "lm.binary"
        source.write_text(arpa, encoding="utf-8")
        command = [str(tool), "-s", "-i", "-a", "255", "-q", "8", "-v", "trie", str(source), str(binary)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode or not binary.exists():
            reason = " ".join(done.stderr.split())[-300:] or f"exit status {done.returncode}"
            raise ModelError(f"{TOOL} failed: {reason}", where=str(tool), remedy="make it again with packaging/kenlm")
        return binary.read_bytes()


def read_ngrams(package: Path) -> str:
    """Given a package, return its n-grams as an ARPA file. Raise ModelError where it has none: it isn't ours."""
    try:
        content = package.read_bytes()
    except OSError as error:
        raise ModelError(error.strerror or str(error), where=str(package), remedy="name a .scorer file") from None
    foot = len(TEXT) + 8
    if not content.endswith(TEXT):
        what = "holds no n-grams that can be read without ds_ctcdecoder"
        raise ModelError(what, where=str(package), remedy="make one with `sayso scorer build`")
    (length,) = struct.unpack_from("<q", content, len(content) - foot)
    try:
        return gzip.decompress(content[-foot - length : -foot]).decode()
    except (OSError, EOFError, ValueError) as error:
        raise ModelError(f"is damaged: {error}", where=str(package), remedy="build it again") from None


def open_transcriber(bundle: Bundle, package: Path, settings: BeamSettings, decoder: str = "auto") -> Transcriber:
    """Given a model of letters and a package, return what transcribes.

    `decoder` is `ds_ctcdecoder`, `sayso`, or `auto`: the first where it is installed. Raise ModelError.
    """
    tokens = bundle.manifest.tokens
    if bundle.manifest.lexicon is not None or tokens.blank != len(tokens.symbols) - 1:
        raise ModelError("writes phones, not letters", where=str(bundle.path), remedy="name a DeepSpeech model")
    alphabet = tokens.symbols[:-1]
    if decoder == "ds_ctcdecoder" and not has_ds_ctcdecoder():
        raise ModelError("ds_ctcdecoder is not installed", remedy="it exists for Python 3.9 on x86-64 only")
    if decoder != "sayso" and has_ds_ctcdecoder():
        return MozillaDecoder(package, alphabet, settings)
    try:
        ngrams = parse_arpa(read_ngrams(package))
    except ValueError as error:
        raise ModelError(f"its n-grams are damaged: {error}", where=str(package), remedy="build it again") from None
    return BeamSearch(alphabet, ngrams.words, ngrams.log10, settings)


def transcribe(bundle: Bundle, transcriber: Transcriber, file: Path, most: int) -> List[Transcript]:
    """Given a model's bundle and a sound file, return what it says, the best first. Raise AudioError, ModelError."""
    source = SoundFile(file, None)
    source.open()
    try:
        samples = np.concatenate([np.zeros(0, np.int16), *(frame.samples for frame in source)])
    finally:
        source.close()
    features = feature_stream(bundle.features)
    acoustic = AcousticStream(TfliteNetwork(bundle.model, bundle, 1), streaming(bundle))
    heard = features.feed(samples)
    spoken = len(heard) + features.behind
    if not spoken:
        return []
    rows = features.silence(acoustic.frames_to_flush(spoken) + features.behind)
    return transcriber.transcribe(acoustic.feed(np.concatenate((heard, rows))).log_probs[:spoken], most)
