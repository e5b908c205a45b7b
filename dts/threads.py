"""Threads of a process, for the suites: what the kernel says of each, and stopping one alone, as a debugger does."""

import ctypes
import os
import time
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long
PTRACE_GETREGS, PTRACE_SETREGS = 12, 13
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000
WAITING = {7, 35, 230, 232, 271, 281}  # poll, nanosleep, clock_nanosleep, epoll_wait, ppoll, epoll_pwait


def statuses(pid):
    """{thread: {key: text}} of /proc/PID/task/*/status; threads that end meanwhile are left out."""
    out = {}
    for path in Path(f"/proc/{pid}/task").iterdir():
        try:
            text = (path / "status").read_text()
        except OSError:
            continue
        out[int(path.name)] = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return out


def named(pid, name):
    """The threads of this name."""
    return [t for t, s in statuses(pid).items() if s["Name"] == name]


class Stopped:
    """One thread stands still, and only that one, while this lives."""

    def __init__(self, tid):
        self.tid = tid

    def _ptrace(self, request, data=None):
        if LIBC.ptrace(request, self.tid, None, data) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace({request:#x}, {self.tid})")

    def __enter__(self):
        self._ptrace(PTRACE_SEIZE)
        self._ptrace(PTRACE_INTERRUPT)
        end = time.monotonic() + 10
        while os.waitpid(self.tid, WALL | os.WNOHANG)[0] != self.tid:
            assert time.monotonic() < end, f"thread {self.tid} does not stop"
            time.sleep(0.01)
        return self

    def __exit__(self, *exc):
        self._ptrace(PTRACE_DETACH)

    def next_call(self, number):
        """Makes it do this system call, without arguments that matter, when it goes on; False where it did not sleep or wait
        for messages when it was stopped: only what comes of those calls may be lost. x86-64."""
        regs = (ctypes.c_ulonglong * 27)()
        self._ptrace(PTRACE_GETREGS, regs)
        # r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip ...
        if regs[15] not in WAITING:
            return False
        regs[10], regs[14], regs[15], regs[16] = number, 0, ctypes.c_ulonglong(-1).value, regs[16] - 2
        self._ptrace(PTRACE_SETREGS, regs)
        return True
