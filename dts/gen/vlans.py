#!/usr/bin/python3
"""Writes what fills a page: dts/gen/vlans.py FILE [VLANS]

On each of 60 VLANs a router advertises itself for twelve minutes to three hosts, then withdraws itself for good: 60 findings that stay open.
On the first one it also announces, and then changes, a search domain, a captive portal and an encrypted resolver whose names are markup
and script: they are to be read as text by whoever is shown them. The file is the same byte for byte every time.
"""

import sys

import packets as p
from scapy.layers.inet6 import ICMPv6NDOptUnknown

EPOCH_US = 1463011200 * 1000000
FIRST_VLAN = 100
MARKUP = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>")
PORTALS = ("javascript:alert(3)//<b>", "https://portal.example/\"><svg onload=alert(4)>")


def option(kind, body):
    """With the padding that makes it whole units of 8 octets."""
    body += bytes(-(len(body) + 2) % 8)
    return ICMPv6NDOptUnknown(type=kind, len=(len(body) + 2) // 8, data=body)


def dnssl(label):
    """RFC 8106 5.2. A label may hold any octet (RFC 1035 3.1)."""
    return option(31, bytes(2) + (1800).to_bytes(4, "big") + bytes([len(label)]) + label.encode() + b"\7example\0\0")


def portal(uri):
    """RFC 8910 2.3."""
    return option(37, uri.encode())


def main():
    vlans = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    router, hosts = p.Node(1), [p.Node(0x10 + i) for i in range(3)]
    frames = []
    for i in range(vlans):
        vlan, start = FIRST_VLAN + i, EPOCH_US + i * 10000

        def add(second, frame, us=0):
            frames.append((start + second * 1000000 + us, bytes(frame)))

        for n in range(13):
            message = p.ra(router, 1800, vlan=vlan)
            if i == 0:
                message = message / dnssl(MARKUP[n > 11]) / portal(PORTALS[n > 11])
            add(n * 60, message)
        for k, host in enumerate(hosts):
            add(5 + k, p.dad(host, host.gua, b"\1\2\3\4\5\6", vlan))
            add(8 + k, p.ns(host, host.gua, router.ll, vlan=vlan))
            add(8 + k, p.na(router, router.ll, host.gua, host.mac, router=1, vlan=vlan), 300)
            add(20 + k, p.mld2_report(host, host.ll, [(4, p.solicited_node(host.gua))], vlan))
        add(760, p.ra(router, 0, vlan=vlan))
        add(765, p.ns(hosts[0], hosts[0].gua, hosts[1].gua, vlan=vlan))
    p.write_pcap(sys.argv[1], sorted(frames))


if __name__ == "__main__":
    main()
