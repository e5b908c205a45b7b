"""A running icmpscope, for the suites: its own DPDK file prefix and runtime directory, bounded start and stop."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from conftest import program
from telemetry import Telemetry

# How long it may take to start, to come to rest and to end, on a machine that is busy with other things.
PATIENCE_S = 60


class Scope:
    made = 0

    def __init__(self, *args, ns=None, timeout=PATIENCE_S, env=None, after=None):
        """args: as on the command line; ns: name of a network namespace to run in; env: more of the environment; after: one
        that was killed, whose prefix and directory it takes over as they are."""
        Scope.made += 1
        self.prefix = after.prefix if after else f"icsdts{os.getpid()}x{Scope.made}"
        # Short, because the path of a socket holds 107 characters at most.
        self.dir = after.dir if after else Path(tempfile.mkdtemp(prefix="ics-", dir="/tmp"))
        self.log = self.dir / "log"
        self.telemetry = None
        self.may_be_refused = False  # a system call that the sandbox forbids
        argv = ["ip", "netns", "exec", ns] if ns else []
        argv += [str(program("icmpscope")), "--set", f"eal.file_prefix={self.prefix}", *map(str, args)]
        env = dict(os.environ, RUNTIME_DIRECTORY=str(self.dir), **(env or {}))
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        try:
            self._connect(timeout)
        except BaseException:
            self.stop(check=False)
            raise

    def _connect(self, timeout):
        path = self.dir / "dpdk" / self.prefix / "dpdk_telemetry.v2"
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"icmpscope ended with {self.process.returncode}:\n{self.output()}")
            try:
                self.telemetry = self.telemetry or Telemetry(str(path))
                info = self.ask("/icmpscope/info")
                if info is not None and "error" not in info:
                    return
            except OSError:
                self.telemetry = None
            time.sleep(0.1)
        raise AssertionError(f"icmpscope did not answer within {timeout} s:\n{self.output()}")

    def output(self):
        return self.log.read_text(errors="replace")

    def ask(self, command):
        return self.telemetry.ask_patiently(command)

    def info(self):
        return self.ask("/icmpscope/info")

    def settled(self, timeout=PATIENCE_S):
        """/icmpscope/info at a moment when nothing is under way: all delivered, all judged, sums exact."""
        end = time.monotonic() + timeout
        while True:
            i = self.info()
            if i["conservation_exact"] and i["pending"] == 0 and i["consumed_messages"] == i["delivered"]:
                return i
            assert time.monotonic() < end, f"icmpscope does not come to rest: {i}"
            time.sleep(0.1)

    def assert_conservation(self, lost=0):
        """Both identities to the last frame, and how many control messages were lost."""
        i = self.settled()
        assert i["frames"] == i["classes_sum"]
        assert i["control"] == i["delivered"] + i["pending"] + i["dropped"]
        assert i["conservation_ok"] == 1
        assert i["dropped"] == lost
        return i

    def anomalies(self):
        """All that are kept, in order of id; the parts of says joined."""
        out = []
        for n in self.ask("/icmpscope/anomaly/list"):
            a = self.ask(f"/icmpscope/anomaly/info,{n}")
            parts = sorted((k for k in a if re.fullmatch(r"says(_\d+)?", k)), key=lambda k: (len(k), k))
            a["says"] = "".join(a[k] for k in parts)
            out.append(a)
        return out

    def kill(self):
        """Without a chance to clean up: what it leaves behind stays for the next one."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.telemetry.close()
        self.telemetry = None

    def stop(self, check=True, timeout=PATIENCE_S):
        """As Ctrl-C does; icmpscope must end by itself with status 0."""
        if self.telemetry is not None:
            self.telemetry.close()
            self.telemetry = None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            if check:
                raise AssertionError(f"icmpscope did not end within {timeout} s of SIGINT:\n{self.output()}") from None
        text = self.last_output = self.output() if self.log.exists() else ""
        self.socket_left = (self.dir / "dpdk" / self.prefix / "dpdk_telemetry.v2").exists()
        shutil.rmtree(self.dir, ignore_errors=True)
        if check:
            assert self.process.returncode == 0, f"icmpscope ended with {self.process.returncode}:\n{text}"
            assert self.may_be_refused or "the sandbox refused" not in text, text

    def __enter__(self):
        return self

    def __exit__(self, kind, value, tb):
        if kind is not None:
            print(self.output())
        self.stop(check=kind is None)
