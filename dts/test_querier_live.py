"""MLD queriers of real kernels (a Linux bridge with mcast_querier): who asks and how is in the table of queriers, a
version 1 querier and one that takes over are named, and so is one that asks too often."""

import os

import lab
import pytest
from conftest import program
from scope import Scope

WHY_NOT = lab.unavailable()
pytestmark = [pytest.mark.live, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]

INTERVAL_S = 3


def add_querier(net, name, mac, addr, version=2):
    """A bridge that asks every few seconds, from an address of its own, behind the port of a host."""
    net.add_host(name, mac)
    ns = net.ns(name)
    net.run("ip", "-n", ns, "link", "set", "eth0", "addrgenmode", "none")
    net.run("ip", "-n", ns, "link", "add", "br1", "address", mac, "type", "bridge", "mcast_snooping", "1",
            "mcast_mld_version", version, "mcast_query_interval", INTERVAL_S * 100, "mcast_startup_query_interval", 100,
            "mcast_query_response_interval", 100, "mcast_querier_interval", 800)
    net.run("ip", "-n", ns, "link", "set", "br1", "addrgenmode", "none")
    net.run("ip", "-n", ns, "link", "set", "eth0", "master", "br1", "up")
    net.run("ip", "-n", ns, "link", "set", "br1", "up")
    net.run("ip", "-n", ns, "addr", "add", f"{addr}/64", "dev", "br1", "nodad")
    net.run("ip", "-n", ns, "link", "set", "br1", "type", "bridge", "mcast_querier", "1")


def querier(scope, addr):
    t = scope.ask("/icmpscope/querier/table")
    rows = [{k: v[i] for k, v in t.items() if isinstance(v, list)} for i in range(len(t["address"]))]
    return next((r for r in rows if r["address"] == addr), None)


def wait_for(scope, name, variant, timeout=40):
    def found():
        return [a for a in scope.anomalies() if a["name"] == name and variant in a.get("evidence_variants", a["variant"])]

    a = lab.wait_for(f"{name} {variant}", found, timeout)[0]
    assert len([a for a in scope.anomalies() if a["name"] == name and a["state"] == "open"]) <= 2
    return a


@pytest.fixture
def lan():
    program("icmpscope")
    with lab.Lab() as net:
        yield net


def test_kernel_queriers(lan):
    with Scope("-p", "tap0", "--set", "detect.learn_s=0", ns=lan.ns("tap")) as scope:
        lan.router_up()
        lan.hosts_up()
        add_querier(lan, "q1", "02:00:00:00:00:71", "fe80::71")
        lab.wait_for("the querier is known", lambda: querier(scope, "fe80::71"), 30)
        # The kernel spreads nothing: its timer is exact to a second on a busy machine, and one late query is evened out by the next.
        lab.wait_for("its interval is known", lambda: abs(querier(scope, "fe80::71")["interval_ms"] - INTERVAL_S * 1000) < 2000, 30)
        q = querier(scope, "fe80::71")
        assert (q["mac"], q["version"], q["in_charge"]) == ("02:00:00:00:00:71", 2, 1)
        assert (q["qqi_s"], q["mrd_ms"], q["rv"]) == (INTERVAL_S, 1000, 2)
        segment = scope.ask("/icmpscope/segment/info,0")
        assert (segment["querier"], segment["mld_version"]) == ("fe80::71", 2)
        assert 7000 <= segment["mali_ms"] < 20000
        a = wait_for(scope, "mld_query_anomaly", "too_fast")
        assert (a["severity"], a["subject_querier"]) == ("warn", "fe80::71")

        # It asks in version 1, and the kernels of hosts fall back.
        lan.run("ip", "-n", lan.ns("q1"), "link", "set", "br1", "type", "bridge", "mcast_mld_version", "1")
        a = wait_for(scope, "mld_version_mismatch", "forced_v1")
        assert (a["severity"], a["subject_querier"]) == ("warn", "fe80::71")
        lab.wait_for("hosts answer in version 1", lambda: scope.ask("/icmpscope/classes")["mld1_report"] > 0, 30)
        assert scope.ask("/icmpscope/segment/info,0")["mld_version"] == 1

        # Another one with a lower address: the kernel of the first yields.
        add_querier(lan, "q2", "02:00:00:00:00:72", "fe80::12")
        a = wait_for(scope, "mld_querier_change", "usurp")
        assert (a["severity"], a["subject_querier"]) == ("critical", "fe80::12")
        assert "fe80::71 (02:00:00:00:00:71)" in a["evidence_from"]
        lab.wait_for("it leads", lambda: querier(scope, "fe80::12")["in_charge"] == 1, 30)
        wait_for(scope, "mld_version_mismatch", "mixed_queriers")

        # And goes: the first comes back after its timeout.
        lan.run("ip", "-n", lan.ns("q2"), "link", "set", "br1", "down")
        wait_for(scope, "mld_querier_change", "takeover", 60)
        lab.wait_for("it leads again", lambda: querier(scope, "fe80::71")["in_charge"] == 1)
        scope.assert_conservation()


def test_fifty_joins(lan):
    """Fifty groups of one kernel, each joined through a socket: they are memberships, and one too many is said."""
    join = ("import socket, struct, sys, time\n"
            "i = socket.if_nametoindex('eth0')\n"
            "socks = []\n"
            "for g in range(50):\n"
            "    if g % 10 == 0:\n"
            "        socks.append(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))\n"
            "    socks[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,\n"
            "                         socket.inet_pton(socket.AF_INET6, f'ff05::77:{g:x}') + struct.pack('@I', i))\n"
            "    time.sleep(0.05)\n"
            "time.sleep(float(sys.argv[1]))\n")
    with Scope("-p", "tap0", "--set", "detect.learn_s=0", ns=lan.ns("tap")) as scope:
        lan.router_up()
        lan.hosts_up()
        lab.wait_for("addresses are configured", lambda: not lan.tentative("h1"), 30)
        before = scope.ask("/icmpscope/segment/info,0")["memberships"]
        lan.start("/usr/bin/python3", "-c", join, "60", ns="h1")
        a = wait_for(scope, "host_group_excess", "many")
        assert (a["severity"], a["subject_mac"]) == ("warn", lab.HOSTS["h1"])
        lab.wait_for("all fifty are members", lambda: scope.ask("/icmpscope/segment/info,0")["memberships"] >= before + 50, 30)
        assert not [a for a in scope.anomalies() if a["name"] == "mld_report_storm"]
        scope.assert_conservation()


@pytest.mark.skipif("ICMPSCOPE_LONG" not in os.environ, reason="takes five minutes: ICMPSCOPE_LONG=1 runs it")
def test_no_querier_any_more(lan):
    """The kernel's querier is taken away for good: snooping switches forget members after 260 s, and so it is said then."""
    with Scope("-p", "tap0", "--set", "detect.learn_s=0", ns=lan.ns("tap")) as scope:
        lan.router_up()
        lan.hosts_up()
        lan.add_host("h3", "02:00:00:00:00:73")
        lan.run("ip", "-n", lan.ns("h3"), "link", "set", "eth0", "up")
        add_querier(lan, "q1", "02:00:00:00:00:71", "fe80::71")
        lab.wait_for("the querier is known", lambda: querier(scope, "fe80::71"), 30)
        lab.wait_for("three hosts report",
                     lambda: scope.telemetry.table("segment")[0]["member_hosts"] >= 3, 30)
        lan.run("ip", "-n", lan.ns("q1"), "link", "set", "br1", "type", "bridge", "mcast_querier", "0")
        a = wait_for(scope, "mld_querier_missing", "missing", 330)
        assert a["severity"] == "warn" and a["evidence_last_querier"].startswith("fe80::71"), a
        assert int(float(a["evidence_silent_s"])) >= 260, a
        lan.run("ip", "-n", lan.ns("q1"), "link", "set", "br1", "type", "bridge", "mcast_querier", "1")
        lab.wait_for("two queries end it", lambda: [x for x in scope.anomalies() if x["name"] == "mld_querier_missing" and
                                                    x["state"] == "cleared"], 60)
