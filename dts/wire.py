"""A cable in a network namespace of its own: icmpscope listens on one end, the test sends frames into the other."""

import ctypes
import itertools
import os
import socket
import subprocess
import threading

CLONE_NEWNET = 0x40000000


def ip(*args, check=True):
    return subprocess.run(["ip", *map(str, args)], check=check, capture_output=True, text=True, timeout=60)


class Wire:
    numbers = itertools.count(1)

    def __init__(self, pairs=1):
        """Ends tap0 and peer0, tap1 and peer1 ..."""
        self.ns = f"ics{os.getpid()}w{next(Wire.numbers)}"
        self.sockets = {}
        ip("netns", "add", self.ns)
        try:
            self.exec("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
            for i in range(pairs):
                self.create(i)
        except BaseException:
            self.close()
            raise

    def exec(self, *args):
        return subprocess.run(["ip", "netns", "exec", self.ns, *args], check=True, capture_output=True, text=True, timeout=60)

    def create(self, i=0):
        ip("-n", self.ns, "link", "add", f"tap{i}", "type", "veth", "peer", "name", f"peer{i}")
        self.link("up", i)

    def delete(self, i=0):
        self.forget(i)
        ip("-n", self.ns, "link", "del", f"tap{i}")

    def link(self, state, i=0):
        for end in (f"tap{i}", f"peer{i}"):
            ip("-n", self.ns, "link", "set", end, state)

    def _open(self, i):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.bind((f"peer{i}", 0))
        self.sockets[i] = s

    def _open_inside(self, i):
        with open(f"/run/netns/{self.ns}") as f:
            if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        self._open(i)

    def send(self, *frames, i=0):
        """A socket stays in the namespace where it was made; only the thread that makes it goes there."""
        if i not in self.sockets:
            t = threading.Thread(target=self._open_inside, args=(i,))
            t.start()
            t.join(60)
        for frame in frames:
            self.sockets[i].send(frame)

    def forget(self, i):
        if i in self.sockets:
            self.sockets.pop(i).close()

    def close(self):
        for i in list(self.sockets):
            self.forget(i)
        ip("netns", "del", self.ns, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
