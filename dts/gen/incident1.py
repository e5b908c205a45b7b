#!/usr/bin/python3
"""Writes the capture of incident 1, the default gateway that vanished: dts/gen/incident1.py [FILE]

VLAN 10 of a mirror port, 2016-05-12: eight hosts come up behind one router and live their ordinary life. At
00:21:10.543, 13 s after its last advertisement, the router retracts itself (RA with Router Lifetime 0); 90 s later
it is back. At 00:41:05 it announces, to all nodes, that it is no router (NA with the flags 0x20000000). The file is
the same byte for byte every time: no clock, no randomness. dts/test_vectors.py compares it with the shipped one.
"""

import calendar
import os
import sys

import packets as p

VLAN = 10
MIDNIGHT = calendar.timegm((2016, 5, 12, 0, 0, 0)) * 1000000
HOSTS = 8
FAR = "2001:db8:9::9"
DEFAULT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "vectors", "incident1.pcap")

# Time of day of what the test and the quick start look for.
RA_BEFORE = (0, 20, 57, 543000)
RA_ZERO = (0, 21, 10, 543000)
RA_BACK = (0, 22, 40, 543000)
NA_NOT_ROUTER = (0, 41, 5, 200000)


def at(hour, minute, second, us=0):
    return MIDNIGHT + ((hour * 60 + minute) * 60 + second) * 1000000 + us


class Day:
    def __init__(self):
        self.frames = []
        self.router = p.Node(1)
        self.hosts = [p.Node(0x10 + i) for i in range(HOSTS)]

    def add(self, us, frame):
        self.frames.append((us, bytes(frame)))

    def boot(self, host, us):
        """RFC 4862 5.4.2 (join, then probe), RFC 4861 6.3.7 (RS), and the first contact with the router."""
        nonce = bytes([0xA1, 0xA2, 0xA3, 0xA4, 0xA5, int(host.mac[-2:], 16)])
        group = p.solicited_node(host.ll)
        self.add(us, p.mld2_report(host, "::", [(4, group)], vlan=VLAN))
        self.add(us + 150000, p.dad(host, host.ll, nonce, vlan=VLAN))
        self.add(us + 1200000, p.mld2_report(host, host.ll, [(4, group)], vlan=VLAN))
        self.add(us + 1300000, p.rs(host, vlan=VLAN))
        self.add(us + 1700000, p.ra(self.router, 1800, vlan=VLAN))
        self.add(us + 2100000, p.dad(host, host.gua, nonce[:5] + b"\x77", vlan=VLAN))
        self.resolve(host, us + 3200000)

    def query(self, us, hosts):
        """The router asks for listeners (RFC 9777 9.2), and all answer within 10 s."""
        self.add(us, p.mld2_query(self.router, vlan=VLAN))
        for i, node in enumerate([self.router, *hosts]):
            groups = [(2, p.solicited_node(node.ll))]
            self.add(us + 400000 + 1037000 * i, p.mld2_report(node, node.ll, groups, vlan=VLAN))

    def resolve(self, host, us):
        self.add(us, p.ns(host, host.ll, self.router.ll, vlan=VLAN))
        self.add(us + 400, p.na(self.router, self.router.ll, host.ll, host.mac, router=1, vlan=VLAN))

    def probe(self, host, us):
        """The host asks whether the router is still there; the router asks back (RFC 4861 7.3.3)."""
        self.add(us, p.ns(host, host.ll, self.router.ll, self.router.mac, vlan=VLAN))
        self.add(us + 300, p.na(self.router, self.router.ll, host.ll, host.mac, router=1, override=0, vlan=VLAN))
        self.add(us + 5000000, p.ns(self.router, self.router.ll, host.ll, host.mac, vlan=VLAN))
        self.add(us + 5000250, p.na(host, host.ll, self.router.ll, self.router.mac, override=0, vlan=VLAN))

    def talk(self, host, us, port):
        """A short TCP exchange with a server beyond the router, and a name lookup."""
        up = (host.gua, FAR, host.mac, self.router.mac)
        down = (FAR, host.gua, self.router.mac, host.mac)
        self.add(us, p.udp6(host.gua, "2001:db8:9::53", host.mac, self.router.mac, port, 53, b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\7example\3org\0\0\x1c\0\1", vlan=VLAN))
        self.add(us + 20000, p.tcp6(*up, port, 443, "S", 100, 0, vlan=VLAN))
        self.add(us + 30000, p.tcp6(*down, 443, port, "SA", 900, 101, vlan=VLAN))
        self.add(us + 30100, p.tcp6(*up, port, 443, "A", 101, 901, vlan=VLAN))
        self.add(us + 31000, p.tcp6(*up, port, 443, "PA", 101, 901, b"\x17" * 120, vlan=VLAN))
        self.add(us + 45000, p.tcp6(*down, 443, port, "A", 901, 221, b"\x17" * 1420, vlan=VLAN))
        self.add(us + 45100, p.tcp6(*up, port, 443, "A", 221, 2321, vlan=VLAN))


def build():
    day = Day()
    for i, host in enumerate(day.hosts):
        day.boot(host, at(0, 2 + i, 11, 173000 * i))
    # A round of unsolicited advertisements about every 200 s (RFC 4861 6.2.1), until the incident.
    for second in (30, 231, 428, 633, 829, 1027):
        day.add(at(0, 0, second, 61000), p.ra(day.router, 1800, vlan=VLAN))
    for second in range(40, 2500, 125):
        day.query(at(0, 0, second, 5000), day.hosts[:max(0, min(HOSTS, (second - 75) // 60))])
    for i, host in enumerate(day.hosts):
        day.probe(host, at(0, 12 + i, 20, 31000 * i))
    for i, host in enumerate(day.hosts[:3]):
        day.talk(host, at(0, 15, 7 + 11 * i), 40000 + i)
    day.add(at(*RA_BEFORE), p.ra(day.router, 1800, vlan=VLAN))
    day.add(at(*RA_ZERO), p.ra(day.router, 0, pio_auto=False, vlan=VLAN))
    # Hosts without a gateway: only the link itself still works.
    for i, host in enumerate(day.hosts[:4]):
        peer = day.hosts[i + 4]
        us = at(0, 21, 24 + 3 * i)
        day.add(us, p.ns(host, host.ll, peer.ll, vlan=VLAN))
        day.add(us + 300, p.na(peer, peer.ll, host.ll, host.mac, vlan=VLAN))
    day.add(at(*RA_BACK), p.ra(day.router, 1800, vlan=VLAN))
    for second in (1560, 1759, 1962, 2158, 2361):
        day.add(at(0, 0, second, 93000), p.ra(day.router, 1800, vlan=VLAN))
    for i, host in enumerate(day.hosts[:4]):
        day.probe(host, at(0, 30 + i, 41))
    for i, host in enumerate(day.hosts[3:5]):
        day.talk(host, at(0, 36, 2 + 9 * i), 41000 + i)
    day.add(at(*NA_NOT_ROUTER), p.na(day.router, day.router.ll, p.ALL_NODES, router=0, solicited=0, vlan=VLAN))
    for i, host in enumerate(day.hosts[:2]):
        peer = day.hosts[i + 2]
        us = at(0, 41, 20 + 4 * i)
        day.add(us, p.ns(host, host.ll, peer.ll, vlan=VLAN))
        day.add(us + 300, p.na(peer, peer.ll, host.ll, host.mac, vlan=VLAN))
    return sorted(day.frames, key=lambda f: f[0])


if __name__ == "__main__":
    p.write_pcap(sys.argv[1] if len(sys.argv) > 1 else DEFAULT, build())
