"""What was learned outlives a restart: stop, start, and a rogue router or a dying gateway is named at its first packet."""

import signal
import time

import lab
import pytest
from scope import Scope

WHY_NOT = lab.unavailable()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

T0 = 1463012450
ROUTER, MAC = "fe80::1", "00:00:5e:00:53:01"
ROGUE, ROGUE_MAC = "fe80::66", "00:00:5e:00:53:66"


def ra(src, mac, lifetime, when):
    from scapy.all import Ether, ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, IPv6

    frame = Ether(src=mac, dst="33:33:00:00:00:01") / IPv6(src=src, dst="ff02::1", hlim=255) / \
        ICMPv6ND_RA(routerlifetime=lifetime) / ICMPv6NDOptSrcLLAddr(lladdr=mac) / \
        ICMPv6NDOptPrefixInfo(prefix="2001:db8:1::", prefixlen=64, L=1, A=1, validlifetime=86400, preferredlifetime=14400)
    frame.time = T0 + when
    return frame


@pytest.fixture
def captures(tmp_path):
    from scapy.all import wrpcap

    def write(name, *frames):
        wrpcap(str(tmp_path / name), list(frames))
        return tmp_path / name

    return (write("learn.pcap", *(ra(ROUTER, MAC, 1800, t) for t in (0, 200, 400, 600))),
            write("rogue.pcap", ra(ROGUE, ROGUE_MAC, 1800, 610)),
            write("zero.pcap", ra(ROUTER, MAC, 0, 610)))


def names(scope):
    return {a["name"] for a in scope.anomalies()}


def run(capture, state):
    scope = Scope("-p", f"pcap:{capture}", "--set", f"state.file={state}")
    lab.wait_for("the capture is read", lambda: "capture read" in scope.output(), 20)
    scope.settled()
    return scope


def test_no_blind_window(captures, tmp_path):
    learn, rogue, zero = captures
    state = tmp_path / "state"
    with run(learn, state) as scope:
        assert scope.info()["state"] == "on" and scope.info()["state_restored"] == "nothing"
        assert names(scope) == set()
    assert state.stat().st_mode & 0o777 == 0o600
    learned = state.read_bytes()

    with run(rogue, state) as scope:
        info = scope.info()
        assert info["state_restored_segments"] == info["state_restored_routers"] == 1 and info["state_not_restored"] == 0
        assert info["state_restored"] == "2016-05-12T00:30:50.000000Z"
        assert "restored: 1 segments, 1 routers, 1 prefixes" in scope.output()
        assert "router_new" in names(scope)
        (a,) = [a for a in scope.anomalies() if a["name"] == "router_new"]
        assert a["subject_router"] == ROGUE
    # Without the file the same capture is what a segment is learned from.
    with run(rogue, tmp_path / "other") as scope:
        assert "router_new" not in names(scope)

    state.write_bytes(learned)
    with run(zero, state) as scope:
        (a,) = [a for a in scope.anomalies() if a["name"] == "router_lifetime_zero"]
        assert a["severity"] == "critical" and a["evidence_event"] == "gateway_retracted"
    with run(zero, tmp_path / "third") as scope:
        (a,) = [a for a in scope.anomalies() if a["name"] == "router_lifetime_zero"]
        assert a["evidence_event"] == "first_seen_zero"


def test_damaged_file_is_set_aside(captures, tmp_path):
    learn, rogue, _ = captures
    state = tmp_path / "state"
    with run(learn, state):
        pass
    data = bytearray(state.read_bytes())
    data[len(data) // 2] ^= 1
    state.write_bytes(data)
    with run(rogue, state) as scope:
        lines = [line for line in scope.output().splitlines() if "state file" in line]
        assert len(lines) == 1 and "damaged" in lines[0] and f"renamed to {state}.bad" in lines[0], lines
        assert "router_new" not in names(scope) and scope.info()["state_restored"] == "nothing"
    assert (tmp_path / "state.bad").read_bytes() == data
    assert state.read_bytes() != data


def test_disk_that_takes_nothing(captures, tmp_path):
    """It is said, the old file stays, and the program ends well."""
    learn, rogue, _ = captures
    state = tmp_path / "state"
    with run(learn, state):
        pass
    before = state.read_bytes()
    (tmp_path / "state.tmp").mkdir()
    scope = run(rogue, state)
    scope.process.send_signal(signal.SIGINT)
    scope.process.wait(60)
    assert scope.process.returncode == 0 and f"the state cannot be saved in {state}" in scope.output()
    scope.stop()
    assert state.read_bytes() == before


def test_directory_that_is_not_there(tmp_path):
    with pytest.raises(AssertionError, match="its directory cannot be written"):
        Scope("-p", "net_null0", "--set", f"state.file={tmp_path}/none/state")


SEND = "import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); s.send(bytes.fromhex(sys.argv[1]))"
LEARN_S = 20


@pytest.mark.live
def test_live(tmp_path):
    """A router of a LAN is learned; after the restart another one appears while a start from nothing would still learn."""
    state = tmp_path / "state"
    args = ("-p", "tap0", "--set", f"state.file={state}", "--set", f"detect.learn_s={LEARN_S}")
    rogue = bytes(ra(ROGUE, ROGUE_MAC, 1800, 0)).hex()
    with lab.Lab() as lan:
        lan.router_up()
        lan.hosts_up()
        lan.radvd_start()
        with Scope(*args, ns=lan.ns("tap")) as scope:
            lab.wait_for("the router is known", lambda: scope.info()["routers"] == 1, 20)
            lab.wait_for("learning is over", lambda: scope.ask("/icmpscope/segment/info,0")["first_ns"] < (time.time() - LEARN_S) * 1e9)
            assert "router_new" not in names(scope)
        began = time.time()
        with Scope(*args, ns=lan.ns("tap")) as scope:
            assert scope.info()["state_restored_routers"] == 1 and scope.info()["routers"] == 1
            lan.run("/usr/bin/python3", "-c", SEND, rogue, ns="h1")
            lab.wait_for("the rogue router is named", lambda: "router_new" in names(scope))
            (a,) = [a for a in scope.anomalies() if a["name"] == "router_new"]
            assert began <= a["first_ns"] / 1e9 < began + LEARN_S
