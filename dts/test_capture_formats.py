"""One capture in every format and link type that the reader knows gives one verdict."""

import struct

import pytest
from capture_files import pcap, pcapng, read_pcap
from conftest import VECTORS

FRAMES = read_pcap(VECTORS / "incident1.pcap")


def verdict(j):
    """Everything but the name of the file."""
    out = dict(j, captures=[{k: v for k, v in c.items() if k != "file"} for c in j["captures"]])
    return out


@pytest.mark.parametrize("write", [pcap, pcapng])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("unit", ["us", "ns"])
def test_formats(reader, tmp_path, write, order, unit):
    path = tmp_path / "a"
    path.write_bytes(write(FRAMES, order, unit))
    assert verdict(reader.json(path)) == verdict(reader.json(VECTORS / "incident1.pcap"))


def untag(frame):
    """(EtherType, what follows it), without VLAN tags."""
    off = 12
    while frame[off : off + 2] in (b"\x81\0", b"\x88\xa8"):
        off += 4
    return frame[off : off + 2], frame[off + 2 :]


def sll(kind, rest):
    return struct.pack(">HHH", 0, 1, 6) + b"\0" * 8 + kind + rest


def sll2(kind, rest):
    return kind + struct.pack(">HIHBB", 0, 1, 1, 0, 6) + b"\0" * 8 + rest


def null(order):
    def make(kind, rest):
        return struct.pack(order + "I", {b"\x08\0": 2, b"\x86\xdd": 24}[kind]) + rest

    return make


LINKS = {
    "raw-12": (12, lambda kind, rest: rest),
    "raw-14": (14, lambda kind, rest: rest),
    "raw-101": (101, lambda kind, rest: rest),
    "sll": (113, sll),
    "sll2": (276, sll2),
    "null-little": (0, null("<")),
    "null-big": (0, null(">")),
    "loop": (108, null(">")),
}


@pytest.mark.parametrize("name", LINKS)
def test_link_types(reader, tmp_path, name):
    link, make = LINKS[name]
    ip = [(ns, *untag(f)) for ns, f, _ in FRAMES]
    ip = [(ns, kind, rest) for ns, kind, rest in ip if kind in (b"\x08\0", b"\x86\xdd")]
    assert len(ip) > 10
    plain = tmp_path / "ethernet.pcap"
    plain.write_bytes(pcap([(ns, b"\0" * 12 + kind + rest, 14 + len(rest)) for ns, kind, rest in ip]))
    path = tmp_path / "a.pcap"
    other = [(ns, make(kind, rest)) for ns, kind, rest in ip]
    path.write_bytes(pcap([(ns, f, len(f)) for ns, f in other], link=link))
    want, got = reader.json(plain), reader.json(path)
    assert got["classes"] == want["classes"]
    assert got["classes"]["malformed"] == 0 and got["classes"]["nd_ra"] > 0
    assert [r["address"] for r in got["routers"]] == ["fe80::1"]


@pytest.mark.parametrize("link,version", [(228, b"\x08\0"), (229, b"\x86\xdd")])
def test_raw_of_one_version(reader, tmp_path, link, version):
    ip = [(ns, *untag(f)) for ns, f, _ in FRAMES]
    frames = [(ns, rest, len(rest)) for ns, kind, rest in ip if kind == version]
    if version == b"\x08\0":
        # 192.0.2.1 > 192.0.2.2, echo request
        echo = bytes.fromhex("4500001c000000004001f6ddc0000201c00002020800f7ff00000000")
        frames.append((10**18, echo, len(echo)))
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(frames, link=link))
    j = reader.json(path)
    assert j["frames"] == len(frames) > 0 and j["classes"]["malformed"] == j["classes"]["non_ip"] == 0
    assert j["classes"]["icmp4_echo_request"] + j["classes"]["nd_ra"] > 0
