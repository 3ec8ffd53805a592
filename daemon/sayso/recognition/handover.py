"""One network, computed by the Edge TPU or by the processor, and the hand-over between them.

Rule of this file: there is always an answer. A window that the Edge TPU doesn't answer within the time that the window
lasts is answered by the processor, from the same states: a network keeps nothing from call to call, what it left is
with whoever asks, so that either may take any window. A lost Edge TPU is looked for in a thread of its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from statistics import fmean, median
from typing import Callable, Deque, List, Optional, Tuple

from sayso.errors import AcceleratorError, AcceleratorLostError, ModelError, SaysoError
from sayso.recognition.acoustic import Frames, Network, States
from sayso.recognition.bundle import Bundle
from sayso.recognition.device import DeviceNetwork
from sayso.recognition.tflite import TfliteNetwork, check_golden
from sayso.recognition.usb import EdgeTpu, edge_tpus
from sayso.records import SAMPLE_RATE

logger = logging.getLogger(__name__)

_MEASURED = 20
"""Windows whose median says how fast a network is."""

_LOOKS = 0.5
"""Pause between two looks at a device [s]."""


@dataclass(frozen=True)
class Patience:
    """How long anything may take [s]."""

    start: float = 15.0
    """Until the process has loaded interpreter, driver and network."""
    check: float = 5.0
    """For a window of the golden vector; the first one carries the parameters over."""
    grace: float = 2.0
    """An answer that is late by this much will never come."""
    late: int = 3
    """So many late answers in a row: too slow to be of use."""
    first_retry: float = 1.0
    last_retry: float = 300.0
    """Pause before it is tried again; it doubles with each failure, and begins anew when the device appears on the
    bus or has worked for a minute."""


class HandOver:
    """The network of a bundle, wherever it runs; see acoustic.Network. Run by one thread at a time."""

    def __init__(
        self,
        cpu: TfliteNetwork,
        bundle: Bundle,
        accelerator: str = "cpu",
        device: str = "",
        patience: Patience = Patience(),
        plugged: Callable[[], Tuple[EdgeTpu, ...]] = edge_tpus,
    ) -> None:
        """Given the processor's network, its bundle, which accelerator is wanted (`auto`, `edgetpu`, `cpu`) and which
        device of libedgetpu, look for it. `plugged` says which are on the bus.

        Raise ModelError where the processor doesn't answer as it should, AcceleratorError where the Edge TPU was
        insisted upon and can't be used.
        """
        self._cpu, self._bundle = cpu, bundle
        self._wanted, self._device_name = accelerator, device
        self._patience, self._plugged = patience, plugged
        check_golden(cpu, bundle)
        self._cpu_ms = chunk_milliseconds(cpu, bundle)
        self._spent: Deque[float] = deque([self._cpu_ms], maxlen=32)
        self._chunk = bundle.manifest.network.stride * bundle.manifest.features.step / SAMPLE_RATE
        self._lock = threading.Lock()
        self._device: Optional[DeviceNetwork] = None
        self._opening: Optional[DeviceNetwork] = None
        self._on_bus: Tuple[EdgeTpu, ...] = ()
        self._since = self._next_try = time.monotonic()
        self._pause = patience.first_retry
        self._stop = threading.Event()
        self._status = "cpu (as configured)"
        if accelerator != "cpu" and self._begin():
            threading.Thread(target=self._keep, name="edgetpu", daemon=True).start()

    def _begin(self) -> bool:
        """Try the Edge TPU for the first time; return whether it must be kept or looked for."""
        if self._bundle.edgetpu_model is None:
            what = f"model {self._bundle.label} is not compiled for the Edge TPU"
            remedy = 'use one with model_edgetpu.tflite, or set [model] accelerator = "cpu"'
            if self._wanted == "edgetpu":
                raise AcceleratorError(what, where=str(self._bundle.path), remedy=remedy)
            self._status = f"cpu ({what})"
            return False
        return self._try(self._wanted == "edgetpu")

    @property
    def status(self) -> str:
        """Return `cpu` or `edgetpu:<device>`, and why."""
        return self._status

    @property
    def chunk_ms(self) -> float:
        """Return how long a window took of late [ms]."""
        return fmean(tuple(self._spent))

    def initial_states(self) -> States:
        """Return the states before the first window."""
        return self._cpu.initial_states()

    def run(self, window: Frames, states: States) -> Tuple[Frames, States]:
        """Given float32 [window, bands] and states, return float32 [rows, tokens] logits and the new states.

        Raise ModelError where the processor can't compute it either.
        """
        began = time.perf_counter()
        answer = self._ask(window, states)
        if answer is None:
            answer = self._cpu.run(window, states)
        self._spent.append((time.perf_counter() - began) * 1000)
        return answer

    def _ask(self, window: Frames, states: States) -> Optional[Tuple[Frames, States]]:
        device = self._device
        if device is None:
            return None
        try:
            answer = device.ask(window, states, self._chunk)
        except SaysoError as error:
            self._lose(device, error)
            return None
        if device.late >= self._patience.late:
            self._lose(device, AcceleratorLostError("the Edge TPU is slower than speech"))
        return answer

    def close(self) -> None:
        """Let go of the Edge TPU; the processor answers what is asked from now on."""
        self._stop.set()
        with self._lock:
            devices = [self._device, self._opening]
            self._device = None
        for device in devices:
            if device is not None:
                device.close()

    # What is lost, and found again.

    def _keep(self) -> None:
        """In a thread: look after the device; a fault of this program costs the device, not the daemon."""
        try:
            self._look_after()
        except Exception as error:
            logger.exception("edgetpu: not used any more")
            self.close()
            self._status = f"cpu (the program failed to look after the Edge TPU: {error})"

    def _look_after(self) -> None:
        """Notice that the device is lost, and look for it, until that is of no use any more."""
        while not self._stop.wait(_LOOKS):
            device = self._device
            if device is not None:
                trouble = self._trouble(device)
                if trouble is not None:
                    self._lose(device, trouble)
            elif (time.monotonic() >= self._next_try or self._has_appeared()) and not self._try(False):
                return

    def _trouble(self, device: DeviceNetwork) -> Optional[SaysoError]:
        if device.overdue > self._patience.grace:
            return AcceleratorLostError("the Edge TPU hangs")
        if self._on_bus and not self._plugged():
            return AcceleratorLostError("the Edge TPU was unplugged", remedy="plug it in again")
        return device.died

    def _has_appeared(self) -> bool:
        """Return whether there is an Edge TPU on the bus that wasn't when it was last looked for."""
        before, self._on_bus = self._on_bus, self._plugged()
        if not set(self._on_bus) - set(before):
            return False
        self._pause = self._patience.first_retry
        return True

    def _lose(self, device: DeviceNetwork, error: SaysoError) -> None:
        """Hand over to the processor; a device that was lost already is nothing new."""
        with self._lock:
            if self._device is not device:
                return
            self._device = None
        if time.monotonic() - self._since > 60:
            self._pause = self._patience.first_retry
        self._put_off(error)
        logger.warning("edgetpu: %s; the processor takes over", error)
        # Closing waits for the kernel: not while somebody speaks.
        threading.Thread(target=device.close, daemon=True).start()

    def _put_off(self, error: SaysoError) -> None:
        self._next_try = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, self._patience.last_retry)
        self._status = f"cpu ({error.problems[0].what}; it is looked for)"

    def _try(self, insist: bool) -> bool:
        """Look for the Edge TPU; return whether it is worth keeping, or looking for again. Raise with `insist`."""
        self._on_bus = self._plugged()
        try:
            device, milliseconds = self._connect()
        except SaysoError as error:
            if insist:
                raise
            if isinstance(error, AcceleratorLostError):
                logger.info("edgetpu: %s; it is tried again in %.0f s", error, self._pause)
                self._put_off(error)
                return True
            self._status = f"cpu ({error.problems[0].what})"
            return False
        if self._wanted == "auto" and milliseconds >= self._cpu_ms:
            device.close()
            self._status = f"cpu ({self._cpu_ms:.1f} ms a chunk, the Edge TPU takes {milliseconds:.1f})"
            logger.info("edgetpu: not used: %s", self._status)
            return False
        self._use(device, milliseconds)
        return True

    def _connect(self) -> Tuple[DeviceNetwork, float]:
        """Return the network on the Edge TPU, checked, and its milliseconds a window. Raise SaysoError."""
        device = DeviceNetwork(self._bundle, self._device_name, self._cpu.state_formats, self._patience.check)
        with self._lock:
            self._opening = device
        try:
            if self._stop.is_set():
                raise AcceleratorLostError("it is not needed any more")
            device.open(self._patience.start)
            check_golden(device, self._bundle)
            return device, chunk_milliseconds(device, self._bundle)
        except SaysoError as error:
            device.close()
            if isinstance(error, ModelError):
                raise AcceleratorError(
                    f"the Edge TPU {error.problems[0].what}", remedy=error.problems[0].remedy
                ) from None
            raise
        finally:
            self._opening = None

    def _use(self, device: DeviceNetwork, milliseconds: float) -> None:
        with self._lock:
            if self._stop.is_set():
                device.close()
                return
            self._device = device
        self._since = time.monotonic()
        name = self._device_name or "any"
        self._status = f"edgetpu:{name} ({milliseconds:.1f} ms a chunk, the processor takes {self._cpu_ms:.1f})"
        logger.info("edgetpu: at work: %s", self._status)


def chunk_milliseconds(network: Network, bundle: Bundle) -> float:
    """Given a network, return the median time of a window [ms]."""
    size = bundle.manifest.network.window
    frames, states = bundle.golden.features, network.initial_states()
    spent: List[float] = []
    for number in range(_MEASURED):
        begin = number * size % (len(frames) - size + 1)
        began = time.perf_counter()
        _, states = network.run(frames[begin : begin + size], states)
        spent.append((time.perf_counter() - began) * 1000)
    return median(spent)
