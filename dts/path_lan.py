"""A LAN with a path behind it: h1, h2 -[tap]- rtr = mid = far, real kernels, IPv4 and IPv6. The link between rtr and mid, and
that from mid to far, carry what the test says; all others carry 1,500 octets.

    hosts    10.N.1.10 and .20, 2001:db8:N:1::10 and ::20; h1 has seven more, .11 to .17
    rtr      10.N.1.1, 2001:db8:N:1::1 on the LAN
    mid      10.N.2.2, 2001:db8:N:2::2
    far      10.N.3.9, 2001:db8:(N + 256):3::9

N, the LAN's number, is in each address, because one icmpscope watches several LANs, and paths are known by their addresses.
"""

import shutil
import subprocess
from pathlib import Path

import lab

PORT = 5001
TRAFFIC = str(Path(__file__).resolve().parent / "path_traffic.py")
VERSIONS = (4, 6)


def unavailable():
    why = lab.unavailable()
    if why is None and not shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin"):
        why = "nft is not installed (devtools/setup test)"
    return why


class PathLan(lab.Lab):
    mtus = (1400, 1500)
    offload = False

    def host(self, v, n=10):
        return f"10.{self.number}.1.{n}" if v == 4 else f"2001:db8:{self.number:x}:1::{n}"

    def router(self, v):
        return self.host(v, 1)

    def middle(self, v):
        return f"10.{self.number}.2.2" if v == 4 else f"2001:db8:{self.number:x}:2::2"

    def far(self, v):
        return f"10.{self.number}.3.9" if v == 4 else f"2001:db8:{self.number + 256:x}:3::9"

    def _ip(self, ns, *args):
        self.run("ip", "-n", self.ns(ns), *args)

    def _route(self, ns, v, to, via):
        self._ip(ns, f"-{v}", "route", "replace", to, "via", via)

    def _address(self, ns, dev, a4, a6):
        self._ip(ns, "addr", "add", f"{a4}/24", "dev", dev)
        self._ip(ns, "addr", "add", f"{a6}/64", "dev", dev, "nodad")

    def _join(self, one, two):
        """A link between two namespaces, each end's device named after the other; mtu: of the first end alone, packets that are
        too long are refused where they would go in."""
        (a, a_mtu), (b, b_mtu) = one, two
        self._ip(a, "link", "add", f"to-{b}", "mtu", a_mtu, "type", "veth", "peer", "name", f"to-{a}", "mtu", b_mtu,
                 "netns", self.ns(b))
        for ns, dev in ((a, f"to-{b}"), (b, f"to-{a}")):
            if not self.offload:
                self.run("ethtool", "-K", dev, "rx", "off", "tx", "off", ns=ns)
                self.run("ethtool", "-K", dev, "tso", "off", "gso", "off", "gro", "off", ns=ns, check=False)
            self._ip(ns, "link", "set", dev, "up")

    def bring_up(self):
        n = self.number
        for name in ("mid", "far"):
            self._namespace(name)
        self._ip("rtr", "link", "set", "eth0", "up")
        self.hosts_up()
        self._join(("rtr", self.mtus[0]), ("mid", self.mtus[0]))
        self._join(("mid", self.mtus[1]), ("far", 1500))
        self._ip("rtr", "addr", "add", f"{lab.ROUTER_LL}/64", "dev", "eth0", "nodad")
        self._address("rtr", "eth0", self.router(4), self.router(6))
        for i in range(10, 18):
            self._address("h1", "eth0", self.host(4, i), self.host(6, i))
        self._address("h2", "eth0", self.host(4, 20), self.host(6, 20))
        self._address("rtr", "to-mid", f"10.{n}.2.1", f"2001:db8:{n:x}:2::1")
        self._address("mid", "to-rtr", self.middle(4), self.middle(6))
        self._address("mid", "to-far", f"10.{n}.3.1", f"2001:db8:{n + 256:x}:3::1")
        self._address("far", "to-mid", self.far(4), self.far(6))
        for ns in ("rtr", "mid"):
            self.sysctl(ns, net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        for ns, v4, v6 in (("h1", self.router(4), self.router(6)), ("h2", self.router(4), self.router(6)),
                           ("rtr", self.middle(4), self.middle(6)),
                           ("mid", f"10.{n}.2.1", f"2001:db8:{n:x}:2::1"),
                           ("far", f"10.{n}.3.1", f"2001:db8:{n + 256:x}:3::1")):
            self._route(ns, 4, "default", v4)
            self._route(ns, 6, "default", v6)
        self._ip("mid", "-4", "route", "add", "unreachable", "198.51.100.0/24")
        if self.offload:
            for ns, dev in (("h1", "eth0"), ("h2", "eth0"), ("rtr", "eth0"), ("sw", "p-h1"), ("sw", "p-h2"),
                            ("sw", "p-rtr"), ("sw", "p-tap")):
                self.run("ethtool", "-K", dev, "rx", "on", "tx", "on", "sg", "on", "tso", "on", "gso", "on", "gro", "on", ns=ns)
            self.run("ip", "netns", "exec", self.tap[0], "ethtool", "-K", self.tap[1], "rx", "on", "tx", "on", "sg", "on", "tso", "on",
                     "gso", "on")
        self.start("/usr/bin/python3", TRAFFIC, "serve", PORT, ns="far")
        lab.wait_for("the far end listens",
                     lambda: self.run("ss", "-Hltn", f"sport = :{PORT}", ns="far").stdout.strip() != "", 30)

    def filter(self, ns, rules):
        """nftables rules of one namespace, instead of those it had."""
        text = "table inet f\ndelete table inet f\ntable inet f {\n" + rules + "\n}\n"
        subprocess.run(["ip", "netns", "exec", self.ns(ns), "nft", "-f", "-"], input=text, text=True, check=True, timeout=20,
                       capture_output=True)

    def no_filter(self, ns):
        self.run("nft", "flush", "ruleset", ns=ns)

    def traffic(self, what, v, *numbers, host=10, to=None, port=PORT, ns=None):
        """Starts it; wait() for what comes of it."""
        return self.start("/usr/bin/python3", TRAFFIC, what, self.host(v, host), to or self.far(v), port, *numbers,
                          ns=ns or ("h2" if host == 20 else "h1"))

    def wait(self, processes, timeout=120):
        """Their exit statuses."""
        return [p.wait(timeout) for p in processes]

    def both(self, what, *numbers, **more):
        """In IPv4 and IPv6 at the same time, to the end."""
        return self.wait([self.traffic(what, v, *numbers, **more) for v in VERSIONS])
