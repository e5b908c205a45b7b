"""[worker] idle: in each mode a router's last word is found, and a worker that sleeps leaves its CPU alone."""

import os
import time

import pytest
from lab import wait_for
from scope import Scope
from test_program import ra
from wire import Wire

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="the telemetry socket and kernel interfaces need root")]


@pytest.fixture(scope="module")
def wire():
    w = Wire()
    yield w
    w.close()


def cpu_s(pid):
    """CPU seconds of the worker's thread so far."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as f:
            name, rest = f.read().rsplit(")", 1)
        # DPDK 22.11 says rte-worker-1, 24.11 dpdk-worker1.
        if name.split("(", 1)[1].replace("-", "").endswith("worker1"):
            fields = rest.split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    raise AssertionError("no thread of a worker")


@pytest.mark.parametrize("mode", ["poll", "pause", "sleep"])
def test_it_rests_and_finds(wire, mode, record_property):
    with Scope("-p", "tap0", "-w", "1", "--set", f"worker.idle={mode}", "--set", "detect.learn_s=0",
               "--set", "detect.gateways=fe80::1", ns=wire.ns) as scope:
        time.sleep(0.5)
        cpu, start = cpu_s(scope.process.pid), time.monotonic()
        time.sleep(2)
        share = (cpu_s(scope.process.pid) - cpu) / (time.monotonic() - start)
        record_property("cpu_percent", round(100 * share, 1))
        print(f"{mode}: {100 * share:.1f} % of a CPU")
        # How much the others take depends on who else is there.
        if mode == "sleep":
            assert share < 0.3
        wire.send(ra(None, 1), ra(None, 1, lifetime=0))
        found = wait_for("router_lifetime_zero", lambda: [a for a in scope.anomalies() if a["name"] == "router_lifetime_zero"], 30)
        assert found[0]["subject_router"] == "fe80::1"
        info = scope.assert_conservation(lost=0)
        assert info["frames"] == 2
