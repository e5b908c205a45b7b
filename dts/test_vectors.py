"""The shipped captures are what the generators of dts/gen make, and hold the frames of the incidents byte for byte."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

DTS = Path(__file__).parent
VECTORS = DTS / "vectors"

# The frames that did the damage, as Ethernet frames without VLAN tag.
INC_RA = bytes.fromhex(
    "33330000000100005e00530186dd6000000000403afffe800000000000000000000000000001ff020000000000000000000000000001"
    "86008a8240000000000dbba000000000010100005e0053010304408000278d0000093a800000000020010db800010000000000000000"
    "000005010000000005dc"
)
INC_NA = bytes.fromhex(
    "33330000000100005e00530186dd6000000000203afffe800000000000000000000000000001ff020000000000000000000000000001"
    "8800a89a20000000fe800000000000000000000000000001020100005e005301"
)
B_RA = bytes.fromhex(
    "33330000000100005e00530186dd6000000000403afffe800000000000000000000000000001ff020000000000000000000000000001"
    "8600833a40000708000dbba000000000010100005e005301030440c000278d0000093a800000000020010db800010000000000000000"
    "000005010000000005dc"
)


def read_pcap(path):
    """(microseconds since the epoch, frame) of a little-endian pcap."""
    data = path.read_bytes()
    assert struct.unpack_from("<I", data)[0] == 0xA1B2C3D4
    out, off = [], 24
    while off < len(data):
        sec, us, cap, wire = struct.unpack_from("<IIII", data, off)
        assert cap == wire
        out.append((sec * 1000000 + us, data[off + 16 : off + 16 + cap]))
        off += 16 + cap
    return out


def untag(frame, vlan):
    assert frame[12:16] == b"\x81\x00" + struct.pack(">H", vlan)
    return frame[:12] + frame[16:]


@pytest.mark.parametrize("name", ["incident1"])
def test_shipped_capture_is_what_the_generator_makes(name, tmp_path):
    for i in (1, 2):
        out = tmp_path / f"{name}-{i}.pcap"
        subprocess.run([sys.executable, str(DTS / "gen" / f"{name}.py"), str(out)], check=True, timeout=60)
        assert out.read_bytes() == (VECTORS / f"{name}.pcap").read_bytes()


def test_incident1_holds_the_frames_of_the_incident():
    frames = [(us, untag(f, 10)) for us, f in read_pcap(VECTORS / "incident1.pcap")]
    assert 60 <= len(frames) <= 400
    assert [us for us, _ in frames] == sorted(us for us, _ in frames)
    zero = [us for us, f in frames if f == INC_RA]
    not_router = [us for us, f in frames if f == INC_NA]
    alive = [us for us, f in frames if f == B_RA]
    assert len(INC_RA) == 118 and len(zero) == 1 and len(not_router) == 1
    # 13 s after the advertisement before it, and no other retraction in the file.
    assert zero[0] - max(us for us in alive if us < zero[0]) == 13000000
    ra = [f for _, f in frames if f[20] == 58 and f[54] == 134]
    assert len(ra) == len(zero) + len(alive)
    assert any(zero[0] < us < not_router[0] for us in alive)


def test_mix_has_equal_parts_and_as_many_distinct_frames_as_asked(tmp_path):
    gen = str(DTS / "gen" / "mix.py")
    subprocess.run([sys.executable, gen, str(tmp_path), "--frames", "64", "--distinct", "16"], check=True, timeout=60)
    nd = [f for _, f in read_pcap(tmp_path / "nd_mix.pcap")]
    bulk = [f for _, f in read_pcap(tmp_path / "bulk.pcap")]
    assert len(nd) == len(bulk) == 64
    assert len(set(nd)) == len(set(bulk)) == 16
    kinds = [
        sum(f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == t for f in nd) for t in (135, 136)
    ] + [
        sum(f[12:14] == b"\x86\xdd" and f[20] == 0 and f[62] == 143 for f in nd),
        sum(f[12:14] == b"\x08\x00" and f[34:36] == b"\x03\x04" for f in nd),
    ]
    assert kinds == [16, 16, 16, 16]
    assert {len(f) for f in bulk} == {60, 74}
