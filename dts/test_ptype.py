"""[worker] trust_ptype: through a port of net_tap, whose driver says what each frame is, every kind of frame is counted as without;
and a driver that says a wrong thing is believed no longer."""

import os
import random
import struct

import lab
import pytest
from scope import Scope
from wire import Wire

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="kernel interfaces need root"), pytest.mark.live]

MACS = bytes.fromhex("020000000001020000000002")
ADDRS = bytes(range(1, 33))
ROUNDS = 20


def ip4(proto, payload, ihl=5, frag=0, total=None):
    head = bytes([0x40 | ihl, 0]) + struct.pack(">HHH", ihl * 4 + len(payload) if total is None else total, 7, frag) + bytes([64, proto]) + \
        bytes(2) + bytes([192, 0, 2, 1, 192, 0, 2, 2]) + b"\x01" * (ihl * 4 - 20)
    s = sum(struct.unpack(f">{len(head) // 2}H", head))
    s = (s & 0xFFFF) + (s >> 16)
    return head[:10] + struct.pack(">H", ~(s + (s >> 16)) & 0xFFFF) + head[12:] + payload


def ip6(proto, payload, length=None, version=6):
    return bytes([version << 4, 0, 0, 0]) + struct.pack(">H", len(payload) if length is None else length) + bytes([proto, 64]) + ADDRS + payload


def ether(kind, packet, size=60):
    return (MACS + struct.pack(">H", kind) + packet).ljust(size, b"\0")


TCP = struct.pack(">HHIIBBHHH", 40000, 443, 1, 2, 0x50, 0x10, 1000, 0, 0)
UDP = struct.pack(">HHHH", 40000, 4500, 8 + 32, 0) + bytes(32)
SCTP = struct.pack(">HHII", 5000, 5001, 9, 0) + bytes(16)
ECHO6 = bytes([128, 0, 0, 0, 0, 1, 0, 1]) + bytes(16)
NS = bytes([135, 0, 0, 0, 0, 0, 0, 0]) + ADDRS[16:]
HBH = lambda proto: bytes([proto, 0, 5, 2, 0, 0, 1, 0])
FRAG6 = lambda proto, field: bytes([proto, 0]) + struct.pack(">HI", field, 77)
VXLAN = struct.pack(">HHHH", 40000, 4789, 8 + 8 + 60, 0) + bytes([8, 0, 0, 0, 0, 0, 1, 0])


def kinds():
    tagged = lambda tag, frame: frame[:12] + tag + frame[12:]
    plain4, plain6 = ether(0x800, ip4(6, TCP)), ether(0x86DD, ip6(6, TCP))
    for proto, l4 in ((6, TCP), (17, UDP), (132, SCTP), (1, bytes([8, 0, 0xF7, 0xFF, 0, 0, 0, 0])), (2, bytes(8)), (47, bytes(8)), (50, bytes(24))):
        yield ether(0x800, ip4(proto, l4))
        yield ether(0x800, ip4(proto, l4, ihl=6))
        yield ether(0x800, ip4(proto, l4, ihl=15), size=100)
        yield ether(0x800, ip4(proto, l4, frag=0x2000))  # the first fragment
        yield ether(0x800, ip4(proto, l4, frag=0x2010))
        yield ether(0x800, ip4(proto, l4, total=1000))
        yield ether(0x800, ip4(proto, l4, total=10))
    for proto, l4 in ((6, TCP), (17, UDP), (132, SCTP), (58, ECHO6), (58, NS), (59, b""), (200, bytes(8))):
        yield ether(0x86DD, ip6(proto, l4))
        yield ether(0x86DD, ip6(proto, l4, length=1000))
        yield ether(0x86DD, ip6(0, HBH(proto) + l4))
        yield ether(0x86DD, ip6(44, FRAG6(proto, 1) + l4))
        yield ether(0x86DD, ip6(44, FRAG6(proto, 0x1001) + l4))
        yield ether(0x86DD, ip6(44, FRAG6(proto, 0) + l4))
    for frame in (plain4, plain6, ether(0x86DD, ip6(58, NS))):
        yield tagged(b"\x81\x00\x00\x05", frame)
        yield tagged(b"\x88\xa8\x00\x06\x81\x00\x00\x05", frame)
        yield tagged(b"\x91\x00\x00\x06\x81\x00\x00\x05", frame)
        yield ether(0x8847, b"\x00\x01\x01\x40" + frame[14:])
        yield ether(0x8864, b"\x11\x00\x00\x01" + struct.pack(">H", len(frame) - 12) + (b"\x00\x21" if frame is plain4 else b"\x00\x57") + frame[14:])
        yield ether(0x800, ip4(17, VXLAN + frame))
        yield ether(0x800, ip4(47, b"\x00\x00\x65\x58" + frame))
        yield ether(0x800, ip4(4 if frame is plain4 else 41, frame[14:]))
    yield ether(0x806, struct.pack(">HHBBH", 1, 0x800, 6, 4, 1) + bytes(20))
    yield ether(0x88CC, bytes(46))
    yield ether(60, bytes(46))
    yield plain4[:14] + ip4(17, UDP[:8])  # 42 octets, without padding
    yield plain4[:14] + ip4(6, TCP)[:30]
    yield plain6[:14] + ip6(17, UDP[:8])[:44]
    yield ether(0x800, b"\x65" + ip4(6, TCP)[1:])


def run(frames, *settings):
    """Of all frames: classes, encapsulations, the port, what was not looked at, and rules."""
    with Wire(pairs=0) as wire, \
            Scope("-p", "net_tap0,iface=peer0", *[x for s in settings for x in ("--set", s)], ns=wire.ns) as scope:
        for i, frame in enumerate(frames):
            wire.send(frame)
            # One goes alone, so that it is a burst. The queue of a tap device holds 500.
            if i == 0 or i % 200 == 199:
                lab.wait_for("frames are in", lambda: scope.info()["frames"] > i)
        lab.wait_for("all frames are in", lambda: scope.info()["frames"] >= len(frames))
        info = scope.assert_conservation()
        assert info["frames"] == len(frames)
        reasons = {k: v for k, v in scope.ask("/icmpscope/reasons").items() if v}
        return (scope.ask("/icmpscope/classes"), scope.ask("/icmpscope/encapsulation"), scope.ask("/icmpscope/port/info,0")["packet_types"],
                scope.ask("/icmpscope/worker/info,0")["told"], reasons)


@pytest.mark.parametrize("tunnels", ["off", "all"])
def test_every_kind_of_frame_is_counted_as_without(tunnels):
    frames = list(kinds()) * ROUNDS
    random.Random(1).shuffle(frames)
    without = run(frames, "sample.enable=off", f"decode.tunnels={tunnels}")
    trusted = run(frames, "sample.enable=off", "worker.trust_ptype=on", f"decode.tunnels={tunnels}")
    assert (without[2], without[3]) == ("declared", 0)
    assert trusted[2] == "trusted"
    # Of IPv4: whole packets of any length, and with options where the frame is long enough; of IPv6: without extension headers.
    l4 = 2 if tunnels == "all" else 3
    assert trusted[3] >= ROUNDS * (l4 * (3 + 1 + 2))
    assert trusted[0] == without[0]
    assert trusted[1] == without[1]
    differing = {k for k in {**trusted[4], **without[4]} if trusted[4].get(k) != without[4].get(k)}
    # Lengths in the IP headers of frames that were not looked at (config/icmpscope.ini).
    assert differing <= {"ip4_hdr_bad", "ip6_truncated"}


def test_the_sampler_wants_to_see_every_header():
    frames = list(kinds())
    got = run(frames, "sample.enable=on", "worker.trust_ptype=on")
    assert (got[2], got[3]) == ("declared", 0)


def test_a_wrong_type_ends_the_trust():
    """DPDK's own parser calls this IPv6 and TCP without looking at the version."""
    wrong, right = ether(0x86DD, ip6(6, TCP, version=4)), ether(0x86DD, ip6(6, TCP))
    classes, _, packet_types, told, _ = run([wrong] * 100 + [right] * 400, "sample.enable=off", "worker.trust_ptype=on")
    assert packet_types == "withdrawn"
    assert (classes["malformed"], classes["ip6_other"], told) == (100, 400, 0)
