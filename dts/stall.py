"""Stops one thread of a process, as a machine or a bug might: SIGSTOP stops all of them, a tracer stops the one it asks. The thread
runs on when the block ends, or when this process does. Linux on 64-bit machines."""

import contextlib
import ctypes
import os
from pathlib import Path

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, tid):
    if _libc.ptrace(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}, {tid}): {os.strerror(ctypes.get_errno())}")


@contextlib.contextmanager
def stalled(tid):
    """Enter and leave in the same thread: to the kernel, the tracer is a thread."""
    _ptrace(PTRACE_SEIZE, tid)
    try:
        _ptrace(PTRACE_INTERRUPT, tid)
        os.waitpid(tid, WALL)
        yield
    finally:
        _ptrace(PTRACE_DETACH, tid)


def threads(pid):
    """Name -> thread ids."""
    out = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        out.setdefault((task / "comm").read_text().strip(), []).append(int(task.name))
    return out
