"""Stops one thread of a process, as if it hung, until the process ends: `stop_thread.py THREAD`.

Rule of this file: only that thread. (SIGSTOP would stop the whole process; ptrace(2) takes threads one by one.)
"""

from __future__ import annotations

import ctypes
import os
import sys

_SEIZE, _INTERRUPT = 0x4206, 0x4207
_WALL = 0x40000000


def main() -> None:
    """Seize the thread, interrupt it, and let its end be noticed: a traced thread's is told to its tracer."""
    thread = int(sys.argv[1])
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (_SEIZE, _INTERRUPT):
        if library.ptrace(request, thread, None, None) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    print("stopped", flush=True)
    while True:
        try:
            _, status = os.waitpid(thread, _WALL)
        except ChildProcessError:
            return
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            return


if __name__ == "__main__":
    main()
