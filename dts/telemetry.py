"""A client of DPDK's telemetry socket (version 2), for the suites. One connection, one request at a time."""

import json
import os
import socket
import threading
import time

MAX_OUTPUT = 16384


def socket_path(prefix="icmpscope", runtime_dir=None):
    """Where DPDK puts the socket, by the same rules as its own dpdk-telemetry.py."""
    if runtime_dir is None:
        runtime_dir = os.environ.get("RUNTIME_DIRECTORY")
    if runtime_dir is None:
        runtime_dir = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
    return os.path.join(str(runtime_dir), "dpdk", prefix, "dpdk_telemetry.v2")


def connect(path, timeout):
    """A connected socket. DPDK's queue of clients holds one: who comes too soon after another is turned away."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(timeout)
    end = time.monotonic() + timeout
    while True:
        try:
            s.connect(str(path))
            return s
        except BlockingIOError:
            if time.monotonic() > end:
                s.close()
                raise
            time.sleep(0.01)
        except BaseException:
            s.close()
            raise


class Telemetry:
    def __init__(self, path, timeout=20):
        self.lock = threading.Lock()
        self.socket = connect(path, timeout)
        try:
            # The server speaks first; taken for an answer, this would put every later one off by one.
            self.hello = json.loads(self.socket.recv(1024))
        except BaseException:
            self.socket.close()
            raise
        self.reply_len = 0

    def ask(self, command):
        """What stands behind the command in the reply; None for a command that DPDK does not know."""
        with self.lock:
            self.socket.send(command.encode() if isinstance(command, str) else command)
            raw = self.socket.recv(2 * MAX_OUTPUT)
        if not raw:
            raise OSError("the telemetry socket was closed")
        self.reply_len = len(raw)
        reply = json.loads(raw)
        assert len(reply) == 1, reply
        return next(iter(reply.values()))

    def ask_patiently(self, command, timeout=60):
        """The same, asked again while the control core has no time to answer."""
        end = time.monotonic() + timeout
        while True:
            answer = self.ask(command)
            if not isinstance(answer, dict) or not str(answer.get("error", "")).startswith("the control core is busy"):
                return answer
            if time.monotonic() > end:
                return answer
            time.sleep(0.1)

    def table(self, family, start=0, count=None, pages_max=10000):
        """All rows of /icmpscope/FAMILY/table from start on, as dicts, page by page."""
        rows = []
        for _ in range(pages_max):
            page = self.ask_patiently(f"/icmpscope/{family}/table,{start}" + (f",{count}" if count else ""))
            assert "error" not in page, page
            columns = {k: v for k, v in page.items() if isinstance(v, list)}
            assert len({len(v) for v in columns.values()}) == 1, page
            rows += [dict(zip(columns, row)) for row in zip(*columns.values())]
            if not page["more"]:
                return rows
            assert page["next"] > start, page
            start = page["next"]
        raise AssertionError(f"{family}: no end after {pages_max} pages")

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
