#!/usr/bin/python3
"""Writes incident 2, the network that melted under its own multicast: dts/gen/meltdown.py SCENARIO FILE [SEED]

A building: VLAN 10, one router that asks for multicast listeners every 150 s and lets them answer for 10 s, and
workstations of 8 addresses and 9 groups each that come in one after the other, talk to their gateway and rotate a
temporary address.

  building  30 minutes of 400 workstations. Three of one make fall asleep at 15:00; from 18:00 on their network cards
            repeat one report each a thousand times a second, for 20 s; then the spanning tree gives way and all multicast
            goes round in a loop for 8 s
  w2        333 workstations, one of which holds 310 addresses. One repeats a report 300 times in 0.9 s; for five minutes
            the router asks in version 1, to be answered within 5 s, and hosts fall back; a loop of 8 s
  mixed     100 workstations. One repeats a report a thousand times a second while the router retracts itself, comes
            back, and retracts itself once more in the loop that follows, in which the storm goes on
  mirror3   100 workstations behind a mirror that delivers every frame three times; then one repeats a report, and then
            there is a loop

Written by hand, byte for byte: hundreds of thousands of frames are too many for scapy. Seed and scenario decide the file.
"""

import ipaddress
import random
import struct
import sys

US = 1000000
EPOCH = 1793520000
VLAN = 10
QUERY_S, FIRST_QUERY_S = 150, 7
RESPONSE_S = 10
# 144 s: 150 has no code (RFC 9777 5.1.9).
QQIC = 0x82
IS_EXCLUDE, TO_INCLUDE, TO_EXCLUDE = 2, 3, 4
# Two makes of workstations; the second has the cards that storm.
MAKE, MAKE_OF_STORMS = "3c970e", "1866da"
PREFIX = ipaddress.IPv6Address("2001:db8:2::").packed[:8]
FAR = ipaddress.IPv6Address("2001:db8:9::9").packed
ALL_NODES = ipaddress.IPv6Address("ff02::1").packed
ALL_ROUTERS = ipaddress.IPv6Address("ff02::2").packed
ALL_REPORTS = ipaddress.IPv6Address("ff02::16").packed
MDNS = ipaddress.IPv6Address("ff02::fb").packed
UNSPECIFIED = bytes(16)
# The loop: how often a frame passes, and how many of them there is room for.
ROUND_US = 2000
CIRCLING = 24


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) & 1)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def group_mac(group):
    return b"\x33\x33" + group[12:]


def solicited_node(addr):
    return bytes.fromhex("ff0200000000000000000001ff") + addr[13:]


def frame(smac, dmac, src, dst, next_header, payload, hop_limit):
    head = dmac + smac + struct.pack("!HHHIHBB", 0x8100, VLAN, 0x86DD, 0x60000000, len(payload), next_header, hop_limit)
    return head + src + dst + payload


def icmp(smac, src, dst, body, hop_limit=255, dmac=None, alert=False):
    """body: the message with a checksum of zero."""
    c = checksum(src + dst + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", c) + body[4:]
    if alert:
        return frame(smac, dmac or group_mac(dst), src, dst, 0, bytes.fromhex("3a00050200000100") + body, 1)
    return frame(smac, dmac or group_mac(dst), src, dst, 58, body, hop_limit)


def report(smac, src, records):
    body = struct.pack("!BBHHH", 143, 0, 0, 0, len(records))
    body += b"".join(struct.pack("!BBH", kind, 0, 0) + group for kind, group in records)
    return icmp(smac, src, ALL_REPORTS, body, alert=True)


def report_v1(smac, src, group):
    return icmp(smac, src, group, struct.pack("!BBHHH", 131, 0, 0, 0, 0) + group, alert=True)


def query(smac, src, group=None, response_ms=RESPONSE_S * 1000, version=2):
    body = struct.pack("!BBHHH", 130, 0, 0, response_ms, 0) + (group or UNSPECIFIED)
    return icmp(smac, src, group or ALL_NODES, body + (bytes([2, QQIC, 0, 0]) if version == 2 else b""), alert=True)


def is_multicast(data):
    return data[0] & 1


class Node:
    def __init__(self, mac, ll):
        self.mac, self.ll = mac, ll
        self.first_us = 0
        self.addrs = [ll]
        self.asleep_us = None

    @property
    def groups(self):
        return [MDNS] + sorted({solicited_node(a) for a in self.addrs})


class Building:
    def __init__(self, seed, hosts, minutes, come_in_s):
        self.random = random.Random(seed)
        self.end = minutes * 60 * US
        self.frames = []
        self.router = Node(bytes.fromhex("001e13000001"), ipaddress.IPv6Address("fe80::1").packed)
        self.queries = {t: 2 for t in range(FIRST_QUERY_S * US, self.end, QUERY_S * US)}
        self.response = {}
        self.hosts = [self.make_host(i) for i in range(hosts)]
        for i, h in enumerate(self.hosts):
            h.first_us = 10 * US + i * come_in_s * US // hosts

    def make_host(self, i):
        make = MAKE_OF_STORMS if i % 4 == 3 else MAKE
        return Node(bytes.fromhex(make) + i.to_bytes(3, "big"), b"\xfe\x80" + bytes(6) + self.iid())

    def iid(self):
        b = bytearray(self.random.randbytes(8))
        b[0] &= 0xFD
        return bytes(b)

    def add(self, us, data):
        if us < self.end:
            self.frames.append((int(us), data))

    def jitter(self, us):
        return self.random.randrange(us)

    # What a workstation does

    def changed(self, h, us, kind, group, src=None):
        for _ in range(2):
            self.add(us, report(h.mac, src or h.ll, [(kind, group)]))
            us += 1000 + self.jitter(US)

    def dad(self, h, us, addr):
        self.add(us, icmp(h.mac, UNSPECIFIED, solicited_node(addr), struct.pack("!BBHI", 135, 0, 0, 0) + addr))

    def configure(self, h, us, addr, src=None):
        self.changed(h, us, TO_EXCLUDE, solicited_node(addr), src)
        self.dad(h, us + 20000 + self.jitter(US // 2), addr)

    def come_in(self, h, addresses=7):
        """RFC 4862 5.4: a link-local address, a router, and then the addresses that it held before."""
        us = h.first_us
        self.configure(h, us, h.ll, UNSPECIFIED)
        us += 1700000
        self.changed(h, us, TO_EXCLUDE, MDNS)
        self.add(us + 90000, icmp(h.mac, h.ll, ALL_ROUTERS, struct.pack("!BBHI", 133, 0, 0, 0) + b"\1\1" + h.mac))
        self.ra(us + 200000 + self.jitter(200000), h)
        us += 600000
        pace = 30000 if addresses < 100 else 200000
        for i in range(addresses):
            h.addrs.append(PREFIX + self.iid())
            self.configure(h, us + i * pace, h.addrs[-1])

    def resolve(self, asker, us, target, holder):
        ns = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\1\1" + asker.mac
        self.add(us, icmp(asker.mac, asker.ll, solicited_node(target), ns))
        flags = 0x60000000 | (0x80000000 if holder is self.router else 0)
        na = struct.pack("!BBHI", 136, 0, 0, flags) + target + b"\2\1" + holder.mac
        self.add(us + 300 + self.jitter(500), icmp(holder.mac, target, asker.ll, na, dmac=asker.mac))

    def data(self, h, us, addr):
        """A segment of a connection that goes on."""
        tcp = struct.pack("!HHIIBBHHH", 40000, 443, us & 0xFFFFFFFF, 1, 5 << 4, 0x10, 65535, 0, 0)
        c = checksum(addr + FAR + struct.pack("!II", len(tcp), 6) + tcp)
        self.add(us, frame(h.mac, self.router.mac, addr, FAR, 6, tcp[:16] + struct.pack("!H", c) + tcp[18:], 64))

    def work(self, h):
        """Once it is there: it talks, and it and the router look for each other now and then."""
        us = h.first_us + 4 * US
        end = h.asleep_us or self.end
        self.resolve(h, us, self.router.ll, self.router)
        while us < end:
            addr = self.random.choice([h.addrs[1], *h.addrs[3:]])  # the oldest is about to go
            self.data(h, us, addr)
            if self.jitter(4) == 0:
                self.resolve(self.router, us + 2000, addr, h)
            us += 10 * US + self.jitter(20 * US)

    def rotate(self, h, us):
        """A new temporary address; the oldest goes, and the router asks whether anybody else listens."""
        new, old = PREFIX + self.iid(), h.addrs[2]
        self.configure(h, us, new)
        self.add_event(us + 2 * US, lambda: h.addrs.remove(old))
        self.add_event(us, lambda: h.addrs.append(new))
        us += 2 * US
        group = solicited_node(old)
        self.changed(h, us, TO_INCLUDE, group)
        for i in range(2):
            self.add(us + 1000 + i * US, query(self.router.mac, self.router.ll, group, 1000))

    # The router

    def ra(self, us, h=None, lifetime=1800):
        body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime, 0, 0) + b"\1\1" + self.router.mac
        body += struct.pack("!BBHI", 5, 1, 0, 1500)
        body += struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 2592000, 604800, 0) + PREFIX + bytes(8)
        if h is None:
            self.add(us, icmp(self.router.mac, self.router.ll, ALL_NODES, body))
        else:
            self.add(us, icmp(self.router.mac, self.router.ll, h.ll, body, dmac=h.mac))

    def speaks_v1(self, us):
        """Until RV * QI + QRI after the last query of version 1 (RFC 9777 9.12), whose QI is 125 s."""
        return any(t <= us < t + 260 * US for t, version in self.queries.items() if version == 1)

    def ask(self, us, version):
        response = self.response.get(us, RESPONSE_S) * US
        self.add(us, query(self.router.mac, self.router.ll, None, response // 1000, version))
        for h in [self.router, *self.hosts]:
            if h.first_us + 6 * US > us:
                continue
            if self.speaks_v1(us):
                for group in h.groups:
                    self.add(us + self.jitter(response), report_v1(h.mac, h.ll, group))
                continue
            groups, wait = h.groups, self.jitter(response)
            for i in range(0, len(groups), 70):
                self.add(us + wait + i * 50, report(h.mac, h.ll, [(IS_EXCLUDE, g) for g in groups[i : i + 70]]))

    # In order of time, because what hosts hold changes

    def add_event(self, us, what):
        self.events.append((us, len(self.events), what))

    def live(self, rotation_s=None, ra_s=200):
        self.events = []
        for h in self.hosts:
            self.come_in(h, getattr(h, "addresses", 7))
            self.work(h)
        for t in range(3 * US, self.end, ra_s * US):
            self.ra(t)
        for t, version in self.queries.items():
            self.add_event(t, lambda t=t, v=version: self.ask(t, v))
        if rotation_s:
            low, high = rotation_s
            for h in self.hosts:
                if h.asleep_us is None:
                    us = low * US + self.jitter((high - low) * US)
                    self.rotate(h, us)
        for _, _, what in sorted(self.events, key=lambda e: e[:2]):
            what()

    # What goes wrong

    def storm(self, h, us, copies, gap_us):
        data = report(h.mac, h.ll, [(TO_EXCLUDE, solicited_node(h.ll))])
        for i in range(copies):
            self.add(us + i * gap_us + self.jitter(gap_us // 4 + 1), data)
        return us + copies * gap_us

    def loop(self, start_us, seconds, round_us=ROUND_US):
        """Multicast of that time goes round. A frame stays until a newer one takes its place."""
        end_us = start_us + seconds * US
        fresh = sorted(f for f in self.frames if start_us <= f[0] < end_us and is_multicast(f[1]))
        known = set()
        circling, n = [], 0
        us = start_us
        while us < end_us:
            while n < len(fresh) and fresh[n][0] < us:
                if fresh[n][1] not in known:
                    if len(circling) == CIRCLING:
                        known.discard(circling.pop(self.jitter(CIRCLING)))
                    circling.append(fresh[n][1])
                    known.add(fresh[n][1])
                n += 1
            for i, data in enumerate(circling):
                self.add(us + i * round_us // CIRCLING, data)
            us += round_us

    def talk(self, start_us, seconds, per_s):
        """Hosts look for each other, by multicast."""
        for i in range(seconds * per_s):
            a, b = self.random.sample(self.hosts, 2)
            self.resolve(a, start_us + i * US // per_s, b.ll, b)

    def in_order(self):
        return sorted(self.frames, key=lambda f: f[0])


SLEEP_S, STORM_S, STORM_FOR_S, LOOP_FOR_S = 900, 1080, 20, 8


def building(seed):
    b = Building(seed, 400, 30, 600)
    sleepers = b.hosts[3:12:4]
    for h in sleepers:
        h.asleep_us = SLEEP_S * US
    b.live(rotation_s=(650, 1790))
    for i, h in enumerate(sleepers):
        b.storm(h, STORM_S * US + i * 700000, 1000 * STORM_FOR_S, 1000)
    loop_us = (STORM_S + STORM_FOR_S + 2) * US
    b.talk(loop_us, LOOP_FOR_S, 4)
    b.loop(loop_us, LOOP_FOR_S)
    return b.in_order()


def w2(seed):
    b = Building(seed, 333, 30, 400)
    b.hosts[5].addresses = 308  # and the link-local one, and the one that comes
    b.queries = {t: 1 if 900 * US <= t < 1200 * US else 2 for t in b.queries}
    b.response = {t: 5 for t, v in b.queries.items() if v == 1}
    b.live(rotation_s=(1330, 1790))
    b.storm(b.hosts[3], 720 * US, 300, 3000)
    b.talk(1440 * US, LOOP_FOR_S, 4)
    b.loop(1440 * US, LOOP_FOR_S)
    return b.in_order()


def mixed(seed):
    b = Building(seed, 100, 20, 400)
    b.live()
    b.storm(b.hosts[3], 720 * US, 10000, 1000)
    for i in range(3):
        b.ra(725 * US + i * US, lifetime=0)
    for t in (760, 776, 792, 992):
        b.ra(t * US)
    b.storm(b.hosts[7], 1055 * US, 10000, 1000)
    b.talk(1060 * US, LOOP_FOR_S, 4)
    for i in range(3):
        b.ra(1062 * US + i * US, lifetime=0)
    b.loop(1060 * US, LOOP_FOR_S)
    return b.in_order()


def mirror3(seed):
    b = Building(seed, 100, 20, 400)
    b.live()
    b.storm(b.hosts[3], 720 * US, 3000, 3000)
    b.talk(1060 * US, LOOP_FOR_S, 4)
    b.loop(1060 * US, LOOP_FOR_S, 6000)
    return sorted(((us + i * 200, data) for us, data in b.frames for i in range(3)), key=lambda f: f[0])


SCENARIOS = {f.__name__: f for f in (building, w2, mixed, mirror3)}


def write(path, frames):
    with open(path, "wb", buffering=1 << 20) as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for us, data in frames:
            f.write(struct.pack("<IIII", EPOCH + us // US, us % US, len(data), len(data)) + data)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in SCENARIOS:
        sys.exit(__doc__)
    write(sys.argv[2], SCENARIOS[sys.argv[1]](int(sys.argv[3]) if len(sys.argv) == 4 else 1))
