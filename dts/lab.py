"""A LAN of real kernels in network namespaces, for the end-to-end suites.

    rtr  02:00:00:00:00:01  fe80::1, 2001:db8:1::1/64, and 2001:db8:9::9 beyond it; forwards; may run radvd
    h1   02:00:00:00:00:10  SLAAC
    h2   02:00:00:00:00:20  SLAAC
    tap  tap0: sees every frame, sends none; where icmpscope runs
    sw   the bridge that joins them, a hub in effect: it learns nothing and floods every frame to every port

Offloads are off, so that lengths and checksums are as on a wire. Everything is named after this process's id, every
wait is bounded, and close() ends only processes that the lab itself started.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROUTER_LL = "fe80::1"
ROUTER_MAC = "02:00:00:00:00:01"
ROUTER_GUA = "2001:db8:1::1"
FAR = "2001:db8:9::9"
HOSTS = {"h1": "02:00:00:00:00:10", "h2": "02:00:00:00:00:20"}
HOST_GUA = {"h1": "2001:db8:1:0:0:ff:fe00:10", "h2": "2001:db8:1:0:0:ff:fe00:20"}
RA_LIFETIME = 1800


# A wait ends with what it waits for: patience costs nothing where all is well, and machines may be busy with other things.
PATIENCE_S = 60


def wait_for(what, condition, timeout=PATIENCE_S, interval=0.1):
    """Returns the first true value of condition(), or fails with what it waited for, after PATIENCE_S at the earliest."""
    timeout = max(timeout, PATIENCE_S)
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s in vain for: {what}")
        time.sleep(interval)


def catches(p, sig):
    """Whether the process has a handler of its own for the signal yet: before, it would die of it."""
    for line in Path(f"/proc/{p.pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return int(line.split()[1], 16) >> (sig - 1) & 1 == 1
    return False


def unavailable():
    """Why no lab can be built here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "bridge", "ethtool", "radvd", "sysctl", "ping"):
        if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"{tool} is not installed (devtools/setup test)"
    name = f"ics{os.getpid()}-probe"
    r = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, timeout=60)
    if r.returncode != 0:
        return f"no network namespace can be made: {r.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=60)
    return None


class Lab:
    numbers = itertools.count(1)

    def __init__(self, tap=None, number=0):
        """tap: (namespace, device) for the tap port, where it shall be another than the lab's own; must be there. number:
        from 0 to 255, of one LAN among several in the same view, which must not have the same MACs (mine())."""
        self.prefix = f"ics{os.getpid()}x{next(Lab.numbers)}"
        self.tap = tap
        self.number = number
        self.dir = Path(tempfile.mkdtemp(prefix=self.prefix + "-"))
        self.namespaces = []
        self.processes = []
        self.radvd = None
        # Who watches, and the port of this LAN there, where somebody says so.
        self.scope, self.port = None, 0
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    # Building blocks

    def ns(self, name):
        return f"{self.prefix}-{name}"

    def mine(self, text):
        """MACs and addresses made from them, as in this file, in those of this LAN."""
        n = f"{self.number:02x}"
        for head, tail in (("02:00:00:", "00"), ("ff:fe", "00"), ("ff02::1:ff", "00")):
            text = text.replace(f"{head}{tail}:", f"{head}{n}:")
        return text

    def run(self, *cmd, ns=None, check=True, timeout=60):
        argv = (["ip", "netns", "exec", self.ns(ns)] if ns else []) + [str(c) for c in cmd]
        r = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        if check and r.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: exit {r.returncode}: {r.stderr.strip()}")
        return r

    def start(self, *cmd, ns=None, env=None, log=None):
        """A process of the lab; close() ends it."""
        argv = (["ip", "netns", "exec", self.ns(ns)] if ns else []) + [str(c) for c in cmd]
        with open(log or os.devnull, "ab") as out:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
        self.processes.append(p)
        return p

    def stop(self, p, sig=signal.SIGTERM, timeout=10):
        """ip netns exec replaces itself by the command, so p is the process asked for."""
        if p.poll() is None:
            p.send_signal(sig)
            try:
                p.wait(timeout)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait(5)
        if p in self.processes:
            self.processes.remove(p)
        return p.returncode

    def sysctl(self, ns, **values):
        """Key with '__' for '.', as net__ipv6__conf__eth0__forwarding=1."""
        self.run("sysctl", "-qw", *[f"{k.replace('__', '.')}={v}" for k, v in values.items()], ns=ns)

    def _namespace(self, name):
        self.run("ip", "netns", "add", self.ns(name))
        self.namespaces.append(name)
        self.run("ip", "-n", self.ns(name), "link", "set", "lo", "up")

    def _port(self, name, dev, mac, owner=None):
        """owner: the namespace's whole name, where it is not the lab's own of that name."""
        port, owner = f"p-{name}", owner or self.ns(name)
        self.run("ip", "link", "add", dev, "netns", owner, "address", mac, "type", "veth",
                 "peer", "name", port, "netns", self.ns("sw"))
        self.run("ip", "-n", self.ns("sw"), "link", "set", port, "master", "br0", "up")
        self.run("bridge", "-n", self.ns("sw"), "link", "set", "dev", port, "learning", "off", "flood", "on")
        for ns, d in ((owner, dev), (self.ns("sw"), port)):
            # Some of these cannot be changed on some kernels; checksums, the one that matters, can.
            self.run("ip", "netns", "exec", ns, "ethtool", "-K", d, "rx", "off", "tx", "off")
            self.run("ip", "netns", "exec", ns, "ethtool", "-K", d, "tso", "off", "gso", "off", "gro", "off", check=False)

    def add_host(self, name, mac):
        """A host that is not up yet; without privacy addresses."""
        self._namespace(name)
        self.sysctl(name, net__ipv6__conf__default__use_tempaddr=0, net__ipv6__conf__all__use_tempaddr=0)
        self._port(name, "eth0", mac)
        self.sysctl(name, net__ipv6__conf__eth0__use_tempaddr=0)

    def _build(self):
        self._namespace("sw")
        self.sysctl("sw", net__ipv6__conf__all__disable_ipv6=1, net__ipv6__conf__default__disable_ipv6=1)
        self.run("ip", "-n", self.ns("sw"), "link", "add", "br0", "type", "bridge",
                 "mcast_snooping", "0", "ageing_time", "0", "stp_state", "0")
        self.run("ip", "-n", self.ns("sw"), "link", "set", "br0", "up")

        if self.tap is None:
            self._namespace("tap")
            self.sysctl("tap", net__ipv6__conf__all__disable_ipv6=1, net__ipv6__conf__default__disable_ipv6=1)
            self.tap = (self.ns("tap"), "tap0")
        self._port("tap", self.tap[1], "02:00:00:00:ff:01", owner=self.tap[0])
        self.run("ip", "-n", self.tap[0], "link", "set", self.tap[1], "promisc", "on", "arp", "off", "up")

        self._namespace("rtr")
        self._port("rtr", "eth0", self.mine(ROUTER_MAC))
        self.sysctl("rtr", net__ipv6__conf__all__forwarding=1, net__ipv6__conf__eth0__forwarding=1)
        self.run("ip", "-n", self.ns("rtr"), "link", "set", "eth0", "addrgenmode", "none")
        for name, mac in HOSTS.items():
            self.add_host(name, self.mine(mac))

    # What the LAN does

    def router_up(self):
        self.run("ip", "-n", self.ns("rtr"), "link", "set", "eth0", "up")
        for a in (ROUTER_LL, ROUTER_GUA):
            self.run("ip", "-n", self.ns("rtr"), "addr", "add", f"{a}/64", "dev", "eth0")
        self.run("ip", "-n", self.ns("rtr"), "addr", "add", f"{FAR}/128", "dev", "lo", "nodad")
        wait_for("the router's addresses pass DAD", lambda: not self.tentative("rtr"), 10)

    def hosts_up(self):
        for name in HOSTS:
            self.run("ip", "-n", self.ns(name), "link", "set", "eth0", "up")

    def tap_received(self):
        """Frames that the kernel counted into tap0: the second opinion on what icmpscope must have seen."""
        return int(self.run("ip", "netns", "exec", self.tap[0], "cat", f"/sys/class/net/{self.tap[1]}/statistics/rx_packets").stdout)

    def tap_joins(self, joined):
        """Whether the tap gets what is sent on the LAN."""
        port = ("dev", "p-tap")
        self.run("ip", "-n", self.ns("sw"), "link", "set", *port, *(("master", "br0") if joined else ("nomaster",)))
        if joined:
            self.run("bridge", "-n", self.ns("sw"), "link", "set", *port, "learning", "off", "flood", "on")

    def tentative(self, name):
        return self.run("ip", "-n", self.ns(name), "-6", "addr", "show", "tentative").stdout.strip() != ""

    # What icmpscope has seen of it

    def named(self, name, **want):
        """The anomalies of this LAN with this name and these values."""
        return [a for a in self.scope.anomalies() if (a["name"], a["port"]) == (name, self.port) and
                all(a.get(k) == v for k, v in want.items())]

    def wait_named(self, name, timeout=60, **want):
        return wait_for(f"{name} {want}", lambda: self.named(name, **want), timeout, 0.3)

    def seen_router(self, addr=ROUTER_LL):
        """Its row of the table of routers, or None."""
        rows = self.scope.telemetry.table("router")
        return next((r for r in rows if (r["port"], r["address"]) == (self.port, addr)), None)

    def wait_router(self, condition, what, addr=ROUTER_LL, timeout=60):
        def seen():
            r = self.seen_router(addr)
            return r if r is not None and condition(r) else None

        return wait_for(f"icmpscope's view of router {addr}: {what}", seen, timeout, 0.3)

    def default_route(self, name):
        """The host's own default routes, as its kernel lists them; '' when it has none."""
        return self.run("ip", "-n", self.ns(name), "-6", "route", "show", "default").stdout.strip()

    def wait_slaac(self, timeout=15):
        for name in HOSTS:
            wait_for(f"{name} has an address and a gateway", lambda: self._has_slaac(name), timeout)

    def _has_slaac(self, name):
        addr = self.run("ip", "-n", self.ns(name), "-6", "addr", "show", "dev", "eth0", "scope", "global").stdout
        return self.mine(HOST_GUA[name]) in addr.replace("1::ff", "1:0:0:ff") and not self.tentative(name) and self.default_route(name)

    def radvd_start(self, lifetime=RA_LIFETIME):
        conf = self.write(
            "radvd.conf",
            "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;"
            f" AdvDefaultLifetime {lifetime}; AdvCurHopLimit 64; AdvLinkMTU 1500;"
            " prefix 2001:db8:1::/64 { AdvOnLink on; AdvAutonomous on;"
            " AdvValidLifetime 86400; AdvPreferredLifetime 14400; }; };\n"
        )
        self.radvd = self.start("radvd", "-n", "-C", conf, "-p", self.dir / "radvd.pid", "-m", "stderr", ns="rtr",
                                log=self.dir / "radvd.log")
        wait_for("radvd minds SIGHUP", lambda: self.radvd.poll() is not None or catches(self.radvd, signal.SIGHUP))
        if self.radvd.poll() is not None:
            raise AssertionError("radvd ended: " + (self.dir / "radvd.log").read_text())

    def radvd_stop(self, sig=signal.SIGTERM):
        """SIGTERM: radvd says goodbye with Router Lifetime 0. SIGKILL: it just falls silent, children and all."""
        if sig == signal.SIGKILL:
            self.kill(self.radvd)
        else:
            self.stop(self.radvd, sig)
        self.radvd = None

    @contextlib.contextmanager
    def frozen(self, p):
        """A process and its children that do not run for a while."""
        children = Path(f"/proc/{p.pid}/task/{p.pid}/children")
        pids = [p.pid, *map(int, children.read_text().split() if children.exists() else [])]
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def kill(self, p):
        """With its children, and without time to say anything or to start others."""
        p.send_signal(signal.SIGSTOP)
        self.kill_children(p)
        self.stop(p, signal.SIGKILL)

    def kill_children(self, p):
        children = Path(f"/proc/{p.pid}/task/{p.pid}/children")
        if children.exists():
            for pid in children.read_text().split():
                os.kill(int(pid), signal.SIGKILL)

    def write(self, name, text):
        """A file of the lab, whole at any moment: who was told to read it again may do so only now."""
        path = self.dir / name
        (self.dir / f"{name}.new").write_text(text)
        return (self.dir / f"{name}.new").replace(path)

    def ping(self, name, target, count=3, interval=0.2):
        """True when every echo request was answered."""
        r = self.run("ping", "-6", "-n", "-q", "-c", count, "-i", interval, "-W", 2, target, ns=name, check=False,
                     timeout=30 + count * interval)
        return r.returncode == 0

    def close(self):
        for p in list(self.processes):
            try:
                self.kill_children(p)
                self.stop(p, signal.SIGTERM, 5)
            except (OSError, subprocess.SubprocessError):
                pass
        for name in reversed(self.namespaces):
            subprocess.run(["ip", "netns", "del", self.ns(name)], capture_output=True, timeout=60)
        self.namespaces = []
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
