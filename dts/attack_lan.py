"""Several small LANs, each with an attacker of its own, all in view of one icmpscope: a port each, so that attacks run
side by side and cannot disturb each other.

What each LAN has is in lab.py; besides there is atk, 02:00:00:00:66:66, at first a host like the others. Its port sends no
more than 1 Mbit/s, so that a flood floods a LAN and not the machine that plays it.
"""

import concurrent.futures
import contextlib
import os
import subprocess
import threading
import time

import lab
from scope import Scope

ATTACKER_MAC = "02:00:00:00:66:66"
LEARN_S = 4
# Learning is short, and one worker polls all the ports, because the LANs need the other CPU.
SETTINGS = ("--set", f"detect.learn_s={LEARN_S}", "--set", "eal.memory_mb=512", "-w", "1")
RATE = ("tbf", "rate", "1mbit", "burst", "200kb", "latency", "20ms")


class AttackedLan(lab.Lab):
    def _build(self):
        super()._build()
        self.add_host("atk", ATTACKER_MAC)
        self.run("tc", "qdisc", "add", "dev", "eth0", "root", *RATE, ns="atk")

    def bring_up(self):
        self.router_up()
        self.radvd_start()
        self.hosts_up()
        self.run("ip", "-n", self.ns("atk"), "link", "set", "eth0", "up")
        self.wait_slaac(30)
        lab.wait_for("the attacker has its addresses", lambda: not self.tentative("atk"), 20)

    def get_to_know(self):
        """What neighbors do in the first seconds: everybody has talked to everybody, and to the router."""
        assert self.ping("h1", lab.HOST_GUA["h2"], count=2) and self.ping("h2", lab.HOST_GUA["h1"], count=1)
        for name in (*lab.HOSTS, "atk"):
            assert self.ping(name, lab.FAR, count=1)
        self.ping("atk", lab.HOST_GUA["h1"], count=1)

    def attack(self, a):
        """Runs the tool for its seconds, and what the LAN does meanwhile; returns what it wrote."""
        quit_now = threading.Event()
        life = threading.Thread(target=a.meanwhile, args=(self, quit_now)) if a.meanwhile else None
        if life:
            life.start()
        try:
            r = self.run("timeout", "-s", "INT", "-k", "1", a.seconds, *a.command, ns="atk", check=False, timeout=a.seconds + 20)
        finally:
            quit_now.set()
            if life:
                life.join(20)
        return (r.stdout + r.stderr)[:2000]


# What goes on in a LAN while it is attacked: (net, an event that ends it)

def hosts_look_for_each_other(net, quit_now):
    for _ in range(3):
        if quit_now.wait(0.4):
            return
        net.run("ip", "-n", net.ns("h1"), "-6", "neigh", "flush", "dev", "eth0", check=False)
        net.ping("h1", lab.HOST_GUA["h2"], count=1)


def a_host_takes_addresses(net, quit_now):
    for i in (5, 6, 7, 8):
        if quit_now.wait(0.5):
            return
        net.run("ip", "-n", net.ns("h2" if i % 2 else "h1"), "addr", "add", f"2001:db8:1::{i}/64", "dev", "eth0", check=False)


def a_host_solicits(net, quit_now):
    for _ in range(4):
        if quit_now.wait(0.7):
            return
        net.run("rdisc6", "-1", "-q", "eth0", ns="h1", check=False)


def hosts_send_large(net, quit_now):
    if not quit_now.wait(0.5):
        net.run("ping", "-6", "-n", "-q", "-c", "5", "-i", "0.3", "-W", "1", "-s", "1400", lab.HOST_GUA["h2"], ns="h1", check=False)


@contextlib.contextmanager
def _tap_namespace():
    name = f"ics{os.getpid()}-taps"
    subprocess.run(["ip", "netns", "add", name], check=True, timeout=20)
    try:
        subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                        "net.ipv6.conf.default.disable_ipv6=1"], check=True, timeout=20)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=20)


def run_group(attacks):
    """The attacks, one LAN each, at the same time: {name: anomalies of its port}."""
    with _tap_namespace() as taps, concurrent.futures.ThreadPoolExecutor(len(attacks)) as pool:
        nets = []
        try:
            nets += pool.map(lambda i: AttackedLan(tap=(taps, f"tap{i}")), range(len(attacks)))
            ports = [arg for i in range(len(attacks)) for arg in ("-p", f"tap{i}")]
            with Scope(*ports, *SETTINGS, ns=taps, timeout=60) as scope:
                start = time.monotonic()
                list(pool.map(AttackedLan.bring_up, nets))
                time.sleep(max(0.0, start + LEARN_S + 2 - time.monotonic()))
                list(pool.map(AttackedLan.get_to_know, nets))
                before = scope.anomalies()
                assert [(a["name"], a["severity"]) for a in before if a["severity"] != "info"] == []
                list(pool.map(AttackedLan.attack, nets, attacks))
                time.sleep(1)
                info = scope.settled(30)
                assert info["frames"] == info["classes_sum"] and info["conservation_ok"] == 1
                found = scope.anomalies()
            assert info["missed"] == 0, "frames were missed: findings may be, too"
            return {a.name: [x for x in found if x["port"] == i] for i, a in enumerate(attacks)}
        finally:
            list(pool.map(lab.Lab.close, nets))
