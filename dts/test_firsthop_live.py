"""What real routers and hosts do to each other at the first hop, with Linux kernels, radvd and keepalived: a router that
restarts, dies, stops forwarding or reboots, renumbering, two routers that disagree, a virtual router that changes hands,
privacy addresses, a duplicate address. icmpscope names what is wrong, once, and nothing else above info.

Each happens in a LAN of its own, all at the same time, watched by one icmpscope (lan_group.py).
"""

import shutil
import signal
import time

import lab
import lan_group
import pytest
from conftest import is_again, program

WHY_NOT = lab.unavailable()
pytestmark = [pytest.mark.live, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]

SECOND_LL, SECOND_MAC = "fe80::2", "02:00:00:00:00:02"
VIRTUAL = "fe80::5"
NEW_PREFIX = "2001:db8:2::/64"
# What each scenario may last once its LAN is up.
SECONDS = 150
# Three times as long as routers here are silent.
LEARN_S = 12


class Lan(lab.Lab):
    def advertise(self, ns, **changes):
        """radvd in ns, or, when it runs there already, with another configuration."""
        c = dict(hop_limit=64, managed="off", valid=86400, preferred=14400, more="") | changes
        conf = self.write(f"radvd-{ns}.conf", "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;"
                        f" AdvDefaultLifetime 1800; AdvCurHopLimit {c['hop_limit']}; AdvManagedFlag {c['managed']};"
                        f" AdvRASrcAddress {{ {SECOND_LL if ns == 'rt2' else lab.ROUTER_LL}; }};"
                        f" prefix 2001:db8:1::/64 {{ AdvValidLifetime {c['valid']};"
                        f" AdvPreferredLifetime {c['preferred']}; }}; {c['more']} }};\n")
        if ns in self.daemons:
            self.daemons[ns].send_signal(signal.SIGHUP)
        else:
            self.daemons[ns] = self.start("radvd", "-n", "-C", conf, "-p", self.dir / f"radvd-{ns}.pid", "-m", "stderr",
                                          ns=ns, log=self.dir / f"radvd-{ns}.log")

    def end(self, ns, sig=signal.SIGTERM):
        p = self.daemons.pop(ns)
        if sig == signal.SIGKILL:
            self.kill(p)
        else:
            self.stop(p, sig)

    def add_second_router(self):
        self.add_host("rt2", self.mine(SECOND_MAC))
        self.sysctl("rt2", net__ipv6__conf__all__forwarding=1, net__ipv6__conf__eth0__forwarding=1)
        self.run("ip", "-n", self.ns("rt2"), "link", "set", "eth0", "addrgenmode", "none", "up")
        self.run("ip", "-n", self.ns("rt2"), "addr", "add", f"{SECOND_LL}/64", "dev", "eth0")
        lab.wait_for("the second router's address passes DAD", lambda: not self.tentative("rt2"), 30)

    def bring_up(self):
        """Learning begins when every router advertises already."""
        self.daemons = {}
        self.tap_joins(False)
        self.router_up()
        self.before_hosts()
        self.tap_joins(True)
        self.hosts_up()
        self.wait_slaac(60)

    def before_hosts(self):
        self.advertise("rtr")

    def addr(self, *args, ns):
        return self.run("ip", "-n", self.ns(ns), "-6", "addr", *args).stdout

    def probe_router(self):
        """What a host does that wonders whether its router is alive."""
        for name in lab.HOSTS:
            self.run("ndisc6", "-1", "-q", lab.ROUTER_LL, "eth0", ns=name, check=False)

    def wait_announced(self, times=2, addr=lab.ROUTER_LL):
        """Until icmpscope has seen so many more advertisements of the router as a default router."""
        for _ in range(times):
            before = self.seen_router(addr)
            self.wait_router(lambda r: r["state"] == "default" and r["lifetime_s"] > 0 and
                             (before is None or r["last_ra_ns"] > before["last_ra_ns"]), "it advertises", addr)


# Each scenario: what happens, and the names that it must have.

class Restart(Lan):
    """radvd says goodbye and comes back at once."""
    expect = {"router_lifetime_zero"}

    def play(self):
        self.end("rtr")
        lab.wait_for("hosts drop the gateway", lambda: not any(map(self.default_route, lab.HOSTS)), 30)
        self.wait_named("router_lifetime_zero")
        self.advertise("rtr")
        lab.wait_for("hosts have it again", lambda: all(map(self.default_route, lab.HOSTS)), 30)
        # A minute, where there are not two more announcements before.
        self.wait_named("router_lifetime_zero", 120, state="cleared")

    @staticmethod
    def check(found):
        (a,) = found["router_lifetime_zero"]
        assert a["severity"] == "critical" and a["subject_mac"] == lab.ROUTER_MAC
        assert "contradicted" in a["evidence_variants"] and a["state"] == "cleared"


class Crash(Lan):
    """radvd is killed and comes back soon enough for hosts not to notice."""
    expect = set()

    def play(self):
        self.end("rtr", signal.SIGKILL)
        time.sleep(5)  # more than an interval, less than would be told
        assert all(map(self.default_route, lab.HOSTS))
        self.advertise("rtr")
        self.wait_announced()


class StopsForwarding(Lan):
    """Forwarding is switched off under a radvd that does not notice, and on again. Were it to announce something meanwhile,
    the router would retract itself, and that it is none would be no news."""
    expect = {"router_flag_cleared"}

    def play(self):
        self.probe_router()
        with self.frozen(self.daemons["rtr"]):
            self.wait_router(lambda r: r["state"] == "default" and r["lifetime_s"] > 0, "it is a default router")
            self.sysctl("rtr", net__ipv6__conf__all__forwarding=0, net__ipv6__conf__eth0__forwarding=0)
            self.probe_router()
            self.wait_named("router_flag_cleared", evidence_victims=len(lab.HOSTS))
            self.sysctl("rtr", net__ipv6__conf__all__forwarding=1, net__ipv6__conf__eth0__forwarding=1)
            self.probe_router()
        self.wait_announced()

    @staticmethod
    def check(found):
        (a,) = found["router_flag_cleared"]
        assert a["subject_mac"] == lab.ROUTER_MAC and a["evidence_victims"] == len(lab.HOSTS)
        assert "sol_unicast" in a["evidence_variants"]


class Reboot(Lan):
    """The power is gone for some seconds: no goodbye, addresses probed anew, the first messages before forwarding is on."""
    expect = set()

    def play(self):
        self.end("rtr", signal.SIGKILL)
        self.run("ip", "-n", self.ns("rtr"), "link", "set", "eth0", "down")
        self.sysctl("rtr", net__ipv6__conf__all__forwarding=0, net__ipv6__conf__eth0__forwarding=0)
        time.sleep(3)
        self.router_up_again()
        self.probe_router()
        time.sleep(1)
        self.sysctl("rtr", net__ipv6__conf__all__forwarding=1, net__ipv6__conf__eth0__forwarding=1)
        self.advertise("rtr")
        self.wait_announced()

    def router_up_again(self):
        self.run("ip", "-n", self.ns("rtr"), "addr", "flush", "dev", "eth0")
        self.run("ip", "-n", self.ns("rtr"), "link", "set", "eth0", "up")
        for a in (lab.ROUTER_LL, lab.ROUTER_GUA):
            self.run("ip", "-n", self.ns("rtr"), "addr", "add", f"{a}/64", "dev", "eth0")
        lab.wait_for("the router's addresses pass DAD", lambda: not self.tentative("rtr"), 30)


class Renumbering(Lan):
    """The old prefix is taken away, a new one comes with the same message."""
    expect = {"ra_prefix_withdrawn"}

    def play(self):
        self.advertise("rtr", valid=0, preferred=0, more=f"prefix {NEW_PREFIX} {{ }};")
        lab.wait_for("hosts take the new prefix", lambda: all(
            "2001:db8:2:" in self.addr("show", "dev", "eth0", ns=h) for h in lab.HOSTS), 30)
        lab.wait_for("and give up the old one", lambda: all(
            "deprecated" in self.addr("show", "dev", "eth0", ns=h) for h in lab.HOSTS), 30)
        self.wait_announced()

    @staticmethod
    def check(found):
        (a,) = found["ra_prefix_withdrawn"]
        assert a["evidence_prefix"] == "2001:db8:1::/64" and a["variant"] == "withdrawn"


class TwoRouters(Lan):
    """Two routers, both there from the beginning, with different hop limits and opinions about DHCPv6."""
    expect = {"ra_inconsistent"}
    opinions = ("hop_limit=64", "hop_limit=32", "managed=0", "managed=1")

    def before_hosts(self):
        self.add_second_router()
        self.advertise("rtr")
        self.advertise("rt2", hop_limit=32, managed="on")

    def play(self):
        self.wait_announced()
        self.wait_announced(addr=SECOND_LL)
        lab.wait_for("all of it is told", lambda: any(
            all(v in a["says"] for v in self.opinions) for a in self.named("ra_inconsistent")), 60)

    @classmethod
    def check(cls, found):
        assert {a["severity"] for a in found["ra_inconsistent"]} == {"warn"}
        (a,) = found["ra_inconsistent"]
        assert all(v in a["says"] for v in cls.opinions)


class Takeover(Lan):
    """A virtual router (VRRP, RFC 9568) with its virtual MAC; the master dies, the backup takes over."""
    expect = set()
    tools = ("keepalived",)
    vmac = True

    def before_hosts(self):
        self.add_second_router()
        self.advertise("rtr")
        # One after the other: who comes first to both might be the one or the other master for a moment.
        self.keepalived("rtr", 110)
        lab.wait_for("the master has the address", lambda: self.holder() == ["rtr"])
        self.keepalived("rt2", 100)

    def keepalived(self, ns, priority):
        vmac = "use_vmac\n vmac_xmit_base" if self.vmac else ""
        conf = self.write(f"keepalived-{ns}.conf", f"global_defs {{ vrrp_version 3\n router_id {ns}\n vrrp_garp_master_repeat 2\n }}\n"
                        "vrrp_instance v6 { state BACKUP\n interface eth0\n virtual_router_id 6\n"
                        f" priority {priority}\n advert_int 1\n native_ipv6\n {vmac}\n"
                        f" virtual_ipaddress {{ {VIRTUAL}/64\n }} }}\n")
        self.daemons["ka-" + ns] = self.start(
            "keepalived", "-n", "-P", "-l", "-f", conf, "-p", self.dir / f"ka-{ns}.pid", "-r", self.dir / f"vrrp-{ns}.pid",
            ns=ns, log=self.dir / f"ka-{ns}.log")

    def holder(self):
        return [ns for ns in ("rtr", "rt2") if f"{VIRTUAL}/" in self.addr("show", ns=ns)]

    def play(self):
        lab.wait_for("the master has it alone", lambda: self.holder() == ["rtr"], 40)
        for name in lab.HOSTS:
            lab.wait_for(f"{name} reaches it", lambda: self.ping(name, VIRTUAL + "%eth0"), 40)
        self.end("ka-rtr", signal.SIGKILL)
        self.run("ip", "-n", self.ns("rtr"), "link", "set", "eth0", "down")
        lab.wait_for("the backup has the address", lambda: "rt2" in self.holder(), 40)
        lab.wait_for("hosts reach it", lambda: self.ping("h1", VIRTUAL + "%eth0"), 40)
        time.sleep(2)


class TakeoverWithoutVirtualMac(Takeover):
    """The same as many configure it, so that the address changes its MAC."""
    vmac = False


class PrivacyAddresses(Lan):
    """A host that takes a new temporary address every few seconds, where once a day is usual. As slow as the machine may
    be meanwhile, it may come to have too many at once. How much earlier than it has to the kernel makes the next one is a
    draw, which at these lifetimes decides between all of them in ten seconds and in forty: without it, always the same."""
    expect = {"host_temp_churn"}
    also = {"host_addr_excess"}

    def before_hosts(self):
        super().before_hosts()
        self.sysctl("h1", net__ipv6__conf__eth0__max_desync_factor=0, net__ipv6__conf__eth0__temp_prefered_lft=8, net__ipv6__conf__eth0__temp_valid_lft=20,
                    net__ipv6__conf__eth0__use_tempaddr=2)

    def play(self):
        seen, end = set(), time.monotonic() + SECONDS
        while len(seen) < 11:  # ten are enough for icmpscope, and seventeen would be too many for any host
            assert time.monotonic() < end, f"the kernel made {len(seen)} addresses only"
            lines = self.addr("show", "dev", "eth0", "scope", "global", ns="h1").splitlines()
            seen |= {line.split()[1] for line in lines if "inet6" in line}
            time.sleep(0.5)
        # The other scenarios last longer.
        self.sysctl("h1", net__ipv6__conf__eth0__use_tempaddr=0)

    @staticmethod
    def check(found):
        (a,) = found["host_temp_churn"]
        assert a["subject_mac"] == lab.HOSTS["h1"]


class DuplicateAddress(Lan):
    """A host is given an address that another one has."""
    expect = {"dad_conflict"}
    address = "2001:db8:1::77"

    def play(self):
        self.addr("add", self.address + "/64", "dev", "eth0", ns="h1")
        lab.wait_for("the first one has it", lambda: not self.tentative("h1"), 30)
        self.addr("add", self.address + "/64", "dev", "eth0", ns="h2")
        lab.wait_for("the kernel of the second refuses it", lambda: "dadfailed" in self.addr("show", "dev", "eth0", ns="h2"), 30)

    @classmethod
    def check(cls, found):
        (a,) = found["dad_conflict"]
        assert (a["variant"], a["severity"], a["subject_address"]) == ("answered", "warn", cls.address)
        assert (a["evidence_asker_mac"], a["evidence_other_mac"]) == (lab.HOSTS["h2"], lab.HOSTS["h1"])


SCENARIOS = [Restart, Crash, StopsForwarding, Reboot, Renumbering, TwoRouters, Takeover, TakeoverWithoutVirtualMac,
             PrivacyAddresses, DuplicateAddress]


def missing(scenario):
    return [t for t in (*getattr(scenario, "tools", ()), "radvd", "ndisc6")
            if not shutil.which(t, path="/usr/bin:/usr/sbin:/bin:/sbin")]


def run(wanted):
    """Scenario -> (its anomalies, what went wrong on the way or None)."""
    def play(net):
        try:
            net.play()
            for name in net.expect:
                net.wait_named(name)
        except AssertionError as e:
            return e
        return None

    with lan_group.lans(wanted, lambda net: net.bring_up(), LEARN_S) as group:
        trouble = group.each(play)
        time.sleep(1)
        return dict(zip(wanted, zip(group.by_port(), trouble)))


@pytest.fixture(scope="module")
def played(request):
    """Scenario and whether it is played again -> what became of it. All are played at once at first."""
    program("icmpscope")
    wanted = [i.callspec.params["scenario"] for i in request.session.items if i.module is request.module]
    results = run([s for s in wanted if not missing(s)])

    def of(scenario, again):
        if again:
            results.update(run([scenario]))
        return results[scenario]

    return of


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_first_hop(scenario, request):
    if missing(scenario):
        pytest.skip(f"{', '.join(missing(scenario))} not installed (devtools/setup test)")
    anomalies, trouble = request.getfixturevalue("played")(scenario, is_again(request))
    print(*[f"{a['name']}/{a['variant']} {a['severity']} {a['state']} x{a['count']}: {a['says']}" for a in anomalies], sep="\n")
    assert trouble is None, trouble
    loud = {}
    for a in anomalies:
        if a["severity"] != "info":
            loud.setdefault(a["name"], []).append(a)
    assert set(loud) - getattr(scenario, "also", set()) == scenario.expect
    if hasattr(scenario, "check"):
        scenario.check(loud)
