#!/usr/bin/python3
"""Writes a whole incident of lost gateways: dts/gen/gateway_loss.py SCENARIO FILE

The LAN of incident1.py: VLAN 10, one router, eight hosts that come up just before it. For ten minutes, while icmpscope
learns, the router advertises itself every 200 s; the hosts go on finding each other's MAC all the time, and the router
asks for multicast listeners every 125 s. Then:

  w1         a hundred times in ten hours the router advertises itself, and 13 s later says that it is no router
             (NA with the router flag clear); at last it retracts itself (RA with Router Lifetime 0)
  retracted  it retracts itself three times and stays silent for 90 s, then is back for good: a restart
  flap       three times in eight minutes it says that it is no router, and advertises itself again 20 s later
  exhausted  as w1 without the last message; one host, H60, has its link bounced after the 60th time
  bounced    as exhausted, and then the router stays, and the links of all hosts bounce

The files are the same byte for byte every time.
"""

import sys

import incident1
import packets as p
from incident1 import VLAN, at

LEARN_S = 600
CYCLES = 100
CYCLE_S = 360
LOST_AFTER_S = 13
BOUNCED_AFTER = 60
# The host whose link bounces half way.
H60 = 3
START_S = 30
FIRST_LOSS_S = START_S + LEARN_S + 60


class LongDay(incident1.Day):
    def ra(self, second, lifetime=1800):
        self.add(at(0, 0, second), p.ra(self.router, lifetime, pio_auto=lifetime != 0, vlan=VLAN))

    def not_router(self, second):
        """To all nodes, as in the incident: nobody asked, override."""
        self.add(at(0, 0, second), p.na(self.router, self.router.ll, p.ALL_NODES, router=0, solicited=0, vlan=VLAN))

    def boot_alone(self, host, second):
        """The link of a host comes up, with no answer yet: MLD report, DAD of the link-local address, RS."""
        us = at(0, 0, second)
        group = p.solicited_node(host.ll)
        self.add(us, p.mld2_report(host, "::", [(4, group)], vlan=VLAN))
        self.add(us + 150000, p.dad(host, host.ll, bytes([0xB0, 0, *second.to_bytes(3, "big"), int(host.mac[-2:], 16)]), vlan=VLAN))
        self.add(us + 1300000, p.rs(host, vlan=VLAN))

    def learning(self):
        for i, host in enumerate(self.hosts):
            self.boot_alone(host, 2 * i)
            self.add(at(0, 0, START_S + 1, 173000 * i), p.dad(host, host.gua, bytes([0xB1, 0, 0, 0, 0, i]), vlan=VLAN))
        for second in range(START_S, START_S + LEARN_S + 1, 200):
            self.ra(second)
            self.neighbors(second + 50)

    def neighbors(self, second):
        """Two hosts look for each other: life goes on inside the segment, without the router."""
        n = second // 40
        host, peer = self.hosts[n % len(self.hosts)], self.hosts[(n + 3) % len(self.hosts)]
        us = at(0, 0, second, 250000)
        self.add(us, p.ns(host, host.ll, peer.ll, vlan=VLAN))
        self.add(us + 300, p.na(peer, peer.ll, host.ll, host.mac, vlan=VLAN))

    def cycles(self, bounce=None):
        """Returns the second that follows."""
        for i in range(CYCLES):
            second = FIRST_LOSS_S + i * CYCLE_S
            self.ra(second)
            self.not_router(second + LOST_AFTER_S)
            self.neighbors(second + 100)
            if bounce is not None and i == BOUNCED_AFTER:
                self.boot_alone(bounce, second + 200)
        return FIRST_LOSS_S + CYCLES * CYCLE_S


def w1(day):
    day.ra(day.cycles(), 0)


def retracted(day):
    for second in range(3):
        day.ra(FIRST_LOSS_S + second, 0)
    day.neighbors(FIRST_LOSS_S + 30)
    for second in (92, 108, 124, 324, 524):
        day.ra(FIRST_LOSS_S + second)


def flap(day):
    for i in range(3):
        second = FIRST_LOSS_S + 160 * i
        day.not_router(second)
        day.ra(second + 20)
        day.neighbors(second + 60)


def exhausted(day):
    day.cycles(bounce=day.hosts[H60])


def bounced(day):
    end = day.cycles(bounce=day.hosts[H60])
    for second in range(0, 1001, 200):
        day.ra(end + second)
        day.neighbors(end + second + 50)
    for i, host in enumerate(day.hosts):
        day.boot_alone(host, end + 20 + 10 * i)


SCENARIOS = {f.__name__: f for f in (w1, retracted, flap, exhausted, bounced)}


def build(name):
    day = LongDay()
    day.learning()
    SCENARIOS[name](day)
    for us in range(at(0, 0, 40, 5000), max(us for us, _ in day.frames), 125000000):
        day.query(us, day.hosts)
    return sorted(day.frames, key=lambda f: f[0])


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SCENARIOS:
        sys.exit(__doc__)
    p.write_pcap(sys.argv[2], build(sys.argv[1]))
