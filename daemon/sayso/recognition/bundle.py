"""A model bundle: a folder that says all of itself.

Rule of this file: nothing of a bundle is believed before it is checked. The manifest is complete and
consistent, every file is the one that the manifest was written for (SHA-256), and what doesn't fit is
one line that says what. Interpreters are not this file's business: tflite.py checks the network's tensors.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Dict, List, Literal, Optional, Tuple, Union
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sayso.errors import ModelError, Problem
from sayso.recognition.context import ContextSettings, FeatureSettings
from sayso.recognition.features import LogMelSettings
from sayso.recognition.interpret import Calibration
from sayso.records import SAMPLE_RATE

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FORMAT = 1
"""The manifest format that this file reads."""

MANIFEST = "manifest.toml"
MODEL = "model.tflite"
EDGETPU_MODEL = "model_edgetpu.tflite"
GOLDEN = "golden.npz"
TFLITE = ".tflite"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Audio(_Section):
    """What the model hears."""

    sample_rate: Literal[16_000]


class LogMelFeatures(_Section):
    """The settings of features.LogMel, written out so that training and running can't differ."""

    kind: Literal["log-mel"]
    window: int = Field(gt=0)
    step: int = Field(gt=0)
    fft: int = Field(gt=0)
    bands: int = Field(gt=0)
    low_hz: float = Field(ge=0)
    high_hz: float = Field(le=SAMPLE_RATE / 2)
    floor: float = Field(gt=0)
    prior_frames: float = Field(ge=0)
    mean: List[float]
    scale: List[float]

    @model_validator(mode="after")
    def _one_value_a_band(self) -> LogMelFeatures:
        for name in ("mean", "scale"):
            if len(getattr(self, name)) != self.bands:
                raise ValueError(f"{name} has {len(getattr(self, name))} values for {self.bands} bands")
        return self


class MfccFeatures(_Section):
    """The settings of context.ContextMfcc."""

    kind: Literal["mfcc"]
    window: int = Field(gt=0)
    step: int = Field(gt=0)
    coefficients: int = Field(gt=0)
    context: int = Field(ge=0)

    @property
    def bands(self) -> int:
        """Return how many values a row has."""
        return self.coefficients * (2 * self.context + 1)


Features = Annotated[Union[LogMelFeatures, MfccFeatures], Field(discriminator="kind")]


class NetworkState(_Section):
    """A tensor that one call leaves for the next."""

    input: str
    output: str
    shape: List[int]


class Network(_Section):
    """What one call of the network takes and gives."""

    kind: Literal["streaming"]
    window: int = Field(gt=0)
    """Feature frames a call takes."""
    stride: int = Field(gt=0)
    """Feature frames from one call to the next."""
    look_ahead: int = Field(ge=0)
    """Feature frames that the network hears behind the one it speaks of."""
    subsampling: int = Field(gt=0)
    """Feature frames an output row stands for."""
    input: str
    output: str
    output_kind: Literal["logits", "log-probabilities", "probabilities"]
    parameters: int
    macs_per_second: int
    states: List[NetworkState] = Field(default_factory=list)

    @model_validator(mode="after")
    def _adds_up(self) -> Network:
        if self.window != self.stride:
            raise ValueError("a streaming network takes every frame once: window must equal stride")
        for name in ("window", "look_ahead"):
            if getattr(self, name) % self.subsampling:
                raise ValueError(f"{name} is no multiple of subsampling")
        return self


class Tokens(_Section):
    """What the rows of the output mean."""

    symbols: List[str]
    blank: int = Field(ge=0)
    log_prior: List[float]
    """Natural logarithm of how often each token was the network's own answer in training."""

    @model_validator(mode="after")
    def _one_prior_a_symbol(self) -> Tokens:
        if len(self.log_prior) != len(self.symbols):
            raise ValueError(f"log_prior has {len(self.log_prior)} values for {len(self.symbols)} symbols")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("symbols are not distinct")
        if self.blank >= len(self.symbols):
            raise ValueError("blank is no symbol")
        return self


class Quantisation(_Section):
    """int8 to real: scale × (value − zero_point)."""

    scale: float = Field(gt=0)
    zero_point: int


class Quantisations(_Section):
    input: Quantisation
    output: Quantisation


class Decoding(_Section):
    """What the decoder needs to know of this model."""

    prior_weight: float = Field(ge=0, le=2)
    acoustic_scale: float = Field(default=1.0, gt=0)
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    calibration: Optional[Calibration] = None


class Lexicon(_Section):
    file: str
    variants: str = ""


class Filler(_Section):
    file: str
    """float32 `log_bigram` [tokens, tokens], see recognition/filler.py."""


class Manifest(_Section):
    """manifest.toml."""

    format: Literal[1]
    name: str
    language: str
    version: str
    licence: str
    audio: Audio
    features: Features
    network: Network
    tokens: Tokens
    quantisation: Optional[Quantisations] = None
    """Of a network in floating point, none."""
    decoding: Decoding
    lexicon: Optional[Lexicon] = None
    """None: the tokens are letters, words are spelled."""
    filler: Optional[Filler] = None
    """None: each token follows each as often."""
    files: Dict[str, str]


@dataclass(frozen=True)
class Golden:
    """A known question and its answer, for asking a network whether it is well."""

    features: npt.NDArray[np.float32]
    """float32 [frames, bands]."""
    log_probs: npt.NDArray[np.float32]
    """float32 [rows, tokens], natural logarithm."""
    tolerance: float
    """Largest mean absolute difference in probability that still counts as the same."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been checked."""

    path: Path
    """The bundle's folder, or the .tflite file that is all of it."""
    manifest: Manifest
    golden: Golden
    log_bigram: Optional[npt.NDArray[np.float32]] = None
    """float32 [tokens, tokens], how tokens follow one another."""

    @property
    def model(self) -> Path:
        """The network for the CPU."""
        return self.path if self.path.suffix == TFLITE else self.path / MODEL

    @property
    def edgetpu_model(self) -> Path | None:
        """The network as compiled for the Edge TPU, where the bundle has it."""
        if self.path.suffix == TFLITE:
            compiled = self.path.with_name(f"{self.path.stem}_edgetpu{TFLITE}")
            return compiled if compiled.is_file() else None
        return self.path / EDGETPU_MODEL if EDGETPU_MODEL in self.manifest.files else None

    @property
    def lexicon(self) -> Path | None:
        """The dictionary; None: the tokens are letters."""
        return self.path / self.manifest.lexicon.file if self.manifest.lexicon else None

    @property
    def features(self) -> FeatureSettings:
        """Settings for context.feature_stream."""
        values: Dict[str, Any] = self.manifest.features.model_dump(exclude={"kind"})
        if isinstance(self.manifest.features, MfccFeatures):
            return ContextSettings(**values)
        values.update(mean=tuple(values["mean"]), scale=tuple(values["scale"]))
        return LogMelSettings(**values)

    @property
    def label(self) -> str:
        """Name and version, for people."""
        return f"{self.manifest.name} {self.manifest.version}"


def open_bundle(path: Path) -> Bundle:
    """Given a bundle's folder, or a .tflite file with DeepSpeech's interface, return it checked. Raise ModelError."""
    if path.suffix != TFLITE:
        return load_bundle(path)
    from sayso.recognition.deepspeech import read_deepspeech  # here, because its reader takes everybody's time

    return read_deepspeech(path)


def load_bundle(path: Path) -> Bundle:
    """Given a bundle's folder, return it checked. Raise ModelError with all that doesn't fit."""
    remedy = "reinstall the model, or point [model] path at another bundle"
    manifest = _read_manifest(path, remedy)
    problems = [
        problem for name, digest in manifest.files.items() for problem in _check_file(path, name, digest, remedy)
    ]
    more = [section.file for section in (manifest.lexicon, manifest.filler) if section is not None]
    for name in (MODEL, GOLDEN, *more):
        if name not in manifest.files:
            problems.append(Problem(str(path / MANIFEST), f"[files] doesn't name {name}", remedy))
    if problems:
        raise ModelError(problems=problems)
    bigram = _read_bigram(path / manifest.filler.file, manifest, remedy) if manifest.filler else None
    return Bundle(path, manifest, _read_golden(path / GOLDEN, manifest, remedy), bigram)


def _read_manifest(path: Path, remedy: str) -> Manifest:
    file = path / MANIFEST
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"no model bundle here: {error.strerror or error}"
        raise ModelError(what, where=str(file), remedy=remedy) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"not TOML: {error}", where=str(file), remedy=remedy) from None
    if data.get("format") != FORMAT:
        what = f"bundle format {data.get('format')!r}, this version reads {FORMAT}"
        raise ModelError(what, where=str(file), remedy="install a model made for this version")
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        problems = [
            Problem(f"{file}: {'.'.join(map(str, _written(finding['loc'])))}", finding["msg"], remedy)
            for finding in error.errors()
        ]
        raise ModelError(problems=problems) from None


def _written(location: Tuple[Union[str, int], ...]) -> List[Union[str, int]]:
    """Given where a value is wrong, return that as it is written: pydantic names the kind of features as well."""
    return [part for part in location if part not in ("log-mel", "mfcc")]


def _check_file(path: Path, name: str, digest: str, remedy: str) -> List[Problem]:
    file = path / name
    if Path(name).name != name:
        return [Problem(str(path / MANIFEST), f"[files] names {name!r}, which is not in the bundle's folder", remedy)]
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        return [Problem(str(file), error.strerror or str(error), remedy)]
    if found != digest:
        return [Problem(str(file), f"is not the file that the manifest describes (SHA-256 {found[:12]}…)", remedy)]
    return []


def _read_golden(file: Path, manifest: Manifest, remedy: str) -> Golden:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            golden = Golden(arrays["features"], arrays["log_probs"], float(arrays["tolerance"]))
    except (OSError, EOFError, ValueError, TypeError, KeyError, BadZipFile) as error:
        raise ModelError(f"no golden vector: {error}", where=str(file), remedy=remedy) from None
    if golden.features.ndim != 2 or golden.log_probs.ndim != 2:
        raise ModelError("golden vector has no rows and columns", where=str(file), remedy=remedy)
    shapes: List[Tuple[str, int, int]] = [
        ("features", golden.features.shape[-1], manifest.features.bands),
        ("log_probs", golden.log_probs.shape[-1], len(manifest.tokens.symbols)),
    ]
    for name, found, wanted in shapes:
        if found != wanted:
            raise ModelError(f"{name} are {found} wide, the manifest says {wanted}", where=str(file), remedy=remedy)
    return golden


def _read_bigram(file: Path, manifest: Manifest, remedy: str) -> npt.NDArray[np.float32]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            bigram: npt.NDArray[np.float32] = arrays["log_bigram"].astype(np.float32)
    except (OSError, EOFError, ValueError, TypeError, KeyError, BadZipFile) as error:
        raise ModelError(f"no filler: {error}", where=str(file), remedy=remedy) from None
    tokens = len(manifest.tokens.symbols)
    if bigram.shape != (tokens, tokens):
        what = f"log_bigram is {list(bigram.shape)}, the manifest has {tokens} tokens"
        raise ModelError(what, where=str(file), remedy=remedy)
    return bigram
