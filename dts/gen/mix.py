#!/usr/bin/python3
"""Writes the traffic mixes of the benchmarks as captures to be looped: dts/gen/mix.py DIR [--frames N] [--distinct N]

bulk.pcap    TCP without payload, IPv4 and IPv6 in turns: the shortest frames there are (60 and 74 bytes without FCS)
nd_mix.pcap  neighbor solicitation, neighbor advertisement, MLDv2 report, ICMPv4 3/4, in equal parts
"""

import argparse
import ipaddress
import os

import packets as p

ROUTER = p.Node(1)


class Host:
    """Host i of many: locally administered MAC, addresses from 2001:db8:1::/64 and 10.0.0.0/8."""

    def __init__(self, i):
        self.mac = "02:00:" + ":".join("%02x" % b for b in (i + 0x100).to_bytes(4, "big"))
        iid = (i + 0x100).to_bytes(8, "big")
        self.ll = str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + iid))
        self.gua = str(ipaddress.IPv6Address(ipaddress.IPv6Address(p.PREFIX).packed[:8] + iid))
        self.ip4 = str(ipaddress.IPv4Address(0x0A000100 + i))


def bulk(i):
    h = Host(i)
    if i % 2 == 0:
        return bytes(p.tcp4(h.ip4, "198.51.100.9", h.mac, ROUTER.mac, 32768 + i % 16384, 443)).ljust(60, b"\0")
    return bytes(p.tcp6(h.gua, "2001:db8:9::9", h.mac, ROUTER.mac, 32768 + i % 16384, 443))


def nd_mix(i):
    h = Host(i // 4)
    kind = i % 4
    if kind == 0:
        return bytes(p.ns(h, h.ll, ROUTER.ll))
    if kind == 1:
        return bytes(p.na(h, h.ll, ROUTER.ll, ROUTER.mac))
    if kind == 2:
        return bytes(p.mld2_report(h, h.ll, [(4, p.solicited_node(h.ll))]))
    quoted = bytes(p.tcp4(h.ip4, "198.51.100.9", h.mac, ROUTER.mac, 40000, 443, payload=b"\0" * 1448, ident=i & 0xFFFF))[14:]
    return bytes(p.frag_needed(ROUTER, h, 1492, quoted))


def write(path, make, frames, distinct):
    made = [make(i) for i in range(min(frames, distinct))]
    p.write_pcap(path, [(i, made[i % len(made)]) for i in range(frames)])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("dir", help="where to write the captures")
    ap.add_argument("--frames", type=int, default=512, help="frames in each capture (512)")
    ap.add_argument("--distinct", type=int, help="different frames among them (all)")
    args = ap.parse_args()
    if args.frames < 4 or (args.distinct is not None and args.distinct < 4):
        ap.error("--frames and --distinct must be at least 4: the mix has four kinds")
    distinct = args.distinct or args.frames
    os.makedirs(args.dir, exist_ok=True)
    write(os.path.join(args.dir, "bulk.pcap"), bulk, args.frames, distinct)
    write(os.path.join(args.dir, "nd_mix.pcap"), nd_mix, args.frames, distinct)


if __name__ == "__main__":
    main()
