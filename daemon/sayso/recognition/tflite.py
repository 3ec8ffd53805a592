"""TensorFlow Lite networks, on the CPU or through the Edge TPU's delegate.

Rule of this file: the only one that imports an interpreter. It quantises what goes in, restores what
comes out, and refuses a network whose tensors are not what the manifest says.
"""

from __future__ import annotations

import ctypes
import importlib
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np
import numpy.typing as npt

from sayso.errors import AcceleratorError, AcceleratorLostError, ModelError
from sayso.native_stderr import INTERPRETER, Collected
from sayso.recognition.acoustic import AcousticStream, Frames, Network, States, Streaming
from sayso.recognition.bundle import Bundle, Golden, NetworkState, Quantisation
from sayso.recognition.quantised import TensorFormat, carry

_RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
"""The successor, where it is installed, and the interpreter that it succeeds."""

DELEGATE = "libedgetpu.so.1"

_LEAST_PROBABILITY = 1e-8
"""What a float32 softmax still tells from nothing."""


def _runtime() -> Any:
    for name in _RUNTIMES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return importlib.import_module(name)
        except ImportError:
            continue
    raise ModelError(
        "no TensorFlow Lite interpreter is installed",
        remedy="install tflite-runtime, or ai-edge-litert on Python 3.12 and up",
    )


def _pycoral() -> Any:
    """Return Google's pycoral where it is installed; another package of that name is about maps of coral reefs."""
    try:
        return importlib.import_module("pycoral.utils.edgetpu")
    except ImportError:
        return None


def load_delegate(device: str) -> Any:
    """Given a device of libedgetpu (`usb`, `usb:0`, `pci:0`, empty for any), return its delegate.

    Raise AcceleratorError where the library is missing, AcceleratorLostError where the device is.
    """
    options = {"device": device} if device else {}
    pycoral = _pycoral()
    try:
        # First by ourselves: where the library is missing, the interpreter's own attempt leaves half an object behind.
        ctypes.CDLL(DELEGATE)
        return pycoral.load_edgetpu_delegate(options) if pycoral else _runtime().load_delegate(DELEGATE, options)
    except OSError as error:
        what = f"{DELEGATE} is not installed" if "No such file" in str(error) else f"{DELEGATE} doesn't load: {error}"
        raise AcceleratorError(what, remedy='install libedgetpu1-std, or set [model] accelerator = "cpu"') from None
    except AttributeError:
        raise AcceleratorError(f"{DELEGATE} is not a delegate", remedy="reinstall libedgetpu1-std") from None
    except ValueError as error:
        reason = " ".join(str(error).split()) or "no device answered"
        raise AcceleratorLostError(
            f"no Edge TPU {device or 'found'}: {reason}", remedy="plug it in, or check its power"
        ) from None


def runtime_name() -> str:
    """Return which interpreter is at work, and its version. Raise ModelError where there is none."""
    package = _runtime().__name__.split(".", maxsplit=1)[0].replace("_", "-")
    return f"{package} {version(package)}"


def _interpreter(path: Path, threads: int, delegate: Any) -> Any:
    """Given a model and the Edge TPU's delegate or None, return what runs it."""
    pycoral = _pycoral() if delegate is not None else None
    if pycoral:
        return pycoral.make_interpreter(str(path), delegate=delegate)
    delegates = None if delegate is None else [delegate]
    # Its bytes, not its path: by path the file would be mapped, and the process die of whoever truncates it.
    content = path.read_bytes()
    return _runtime().Interpreter(model_content=content, num_threads=threads, experimental_delegates=delegates)


class TfliteNetwork:
    """A streaming int8 network; see acoustic.Network. One instance serves one stream at a time, in one thread."""

    def __init__(self, path: Path, bundle: Bundle, threads: int, delegate: Any = None) -> None:
        """Given a .tflite file of the bundle, load it. Raise ModelError where it isn't what the manifest says."""
        self._where = str(path)
        manifest = bundle.manifest
        try:
            with Collected(INTERPRETER):
                self._interpreter = _interpreter(path, threads, delegate)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(
                f"not a network this interpreter runs: {reason}", where=self._where, remedy="reinstall the model"
            ) from None
        inputs = {detail["name"]: detail for detail in self._interpreter.get_input_details()}
        outputs = {detail["name"]: detail for detail in self._interpreter.get_output_details()}
        self._input = _tensor(inputs, manifest.network.input, self._where)
        self._output = _tensor(outputs, manifest.network.output, self._where)
        self._states = [
            (_state(inputs, state.input, state, self._where), _state(outputs, state.output, state, self._where))
            for state in manifest.network.states
        ]
        self._input_format, self._output_format = _format(self._input), _format(self._output)
        self._carried = [(_format(taken), _format(given)) for taken, given in self._states]
        self._expect(self._input, (manifest.network.window, manifest.features.bands), "input")
        rows = manifest.network.window // manifest.network.subsampling
        self._expect(self._output, (rows, len(manifest.tokens.symbols)), "output")
        if manifest.quantisation is not None:
            self._expect_scale(self._input, manifest.quantisation.input, "input")
            self._expect_scale(self._output, manifest.quantisation.output, "output")
        self._gives_probabilities = manifest.network.output_kind == "probabilities"

    def _expect(self, detail: Dict[str, Any], shape: Tuple[int, int], what: str) -> None:
        found = tuple(int(size) for size in detail["shape"] if size != 1)
        # A row may have several dimensions: DeepSpeech's are frames by coefficients.
        sizes = np.cumprod((1, *reversed(found)))
        if sizes[-1] != shape[0] * shape[1] or shape[1] not in sizes:
            raise ModelError(
                f"{what} has shape {found}, the manifest says {shape}", where=self._where, remedy="reinstall the model"
            )

    def _expect_scale(self, detail: Dict[str, Any], wanted: Quantisation, what: str) -> None:
        scale, zero_point = detail["quantization"]
        if not np.isclose(scale, wanted.scale, rtol=1e-4, atol=0) or zero_point != wanted.zero_point:
            raise ModelError(
                f"{what} is quantised by {scale:.6g} and {zero_point}, "
                f"the manifest says {wanted.scale:.6g} and {wanted.zero_point}",
                where=self._where,
                remedy="reinstall the model",
            )

    @property
    def state_formats(self) -> Tuple[TensorFormat, ...]:
        """Return how the states hold their numbers."""
        return tuple(taken for taken, _ in self._carried)

    def initial_states(self) -> States:
        """Return zeros, as real numbers, in the tensors' own format."""
        return tuple(one.zeros() for one in self.state_formats)

    def run(self, window: Frames, states: States) -> Tuple[Frames, States]:
        """Given float32 [window, bands] and states, return float32 [rows, tokens] logits and the new states.

        Raise ModelError where the interpreter fails.
        """
        interpreter = self._interpreter
        framed = window.reshape(self._input_format.shape)
        interpreter.set_tensor(self._input["index"], self._input_format.quantise(framed))
        for (taken, _), state in zip(self._states, states):
            interpreter.set_tensor(taken["index"], state)
        try:
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"inference failed: {' '.join(str(error).split())}", where=self._where) from None
        logits = self._output_format.restore(interpreter.get_tensor(self._output["index"]))
        if self._gives_probabilities:
            # Half a step of the tensor is the most that a zero may stand for.
            logits = np.log(np.maximum(logits, self._output_format.scale / 2 or _LEAST_PROBABILITY))
        new = tuple(
            carry(interpreter.get_tensor(detail["index"]), given, taken)
            for (_, detail), (taken, given) in zip(self._states, self._carried)
        )
        return logits.reshape(-1, logits.shape[-1]), new


def probe(path: Path, given: Mapping[str, npt.NDArray[Any]]) -> Dict[str, npt.NDArray[Any]]:
    """Given a model and some of its inputs by name, return its outputs by name; other inputs are zeros.

    Raise ModelError where it doesn't run.
    """
    try:
        interpreter = _interpreter(path, 1, None)
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            value = given.get(detail["name"], np.zeros(detail["shape"]))
            interpreter.set_tensor(detail["index"], np.asarray(value, detail["dtype"]).reshape(detail["shape"]))
        interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"not a network this interpreter runs: {reason}", where=str(path), remedy="give it another model"
        ) from None
    return {one["name"]: interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()}


def check_golden(network: Network, bundle: Bundle) -> float:
    """Given a network, return how far its answer to the golden vector is off (mean absolute probability).

    Raise ModelError where that is more than the bundle tolerates.
    """
    golden: Golden = bundle.golden
    stream = AcousticStream(network, streaming(bundle))
    found = stream.feed(golden.features).log_probs
    rows = min(len(found), len(golden.log_probs))
    if rows == 0:
        raise ModelError("the golden vector is too short", where=str(bundle.path), remedy="reinstall the model")
    off = float(np.abs(np.exp(found[:rows]) - np.exp(golden.log_probs[:rows])).mean())
    if not off <= golden.tolerance:
        what = f"answers the golden vector {off:.4f} off, {golden.tolerance:.4f} is allowed"
        raise ModelError(what, where=str(bundle.path), remedy="this interpreter or accelerator computes something else")
    return off


def streaming(bundle: Bundle) -> Streaming:
    """Given a bundle, return how its network's windows follow each other."""
    network = bundle.manifest.network
    return Streaming(network.window, network.stride, network.look_ahead, network.subsampling)


def _tensor(details: Dict[str, Dict[str, Any]], name: str, where: str) -> Dict[str, Any]:
    if name not in details:
        raise ModelError(
            f"no tensor {name!r}; there are {', '.join(sorted(details))}", where=where, remedy="reinstall the model"
        )
    return details[name]


def _state(details: Dict[str, Dict[str, Any]], name: str, state: NetworkState, where: str) -> Dict[str, Any]:
    detail = _tensor(details, name, where)
    found: List[int] = [int(size) for size in detail["shape"]]
    if found != state.shape:
        raise ModelError(
            f"state {name!r} has shape {found}, the manifest says {state.shape}",
            where=where,
            remedy="reinstall the model",
        )
    return detail


def _format(detail: Dict[str, Any]) -> TensorFormat:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(size) for size in detail["shape"])
    return TensorFormat(shape, np.dtype(detail["dtype"]).name, float(scale), int(zero_point))
