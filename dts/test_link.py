"""Ports that go away and come back: down and up, deleted and made again. The others go on, and it is said everywhere."""

import os
import socket
import subprocess

import journal
import pytest
from conftest import program
from ctl import ctl
from lab import wait_for
from scope import PATIENCE_S, Scope
from test_program import ra
from test_reload import addresses, asked
from wire import Wire

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]


@pytest.fixture
def wire():
    with Wire(pairs=2) as w:
        yield w


def scope_on(wire, *args):
    return Scope("-p", "tap0", "-p", "tap1", *args, ns=wire.ns)


def link_of(scope, i=0):
    return asked(scope, f"/icmpscope/port/info,{i}")


def wait_link(scope, state, i=0):
    return wait_for(f"port {i} is {state}", lambda: p if (p := link_of(scope, i))["link"] == state else None)


def is_heard(scope, wire, i, n):
    """A router that nobody knows yet is heard on that port."""
    wire.send(ra(None, n), i=i)
    wait_for(f"router {n} is heard on port {i}", lambda: (i, f"fe80::{n:x}") in addresses(scope))


def events(path):
    return [e["icmpscope"] for e in journal.lines(path) if e["icmpscope"]["event"] == "link"]


def test_down_and_up(wire, tmp_path):
    path = tmp_path / "journal.json"
    with scope_on(wire, "--set", f"journal.file={path}") as scope:
        assert link_of(scope)["link"] == "up" and link_of(scope)["link_downs"] == 0
        assert asked(scope)["ports_down"] == 0
        is_heard(scope, wire, 0, 1)
        for n in (1, 2):
            wire.link("down", 0)
            down = wait_link(scope, "down")
            assert (down["link_downs"], down["link_ups"], down["link_up"]) == (n, n - 1, 0)
            assert link_of(scope, 1)["link"] == "up" and asked(scope)["ports_down"] == 1
            is_heard(scope, wire, 1, 10 + n)
            socket_path = scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2"
            r = subprocess.run([program("icmpscopectl"), "check", "--socket", socket_path], capture_output=True, text=True, timeout=90)
            assert "a port is down" in r.stdout and r.returncode >= 1
            assert "NOT ALL OF THEM UP" in ctl("status", "--socket", socket_path)
            wire.link("up", 0)
            up = wait_link(scope, "up")
            assert (up["link_downs"], up["link_ups"]) == (n, n) and up["link_since_ns"] > down["link_since_ns"]
            is_heard(scope, wire, 0, 20 + n)
        assert "tap0 is down and receives nothing; it goes on by itself once it is up" in scope.output()
        told = wait_for("it is in the journal", lambda: e if len(e := events(path)) == 4 else None)
        assert [(e["port"], e["device"], e["link"]) for e in told] == 2 * [(0, "tap0", "down"), (0, "tap0", "up")]
        scope.assert_conservation()


def test_deleted_and_made_again(wire, tmp_path):
    """The other port goes on; the new interface of that name is another one, which takes a new start."""
    path = tmp_path / "journal.json"
    args = ("--set", f"journal.file={path}")
    with scope_on(wire, *args) as scope:
        is_heard(scope, wire, 0, 1)
        wire.delete(0)
        wait_link(scope, "gone")
        is_heard(scope, wire, 1, 2)
        wire.create(0)
        replaced = wait_link(scope, "replaced")
        assert (replaced["link_downs"], replaced["link_ups"]) == (1, 0)
        is_heard(scope, wire, 1, 3)
        assert "start icmpscope again" in scope.output()
        told = wait_for("it is in the journal", lambda: e if len(e := events(path)) == 2 else None)
        assert [e["link"] for e in told] == ["gone", "replaced"]
        scope.assert_conservation()
    with scope_on(wire, *args) as scope:
        assert link_of(scope)["link"] == "up"
        is_heard(scope, wire, 0, 4)


def test_a_supervisor_starts_it_again(wire, tmp_path, monkeypatch):
    """Under systemd it ends by itself for a port that is back, with all that it knows saved and said."""
    path = tmp_path / "journal.json"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("INVOCATION_ID", "0123456789abcdef0123456789abcdef")
        scope = scope_on(wire, "--set", f"journal.file={path}")
        try:
            # Down and up is no reason.
            wire.link("down", 0)
            wait_link(scope, "down")
            wire.link("up", 0)
            wait_link(scope, "up")
            wire.delete(0)
            wait_link(scope, "gone")
            wire.create(0)
            assert scope.process.wait(PATIENCE_S) == 1
            assert "it ends, to be started again" in scope.output()
        finally:
            scope.stop(check=False)
    last = journal.lines(path)[-1]["icmpscope"]
    assert (last["event"], last["why"], last["status"]) == ("stop", "a port is back", 1)


def test_a_port_that_is_down_at_the_start(wire):
    wire.link("down", 0)
    with scope_on(wire) as scope:
        assert "tap0 is down and receives nothing" in scope.output()
        assert link_of(scope)["link"] == "down" and link_of(scope)["link_downs"] == 0
        wire.link("up", 0)
        assert wait_link(scope, "up")["link_ups"] == 1
        is_heard(scope, wire, 0, 1)
