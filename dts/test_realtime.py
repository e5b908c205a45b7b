"""[control] realtime: the control core alone goes before ordinary threads; without the right to it a warning says so, and it runs."""

import os
import subprocess

import pytest
from conftest import program
from lab import wait_for
from scope import Scope
from test_program import ra
from wire import Wire

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="the telemetry socket and kernel interfaces need root"), pytest.mark.live]

ON = ("--set", "control.realtime=on")


@pytest.fixture(scope="module")
def wire():
    w = Wire()
    yield w
    w.close()


def policies(pid):
    """Of the main thread, and of all others: without the flag that it is not inherited."""
    own = {}
    for task in map(int, os.listdir(f"/proc/{pid}/task")):
        try:
            own[task] = os.sched_getscheduler(task) & ~os.SCHED_RESET_ON_FORK
        except ProcessLookupError:  # ended meanwhile
            pass
    return own.pop(pid), set(own.values())


def may_be_realtime():
    r = subprocess.run(["chrt", "--rr", "1", "true"], capture_output=True)
    return r.returncode == 0


@pytest.mark.skipif(not may_be_realtime(), reason="nobody may be SCHED_RR here")
def test_the_control_core_goes_first(wire):
    with Scope("-p", "tap0", "-w", "1", *ON, "--set", "detect.learn_s=0", "--set", "detect.gateways=fe80::1", ns=wire.ns) as scope:
        assert policies(scope.process.pid) == (os.SCHED_RR, {os.SCHED_OTHER})
        wire.send(ra(None, 1), ra(None, 1, lifetime=0))
        wait_for("router_lifetime_zero", lambda: [a for a in scope.anomalies() if a["name"] == "router_lifetime_zero"], 30)
        assert scope.assert_conservation(lost=0)["frames"] == 2
        assert "control.realtime" not in scope.output()


def test_off_by_itself(wire):
    with Scope("-p", "tap0", "-w", "1", ns=wire.ns) as scope:
        assert policies(scope.process.pid) == (os.SCHED_OTHER, {os.SCHED_OTHER})
        assert os.getpriority(os.PRIO_PROCESS, scope.process.pid) == -5


def run(*before):
    r = subprocess.run([*before, program("icmpscope"), "--set", f"eal.file_prefix=icsrt{os.getpid()}", *ON, "-p", "lo", "--run-for", "1"],
                       capture_output=True, text=True, timeout=90)
    assert r.returncode == 0, r.stderr
    return r.stderr


def test_without_the_right_to_it():
    assert "control.realtime = on does nothing: no right to it" in run("prlimit", "--rtprio=0", "setpriv", "--bounding-set=-sys_nice")


def test_not_where_a_worker_shares_the_cpu():
    assert "control.realtime = on does nothing: a worker shares the CPU" in run("taskset", "-c", str(min(os.sched_getaffinity(0))))
