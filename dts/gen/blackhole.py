#!/usr/bin/python3
"""Writes incident 3, the pages that stayed blank, as a capture: dts/gen/blackhole.py FILE

VLAN 10, two hosts behind one router, 2016-05-12, and what an operator tried in turn. An old router says that a packet is too long,
and not for what (RFC 792). A router of the MPLS network says 1492 with its two labels (RFC 4950). A filter between the tap
and the host lets the host send the same long packets again and again. Then the filter stands on the other side of the tap:
long segments vanish, and nobody tells. Then access by PPPoE: 1492 for three far networks, for eleven minutes, in both
versions. Then IPsec: an application finds out by itself that 1240 octets pass. The file is the same byte for byte every time.
"""

import struct
import sys

import packets as p
from incident1 import VLAN, at
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.packet import Raw
from scapy.utils import checksum

OLD, MPLS, FILTERED, PPPOE = "203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"
PPPOE6 = "2001:db8:ff::4"
FAR_OLD, FAR_MPLS, FAR_FILTERED = "198.51.100.9", "198.51.100.20", "198.51.100.30"
FAR_SILENT, FAR_IPSEC = "198.18.1.9", "198.18.2.9"


class Day:
    def __init__(self):
        self.frames = []
        self.router = p.Node(1)
        self.hosts = [p.Node(0x10), p.Node(0x11)]

    def add(self, second, frame, us=0):
        self.frames.append((at(0, 0, second, us), bytes(frame)))

    def too_long(self, second, reporter, host, far, mtu, labels=()):
        """Type 3 code 4 about 1,500 octets with DF; the quote is 128 octets long where a label stack follows (RFC 4884 5.1)."""
        quote = bytes(IP(src=host.ip4, dst=far, len=1500, flags="DF", ttl=60, id=0x1234) / TCP(sport=50001, dport=443, flags="A"))[:28]
        extension = b""
        if labels:
            stack = b"".join(struct.pack(">I", v << 12 | (i == len(labels) - 1) << 8 | 60) for i, v in enumerate(labels))
            extension = struct.pack(">BBHHBB", 0x20, 0, 0, 4 + len(stack), 1, 1) + stack
            extension = extension[:2] + struct.pack(">H", checksum(extension)) + extension[4:]
            quote = quote.ljust(128, b"\0")
        self.add(second, p.ether(self.router.mac, host.ip4, host.mac, VLAN) / IP(src=reporter, dst=host.ip4, ttl=61, id=0x1234)
                 / ICMP(type=3, code=4, length=len(quote) // 4 if labels else 0, nexthopmtu=mtu) / Raw(quote + extension))

    def too_big(self, second, reporter, host, far, mtu):
        quote = bytes(IPv6(src=host.gua, dst=far, plen=1460, nh=6, hlim=60) / TCP(sport=50001, dport=443, flags="A")) + bytes(1172)
        self.add(second, p.ether(self.router.mac, host.gua, host.mac, VLAN) / IPv6(src=reporter, dst=host.gua, hlim=61)
                 / ICMPv6PacketTooBig(mtu=mtu) / Raw(quote[:1232]))

    def tcp(self, second, us, host, far, port, seq, ack, size=0, flags="A", mss=None, back=False):
        """size: of the IP packet; back: from the far end."""
        src, dst, smac, dmac = (host.ip4, far, host.mac, self.router.mac)
        sport, dport = port, 443
        if back:
            src, dst, smac, dmac, sport, dport = dst, src, dmac, smac, dport, sport
        options = [("MSS", mss)] if mss else []
        frame = p.ether(smac, dst, dmac, VLAN) / IP(src=src, dst=dst, ttl=64, flags="DF", id=seq & 0xFFFF)
        frame /= TCP(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack, window=65535, options=options)
        self.add(second, frame / Raw(bytes(size - 40)) if size else frame, us)

    def connection(self, second, host, far, port):
        """Handshake, and a request of 400 octets that arrives: what follows has number 1401."""
        self.tcp(second, 0, host, far, port, 1000, 0, flags="S", mss=1460)
        self.tcp(second, 20000, host, far, port, 5000, 1001, flags="SA", mss=1460, back=True)
        self.tcp(second, 40000, host, far, port, 1001, 5001, size=440)
        self.tcp(second, 60000, host, far, port, 5001, 1401, back=True)

    def attachment(self, second, host, far, port):
        """1,500 octets, and again 1, 3 and 7 s later; the far end has sent nothing but what it has so far."""
        self.connection(second, host, far, port)
        for after in (0, 1, 3, 7):
            self.tcp(second + after, 200000, host, far, port, 1401, 5001, size=1500)
            self.tcp(second + after, 400000, host, far, port, 5001, 1401, back=True)

    def shrinks(self, second, host, far, port, size):
        """The same octets in shorter packets, which arrive."""
        seq = 1401
        for i in range(6):
            self.tcp(second, 500000 + 50000 * i, host, far, port, seq, 5001, size=size)
            seq += size - 40
            self.tcp(second, 520000 + 50000 * i, host, far, port, 5001, seq, back=True)


def build():
    day = Day()
    a, b = day.hosts
    day.too_long(10, OLD, a, FAR_OLD, 0)
    day.too_long(20, MPLS, a, FAR_MPLS, 1492, labels=(100, 200))
    for second in range(60, 77, 4):
        day.too_long(second, FILTERED, a, FAR_FILTERED, 1492)
    day.attachment(120, a, FAR_SILENT, 40001)
    day.attachment(130, b, FAR_SILENT, 40002)
    for second in range(300, 1021, 120):
        for i in range(3):
            # Another connection each time: senders learn, and new ones have to.
            day.too_long(second + i, PPPOE, day.hosts[second // 120 % 2], f"198.18.{10 + i}.{second // 120}", 1492)
            day.too_big(second + 10 + i, PPPOE6, day.hosts[second // 120 % 2], f"2001:db8:{10 + i:x}::{second // 120:x}", 1492)
    day.attachment(1100, a, FAR_IPSEC, 40003)
    day.shrinks(1115, a, FAR_IPSEC, 40003, 1240)
    return sorted(day.frames, key=lambda f: f[0])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    p.write_pcap(sys.argv[1], build())
