"""--plan before anything is started, and icmpscopectl plan of what runs: the same places, memory and warnings."""

import os
import re
import subprocess

import pytest
from conftest import VECTORS, program
from ctl import ctl, ctl_json
from scope import Scope
from test_reload import asked

INCIDENT1 = VECTORS / "incident1.pcap"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the telemetry socket needs root")


def plan(*args, cpus=None):
    argv = (["taskset", "-c", cpus] if cpus else []) + [program("icmpscope"), "--plan", *map(str, args)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)


def places(text):
    """(port, queue, lcore, CPU) of each worker of --plan."""
    rows = text.split("WORKER PORT", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [tuple(map(int, row.split()[1:5])) for row in rows]


def test_plan_of_two_captures():
    r = plan("-p", f"pcap:{INCIDENT1}", "-p", f"pcap:{INCIDENT1},loop")
    assert r.returncode == 2 and "named twice" in r.stderr
    r = plan("-p", "lo", "-p", f"pcap:{INCIDENT1}")
    assert r.returncode == 0 and r.stderr == "", r.stderr
    assert all(len(line) <= 80 and line == line.rstrip() for line in r.stdout.splitlines())
    assert [p[0] for p in places(r.stdout)] == [0, 1] and [p[2] for p in places(r.stdout)] == [1, 2]
    assert re.search(r"^Control core   lcore 0 on CPU \d+$", r.stdout, re.M)


def test_one_cpu_is_a_compromise():
    cpu = min(os.sched_getaffinity(0))
    r = plan("-p", "lo", cpus=str(cpu))
    assert r.returncode == 0 and f"CPUs that may be used: {cpu}\n" in r.stdout
    assert "CPU shared" in r.stdout and "the only one there is" in r.stdout
    other = max(os.sched_getaffinity(0))
    if other != cpu:
        r = plan("-p", "lo", "-w", other, cpus=str(cpu))
        assert r.returncode == 1 and r.stderr.count("\n") == 1
        assert f"CPU {other} is outside of what this process may use" in r.stderr
    r = plan("-p", "lo", "-w", 1023)
    assert r.returncode == 1 and "there is no CPU 1023" in r.stderr


def test_the_running_program_tells_the_same():
    before = os.sched_getaffinity(0)
    cpu = str(min(before))
    args = ("-p", f"pcap:{INCIDENT1}", "-w", cpu)
    r = plan(*args, cpus=cpu)
    try:
        os.sched_setaffinity(0, {int(cpu)})
        scope = Scope(*args)
    finally:
        os.sched_setaffinity(0, before)
    with scope:
        info = asked(scope, "/icmpscope/plan")
        rows = scope.telemetry.table("plan")
        socket = scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2"
        text, doc = ctl("plan", "--socket", socket), ctl_json("plan", "--socket", socket)
        assert [(w["port"], w["queue"], w["lcore"], w["cpu"]) for w in rows] == places(r.stdout) == [(0, 0, 1, int(cpu))]
        assert (info["workers_cpu_shared"], info["workers_with_control"], info["warnings"]) == (1, 1, 1)
        assert info["workers_remote"] == info["workers_core_shared"] == info["queues_lacking"] == info["cpus_idle"] == 0
        assert info["cpus"] == info["other_cpus"] == cpu
        assert rows[0]["cpu_shared"] == 1 and rows[0]["ring_bytes"] == info["ring_bytes"] > 0
        port = asked(scope, "/icmpscope/port/info,0")
        assert port["pool_bytes"] == info["pool_bytes"] > 0 and port["buffers"] > 0
        assert f" {info['memory_mb']} MB " in r.stdout and f" {info['memory_mb']} MB " in text
    assert all(len(line) <= 80 for line in text.splitlines()), text
    warning = " ".join(r.stdout.split("warning: ", 1)[1].split())
    assert warning == " ".join(text.split("warning: ", 1)[1].split()) == doc["warnings"][0]
    assert doc["workers"][0]["cpu"] == int(cpu) and doc["ports"][0]["buffers"] == port["buffers"]
