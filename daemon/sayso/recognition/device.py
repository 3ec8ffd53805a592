"""An Edge TPU as the daemon sees it: a process that is asked, and may not answer.

Rule of this file: whatever happens to that process, asking it takes no longer than was said, and ends in an answer, in
None (it is late) or in AcceleratorLostError.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from typing import IO, Any, Deque, Dict, Optional, Sequence, Tuple

from sayso.errors import AcceleratorError, AcceleratorLostError
from sayso.recognition.acoustic import Frames, States
from sayso.recognition.bundle import Bundle
from sayso.recognition.quantised import TensorFormat, carry
from sayso.recognition.wire import ARRAYS, FACTS, Wire, pack, unpack

logger = logging.getLogger(__name__)

Answer = Tuple[Frames, States]

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[4]); "
    "from sayso.recognition.child import main; main(int(sys.argv[1]), sys.argv[2], sys.argv[3])"
)
"""Finds what this process finds, wherever it is installed, and nothing in the current folder."""

_REMEMBERED = 20
"""Lines that the process printed; the last ones say why it died."""

_DYING = 0.5
"""What a killed process may take to be gone [s]; in the middle of a USB transfer it can take much longer."""


class DeviceNetwork:
    """A network on the Edge TPU; see acoustic.Network. Asked by one thread at a time, closed by any."""

    def __init__(self, bundle: Bundle, device: str, states: Sequence[TensorFormat], patience: float) -> None:
        """Given a compiled bundle, a device of libedgetpu, how the daemon holds the states and how long `run` may take
        [s], start the process. `open` waits until it is there. Raise AcceleratorLostError where none can be started."""
        self._tokens = len(bundle.manifest.tokens.symbols)
        self._ours = tuple(states)
        self._theirs = tuple(states)
        self._patience = patience
        self._asked: Optional[float] = None
        self.late = 0
        """Answers in a row that were not there in time."""
        self._lock = threading.Lock()
        self._printed: Deque[str] = deque(maxlen=_REMEMBERED)
        ours, theirs = socket.socketpair()
        self._wire = Wire(ours)
        arguments = [str(theirs.fileno()), str(bundle.path), device, json.dumps(sys.path)]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-c", _PROGRAM, *arguments],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
            except OSError as error:
                ours.close()
                what = f"no process can be started for the Edge TPU: {error.strerror or error}"
                raise AcceleratorLostError(what, remedy="see what fills this machine") from None
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Return the number of its process."""
        return self._process.pid

    def open(self, seconds: float) -> str:
        """Given how long it may take, wait until the process has the network; return which interpreter runs it.

        Raise AcceleratorLostError where the device is not there, AcceleratorError where it can never be.
        """
        facts = self._facts(seconds)
        self._theirs = tuple(TensorFormat(**{**one, "shape": tuple(one["shape"])}) for one in facts["states"])
        return str(facts["runtime"])

    def _facts(self, seconds: float) -> Dict[str, Any]:
        try:
            _, body = self._wire.receive(seconds)
        except TimeoutError:
            raise AcceleratorLostError(
                f"the Edge TPU was not ready within {seconds:.0f} s", remedy="plug it in again"
            ) from None
        except (EOFError, OSError):
            raise self._death() from None
        return self._understand(body)

    def _understand(self, body: bytes) -> Dict[str, Any]:
        """Given a JSON object, return it. Raise what it complains of."""
        facts: Dict[str, Any] = json.loads(body)
        if "what" in facts:
            raise (AcceleratorLostError if facts["lost"] else AcceleratorError)(facts["what"], remedy=facts["remedy"])
        return facts

    def initial_states(self) -> States:
        """Return zeros, as real numbers, as the daemon holds them."""
        return tuple(one.zeros() for one in self._ours)

    def run(self, window: Frames, states: States) -> Answer:
        """Given float32 [window, bands] and states, return float32 [rows, tokens] logits and new states.

        Raise AcceleratorLostError where there is no answer in time.
        """
        answer = self.ask(window, states, self._patience)
        if answer is None:
            raise AcceleratorLostError(f"the Edge TPU gave no answer within {self._patience:.0f} s")
        return answer

    def ask(self, window: Frames, states: States, seconds: float) -> Optional[Answer]:
        """As `run`, but return None where the answer is not there in time, and as long as an earlier one isn't.

        Raise AcceleratorLostError where there will never be one.
        """
        with self._lock:
            return self._ask(window, states, seconds)

    def _ask(self, window: Frames, states: States, seconds: float) -> Optional[Answer]:
        began = time.monotonic()
        if not self._is_free():
            return None
        try:
            sent = (carry(state, ours, theirs) for state, ours, theirs in zip(states, self._ours, self._theirs))
            self._wire.send(ARRAYS, pack((*sent, window)), seconds)
            answer = self._answer(began + seconds - time.monotonic())
            self.late = 0
            return answer
        except TimeoutError:
            self._asked = began
            self.late += 1
            return None
        except (EOFError, OSError):
            raise self._death() from None
        except ValueError as error:
            raise AcceleratorLostError(f"the Edge TPU's process makes no sense: {error}") from None

    def _is_free(self) -> bool:
        """Return whether nothing is left unanswered; a late answer is of no use to anybody."""
        if self._asked is None:
            return True
        try:
            self._answer(0)
        except TimeoutError:
            return False
        except (EOFError, OSError):
            raise self._death() from None
        self._asked = None
        return True

    def _answer(self, seconds: float) -> Answer:
        kind, body = self._wire.receive(seconds)
        if kind == FACTS:
            self._understand(body)
        logits, states = unpack(body, self._theirs, self._tokens)
        new = tuple(carry(state, theirs, ours) for state, theirs, ours in zip(states, self._theirs, self._ours))
        return logits, new

    @property
    def overdue(self) -> float:
        """Return for how long an answer has been awaited in vain [s]; 0: for none."""
        asked = self._asked
        return 0.0 if asked is None else time.monotonic() - asked

    @property
    def died(self) -> Optional[AcceleratorLostError]:
        """Return how the process died; None while it lives."""
        return None if self._process.poll() is None else self._death()

    def _death(self) -> AcceleratorLostError:
        """Return what became of the process, as far as can be told."""
        try:
            code = self._process.wait(_DYING)
        except subprocess.TimeoutExpired:
            return AcceleratorLostError("the Edge TPU's process doesn't listen any more")
        self._listener.join(_DYING)
        last = f" ({self._printed[-1]})" if self._printed else ""
        how = f"was ended by {_signal_name(-code)}" if code < 0 else f"ended with status {code}"
        return AcceleratorLostError(f"the Edge TPU's process {how}{last}", remedy="`sayso doctor` looks at its library")

    def _listen(self, printed: Optional[IO[bytes]]) -> None:
        """Collect what the process and its libraries print; they speak of nothing that an owner could act on."""
        assert printed is not None
        with printed:
            for line in printed:
                text = line.decode(errors="replace").strip()
                if text:
                    self._printed.append(text)
                    logger.debug("edgetpu %d: %s", self.pid, text)

    def close(self) -> None:
        """End the process; a second time does nothing. One that the kernel holds on to is left to it."""
        self._process.kill()
        with self._lock:
            self._wire.close()
        try:
            self._process.wait(_DYING)
        except subprocess.TimeoutExpired:
            logger.warning("the Edge TPU's process %d can't be ended yet", self.pid)
            threading.Thread(target=self._process.wait, daemon=True).start()
            return
        self._listener.join(_DYING)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
