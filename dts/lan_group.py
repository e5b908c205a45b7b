"""Several small LANs of lab.py in view of one icmpscope, a port each: what happens in one cannot disturb the others, and what
has to be waited for is waited for once."""

import concurrent.futures
import contextlib
import itertools
import os
import subprocess
import time

import lab
from scope import Scope

LEARN_S = 4  # short, for there are many groups
# The workers share one CPU, because the LANs need the other.
SETTINGS = ("--set", "eal.memory_mb=1024", "-w", "1")
PORTS_MAX = 16  # of icmpscope


@contextlib.contextmanager
def _tap_namespace(numbers=itertools.count(1)):
    name = f"ics{os.getpid()}-taps{next(numbers)}"
    subprocess.run(["ip", "netns", "add", name], check=True, timeout=60)
    try:
        subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                        "net.ipv6.conf.default.disable_ipv6=1"], check=True, timeout=60)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=60)


def _common(anomaly, net):
    def text(v):
        for head in ("02:00:00:", "ff:fe"):
            v = v.replace(f"{head}{net.number:02x}:", f"{head}00:")
        return v

    return {k: text(v) if isinstance(v, str) else v for k, v in anomaly.items()}


class Group:
    def __init__(self, nets, scope, pool):
        self.nets, self.scope, self.pool = nets, scope, pool
        for i, net in enumerate(nets):
            net.port, net.scope = i, scope

    def each(self, what, *more):
        """what(net, ...) for all LANs at the same time; the results in order."""
        return list(self.pool.map(what, self.nets, *more))

    def has_learned(self, learn_s):
        """Every LAN was heard, and for long enough."""
        first = {}
        for s in self.scope.telemetry.table("segment"):
            first[s["port"]] = min(s["first_ns"], first.get(s["port"], s["first_ns"]))
        return len(first) == len(self.nets) and max(first.values()) / 1e9 + learn_s + 1 < time.time()

    def loud(self):
        return [(a["port"], a["name"], a["severity"]) for a in self.scope.anomalies() if a["severity"] != "info"]

    def by_port(self):
        """All anomalies of each LAN, in the words of lab.py, when nothing is under way any more and no frame was missed."""
        info = self.scope.settled()
        assert info["frames"] == info["classes_sum"] and info["conservation_ok"] == 1
        assert info["missed"] == 0, "frames were missed: findings may be, too"
        found = self.scope.anomalies()
        return [[_common(a, net) for a in found if a["port"] == i] for i, net in enumerate(self.nets)]


@contextlib.contextmanager
def lans(kinds, bring_up, learn_s=LEARN_S):
    """A LAN of each kind, brought up by bring_up(net) and learned; nothing is wrong in any of them so far."""
    assert len(kinds) <= PORTS_MAX
    with _tap_namespace() as taps, concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
        nets = []
        try:
            nets += pool.map(lambda kind, i: kind(tap=(taps, f"tap{i}"), number=0xA0 + i), kinds, itertools.count())
            ports = [arg for i in range(len(nets)) for arg in ("-p", f"tap{i}")]
            with Scope(*ports, *SETTINGS, "--set", f"detect.learn_s={learn_s}", ns=taps) as scope:
                group = Group(nets, scope, pool)
                group.each(bring_up)
                lab.wait_for("everything is learned", lambda: group.has_learned(learn_s))
                yield group
        finally:
            list(pool.map(lab.Lab.close, nets))
