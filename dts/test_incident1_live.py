"""Incident 1 on a LAN of real kernels with a real radvd: silent while all is well, and right about who did what.

Each test asks icmpscope through its telemetry socket, and compares what it says with what the hosts' own kernels did.
"""

import signal
import time

import lab
import pytest
from conftest import program
from scope import Scope

WHY_NOT = lab.unavailable()
pytestmark = [pytest.mark.live, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]

# How tap0 is given to icmpscope: the kernel's packet socket, or AF_XDP.
DEVICES = {"af_packet": "tap0", "af_xdp": "xdp:tap0"}

# UDP to beyond the router, ten a second for a minute at most. Unlike ping it does not tell the kernel that the gateway is alive
# (RFC 4861 7.3.1), so the kernel has to probe it.
TRAFFIC = """
import socket, time
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for i in range(600):
    try:
        s.sendto(b"x", ("%s", 9))
    except OSError:
        pass
    time.sleep(0.1)
""" % lab.FAR


@pytest.fixture
def lan():
    program("icmpscope")
    with lab.Lab() as net:
        yield net


def watch(net, device):
    return Scope("-p", DEVICES[device], ns=net.ns("tap"))


def bring_up(net):
    net.router_up()
    net.radvd_start()
    net.hosts_up()
    net.wait_slaac()


def routers(scope):
    t = scope.ask("/icmpscope/router/table")
    return {a: {"mac": m, "state": s, "lifetime_s": l}
            for a, m, s, l in zip(t["address"], t["mac"], t["state"], t["lifetime_s"])}


def wait_anomaly(scope, name, timeout=10):
    return lab.wait_for(f"anomaly {name}", lambda: [a for a in scope.anomalies() if a["name"] == name], timeout)


def assert_saw_every_frame(net, scope, before):
    """What icmpscope counted is what the kernel counted into tap0 meanwhile; asked while no frame arrives."""
    for _ in range(100):
        count = net.tap_received()
        info = scope.assert_conservation(lost=0)
        if net.tap_received() == count:
            assert info["frames"] == count - before
            assert info["missed"] == info["errors"] == info["no_mbuf"] == 0
            return
    raise AssertionError("the LAN does not become quiet for a moment")


def ordinary_life(net, seconds):
    """Echo between all parties, addresses that come and go (DAD), groups joined and left, forgotten neighbors."""
    end = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < end:
        turn += 1
        assert net.ping("h1", lab.FAR) and net.ping("h2", lab.HOST_GUA["h1"])
        assert net.ping("h2", lab.ROUTER_LL + "%eth0")
        extra = f"2001:db8:1::{turn % 5:x}:77/64"  # a new one each time would be a host with too many addresses
        net.run("ip", "-n", net.ns("h1"), "addr", "add", extra, "dev", "eth0")
        net.run("ip", "-n", net.ns("h2"), "-6", "neigh", "flush", "dev", "eth0")
        time.sleep(2.2)
        net.run("ip", "-n", net.ns("h1"), "addr", "del", extra, "dev", "eth0")
    return turn


@pytest.mark.parametrize("device,seconds", [("af_packet", 120), ("af_xdp", 20)])
def test_silent_while_all_is_well(lan, device, seconds):
    before = lan.tap_received()
    with watch(lan, device) as scope:
        bring_up(lan)
        turns = ordinary_life(lan, seconds)
        assert_saw_every_frame(lan, scope, before)
        classes = scope.ask("/icmpscope/classes")
        # It was there and it listened: at least the hosts' two DADs and those of the added addresses, a RA every 4 s, echoes.
        assert classes["nd_ns"] >= 4 + turns and classes["nd_rs"] >= 2 and classes["mld2_report"] >= 4
        assert classes["nd_ra"] >= seconds // 4
        assert classes["icmp6_echo_request"] == classes["icmp6_echo_reply"] == 9 * turns
        assert routers(scope)[lab.ROUTER_LL] == {"mac": lab.ROUTER_MAC, "state": "default", "lifetime_s": lab.RA_LIFETIME}
        assert scope.anomalies() == []


@pytest.mark.parametrize("device", DEVICES)
def test_radvd_stops(lan, device):
    with watch(lan, device) as scope:
        bring_up(lan)
        assert "via fe80::1" in lan.default_route("h1")
        assert scope.anomalies() == []
        lan.radvd_stop(signal.SIGTERM)
        (a,) = wait_anomaly(scope, "router_lifetime_zero")
        lab.wait_for("the hosts' kernels drop their gateway", lambda: not any(map(lan.default_route, lab.HOSTS)), 5)
        assert (a["variant"], a["severity"], a["state"]) == ("graceful", "critical", "open")
        assert a["subject_router"] == lab.ROUTER_LL
        assert a["subject_mac"] == lab.ROUTER_MAC
        assert a["evidence_lifetime_before_s"] == lab.RA_LIFETIME and a["evidence_lifetime_after_s"] == 0
        assert lab.ROUTER_LL in a["says"] and lab.ROUTER_MAC in a["says"]
        assert routers(scope)[lab.ROUTER_LL]["state"] == "retracted"
        assert {x["name"] for x in scope.anomalies()} == {"router_lifetime_zero"}
        scope.assert_conservation(lost=0)


@pytest.mark.parametrize("device", DEVICES)
def test_router_stops_forwarding(lan, device):
    for name in lab.HOSTS:
        lan.sysctl(name, net__ipv6__neigh__eth0__base_reachable_time_ms=1000,
                   net__ipv6__neigh__eth0__delay_first_probe_time=1)
    with watch(lan, device) as scope:
        bring_up(lan)
        # Killed hard, radvd sends no goodbye: what follows is the kernel's doing alone.
        lan.radvd_stop(signal.SIGKILL)
        assert scope.anomalies() == []
        assert all(map(lan.default_route, lab.HOSTS))
        lan.sysctl("rtr", net__ipv6__conf__all__forwarding=0, net__ipv6__conf__eth0__forwarding=0)
        senders = [lan.start("/usr/bin/python3", "-c", TRAFFIC, ns=name) for name in lab.HOSTS]
        wait_anomaly(scope, "router_flag_cleared", timeout=15)
        lab.wait_for("the hosts' kernels drop their gateway", lambda: not any(map(lan.default_route, lab.HOSTS)), 15)
        for p in senders:
            lan.stop(p)
        # The tap's copy of what a host has acted on may still be in the kernel.
        lab.wait_for("both are told", lambda: wait_anomaly(scope, "router_flag_cleared")[0]["evidence_victims"] >= len(lab.HOSTS))
        scope.settled()
        (a,) = wait_anomaly(scope, "router_flag_cleared")
        # The kernel says so to whoever probes, so each host's loss is its own: the router stays a default router in the model.
        assert a["variant"] == "sol_unicast"
        assert a["subject_router"] == lab.ROUTER_LL
        assert a["subject_mac"] == lab.ROUTER_MAC
        assert a["evidence_victims"] == len(lab.HOSTS)
        assert routers(scope)[lab.ROUTER_LL]["state"] == "default"
        # On a slow machine that no advertisement comes any more is news before this is over; it is true, and information.
        found = {(x["name"], x["severity"]) for x in scope.anomalies()} - {("router_expiring", "info")}
        assert found == {("router_flag_cleared", a["severity"])}
        scope.assert_conservation(lost=0)
