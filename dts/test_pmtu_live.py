"""Path MTU discovery of real kernels through a router with a smaller link, IPv4 and IPv6: a sender that listens makes
pmtu_learned and nothing worse; one that is not told, by a filter behind the tap, or that does not listen makes
pmtu_blackhole_repeat, with advice."""

import lab
import pytest
from conftest import program
from scope import Scope

WHY_NOT = lab.unavailable()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

MTU = 1400
HOST = {4: "192.0.2.10", 6: "2001:db8:1::a10"}
GATEWAY = {4: "192.0.2.1", 6: lab.ROUTER_GUA}
FAR = {4: "198.51.100.9", 6: "2001:db8:a::9"}
PORT = 5001
WORSE = ("pmtu_blackhole_repeat", "pmtu_bogus", "pmtu_storm", "pmtu_legacy_zero", "unreach_storm")

SINK = f"""
import socket, threading
s = socket.create_server(("::", {PORT}), family=socket.AF_INET6, dualstack_ipv6=True, backlog=16)
def drain(c):
    while c.recv(65536):
        pass
while True:
    threading.Thread(target=drain, args=(s.accept()[0],), daemon=True).start()
"""
SEND = """
import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=150)
c.settimeout(150)
if "deaf" in sys.argv:
    c.setsockopt(socket.IPPROTO_IPV6, 23, 4)  # IPV6_MTU_DISCOVER, IPV6_PMTUDISC_INTERFACE
c.sendall(bytes(200000))
c.shutdown(socket.SHUT_WR)
c.recv(1)
"""


@pytest.fixture
def lan():
    """h1 has the router as gateway; behind the router is a link of 1,400 octets with the far end."""
    program("icmpscope")
    with lab.Lab() as net:
        net.router_up()
        net.hosts_up()
        net._namespace("far")
        net.run("ip", "-n", net.ns("rtr"), "link", "add", "wan", "mtu", MTU, "type", "veth", "peer", "name", "eth0",
                "netns", net.ns("far"))
        for ns, dev, v4, v6 in (("rtr", "wan", "198.51.100.1", "2001:db8:a::1"), ("far", "eth0", FAR[4], FAR[6]),
                                ("rtr", "eth0", GATEWAY[4], None), ("h1", "eth0", HOST[4], HOST[6])):
            net.run("ip", "-n", net.ns(ns), "addr", "add", f"{v4}/24", "dev", dev)
            if v6:
                net.run("ip", "-n", net.ns(ns), "addr", "add", f"{v6}/64", "dev", dev, "nodad")
            net.run("ip", "-n", net.ns(ns), "link", "set", dev, "up")
        for ns, dev in (("rtr", "wan"), ("far", "eth0"), ("h1", "eth0")):
            net.run("ethtool", "-K", dev, "gso", "off", "tso", "off", "gro", "off", ns=ns, check=False)
        net.sysctl("rtr", net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        for v, flag, wan in ((4, "-4", "198.51.100.1"), (6, "-6", "2001:db8:a::1")):
            net.run("ip", flag, "-n", net.ns("far"), "route", "add", "default", "via", wan)
            net.run("ip", flag, "-n", net.ns("h1"), "route", "replace", FAR[v], "via", GATEWAY[v], "src", HOST[v])
        net.start("/usr/bin/python3", "-c", SINK, ns="far")
        lab.wait_for("the far end listens",
                     lambda: net.run("ss", "-Hltn", f"sport = :{PORT}", ns="far").stdout.strip() != "", 20)
        yield net


def found(scope, name):
    return [a for a in scope.anomalies() if a["name"] == name]


@pytest.mark.parametrize("version", (4, 6))
def test_sender_listens(lan, version):
    with Scope("-p", "tap0", "--set", "detect.learn_s=0", ns=lan.ns("tap")) as scope:
        lan.run("/usr/bin/python3", "-c", SEND, FAR[version], PORT, ns="h1", timeout=90)
        a = lab.wait_for("the MTU is learned", lambda: found(scope, "pmtu_learned"), 30)[0]
        assert a["severity"] == "info"
        t = scope.ask("/icmpscope/pmtu/table")
        row = next(i for i in range(len(t["far"])) if t["far"][i] == FAR[version])
        assert (t["host"][row], t["mtu"][row], t["reporter"][row]) == (HOST[version], MTU, GATEWAY[version])
        assert (t["mss4"][row], t["mss6"][row], t["black_hole"][row]) == (MTU - 40, MTU - 60, 0)
        # Once more, now that it knows.
        lan.run("/usr/bin/python3", "-c", SEND, FAR[version], PORT, ns="h1", timeout=90)
        scope.settled()
        assert [a["name"] for a in scope.anomalies() if a["name"] in WORSE] == []


@pytest.mark.parametrize("version", (4, 6))
def test_sender_is_not_told(lan, version):
    if version == 4:
        # Through a second address of the router; what it says comes from the first, from which h1 takes nothing.
        lan.run("ip", "-n", lan.ns("rtr"), "addr", "add", "192.0.2.2/24", "dev", "eth0")
        lan.run("ip", "-n", lan.ns("h1"), "route", "replace", FAR[4], "via", "192.0.2.2", "src", HOST[4])
        lan.sysctl("h1", net__ipv4__conf__all__rp_filter=1, net__ipv4__conf__eth0__rp_filter=1)
        lan.run("ip", "-n", lan.ns("h1"), "route", "add", "blackhole", GATEWAY[4])
    with Scope("-p", "tap0", "--set", "detect.learn_s=0", ns=lan.ns("tap")) as scope:
        for _ in range(3):
            lan.start("/usr/bin/python3", "-c", SEND, FAR[version], PORT, *(["deaf"] if version == 6 else []), ns="h1")
        a = lab.wait_for("the black hole is found", lambda: found(scope, "pmtu_blackhole_repeat"), 120)[0]
        assert a["variant"] == "ignored"
        assert a["subject_host"] == HOST[version]
        row = scope.ask("/icmpscope/pmtu/table")
        assert 1 in row["black_hole"]
        b = lab.wait_for("advice is given", lambda: found(scope, "pmtu_mss_advice"), 20)[0]
        assert (b["evidence_mss4"], b["evidence_mss6"]) == (MTU - 40, MTU - 60)
