"""The Edge TPU fails in the middle of a sentence, and the sentence is recognised all the same.

The device is a stand-in library (tests/stand_in), loaded by the real interpreter into a real process; speech, network
and decoder are the shipped ones.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import numpy as np
import pytest
import soundfile
from edge_tpu import LIBRARY, EdgeTpu, compiled
from house import until

from sayso.assembly import SHIPPED_MODEL, Model, load_grammar, make_recognizer
from sayso.config import parse_config
from sayso.errors import AcceleratorError
from sayso.recognition.acoustic import AcousticStream, Frames, States
from sayso.recognition.bundle import Bundle, load_bundle
from sayso.recognition.handover import HandOver, Patience
from sayso.recognition.tflite import TfliteNetwork, streaming
from sayso.recognition.usb import EdgeTpu as Plugged
from sayso.records import Command, UtteranceEnd, UtteranceStart

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT / "tests" / "data" / "speech"

QUICK = Patience(start=60, grace=0.3, first_retry=0.1, last_retry=0.5)

Open = Callable[..., HandOver]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(compiled(SHIPPED_MODEL, tmp_path_factory.mktemp("model") / "en"))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> EdgeTpu:
    return EdgeTpu(tmp_path_factory.mktemp("library"))


@pytest.fixture
def edge_tpu(library: EdgeTpu, monkeypatch: pytest.MonkeyPatch) -> EdgeTpu:
    """A device that works, for all processes that are started from now on."""
    for name, value in library.environment.items():
        monkeypatch.setenv(name, value)
    library.tell("works")
    return library


@pytest.fixture
def cpu(bundle: Bundle) -> TfliteNetwork:
    return TfliteNetwork(bundle.model, bundle, 1)


@pytest.fixture
def open_network(bundle: Bundle, cpu: TfliteNetwork) -> Iterator[Open]:
    """What opens a network on the Edge TPU, insisting on it unless told otherwise."""
    opened: list[HandOver] = []

    def begin(
        accelerator: str = "edgetpu", patience: Patience = QUICK, network: TfliteNetwork = cpu, **more: object
    ) -> HandOver:
        opened.append(HandOver(network, bundle, accelerator, "usb:0", patience, **more))  # type: ignore[arg-type]
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


class Listener:
    """Somebody says a command, and a network hears it."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._config = parse_config(f'[commands]\npath = "{ROOT / "config" / "commands"}"', "test")
        self._grammar = load_grammar(self._config, bundle)
        self._samples, _ = soundfile.read(SPEECH / "set_a_timer_for_5_minutes.opus", dtype="int16")

    def hear(self, network: HandOver, midway: Callable[[], object] = lambda: None) -> Command:
        """Given a network, return what is understood by it; `midway` is done in the middle of the sentence."""
        recognizer = make_recognizer(self._config, Model(self._bundle, network), self._grammar)
        recognizer.begin(UtteranceStart(0, 0))
        length = len(self._samples)
        for begin in range(0, length, 320):
            if begin <= length // 2 < begin + 320:
                midway()
            recognizer.hear(self._samples[begin : begin + 320])
        outcome = recognizer.end(UtteranceEnd(length, length, length, "silence"))
        assert isinstance(outcome, Command), outcome
        return outcome


@pytest.fixture(scope="module")
def listener(bundle: Bundle) -> Listener:
    return Listener(bundle)


@pytest.mark.usefixtures("edge_tpu")
def test_it_computes_what_the_processor_computes(bundle: Bundle, cpu: TfliteNetwork, open_network: Open) -> None:
    network = open_network()
    assert network.status.startswith("edgetpu:usb:0 (")
    assert network.chunk_ms > 0
    answers = [AcousticStream(one, streaming(bundle)).feed(bundle.golden.features) for one in (cpu, network)]
    assert np.array_equal(answers[0].log_probs, answers[1].log_probs)


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ("dies", "the Edge TPU's process was ended by SIGKILL"),
        ("crashes", "the Edge TPU's process was ended by SIGSEGV"),
        ("errs", "inference failed: transfer error: device disconnected"),
        ("hangs", "the Edge TPU hangs"),
    ],
)
def test_a_sentence_is_recognised_through_the_failure(
    listener: Listener,
    bundle: Bundle,
    cpu: TfliteNetwork,
    edge_tpu: EdgeTpu,
    open_network: Open,
    order: str,
    why: str,
) -> None:
    wanted = listener.hear(HandOver(cpu, bundle))
    network = open_network(patience=Patience(start=60, grace=0.3, first_retry=1000))
    before: list[str] = []

    def fail() -> None:
        before.append(network.status)
        edge_tpu.tell(order)

    found = listener.hear(network, fail)
    assert before[0].startswith("edgetpu:usb:0")
    until(lambda: network.status.startswith(f"cpu ({why}"), f"{why!r}, it is {network.status!r}")
    assert (found.text, found.slots, found.words) == (wanted.text, wanted.slots, wanted.words)
    assert found.confidence == pytest.approx(wanted.confidence, abs=1e-6)


def test_a_late_answer_costs_a_chunk_and_three_the_job(
    listener: Listener, edge_tpu: EdgeTpu, open_network: Open
) -> None:
    network = open_network(patience=Patience(start=60, first_retry=1000))
    listener.hear(network, lambda: edge_tpu.tell("late"))
    states, window = network.initial_states(), np.zeros((8, 40), np.float32)

    def slower_than_speech() -> bool:
        network.run(window, states)
        return network.status.startswith("cpu (the Edge TPU is slower than speech")

    until(slower_than_speech, "that it is given up")


def test_one_that_was_late_once_goes_on(edge_tpu: EdgeTpu, open_network: Open) -> None:
    network = open_network(patience=Patience(start=60, first_retry=1000))
    states, window = network.initial_states(), np.zeros((8, 40), np.float32)
    edge_tpu.tell("late")
    network.run(window, states)
    edge_tpu.tell("works")
    time.sleep(0.3)  # the late answer comes in meanwhile
    network.run(window, states)
    assert network.status.startswith("edgetpu:usb:0")


@pytest.mark.parametrize("order", ["dies", "hangs", "errs"])
def test_a_lost_one_is_found_again(listener: Listener, edge_tpu: EdgeTpu, open_network: Open, order: str) -> None:
    network = open_network()
    listener.hear(network, lambda: edge_tpu.tell(order))
    until(lambda: network.status.startswith("cpu ("), "that it is lost")
    edge_tpu.tell("works")
    until(lambda: network.status.startswith("edgetpu:usb:0"), "that it is back")
    listener.hear(network)


@pytest.mark.usefixtures("edge_tpu")
def test_one_that_appears_on_the_bus_is_tried_at_once(open_network: Open) -> None:
    bus: list[tuple[Plugged, ...]] = [(Plugged("1-1", "18d1:9302", 5000),)]
    network = open_network(patience=Patience(start=60, first_retry=1000), plugged=lambda: bus[-1])
    bus.append(())
    until(lambda: network.status.startswith("cpu (the Edge TPU was unplugged"), "that it is gone")
    bus.append((Plugged("1-1", "1a6e:089a", 5000),))
    until(lambda: network.status.startswith("edgetpu:usb:0"), "that it is back")


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ("absent", "no Edge TPU usb:0: "),
        ("refuses", "not a network this interpreter runs"),
        ("crashes-at-start", "the Edge TPU's process was ended by SIGSEGV"),
        ("hangs-at-start", "the Edge TPU was not ready within 2 s"),
        ("lies", "the Edge TPU answers the golden vector 0.0"),
        ("errs", "inference failed"),
    ],
)
def test_one_that_does_not_start_well_is_not_used(edge_tpu: EdgeTpu, open_network: Open, order: str, why: str) -> None:
    edge_tpu.tell(order)
    # A busy machine takes its time to start a process: only what hangs is waited for in vain.
    start = 2 if order == "hangs-at-start" else 60
    status = open_network("auto", Patience(start=start, first_retry=1000)).status
    assert status.startswith("cpu (")
    assert why in status


def test_who_insists_on_one_that_is_not_there_is_told(edge_tpu: EdgeTpu, open_network: Open) -> None:
    edge_tpu.tell("absent")
    with pytest.raises(AcceleratorError, match="no Edge TPU usb:0: "):
        open_network("edgetpu")


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "is not installed"), ("text", "doesn't load"), ("int nothing;", "is not a delegate")],
)
def test_a_missing_or_foreign_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_network: Open, content: str | None, why: str
) -> None:
    if content == "text":
        (tmp_path / LIBRARY).write_text(content)
    elif content is not None:
        (tmp_path / "foreign.c").write_text(content)
        subprocess.run(["cc", "-shared", "-o", tmp_path / LIBRARY, tmp_path / "foreign.c"], check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    assert f"{LIBRARY} {why}" in open_network("auto").status


class SlowProcessor(TfliteNetwork):
    """A processor slower than any Edge TPU."""

    def run(self, window: Frames, states: States) -> tuple[Frames, States]:
        time.sleep(0.04)
        return super().run(window, states)


def test_auto_takes_whichever_is_faster(bundle: Bundle, edge_tpu: EdgeTpu, open_network: Open) -> None:
    slow = SlowProcessor(bundle.model, bundle, 1)
    assert open_network("auto", network=slow).status.startswith("edgetpu:usb:0 (")
    edge_tpu.tell("slow")
    status = open_network("auto").status
    assert status.startswith("cpu (")
    assert "ms a chunk, the Edge TPU takes " in status


def test_a_model_that_is_not_compiled_runs_on_the_processor() -> None:
    plain = load_bundle(SHIPPED_MODEL)
    network = HandOver(TfliteNetwork(plain.model, plain, 1), plain, "auto")
    assert network.status == f"cpu (model {plain.label} is not compiled for the Edge TPU)"


def test_nothing_is_left_of_it(edge_tpu: EdgeTpu, bundle: Bundle) -> None:
    """Even where the daemon is killed while the driver hangs."""
    program = """
import sys
from pathlib import Path
from sayso.recognition.bundle import load_bundle
from sayso.recognition.device import DeviceNetwork
from sayso.recognition.tflite import TfliteNetwork
bundle = load_bundle(Path(sys.argv[1]))
device = DeviceNetwork(bundle, "", TfliteNetwork(bundle.model, bundle, 1).state_formats, 5.0)
device.open(30)
print(device.pid, flush=True)
window = bundle.golden.features[:8]
sys.stdin.readline()
device.ask(window, device.initial_states(), 0.1)
print("asked", flush=True)
sys.stdin.readline()
"""
    daemon = subprocess.Popen(
        [sys.executable, "-c", program, str(bundle.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    with daemon, daemon.stdin, daemon.stdout:
        pid = int(daemon.stdout.readline())
        edge_tpu.tell("hangs")
        daemon.stdin.write("\n")
        daemon.stdin.flush()
        assert daemon.stdout.readline() == "asked\n"
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait()
        until(lambda: _is_gone(pid), "that the device's process is gone")


def _is_gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


PYCORAL = """
import sys
from importlib import import_module

for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
    try:
        tflite = import_module(name)
        break
    except ImportError:
        pass

def load_edgetpu_delegate(options=None):
    return tflite.load_delegate("libedgetpu.so.1", options or {})

def make_interpreter(model_path_or_content, device=None, delegate=None):
    open(MARK, "w").write("used")
    delegates = [delegate or load_edgetpu_delegate({"device": device} if device else {})]
    return tflite.Interpreter(model_path=model_path_or_content, experimental_delegates=delegates)
"""


@pytest.mark.usefixtures("edge_tpu")
@pytest.mark.parametrize("googles", [True, False])
def test_googles_pycoral_is_used_where_it_is_installed_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_network: Open, googles: bool
) -> None:
    mark = tmp_path / "mark"
    package = tmp_path / "pycoral"
    (package / "utils").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "utils" / "__init__.py").touch()
    if googles:
        (package / "utils" / "edgetpu.py").write_text(f"MARK = {str(mark)!r}\n{PYCORAL}")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert open_network().status.startswith("edgetpu:usb:0")
    assert mark.exists() is googles
