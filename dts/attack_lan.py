"""A small LAN with an attacker in it, atk, 02:00:00:00:66:66, who is a host like the others at first; and attacks of many, a LAN
each, side by side. An attacker's port sends no more than 1 Mbit/s, so that a flood floods a LAN and not the machine.
"""

import signal
import subprocess
import threading
import time

import lab
import lan_group

ATTACKER_MAC = "02:00:00:00:66:66"
START_S = 20  # a tool may take on a slow machine before it listens
RATE = ("tbf", "rate", "1mbit", "burst", "200kb", "latency", "20ms")


class AttackedLan(lab.Lab):
    def _build(self):
        super()._build()
        self.add_host("atk", self.mine(ATTACKER_MAC))
        self.run("tc", "qdisc", "add", "dev", "eth0", "root", *RATE, ns="atk")

    def bring_up(self):
        self.router_up()
        self.radvd_start()
        self.hosts_up()
        self.run("ip", "-n", self.ns("atk"), "link", "set", "eth0", "up")
        self.wait_slaac()
        lab.wait_for("the attacker has its addresses", lambda: not self.tentative("atk"), 20)

    def get_to_know(self):
        """What neighbors do in the first seconds: everybody has talked to everybody, and to the router."""
        h1, h2 = (self.mine(lab.HOST_GUA[name]) for name in ("h1", "h2"))
        for name, to, count in (("h1", h2, 2), ("h2", h1, 1), ("h1", lab.FAR, 1), ("h2", lab.FAR, 1), ("atk", lab.FAR, 1)):
            lab.wait_for(f"{name} reaches {to}", lambda: self.ping(name, to, count=count))
        self.ping("atk", h1, count=1)

    def attack(self, a):
        """Runs the tool for its seconds, and what the LAN does meanwhile: then from when it listens, for that is what it waits for."""
        command = list(map(self.mine, a.command))
        if not a.meanwhile:
            self.run("timeout", "-s", "INT", "-k", "1", a.seconds, *command, ns="atk", check=False, timeout=a.seconds + 20)
            return
        quit_now = threading.Event()
        life = threading.Thread(target=a.meanwhile, args=(self, quit_now))
        tool = self.start("timeout", "-s", "INT", "-k", "1", a.seconds + 2 * START_S, *command, ns="atk")
        try:
            end = time.monotonic() + START_S
            while tool.poll() is None and not self.listens() and time.monotonic() < end:
                time.sleep(0.1)
            life.start()
            time.sleep(a.seconds)
        finally:
            self.stop(tool, signal.SIGINT)
            quit_now.set()
            if life.ident:
                life.join(20)

    def listens(self):
        """Whether anybody on the attacker has a packet socket: the first line of the kernel's list is its head."""
        return self.run("cat", "/proc/net/packet", ns="atk").stdout.count("\n") > 1


# What goes on in a LAN while it is attacked: (net, an event that ends it)

def hosts_look_for_each_other(net, quit_now):
    for _ in range(3):
        if quit_now.wait(0.4):
            return
        net.run("ip", "-n", net.ns("h1"), "-6", "neigh", "flush", "dev", "eth0", check=False)
        net.ping("h1", net.mine(lab.HOST_GUA["h2"]), count=1)


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
        net.run("ping", "-6", "-n", "-q", "-c", "5", "-i", "0.3", "-W", "1", "-s", "1400", net.mine(lab.HOST_GUA["h2"]), ns="h1", check=False)


def run_group(attacks):
    """The attacks, one LAN each, at the same time: {name: anomalies of its port}. Once more where the LANs were not what attacks
    need (they did not come up, a frame was missed): else all of a run would have to be."""
    try:
        return _run_group(attacks)
    except (AssertionError, OSError, subprocess.SubprocessError) as e:
        print(f"{len(attacks)} attacks once more: {e}")
        return _run_group(attacks)


def _run_group(attacks):
    with lan_group.lans([AttackedLan] * len(attacks), AttackedLan.bring_up) as group:
        group.each(AttackedLan.get_to_know)
        assert group.loud() == []
        group.each(AttackedLan.attack, attacks)
        time.sleep(1)
        return dict(zip((a.name for a in attacks), group.by_port()))
