"""Path MTU discovery of real kernels, healthy and broken: a LAN of path_lan.py for each scenario, all of them side by side and
watched by one icmpscope, and recorded for icmpscope-read, which must name the same. IPv4 and IPv6 in each.
"""

import concurrent.futures
import contextlib
import signal
import threading
import time
import traceback

import lab
import lan_group
import pytest
from conftest import is_again, program
from path_lan import VERSIONS, PathLan, unavailable
from scope import Scope

WHY_NOT = unavailable()
pytestmark = [pytest.mark.live, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]

NO_ICMP = "icmp type destination-unreachable icmp code frag-needed drop; icmpv6 type packet-too-big drop;"
DEAF = "chain i { type filter hook input priority 0; " + NO_ICMP + " }"
# Each chain ends with a newline, as the next one needs it.
MUTE = "chain o { type filter hook output priority 0; " + NO_ICMP + " }\n"
CLAMP = """chain c { type filter hook forward priority 0;
meta nfproto ipv4 tcp flags syn tcp option maxseg size set %u; meta nfproto ipv6 tcp flags syn tcp option maxseg size set %u; }"""
LONG = 200000
HOLES = ("pmtu_blackhole_repeat", "pmtu_blackhole_silent")
# What is said about paths; other detectors may have their say about LANs like these.
ABOUT_PATHS = ("pmtu_", "tcp_", "icmp_", "unreach_")


class Watch:
    """One icmpscope and the scenarios' views of it."""

    def __init__(self, scope):
        self.scope, self.lock = scope, threading.Lock()

    def found(self, net, name=None, **want):
        with self.lock:
            a = self.scope.anomalies()
        return [i for i in a if i["port"] == net.port and name in (None, i["name"]) and all(i.get(k) == v for k, v in want.items())]

    def wait(self, net, what, name, n=1, timeout=60, **want):
        return lab.wait_for(f"{what}: {name} {want}",
                            lambda: len(self.found(net, name, **want)) >= n and self.found(net, name, **want), timeout, 1)


# Scenarios: what happens, and what icmpscope and icmpscope-read must have found afterwards.

def healthy(net, watch):
    """Every sender listens: the first transfer is told, the others know; and from the other side."""
    net.results = net.both("tcp", LONG, 3) + net.both("tcp", LONG, 3) + net.both("fetch", LONG, 3)


def datagrams(net, watch):
    """Pings of 1,428 and 1,448 octets and datagrams of 1,450, each from a host of its own that has to learn."""
    net.run("ping", "-4", "-n", "-c", 4, "-i", "0.3", "-W", 1, "-M", "do", "-s", 1400, "-I", net.host(4), net.far(4), ns="h1", check=False)
    net.run("ping", "-6", "-n", "-c", 4, "-i", "0.3", "-W", 1, "-M", "do", "-s", 1400, "-I", net.host(6), net.far(6), ns="h1", check=False)
    net.both("udp", 1450, 30, host=20)
    net.results = [0]


def learned(net, found, *told):
    """pmtu_learned once for each reporter, with what it told; nothing else about paths."""
    assert sorted((a["name"], a["subject"]["reporter"], a["evidence"]["mtu"]) for a in about_paths(found)) == sorted(
        ("pmtu_learned", reporter, mtu) for reporter, mtu in told)
    for a in about_paths(found):
        v = 6 if ":" in a["subject"]["reporter"] else 4
        e = a["evidence"]
        assert (e["host"], e["far"]) in [(net.host(v, i), net.far(v)) for i in (10, 20)]
        assert (e["mss4"], e["mss6"]) == (e["mtu"] - 40, e["mtu"] - 60)
        assert e["quoted_len"] > e["mtu"] and a["severity"] == "info"
        assert f"at most {e['mtu']} octets" in a["says"]


def check_healthy(net, found):
    assert set(net.results) == {0}
    learned(net, found, *((net.router(v), net.mtus[0]) for v in VERSIONS))


def check_nested(net, found):
    learned(net, found, *((net.router(v), net.mtus[0]) for v in VERSIONS), *((net.middle(v), net.mtus[1]) for v in VERSIONS))
    assert set(net.results) == {0}
    assert any("PPPoE" in a["says"] for a in found if a["evidence"].get("mtu") == 1492)


def deaf(net, watch):
    """The host's own firewall drops what it is told."""
    net.filter("h1", DEAF)
    started = [net.traffic("tcp", v, LONG, 3) for v in VERSIONS]
    watch.wait(net, "both versions", "pmtu_blackhole_repeat", n=2)
    watch.wait(net, "both versions", "pmtu_mss_advice", n=2)
    for p in started:
        net.stop(p)


def check_deaf(net, found):
    for v in VERSIONS:
        (a,) = [a for a in found if a["name"] == "pmtu_blackhole_repeat" and a["subject"]["host"] == net.host(v)]
        e = a["evidence"]
        assert (a["variant"], a["subject"]["reporter"], e["far"], e["mtu"]) == ("ignored", net.router(v), net.far(v), net.mtus[0])
        assert (e["mss4"], e["mss6"]) == (net.mtus[0] - 40, net.mtus[0] - 60)
        assert f"clamp the TCP MSS to {net.mtus[0] - (40 if v == 4 else 60)}" in a["says"]
        assert a["severity"] in ("warn", "critical")
        (b,) = [b for b in found if b["name"] == "pmtu_mss_advice" and b["evidence"]["host"] == net.host(v)]
        assert (b["variant"], b["evidence"]["mss4"], b["evidence"]["mss6"]) == ("black_hole", net.mtus[0] - 40, net.mtus[0] - 60)
    assert {a["name"] for a in about_paths(found)} == {"pmtu_learned", "pmtu_blackhole_repeat", "pmtu_mss_advice"}


def silent(net, watch):
    """The router drops what it would tell: four flows of two hosts. Then its MSS clamp mends the paths."""
    net.filter("rtr", MUTE)
    started = [net.traffic("tcp", v, LONG, 2, host=n) for v in VERSIONS for n in (10, 20)]
    # While large packets hang, small ones work: whoever answers is not dead.
    time.sleep(3)
    assert net.both("tcp", 100, 1, host=11) == [0, 0]
    watch.wait(net, "both versions, both hosts", "pmtu_blackhole_silent", n=2, evidence_hosts=2)
    net.found_open = watch.found(net, "pmtu_blackhole_silent")
    for p in started:
        net.stop(p)
    net.filter("rtr", MUTE + CLAMP % (net.mtus[0] - 40, net.mtus[0] - 60))
    assert net.both("tcp", LONG, 4) == [0, 0]
    watch.wait(net, "clamped", "pmtu_blackhole_silent", n=2, state="cleared")
    assert net.both("tcp", LONG, 4, host=20) == [0, 0]


def check_silent(net, found):
    holes = [a for a in found if a["name"] == "pmtu_blackhole_silent"]
    assert sorted(a["evidence"]["far"] for a in holes) == sorted(net.far(v) for v in VERSIONS)
    for a in holes:
        e = a["evidence"]
        assert (a["variant"], e["hosts"], a["state"]) == ("path", 2, "cleared")
        assert e["pmtu_low"] <= net.mtus[0] <= e["pmtu_high"] < e["lost_len"] == 1500
        assert e["host"] in [net.host(v, n) for v in VERSIONS for n in (10, 20)]
    assert sorted((a["name"], a["state"]) for a in about_paths(found) if a not in holes) == [("pmtu_mss_advice", "cleared")] * 2


def probing(net, watch):
    """The router says nothing, the hosts find out."""
    net.filter("rtr", MUTE)
    net.sysctl("h1", net__ipv4__tcp_mtu_probing=1)
    started = [net.traffic("tcp", v, 4 * LONG, 2) for v in VERSIONS]
    watch.wait(net, "both versions", "pmtu_blackhole_silent", n=2, variant="confirmed")
    net.results = net.wait(started)


def check_probing(net, found):
    assert net.results == [0, 0]
    holes = [a for a in found if a["name"] == "pmtu_blackhole_silent"]
    assert sorted(a["evidence"]["far"] for a in holes) == sorted(net.far(v) for v in VERSIONS)
    for a in holes:
        e = a["evidence"]
        assert (a["variant"], a["severity"]) == ("confirmed", "critical")
        assert e["pmtu_low"] <= net.mtus[0] <= e["pmtu_high"]
        assert e["shrunk_len"] <= net.mtus[0]
    assert {a["name"] for a in about_paths(found)} == {"pmtu_blackhole_silent", "pmtu_mss_advice"}


def clamped(net, watch):
    """A clamp from the beginning, and the router would not say a word."""
    net.filter("rtr", MUTE + CLAMP % (net.mtus[0] - 40, net.mtus[0] - 60))
    net.results = net.both("tcp", LONG, 4) + net.both("fetch", LONG, 4, host=20)


def check_clamped(net, found):
    assert net.results == [0, 0, 0, 0]
    assert about_paths(found) == []


def far_side(net, watch):
    """The sender is behind the small link, and is not told: of what vanishes there the LAN sees nothing."""
    net.filter("mid", MUTE)
    started = [net.traffic("fetch", v, LONG, 3) for v in VERSIONS]
    time.sleep(12)
    for p in started:
        net.stop(p)


def check_nothing(net, found):
    assert about_paths(found) == []


def congested(net, watch):
    """A token bucket drops packets of every size, then every eighth packet is lost by chance."""
    net.filter("rtr", "chain c { type filter hook forward priority 0; limit rate over 30 kbytes/second burst 8 kbytes drop; }")
    started = [net.traffic("tcp", v, 4 * LONG, 3, host=n) for v in VERSIONS for n in (10, 20)]
    time.sleep(14)
    net.filter("rtr", "chain c { type filter hook forward priority 0; numgen random mod 8 == 0 drop; }")
    time.sleep(14)
    for p in started:
        net.stop(p)


def dead(net, watch):
    """The far end is gone in the middle of the transfers."""
    net.filter("rtr", "chain c { type filter hook forward priority 0; limit rate over 60 kbytes/second burst 30 kbytes drop; }")
    started = [net.traffic("tcp", v, 20 * LONG, 3, host=n) for v in VERSIONS for n in (10, 20)]
    time.sleep(3)
    net._ip("far", "link", "set", "to-mid", "down")
    time.sleep(14)
    for p in started:
        net.stop(p)


def check_dead(net, found):
    # The router tells that nobody is there, which is no news about sizes.
    assert [a["name"] for a in about_paths(found) if a["name"].startswith(("pmtu_", "tcp_")) or a["severity"] != "info"] == []


def offloaded(net, watch):
    """Segments of up to 64 KB pass the tap."""
    net.results = net.both("tcp", 20 * LONG, 2) + net.both("fetch", 20 * LONG, 2)


def check_offloaded(net, found):
    assert net.results == [0, 0, 0, 0]
    assert about_paths(found) == []


def check_offloaded_small(net, found):
    assert net.results == [0, 0, 0, 0]
    learned(net, found, *((net.router(v), net.mtus[0]) for v in VERSIONS))


def ordinary(net, watch):
    """What networks say every day: nobody listens there, hop limits of a traceroute, a forbidden service, no route."""
    net.filter("rtr", """chain c { type filter hook forward priority 0;
        meta nfproto ipv4 tcp dport 81 reject with icmp type admin-prohibited;
        meta nfproto ipv6 tcp dport 81 reject with icmpv6 type admin-prohibited; }""")
    net.sysctl("rtr", net__ipv4__icmp_ratelimit=0, net__ipv6__icmp__ratelimit=0)
    hops = [1, 1, 1, 2, 2, 2, 3, 3, 3]
    started = [net.traffic("ttl", v, len(hops), *hops, port=33434) for v in VERSIONS]
    started += [net.traffic("udp", v, 200, 5, port=9, host=11) for v in VERSIONS]
    started += [net.traffic("connect", v, 12, port=81) for v in VERSIONS]
    started += [net.traffic("udp", 4, 200, 3, to="198.51.100.1", host=12)]
    net.wait(started)
    watch.wait(net, "both versions", "unreach_admin_prohibited", n=2, timeout=30)


def check_ordinary(net, found):
    assert sorted((a["name"], a["severity"], a["subject"]["reporter"]) for a in about_paths(found)) == sorted(
        ("unreach_admin_prohibited", "info", net.router(v)) for v in VERSIONS)
    for a in about_paths(found):
        assert "81" in a["says"]


def looping(net, watch):
    """Two routers have each other as the way to a network that is down."""
    lost = {4: "203.0.113.0/24", 6: "2001:db8:ff00::/48"}
    for v in VERSIONS:
        net._route("mid", v, lost[v], f"10.{net.number}.2.1" if v == 4 else f"2001:db8:{net.number:x}:2::1")
    for ns in ("rtr", "mid"):
        net.sysctl(ns, net__ipv4__icmp_ratelimit=0, net__ipv6__icmp__ratelimit=0, net__ipv4__icmp_msgs_per_sec=10000)
    net.wait([net.traffic("ttl", v, 400, 32, 33, host=n, to={4: "203.0.113.7", 6: "2001:db8:ff00::7"}[v])
              for v in VERSIONS for n in (10, 20)])
    watch.wait(net, "both versions", "icmp_te_loop", n=2, timeout=30)


def check_looping(net, found):
    assert [(a["name"], a["severity"]) for a in about_paths(found)] == [("icmp_te_loop", "warn")] * 2
    assert sorted(a["subject"]["prefix"] for a in about_paths(found)) == ["2001:db8:ff00::/48", "203.0.113.0/24"]
    for a in about_paths(found):
        v = 4 if "." in a["evidence"]["far"] else 6
        assert {a["evidence"]["reporter_1"], a["evidence"]["reporter_2"]} in (
            # Which of its addresses Linux takes for an error is its own affair.
            [{router, net.middle(v)} for router in (net.router(v), net.middle(v)[:-1] + "1")])


LEGACY = """
import sys, time
from scapy.all import ICMP, IP, TCP, Ether, sendp
host, far, router = sys.argv[1:4]
quote = IP(src=host, dst=far, len=1500, flags="DF", ttl=63, id=77) / TCP(sport=int(sys.argv[4]), dport=5001, seq=1000)
frame = Ether(src=sys.argv[5], dst=sys.argv[6]) / IP(src=router, dst=host) / ICMP(type=3, code=4, nexthopmtu=0) / bytes(quote)[:28]
for _ in range(2):
    sendp(frame, iface="eth0", verbose=0)
    time.sleep(0.5)
"""


def legacy(net, watch):
    """A router from before RFC 1191 does not say how much."""
    net.both("tcp", 1000, 1)
    net.run("/usr/bin/python3", "-c", LEGACY, net.host(4), net.far(4), net.router(4), 40000, net.mine(lab.ROUTER_MAC),
            net.mine(lab.HOSTS["h1"]), ns="rtr", timeout=60)
    watch.wait(net, "named", "pmtu_legacy_zero", timeout=30)


def check_legacy(net, found):
    assert [(a["name"], a["severity"]) for a in about_paths(found)] == [("pmtu_legacy_zero", "warn")]
    (a,) = about_paths(found)
    assert a["subject"]["reporter"] == net.router(4)
    assert (a["evidence"]["plateau"], a["evidence"]["quoted_len"]) == (1492, 1500)


class S:
    def __init__(self, run, check, mtus=(1400, 1500), offload=False):
        self.run, self.check, self.mtus, self.offload = run, check, mtus, offload


SCENARIOS = {
    "healthy": S(healthy, check_healthy),
    "healthy-1280": S(healthy, check_healthy, (1280, 1500)),
    "datagrams": S(datagrams, check_healthy),
    "nested": S(healthy, check_nested, (1492, 1400)),
    "deaf": S(deaf, check_deaf),
    "silent": S(silent, check_silent),
    "probing": S(probing, check_probing),
    "clamped": S(clamped, check_clamped),
    "far-side": S(far_side, check_nothing, (1500, 1400)),
    "congested": S(congested, check_nothing, (1500, 1500)),
    "dead": S(dead, check_dead, (1500, 1500)),
    "offloaded": S(offloaded, check_offloaded, (1500, 1500), offload=True),
    "offloaded-1400": S(offloaded, check_offloaded_small, offload=True),
    "ordinary": S(ordinary, check_ordinary, (1500, 1500)),
    "looping": S(looping, check_looping, (1500, 1500)),
    "legacy": S(legacy, check_legacy, (1500, 1500)),
}


def about_paths(found):
    return [a for a in found if a["name"].startswith(ABOUT_PATHS)]


def as_document(a):
    """A live anomaly with its subject and evidence as the reader has them; numbers stay texts where they are no integers."""
    a = dict(a)
    for group in ("subject", "evidence"):
        a[group] = {k[len(group) + 1:]: v for k, v in a.items() if k.startswith(group + "_")}
    return a


def play(net, scenario, watch):
    """What went wrong in it, or None."""
    try:
        scenario.run(net, watch)
    except BaseException:  # to be raised in the test that this scenario is for
        return traceback.format_exc()
    return None


class Played:
    """Of a scenario: its LAN, what went wrong on the way, what was found, its row of paths, frames that were missed."""

    def __init__(self, folder):
        self.folder, self.turn = folder, 0
        self.nets, self.wrong, self.live, self.captures, self.table, self.missed = {}, {}, {}, {}, {}, {}

    def play(self, names):
        """These side by side, a port each."""
        self.turn += 1
        with lan_group._tap_namespace() as taps, concurrent.futures.ThreadPoolExecutor(len(names)) as pool, \
                contextlib.ExitStack() as stack:
            nets = {}

            def make(port, name):
                kind = type("Path", (PathLan,), {"mtus": SCENARIOS[name].mtus, "offload": SCENARIOS[name].offload})
                nets[name] = net = kind(tap=(taps, f"tap{port}"), number=0x10 + port)
                net.port = port
                net.bring_up()

            stack.callback(lambda: list(pool.map(lab.Lab.close, nets.values())))
            list(pool.map(make, range(len(names)), names))
            recorders = {}
            for name, net in nets.items():
                self.captures[name] = self.folder / f"{name}-{self.turn}.pcap"
                recorders[name] = net.start("ip", "netns", "exec", taps, "tcpdump", "-Z", "root", "-Uni", net.tap[1], "-s", 2048,
                                            "-B", 4096, "-w", self.captures[name])
            for name in names:
                lab.wait_for(f"{name} is recorded", lambda: self.captures[name].exists())
            ports = [arg for i in range(len(names)) for arg in ("-p", f"tap{i}")]
            with Scope(*ports, "--set", "detect.learn_s=0", "--set", "eal.memory_mb=1024", "-w", "1", ns=taps) as scope:
                watch = Watch(scope)
                wrong = pool.map(lambda n: play(nets[n], SCENARIOS[n], watch), names)
                self.wrong.update(zip(names, wrong))
                time.sleep(2)
                info = scope.settled()
                assert info["frames"] == info["classes_sum"] and info["conservation_ok"] == 1
                table = scope.ask("/icmpscope/pmtu/table")
                assert len(table["far"]) < 64, "asked for one page only"
                for name, net in nets.items():
                    self.nets[name], self.table[name], self.missed[name] = net, table, info["missed"]
                    self.live[name] = [as_document(a) for a in watch.found(net)]
            for name, p in recorders.items():
                nets[name].stop(p, signal.SIGINT)


@pytest.fixture(scope="module")
def all_played(tmp_path_factory):
    program("icmpscope")
    out = Played(tmp_path_factory.mktemp("path"))
    out.play(list(SCENARIOS))
    return out


@pytest.fixture
def played(all_played, name, request):
    if is_again(request):
        all_played.play([name])
    return all_played


@pytest.mark.parametrize("name", SCENARIOS)
def test_live(played, name):
    print("\n".join(f"{a['severity']} {a['name']} {a['variant']} {a['state']}: {a['says']}\n    {a['subject']} {a['evidence']}"
                    for a in played.live[name]))
    assert played.wrong[name] is None, played.wrong[name]
    assert played.missed[name] == 0, "frames were missed: findings may be, too"
    assert [a["name"] for a in played.live[name] if a["severity"] != "info" and not a["name"].startswith(ABOUT_PATHS)] == []
    SCENARIOS[name].check(played.nets[name], played.live[name])


@pytest.mark.parametrize("name,black_hole", (("healthy", 0), ("healthy-1280", 0), ("deaf", 1)))
@pytest.mark.parametrize("version", VERSIONS)
def test_table(played, name, black_hole, version):
    """What /icmpscope/pmtu/table says about the path."""
    net, t = played.nets[name], played.table[name]
    (row,) = [i for i in range(len(t["far"])) if (t["host"][i], t["far"][i], t["class"][i]) == (net.host(version), net.far(version), "tcp")]
    mtu = net.mtus[0]
    assert {k: t[k][row] for k in ("mtu", "reporter", "mss4", "mss6", "black_hole")} == {
        "mtu": mtu, "reporter": net.router(version), "mss4": mtu - 40, "mss6": mtu - 60, "black_hole": black_hole}


@pytest.mark.parametrize("name", SCENARIOS)
def test_recorded(played, reader, name):
    document = reader.json("--set", "detect.learn_s=0", played.captures[name])
    SCENARIOS[name].check(played.nets[name], document["anomalies"])
