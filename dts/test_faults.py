"""What breaks in icmpscope and around it, while frames arrive: a thread that stands still, clients that talk nonsense, a full disk,
a state file that is none, a cable pulled, a socket removed, a clock that jumps, settings that are wrong, a kill. The workers never
stop for it, every message is delivered or counted as lost with its cause, and after a restart all is as it should be.
"""

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import journal
import pytest
from lab import wait_for
from scope import Scope
from stall import stalled, threads
from telemetry import connect
from test_program import checksum, ra
from wire import Wire

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]

STALL_S = 5
DAY_S = 86400


def ns(n):
    """A valid solicitation of host n for the router: each is another message, of the kind that may be lost in a flood."""
    mac = b"\x02\x01" + struct.pack("!I", n)
    src = bytes.fromhex("fe80") + bytes(6) + struct.pack("!Q", 0x10000 + n)
    target = bytes.fromhex("fe80") + bytes(13) + b"\x01"
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\x01\x01" + mac
    body = body[:2] + struct.pack("!H", checksum(src + target + struct.pack("!II", len(body), 58) + body)) + body[4:]
    return bytes.fromhex("020000000001") + mac + struct.pack("!HIHBB", 0x86DD, 6 << 28, len(body), 58, 255) + src + target + body


class Traffic:
    """Sends ordinary messages until told to stop, a thousand a second or so; knows how many."""

    def __init__(self, wire, hosts=5000):
        self.wire, self.hosts, self.sent, self.numbers = wire, hosts, 0, 0
        self.quit, self.thread = threading.Event(), threading.Thread(target=self._run)

    def _run(self):
        while not self.quit.wait(0.02):
            frames = [ns((self.numbers + i) % self.hosts) for i in range(20)]
            self.numbers += 20
            with contextlib.suppress(OSError):  # a link that is down takes none
                for f in frames:
                    self.wire.send(f)
                    self.sent += 1

    def __enter__(self):
        self.wire.send()  # opens its socket
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.quit.set()
        self.thread.join(60)


class Rig:
    """icmpscope on a wire, with a journal and a state file."""

    def __init__(self, tmp_path, wire, *args, **more):
        self.wire, self.path, self.state = wire, tmp_path / "journal.json", tmp_path / "state"
        self.scope = Scope("-p", "tap0", "--set", "detect.learn_s=0", "--set", f"journal.file={self.path}",
                           "--set", f"state.file={self.state}", *args, ns=wire.ns, **more)

    def events(self, *kinds):
        return [e["icmpscope"] for e in journal.lines(self.path) if e["icmpscope"]["event"] in kinds]

    def wait_frames(self, n):
        """Until n frames are counted; then everything is at rest and adds up."""
        wait_for(f"{n} frames", lambda: self.scope.info().get("frames", 0) >= n)
        info = self.scope.settled()
        assert info["frames"] == info["classes_sum"] == n
        assert info["control"] == info["delivered"] + info["pending"] + info["dropped"]
        assert info["missed"] == info["errors"] == info["no_mbuf"] == 0
        return info

    def turns(self):
        return self.scope.ask("/icmpscope/worker/info,0")["packets"]

    def send(self, frames, at_once=250):
        """So many at once as find room in the kernel's queues, and the next when the worker has taken them; no control core is asked."""
        taken = self.turns()
        for i in range(0, len(frames), at_once):
            part = frames[i:i + at_once]
            self.wire.send(*part)
            taken += len(part)
            wait_for("the worker takes them", lambda: self.turns() >= taken, interval=0.001)

    def wait_turning(self):
        """Frames arrive, and a worker that stopped for something would not take them."""
        before = self.turns()
        wait_for("the worker turns", lambda: self.turns() > before)

    def router(self, address="fe80::1"):
        return next((r for r in self.scope.telemetry.table("router") if r["address"] == address), None)

    def named(self, name, **want):
        return [a for a in self.scope.anomalies() if a["name"] == name and all(a[k] == v for k, v in want.items())]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.scope.__exit__(*exc)
        if exc[0] is None:
            journal.assert_gapless(journal.lines(self.path))


@pytest.fixture
def wire():
    with Wire() as w:
        yield w


def main_thread(scope):
    return scope.process.pid


def worker_thread(scope):
    (name,) = [n for n in threads(scope.process.pid) if "worker" in n]
    (tid,) = threads(scope.process.pid)[name]
    return tid


def told_of_stall(rig, what):
    """The watchdog said so in the journal and in telemetry, while it lasted."""
    events = wait_for("the journal has it", lambda: [e for e in rig.events("stalled") if e["what"] == what])
    # Within a second where the machine has time: its own tests look at that closer.
    assert 700 <= events[-1]["stalled_ms"] < 5000
    key = "control_stalled_ms" if what == "control" else "worker_0_stalled_ms"
    wait_for("telemetry has it", lambda: rig.scope.ask("/icmpscope/watchdog")[key] >= 700)


def told_of_return(rig, what, least_ms):
    wait_for("the journal has its return", lambda: [
        e for e in rig.events("resumed") if e["what"] == what and e["stalled_ms"] >= least_ms])
    wait_for("telemetry too", lambda: not rig.scope.ask("/icmpscope/watchdog")["stalled"])


def test_control_core_stands_still(tmp_path, wire):
    """The worker goes on, what finds no room is counted and told, and what matters most finds its way."""
    n = 20000
    with Rig(tmp_path, wire, "--set", "worker.ring_bulk=1024") as rig:
        wire.send(ra(None, 1), *map(ns, range(100)))
        rig.wait_frames(101)
        with stalled(main_thread(rig.scope)):
            began = time.monotonic()
            rig.send([ns(i) for i in range(n)])
            told_of_stall(rig, "control")
            wire.send(ra(None, 1, lifetime=0))
            # Nobody waits for ever for an answer that cannot come.
            assert "has not turned for" in rig.scope.telemetry.ask("/icmpscope/info")["error"]
            time.sleep(max(0.0, began + STALL_S - time.monotonic()))
        info = rig.wait_frames(101 + n + 1)
        told_of_return(rig, "control", 1000 * STALL_S - 700)
        assert info["dropped"] == info["dropped_bulk_ring_full"] > n - 2048
        (loss,) = wait_for("the loss has a name", lambda: rig.named("sys_event_loss"))
        wait_for("all of it", lambda: rig.named("sys_event_loss")[0]["evidence_lost"] == info["dropped"])
        wait_for("the journal has all of it", lambda: sum(
            e["bulk_ring_full"] for e in rig.events("loss")) == info["dropped"])
        (gone,) = wait_for("the gateway that went meanwhile", lambda: rig.named("router_lifetime_zero"))
        assert gone["subject_router"] == "fe80::1"


def test_worker_stands_still(tmp_path, wire):
    """Frames wait for it in the kernel, and everything else goes on."""
    with Rig(tmp_path, wire) as rig:
        wire.send(*map(ns, range(100)))
        rig.wait_frames(100)
        with stalled(worker_thread(rig.scope)):
            began = time.monotonic()
            wire.send(*map(ns, range(200)))
            told_of_stall(rig, "worker")
            while time.monotonic() < began + STALL_S:
                assert rig.scope.info()["frames"] == 100, "the control core answers, and nothing is counted"
                time.sleep(0.2)
        info = rig.wait_frames(300)
        assert info["dropped"] == 0
        told_of_return(rig, "worker", 1000 * STALL_S - 700)


def babble(path, quit_now, seed, done):
    """A client that says anything, reads or does not, and comes again."""
    dice = random.Random(seed)
    words = [b"/icmpscope/info", b"/icmpscope/host/table,0", b"/", b"/help,", b"/icmpscope/anomaly/info,", b"\0", b"/ethdev/stats,0"]
    while not quit_now.is_set():
        try:
            with connect(path, timeout=5) as s:
                for _ in range(dice.randrange(1, 200)):
                    if quit_now.is_set():
                        break
                    kind = dice.randrange(3)
                    junk = dice.randbytes(dice.randrange(1, 1500))
                    s.send(junk if kind == 0 else dice.choice(words) + (junk[:1000] if kind == 1 else b""))
                    done[0] += 1
                    if dice.randrange(4):
                        s.settimeout(0.05)
                        with contextlib.suppress(socket.timeout):
                            s.recv(65536)
        except OSError:  # turned away: ten clients are as many as DPDK takes
            time.sleep(0.01)


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def test_ten_clients_talk_nonsense(tmp_path, wire):
    with Rig(tmp_path, wire) as rig, Traffic(wire) as traffic:
        path = rig.scope.dir / "dpdk" / rig.scope.prefix / "dpdk_telemetry.v2"
        quit_now, said = threading.Event(), [[0] for _ in range(10)]
        wait_for("the model is warm", lambda: rig.scope.info()["hosts"] >= 2000)
        clients = [threading.Thread(target=babble, args=(path, quit_now, i, said[i])) for i in range(10)]
        for t in clients:
            t.start()
        try:
            wait_for("they say a lot", lambda: sum(n for (n,) in said) > 3000)
            rig.wait_turning()
        finally:
            quit_now.set()
            for t in clients:
                t.join(60)
        traffic.__exit__()
        info = rig.wait_frames(traffic.sent)
        assert info["dropped"] == 0
        assert rss_kb(rig.scope.process.pid) < 1 << 20


def test_journal_on_a_full_disk(tmp_path, wire):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)], check=True, timeout=60)
    try:
        with Rig(disk, wire, "--set", "state.file=") as rig, Traffic(wire) as traffic:
            n = 0
            while rig.scope.info()["journal"] == "on":
                n += 2
                assert n < 4000
                wire.send(ra(None, n), ra(None, n, lifetime=0))  # a finding, or two
                traffic.sent += 2
                time.sleep(0.01)
            assert rig.scope.info()["journal"] == "No space left on device"
            wait_for("it is counted", lambda: rig.scope.info()["journal_dropped"] > 0)
            rig.wait_turning()
            traffic.__exit__()
            info = rig.wait_frames(traffic.sent)
            assert info["dropped"] == 0
            subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True, timeout=60)
            wire.send(ra(None, 1), ra(None, 1, lifetime=0))
            wait_for("it is written again", lambda: rig.scope.info()["journal"] == "on")
        told = rig.events("journal_lost")
        assert sum(t["lost"] for t in told) == told[-1]["lost_since_start"] > 0
        assert {t["why"] for t in told} == {"No space left on device"}
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True, timeout=60)


def learn(tmp_path, wire, *args, **more):
    """A run that learns a router and ends well."""
    with Rig(tmp_path, wire, *args, **more) as rig:
        wire.send(ra(None, 1), *map(ns, range(50)))
        rig.wait_frames(51)
    return rig


def test_state_file_is_damaged(tmp_path, wire):
    """Refused in one line, set aside, and all begins from nothing; what is learned then is kept."""
    state = learn(tmp_path, wire).state
    data = state.read_bytes()
    middle = len(data) // 2
    for damaged in (data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1:], data[:middle], b"", b"#!/bin/sh\nexit 0\n",
                    bytes(len(data))):
        state.write_bytes(damaged)
        with Rig(tmp_path, wire) as rig:
            assert rig.scope.info()["state_restored"] == "nothing" and rig.router() is None
            (line,) = [line for line in rig.scope.output().splitlines() if str(state) in line]
            assert line.startswith("icmpscope: ")
            assert (tmp_path / "state.bad").read_bytes() == damaged
            wire.send(ra(None, 1), *map(ns, range(50)))
            assert rig.wait_frames(51)["dropped"] == 0
    with Rig(tmp_path, wire) as rig:
        assert rig.scope.info()["state_restored_routers"] == 1 and rig.router()["state"] == "default"


def test_cable_is_pulled_and_put_back(tmp_path, wire):
    with Rig(tmp_path, wire) as rig:
        wire.send(*map(ns, range(100)))
        rig.wait_frames(100)
        for turn in range(1, 4):
            wire.link("down")
            assert not sends(wire)
            checks = rig.scope.ask("/icmpscope/watchdog")["checks"]
            wait_for("a second goes by", lambda: rig.scope.ask("/icmpscope/watchdog")["checks"] >= checks + 12)
            wait_for("the worker turns without frames", lambda: rig.scope.info()["stalled"] == 0)
            wire.link("up")
            wait_for("a frame gets through", lambda: sends(wire))
            wire.send(*map(ns, range(99)))
            info = rig.wait_frames(100 * (turn + 1))
            assert info["dropped"] == 0


def sends(wire):
    try:
        wire.send(ns(4999))
    except OSError:
        return False
    return True


def test_socket_is_removed(tmp_path, wire):
    """Who is connected is served, nobody else finds it; it ends as ever, and the next start makes another."""
    with Rig(tmp_path, wire) as rig, Traffic(wire) as traffic:
        path = rig.scope.dir / "dpdk" / rig.scope.prefix / "dpdk_telemetry.v2"
        path.unlink()
        with pytest.raises(OSError):
            connect(path, timeout=5)
        rig.wait_turning()
        traffic.__exit__()
        assert rig.wait_frames(traffic.sent)["dropped"] == 0
    with Rig(tmp_path, wire) as rig:
        wire.send(ns(1))
        rig.wait_frames(1)


class Clock:
    """The time of day of one program (setclock.c)."""

    def __init__(self, tmp_path):
        library, self.file = tmp_path / "setclock.so", tmp_path / "shift"
        subprocess.run(["gcc", "-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o", library, Path(__file__).parent / "setclock.c"],
                       check=True, timeout=60)
        self.set(0)
        self.env = {"LD_PRELOAD": str(library), "SETCLOCK": str(self.file)}

    def set(self, shift_s):
        with open(self.file, "r+b" if self.file.exists() else "wb") as f:
            f.write(struct.pack("=q", shift_s))


@pytest.mark.parametrize("step_s", [DAY_S, -DAY_S], ids=["forward", "back"])
def test_clock_is_set(tmp_path, wire, step_s):
    """Packet time is counted from the start, so nothing times out and nothing is young again; the next start has the new
    time, and knows what was learned."""
    clock, real = Clock(tmp_path), time.time()
    with Rig(tmp_path, wire, env=clock.env) as rig, Traffic(wire, hosts=100) as traffic:
        wire.send(ra(None, 1))
        traffic.sent += 1
        wait_for("the router is known", rig.router)
        clock.set(step_s)
        wire.send(ra(None, 2))
        traffic.sent += 1
        wait_for("another one", lambda: rig.router("fe80::2"))
        rig.wait_turning()
        time.sleep(2)
        traffic.__exit__()
        info = rig.wait_frames(traffic.sent)
        assert info["dropped"] == 0
        assert {r["state"] for r in rig.scope.telemetry.table("router")} == {"default"}
        assert real - 1 < info["now_ns"] / 1e9 < time.time() + 60
        assert not [a for a in rig.scope.anomalies() if a["severity"] != "info" and a["name"] != "router_new"]
    with Rig(tmp_path, wire, env=clock.env) as rig:
        info = rig.scope.info()
        assert real + step_s - 1 < info["now_ns"] / 1e9 < time.time() + step_s + 60, "its clock was set"
        assert info["state_restored_routers"] == 2
        # A day is longer than the lifetime of 1,800 s that both announced; a clock that was set back counts as no time at all.
        if step_s < 0:
            assert {r["state"] for r in rig.scope.telemetry.table("router")} == {"default"}
        wire.send(ra(None, 1), ra(None, 2), *map(ns, range(50)))
        rig.wait_frames(52)
        assert {r["state"] for r in rig.scope.telemetry.table("router")} == {"default"}
        assert not [a for a in rig.scope.anomalies() if a["name"] == "router_new"], "both are known"


def test_hangup_with_wrong_settings(tmp_path, wire):
    ini = tmp_path / "icmpscope.ini"
    ini.write_text("[detect]\nnce_limit = 77\n")
    with Rig(tmp_path, wire, "-c", ini) as rig, Traffic(wire) as traffic:
        for n, text in enumerate(("[detect]\nnce_limit = many\n", "[nothing]\nx = 1\n", "\0\xff" * 5000, ""), 1):
            ini.write_bytes(text.encode("latin-1")) if text else ini.unlink()
            rig.scope.process.send_signal(signal.SIGHUP)
            wait_for("it is refused", lambda: rig.scope.info()["config_refused"] == n)
            rig.wait_turning()
        traffic.__exit__()
        info = rig.wait_frames(traffic.sent)
        assert info["dropped"] == 0 and info["config_generation"] == 1
        assert len(rig.events("config_refused")) == 4


def test_killed_and_started_again_under_load(tmp_path, wire):
    """What was learned before is there, the journal is whole and tells how the run before ended, and nothing is left in the way."""
    learn(tmp_path, wire)
    killed = None
    with Traffic(wire):
        for _ in range(2):
            rig = Rig(tmp_path, wire, after=killed)
            try:
                wait_for("it is busy", lambda: rig.scope.info()["frames"] > 1000)
                assert rig.scope.info()["state_restored_routers"] == 1
                rig.scope.kill()
            except BaseException:
                rig.scope.stop(check=False)
                raise
            killed = rig.scope
    with Rig(tmp_path, wire, after=killed) as rig:
        info = rig.scope.info()
        assert info["state_restored_routers"] == 1 and rig.router()["state"] == "default"
        wire.send(*map(ns, range(100)))
        rig.wait_frames(100)
        starts = rig.events("start")
        assert [s["run_before"] for s in starts] == ["none", "stopped", "did not stop by itself", "did not stop by itself"]
        assert rig.scope.info()["state_restored_routers"] == 1
