"""Frames of a small LAN, built with scapy: the router, its hosts, and what they say in Neighbor Discovery and MLD.

Addresses are those set aside for documentation (RFC 3849, RFC 5737, RFC 7042), so a capture made here names nobody.
"""

import ipaddress
import struct

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6MLDMultAddrRec,
    ICMPv6MLQuery2,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6NDOptUnknown,
    IPv6,
    IPv6ExtHdrHopByHop,
    RouterAlert,
)
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

ALL_NODES = "ff02::1"
ALL_ROUTERS = "ff02::2"
ALL_MLDV2 = "ff02::16"
PREFIX = "2001:db8:1::"


class Node:
    """A host or router: its MAC 00:00:5e:00:53:NN, and the addresses that end in NN."""

    def __init__(self, number):
        self.mac = "00:00:5e:00:53:%02x" % number
        self.ll = "fe80::%x" % number
        self.gua = "2001:db8:1::%x" % number
        self.ip4 = "192.0.2.%d" % number


def group_mac(group):
    """RFC 2464 7: 33:33 and the last four bytes of the group."""
    return "33:33:" + ":".join("%02x" % b for b in ipaddress.IPv6Address(group).packed[12:])


def solicited_node(addr):
    """RFC 4291 2.7.1: ff02::1:ff00:0/104 and the last three bytes of the address."""
    return str(ipaddress.IPv6Address(ipaddress.IPv6Address("ff02::1:ff00:0").packed[:13] + ipaddress.IPv6Address(addr).packed[13:]))


def ether(smac, dst, peer_mac=None, vlan=None):
    frame = Ether(src=smac, dst=peer_mac or group_mac(dst))
    return frame / Dot1Q(vlan=vlan) if vlan is not None else frame


def nd(src, dst):
    return IPv6(src=src, dst=dst, hlim=255)


def ra(router, lifetime, pio_auto=True, vlan=None):
    """The incident's router: reachable time 900 s, its MAC, one prefix, MTU 1500."""
    return (
        ether(router.mac, ALL_NODES, vlan=vlan)
        / nd(router.ll, ALL_NODES)
        / ICMPv6ND_RA(chlim=64, M=0, O=0, H=0, prf=0, routerlifetime=lifetime, reachabletime=900000, retranstimer=0)
        / ICMPv6NDOptSrcLLAddr(lladdr=router.mac)
        / ICMPv6NDOptPrefixInfo(
            prefixlen=64, L=1, A=int(pio_auto), validlifetime=2592000, preferredlifetime=604800, prefix=PREFIX
        )
        / ICMPv6NDOptMTU(mtu=1500)
    )


def rs(host, vlan=None):
    return (
        ether(host.mac, ALL_ROUTERS, vlan=vlan)
        / nd(host.ll, ALL_ROUTERS)
        / ICMPv6ND_RS()
        / ICMPv6NDOptSrcLLAddr(lladdr=host.mac)
    )


def dad(host, addr, nonce, vlan=None):
    """Duplicate address detection with a nonce (RFC 7527 4.1)."""
    group = solicited_node(addr)
    return (
        ether(host.mac, group, vlan=vlan)
        / nd("::", group)
        / ICMPv6ND_NS(tgt=addr)
        / ICMPv6NDOptUnknown(type=14, len=1, data=nonce)
    )


def ns(host, src, target, peer_mac=None, vlan=None):
    """Multicast (address resolution), or unicast to peer_mac (reachability probe)."""
    dst = target if peer_mac else solicited_node(target)
    return (
        ether(host.mac, dst, peer_mac, vlan)
        / nd(src, dst)
        / ICMPv6ND_NS(tgt=target)
        / ICMPv6NDOptSrcLLAddr(lladdr=host.mac)
    )


def na(node, target, dst, peer_mac=None, router=0, solicited=1, override=1, vlan=None):
    return (
        ether(node.mac, dst, peer_mac, vlan)
        / nd(target, dst)
        / ICMPv6ND_NA(R=router, S=solicited, O=override, tgt=target)
        / ICMPv6NDOptDstLLAddr(lladdr=node.mac)
    )


def mld2_query(router, mrd_ms=10000, qrv=2, qqic=125, vlan=None):
    """A general query (RFC 9777 5.1)."""
    return (
        ether(router.mac, ALL_NODES, vlan=vlan)
        / IPv6(src=router.ll, dst=ALL_NODES, hlim=1)
        / IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)])
        / ICMPv6MLQuery2(mrd=mrd_ms, mladdr="::", S=0, QRV=qrv, QQIC=qqic)
    )


def mld2_report(host, src, records, vlan=None):
    """records: (record type, group) pairs without sources."""
    return (
        ether(host.mac, ALL_MLDV2, vlan=vlan)
        / IPv6(src=src, dst=ALL_MLDV2, hlim=1)
        / IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)])
        / ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=t, dst=g) for t, g in records])
    )


def tcp6(src, dst, smac, dmac, sport, dport, flags="A", seq=1, ack=1, payload=b"", vlan=None):
    frame = ether(smac, dst, dmac, vlan) / IPv6(src=src, dst=dst, hlim=64)
    frame /= TCP(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack, window=65535)
    return frame / Raw(payload) if payload else frame


def tcp4(src, dst, smac, dmac, sport, dport, flags="A", seq=1, ack=1, payload=b"", ident=0, vlan=None):
    frame = ether(smac, dst, dmac, vlan) / IP(src=src, dst=dst, ttl=64, id=ident, flags="DF")
    frame /= TCP(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack, window=65535)
    return frame / Raw(payload) if payload else frame


def udp6(src, dst, smac, dmac, sport, dport, payload, vlan=None):
    return ether(smac, dst, dmac, vlan) / IPv6(src=src, dst=dst, hlim=64) / UDP(sport=sport, dport=dport) / Raw(payload)


def frag_needed(router, host, mtu, quoted, vlan=None):
    """ICMPv4 type 3 code 4 (RFC 1191 4) with the first 28 bytes of what did not fit."""
    return (
        ether(router.mac, host.ip4, host.mac, vlan)
        / IP(src=router.ip4, dst=host.ip4, ttl=64, id=0x1234)
        / ICMP(type=3, code=4, nexthopmtu=mtu)
        / Raw(quoted[:28])
    )


def write_pcap(path, frames):
    """Classic little-endian pcap with microseconds; frames: (microseconds since the epoch, bytes) in order."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for us, data in frames:
            f.write(struct.pack("<IIII", us // 1000000, us % 1000000, len(data), len(data)))
            f.write(data)
