"""What does not turn is named: a worker, the control core, the whole program; and whoever started it is told how it is."""

import os
import signal
import socket
import subprocess
import time

import journal
import lab
import pytest
import test_exporter as exporter
from conftest import VECTORS, program
from scope import Scope
from telemetry import Telemetry
from threads import Stopped, statuses

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="the telemetry socket needs root")]

CAPTURE = f"pcap:{VECTORS / 'incident1.pcap'}"


@pytest.fixture
def running(tmp_path):
    path = tmp_path / "journal.json"
    with Scope("-p", CAPTURE, "--set", f"journal.file={path}") as scope:
        yield scope, path


def worker_of(scope):
    (tid,) = [t for t, s in statuses(scope.process.pid).items() if "worker" in s["Name"]]
    return tid


def ctl(scope, *args):
    return subprocess.run([str(program("icmpscopectl")), *args, "--socket", str(exporter.socket_of(scope))], capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL)


def turns(scope):
    return scope.ask("/icmpscope/watchdog")["stalled"] == 0


def events(path, kind, what=None):
    """what: of this thread alone. On a busy machine another one may have waited long enough for a CPU to be named, too."""
    return [e["icmpscope"] for e in journal.lines(path) if e["icmpscope"]["event"] == kind and what in (None, e["icmpscope"].get("what"))]


def all_turn(scope):
    lab.wait_for("all threads turn", lambda: turns(scope))


def test_worker_that_does_not_turn(running):
    scope, path = running
    all_turn(scope)
    with Stopped(worker_of(scope)):
        lab.wait_for("telemetry names it", lambda: scope.ask("/icmpscope/watchdog")["worker_0_stalled_ms"], 30)
        lab.wait_for("the journal does", lambda: events(path, "stalled", "worker"), 30)
        info = scope.info()
        assert info["watchdog"] == "on" and info["stalled"] >= 1 and info["stalls"] >= 1
        assert scope.ask("/icmpscope/worker/info,0")["stalled_ms"] >= 700
        assert scope.ask("/icmpscope/worker/table")["stalled_ms"][0] >= 700
        lab.wait_for("it is the only one", lambda: "1 THREAD(S) DO NOT TURN" in ctl(scope, "status").stdout)
        check = ctl(scope, "check")
        assert check.returncode == 2 and "a thread does not turn, " in check.stdout, check
        lab.wait_for("standard error does", lambda: "warning: worker 0 (CPU" in scope.output(), 10)
    lab.wait_for("it turns again", lambda: turns(scope), 30)
    lab.wait_for("that is in the journal", lambda: len(events(path, "resumed", "worker")) == len(events(path, "stalled", "worker")))
    stalled, resumed = events(path, "stalled", "worker")[-1], events(path, "resumed", "worker")[-1]
    assert stalled["worker"] == resumed["worker"] == 0
    assert 700 <= stalled["stalled_ms"] <= resumed["stalled_ms"]
    assert stalled["cpu"] == scope.ask("/icmpscope/worker/info,0")["cpu"]
    assert scope.ask("/icmpscope/worker/info,0")["longest_stall_ms"] >= stalled["stalled_ms"]


def test_control_core_that_does_not_turn(running):
    scope, path = running
    all_turn(scope)
    with Stopped(scope.process.pid):
        lab.wait_for("telemetry names it", lambda: scope.ask("/icmpscope/watchdog")["control_stalled_ms"], 30)
        # The journal's writer needs no control core.
        lab.wait_for("the journal does", lambda: events(path, "stalled", "control"), 30)
        before = scope.ask("/icmpscope/worker/info,0")
        lab.wait_for("the worker goes on", lambda: scope.ask("/icmpscope/worker/info,0")["polls"] > before["polls"], 30)
        assert scope.ask("/icmpscope/worker/list") == [0]
        error = scope.telemetry.ask("/icmpscope/info")["error"]
        assert error.startswith("the control core is busy: it has not turned for ") and "/icmpscope/watchdog" in error
        # As many clients as DPDK serves are told that, and none keeps another from it.
        clients = [Telemetry(scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2") for _ in range(3)]
        for c in clients:
            assert c.ask("/icmpscope/watchdog")["stalled"] >= 1
            c.close()
        # Metrics have it, too, though nothing else answers.
        with exporter.running(exporter.socket_of(scope)) as url:
            def measured():
                text = exporter.get(f"{url}/metrics")[2]
                return "\nicmpscope_up 0\n" in text and "\nicmpscope_stalled_threads 1\n" in text
            lab.wait_for("metrics have it", measured)
    lab.wait_for("it turns again", lambda: turns(scope), 30)
    lab.wait_for("that is in the journal", lambda: events(path, "resumed", "control"), 30)
    assert scope.ask("/icmpscope/watchdog")["control_stalls"] >= 1


def test_program_that_does_not_run(running):
    """A stopped process, or a suspended machine, is no stalled worker."""
    scope, path = running
    before = scope.ask("/icmpscope/watchdog")
    scope.process.send_signal(signal.SIGSTOP)
    time.sleep(4.5)
    scope.process.send_signal(signal.SIGCONT)
    lab.wait_for("it is told", lambda: events(path, "paused"), 30)
    after = scope.ask("/icmpscope/watchdog")
    assert after["pauses"] > before["pauses"] and after["longest_pause_ms"] >= 3000
    assert events(path, "paused")[0]["paused_ms"] >= 3000
    assert "nothing of it ran for" in scope.output()
    # Whoever gets no CPU for a while afterwards is not said to have stood still all the time.
    assert not [e for e in events(path, "stalled") if e["stalled_ms"] >= 3000]


class Manager:
    """Who started the program, as it is told."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(0.2)
        self.said = []

    def listen(self):
        try:
            while True:
                self.said += self.socket.recv(4096).decode("ascii").splitlines()
        except TimeoutError:
            return self.said

    def wait(self, what, timeout=30):
        lab.wait_for(what, lambda: any(line.startswith(what) for line in self.listen()), timeout)


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    name = f"icsdts-{os.getpid()}-{request.param}"
    path = str(tmp_path / "notify") if request.param == "path" else f"@{name}"
    m = Manager(path if request.param == "path" else f"\0{name}")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    yield m
    m.socket.close()


def test_notification(manager):
    with Scope("-p", CAPTURE) as scope:
        assert b"NOTIFY_SOCKET" in open(f"/proc/{scope.process.pid}/environ", "rb").read()
        manager.wait("READY=1")
        manager.wait("WATCHDOG=1")
        manager.wait("STATUS=1 worker and the control core turn; ")
        with Stopped(worker_of(scope)):
            manager.wait("STATUS=worker 0 (CPU ")
            lab.wait_for("it is said to stand still", lambda: not turns(scope), 10)
            manager.listen()
            del manager.said[:]
            # Four times as long as it takes to say that all is well.
            time.sleep(1)
            assert "WATCHDOG=1" not in manager.listen()
        manager.wait("WATCHDOG=1")
        del manager.said[:]
        scope.process.send_signal(signal.SIGHUP)
        manager.wait("RELOADING=1")
        lab.wait_for("that is over", lambda: "READY=1" in manager.listen(), 30)
        (since,) = [int(line.split("=")[1]) for line in manager.said if line.startswith("MONOTONIC_USEC=")]
        assert 0 <= time.monotonic() - since / 1e6 < 60
        assert manager.said.index("RELOADING=1") < manager.said.index("READY=1")
        del manager.said[:]
    manager.wait("STOPPING=1")


def test_notification_that_is_not_meant(tmp_path, monkeypatch):
    """No watchdog without its variable, or for another process; a socket that is none does not keep it from starting."""
    m = Manager(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    with Scope("-p", CAPTURE):
        m.wait("READY=1")
        time.sleep(1)
        assert "WATCHDOG=1" not in m.listen()
    m.wait("STOPPING=1")
    m.socket.close()
    monkeypatch.setenv("NOTIFY_SOCKET", "tcp:1.2.3.4")
    with Scope("-p", CAPTURE) as scope:
        assert "NOTIFY_SOCKET names no socket that can be used" in scope.output()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    with Scope("-p", CAPTURE) as scope:
        assert scope.info()["watchdog"] == "on"
