"""A real loop of two Linux bridges without spanning tree, joined by two links for a second: named once, with those that
it repeats, while a host that storms beside it is named as a storm; both clear. The links carry a limited number of
frames, so that the machine survives its own loop."""

import lab
import pytest
from conftest import program
from scope import Scope

WHY_NOT = lab.unavailable()
pytestmark = [pytest.mark.live, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]

STORM = """
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
frame = bytes.fromhex(sys.argv[1])
for _ in range(int(sys.argv[2])):
    s.send(frame)
    time.sleep(float(sys.argv[3]))
"""
# An MLDv2 report of fe80::66 for ff02::1:ff00:66, with its right checksum.
HOST = "02:00:00:00:00:66"


def report():
    from scapy.layers.inet6 import ICMPv6MLDMultAddrRec, ICMPv6MLReport2, IPv6, IPv6ExtHdrHopByHop, RouterAlert
    from scapy.layers.l2 import Ether
    return bytes(Ether(src=HOST, dst="33:33:00:00:00:16") / IPv6(src="fe80::66", dst="ff02::16", hlim=1) /
                 IPv6ExtHdrHopByHop(options=[RouterAlert()]) /
                 ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=4, dst="ff02::1:ff00:66")]))


def make_links(net):
    """Two links from br0 to a second bridge, down as yet; copies need some milliseconds for a round."""
    sw = net.ns("sw")
    net.run("ip", "-n", sw, "link", "add", "br9", "type", "bridge", "mcast_snooping", "0", "ageing_time", "0",
            "stp_state", "0")
    net.run("ip", "-n", sw, "link", "set", "br9", "up")
    for n in ("a", "b"):
        net.run("ip", "-n", sw, "link", "add", f"l{n}0", "type", "veth", "peer", "name", f"l{n}9")
        for dev, bridge in ((f"l{n}0", "br0"), (f"l{n}9", "br9")):
            net.run("ip", "-n", sw, "link", "set", dev, "master", bridge, "down")
            net.run("bridge", "-n", sw, "link", "set", "dev", dev, "learning", "off", "flood", "on")
            if net.run("tc", "-n", sw, "qdisc", "add", "dev", dev, "root", "netem", "delay", "5ms", "limit", "50",
                       check=False).returncode != 0:
                net.run("tc", "-n", sw, "qdisc", "add", "dev", dev, "root", "tbf", "rate", "400kbit", "burst", "2000",
                        "limit", "5000")


def links(net, state):
    for n in ("a", "b"):
        for dev in (f"l{n}0", f"l{n}9"):
            net.run("ip", "-n", net.ns("sw"), "link", "set", dev, state)


def named(scope, name, **want):
    return [a for a in scope.anomalies() if a["name"] == name and all(a.get(k) == v for k, v in want.items())]


@pytest.fixture
def lan():
    program("icmpscope")
    with lab.Lab() as net:
        yield net


def test_storm_then_loop(lan):
    make_links(lan)
    with Scope("-p", "tap0", "--set", "detect.learn_s=0", "--set", "detect.gateways=fe80::1", ns=lan.ns("tap")) as scope:
        lan.router_up()
        lan.hosts_up()
        lan.add_host("bad", HOST)
        lan.run("ip", "-n", lan.ns("bad"), "link", "set", "eth0", "addrgenmode", "none")
        lan.run("ip", "-n", lan.ns("bad"), "link", "set", "eth0", "up")

        # A storm of one.
        lan.run("/usr/bin/python3", "-c", STORM, report().hex(), 400, 0.002, ns="bad", timeout=60)
        a = lab.wait_for("the storm has a name", lambda: named(scope, "mld_report_storm"), 20)[0]
        assert (a["subject_mac"], a["evidence_sleeping"]) == (HOST, "not assessed")
        assert a["evidence_group"] == "ff02::1:ff00:66"
        assert "locally administered" in a["says"]
        lab.wait_for("all of it is counted",
                     lambda: named(scope, "mld_report_storm")[0]["evidence_copies"] == 400, 20)
        assert not named(scope, "l2_loop")

        # The loop: three stations say something new each, at the same time, and it goes round and round.
        links(lan, "up")
        try:
            asking = [lan.start("ping", "-6", "-n", "-c", "4", "-i", "0.5", "-W", "1", "-I", "eth0", f"fe80::dead:{n}", ns=host)
                      for n in range(2) for host in ("h1", "h2", "rtr")]
            a = lab.wait_for("the loop has a name, and those in it", lambda: [
                x for x in named(scope, "l2_loop") if x["evidence_macs"] >= 3])[0]
        finally:
            links(lan, "down")
        for p in asking:
            lan.stop(p)
        assert a["severity"] == "critical"
        for name in ("nd_flood", "nd_scan", "dad_conflict", "ra_flood", "nb_spoof", "nb_flip_flop"):
            assert not named(scope, name), name
        lab.wait_for("the loop is over", lambda: named(scope, "l2_loop", state="cleared"), 60)
        assert len(named(scope, "l2_loop")) == 1
        # Whose report circled alone for a moment was a storm until then; that clears a minute after its last copy.
        lab.wait_for("so are storms that were none", lambda: {
            a["subject_mac"] for a in named(scope, "mld_report_storm", state="open")} <= {HOST})
        scope.settled()
        scope.assert_conservation()
