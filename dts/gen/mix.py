#!/usr/bin/python3
"""Writes the traffic mixes of the benchmarks as captures to be looped: dts/gen/mix.py DIR [--frames N] [--distinct N] [--mix NAME]...

bulk.pcap    TCP without payload, IPv4 and IPv6 in turns: the shortest frames there are (60 and 74 bytes without FCS)
nd_mix.pcap  neighbor solicitation, neighbor advertisement, MLDv2 report, ICMPv4 3/4, in equal parts
With --mix alone what it names, of these two and of: imix (UDP of 60, 576 and 1500 bytes, 7:4:1), ra (router advertisements with
prefix, MTU, route, DNS and search list), mld9 (MLDv2 reports with nine records), storm (one MLDv2 report all the time),
random_source (solicitations, each from a MAC and an address of its own)
"""

import argparse
import ipaddress
import os
import random

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6NDOptDNSSL, ICMPv6NDOptRDNSS, ICMPv6NDOptRouteInfo
from scapy.layers.l2 import Ether

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


def imix(i):
    size = (60, 60, 60, 60, 60, 60, 60, 576, 576, 576, 576, 1500)[i * 5 % 12]
    h = Host(i)
    head = Ether(src=h.mac, dst=ROUTER.mac) / IP(src=h.ip4, dst="198.51.100.9") / UDP(sport=32768 + i % 16384, dport=4500)
    return bytes(head / bytes(size - len(head)))


def ra(i):
    return bytes(p.ra(p.Node(1 + i % 200), 1800)
                 / ICMPv6NDOptRouteInfo(prefix="2001:db8:ff::", plen=48, rtlifetime=1800)
                 / ICMPv6NDOptRDNSS(lifetime=600, dns=["2001:db8::53", "2001:db8::5353"])
                 / ICMPv6NDOptDNSSL(lifetime=600, searchlist=["example.net", "example.org"]))


def mld9(i):
    h = Host(i)
    return bytes(p.mld2_report(h, h.ll, [(4, "ff02::1:ff%02x:%x" % (n, 0x100 + i)) for n in range(9)]))


def storm(i):
    return mld9(0)


def random_source(i):
    h = Host(random.Random(i).getrandbits(24))
    return bytes(p.ns(h, h.ll, ROUTER.ll))


MIXES = {"bulk": bulk, "nd_mix": nd_mix, "imix": imix, "ra": ra, "mld9": mld9, "storm": storm, "random_source": random_source}


def write(path, make, frames, distinct):
    made = [make(i) for i in range(min(frames, distinct))]
    p.write_pcap(path, [(i, made[i % len(made)]) for i in range(frames)])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("dir", help="where to write the captures")
    ap.add_argument("--frames", type=int, default=512, help="frames in each capture (512)")
    ap.add_argument("--distinct", type=int, help="different frames among them (all)")
    ap.add_argument("--mix", action="append", choices=MIXES, help="this mix (bulk and nd_mix)")
    args = ap.parse_args()
    if args.frames < 4 or (args.distinct is not None and args.distinct < 4):
        ap.error("--frames and --distinct must be at least 4: the mix has four kinds")
    distinct = args.distinct or args.frames
    os.makedirs(args.dir, exist_ok=True)
    for name in args.mix or ["bulk", "nd_mix"]:
        write(os.path.join(args.dir, name + ".pcap"), MIXES[name], args.frames, distinct)


if __name__ == "__main__":
    main()
