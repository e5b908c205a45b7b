"""devtools/bench between two processes: testpmd or icmpscope-bench-generator sends through net_memif on CPU 0, testpmd or icmpscope
receives on CPU 1. Here: receivers and senders, and what testpmd sends at its full rate; bench_search.py looks for the highest rate
without loss.

What else runs on CPU 1, and how far the host has put the two CPUs from each other, moves all of it by multiples: beside each figure
stands how long the receiver waited for its CPU and how long a line of cache takes from CPU to CPU, and what differs there is not
compared. A row ends after a fixed time and says what it has by then."""

import os
import statistics
import time

from bench_peers import CpuTime, Session, Testpmd, pcap_vdev
from bench_rows import NEAR_NS, WORKER_CPU, Beside, all_in, distance_ns, losses, memif

RING_LOG = 14  # slots in shared memory, as a power of two; the most that memif has
# Of its time the receiver may wait for its CPU, in more than one piece: in one of a millisecond 16,384 slots are full at 14.88 Mpps.
STALL_SHARE = 0.002
RATE_STALL_SHARE = 0.01  # where not a frame's loss counts, but how many are taken in all
ZERO_COPY_RING_LOG = 11  # as many buffers are under way: more of them than fit into the second-level cache are slower
OTHERS_PERCENT = 4
SLICES, EVEN = 5, 0.75

# The ways: copy, memif's own, the receiver (server) copies out of shared memory; zero-copy, the receiver is the client, and the
# sender writes into its packet buffers.
KINDS = [("bulk", "copy"), ("nd_mix", "copy"), ("bulk", "zero-copy"), ("nd_mix", "zero-copy"), ("txonly", "copy"), ("flowgen", "copy")]


def disturbed(trial, stall_share=STALL_SHARE):
    return trial["stall_ms"] > stall_share * trial["seconds"] * 1000 or trial["others_percent"] >= OTHERS_PERCENT


def where(ns):
    """The CPUs' distance, in words, by what was measured before, between and after."""
    near = {n <= NEAR_NS for n in ns}
    return "moved" if len(near) > 1 else "near" if True in near else "far"


class Stalls:
    """How long the thread on the receiver's CPU stood in line for it. It goes before all others there."""

    def __init__(self, pid):
        self.threads = [t for t in os.listdir(f"/proc/{pid}/task") if os.sched_getaffinity(int(t)) == {WORKER_CPU}]
        for t in self.threads:
            os.setpriority(os.PRIO_PROCESS, int(t), -20)
        self.pid, self.before = pid, 0
        self.before = self.ms()

    def ms(self):
        ns = 0
        for t in self.threads:
            with open(f"/proc/{self.pid}/task/{t}/schedstat") as f:
                ns += int(f.read().split()[1])
        return ns / 1e6 - self.before


def go_last(pid):
    """What else of this run wants the sender's CPU has it, and so nothing looks for room on the receiver's."""
    for t in os.listdir(f"/proc/{pid}/task"):
        os.sched_setscheduler(int(t), os.SCHED_IDLE, os.sched_param(0))


def receiver_port(socket, mode):
    return memif(socket, "client", ZERO_COPY_RING_LOG, True) if mode == "zero-copy" else memif(socket, "server")


class Pmd:
    """testpmd as receiver."""

    name = "testpmd"

    def __init__(self, directory, socket, mode, _):
        # Each slot of a ring without copies holds a buffer.
        buffers = 8192 + (1 << ZERO_COPY_RING_LOG) * (mode == "zero-copy")
        self.pmd = Testpmd(directory, [receiver_port(socket, mode)], ["--forward-mode=rxonly", f"--total-num-mbufs={buffers}"],
                           eal=["--single-file-segments"] * (mode == "zero-copy"))
        self.pmd.tell("start")
        self.pid = self.pmd.pid()

    def count(self):
        return self.pmd.received()[1]

    def frames(self, expected):
        end = time.monotonic() + 10
        while (n := self.pmd.received()[1]) < expected and time.monotonic() < end:
            time.sleep(0.05)
        return n

    def lost_inside(self):
        _, _, missed, nombuf = self.pmd.received()
        return missed + nombuf

    def conserved(self):
        return True

    def close(self):
        self.pmd.close()


class Inspector:
    """icmpscope as receiver."""

    name = "icmpscope"

    def __init__(self, _, socket, mode, scope_class):
        self.scope = scope_class("-p", receiver_port(socket, mode), "-w", str(WORKER_CPU))
        self.pid = self.scope.process.pid

    def count(self):
        return self.scope.info()["frames"]

    def frames(self, expected):
        return all_in(self.scope, expected)["frames"]

    def _losses(self):
        return losses(self.scope, self.scope.settled(60))

    def lost_inside(self):
        x = self._losses()
        return x["missed"] + x["nombuf"] + x["dropped"]

    def conserved(self):
        return self._losses()["conserved"]

    def close(self):
        self.scope.stop()


class Rig:
    """One receiver and one sender, in the order in which memif wants them made (the server first) and ended (the receiver
    first). make_sender: of the socket and the sender's role."""

    def __init__(self, receiver_class, mode, directory, scope_class, make_sender):
        self.receiver = self.sender = None
        socket = directory / "memif.sock"
        socket.unlink(missing_ok=True)

        def receive():
            self.receiver = receiver_class(directory, socket, mode, scope_class)
        try:
            if mode == "copy":
                receive()
                self.sender = make_sender(socket, "client")
            else:
                self.sender = make_sender(socket, "server")
                end = time.monotonic() + 20
                while not socket.exists() and time.monotonic() < end:
                    time.sleep(0.02)
                receive()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        try:
            if self.receiver is not None:
                self.receiver.close()
        finally:
            if self.sender is not None:
                self.sender.close()


# ---- testpmd at its full rate ----

def _pace(receiver, seconds):
    """Of SLICES parts of the time the slowest, as a share of the median: what the host does to the CPUs for less than a trial."""
    seen = [(time.monotonic(), receiver.count())]
    for _ in range(SLICES):
        time.sleep(seconds / SLICES)
        seen.append((time.monotonic(), receiver.count()))
    rates = [(n1 - n0) / (t1 - t0) for (t0, n0), (t1, n1) in zip(seen, seen[1:])]
    return round(min(rates) / max(statistics.median(rates), 1), 2)


def _full_rate(receiver_class, mode, directory, kind, seconds, scope_class):
    """By the CPU time of the sender's forwarding thread: it shares its CPU with the control core."""
    looped = kind not in ("txonly", "flowgen")

    def make_sender(socket, role):
        return Testpmd(directory, [*([pcap_vdev(directory / f"{kind}.pcap")] if looped else []), memif(socket, role, RING_LOG)],
                       [f"--forward-mode={'io' if looped else kind}"], lcores="0@0,1@0", session=True)
    with Rig(receiver_class, mode, directory, scope_class, make_sender) as rig:
        gen = rig.sender
        gen.wait_link(int(looped))
        go_last(gen.pid())
        # The first way round the ring, the kernel hands out its pages.
        gen.tell("start")
        time.sleep(0.3)
        before = rig.receiver.frames(gen.stop_and_count()[0])
        with Beside(rig.receiver.pid, gen.pid()) as beside:
            beside.start()
            cpu, stalls, t0 = CpuTime(gen.pid()), Stalls(rig.receiver.pid), time.monotonic()
            gen.tell("start")
            pace = _pace(rig.receiver, seconds)
            sent, given_up = gen.stop_and_count()
            sending_s, took, stall_ms, others = cpu.seconds(), time.monotonic() - t0, stalls.ms(), beside.others_percent()
        received = rig.receiver.frames(before + sent) - before
        return {"offered_pps": (sent + given_up) / sending_s, "pps": received / sending_s, "sent": sent, "given_up": given_up,
                "lost": sent - received + rig.receiver.lost_inside(), "conserved": rig.receiver.conserved(), "pace": pace,
                "sender_cpu_percent": round(100 * sending_s / took), "seconds": round(took, 2), "stall_ms": round(stall_ms, 2), "others_percent": others}


def _pair(directory, kind, mode, seconds, scope_class):
    ns, out = [distance_ns()], []
    for receiver_class in (Pmd, Inspector):
        out.append(_full_rate(receiver_class, mode, directory, kind, seconds, scope_class))
        ns.append(distance_ns())
    cpus = where(ns)
    return {"ns": ns, "cpus": cpus, "good": cpus != "moved" and not any(disturbed(t, RATE_STALL_SHARE) or t["pace"] < EVEN for t in out), "testpmd": out[0], "icmpscope": out[1]}


def in_turns(kinds, rounds, limit_s, make_pair):
    """(kind, pairs) of each kind: one pair of each after the other, until each has so many good ones or the time is over. The first
    of each is made in any case."""
    pairs, until = {k: [] for k in kinds}, time.monotonic() + limit_s

    def wants(kind):
        return not pairs[kind] or (sum(p["good"] for p in pairs[kind]) < rounds and time.monotonic() < until)
    with Session():
        while any(map(wants, kinds)):
            for kind in filter(wants, kinds):
                pairs[kind].append(make_pair(kind, until))
    return pairs.items()


def by_distance(pairs):
    """(words, pairs) for each distance that the CPUs had; what is not good counts only where nothing else is there."""
    good = [(cpus, [p for p in pairs if p["good"] and p["cpus"] == cpus]) for cpus in ("near", "far")]
    return [g for g in good if g[1]] or [("disturbed", pairs)]


def full_rate(directory, rounds, seconds, scope_class, kinds, limit_s):
    rows = []
    for (kind, mode), pairs in in_turns(kinds, rounds, limit_s, lambda k, _: _pair(directory, *k, seconds, scope_class)):
        bad = [p for p in pairs if not p["good"]]
        for cpus, of in by_distance(pairs):
            def middle(f, of=of):
                return statistics.median(f(p) for p in of)
            rows.append({
                "kind": kind, "mode": mode, "cpus": cpus, "ratio": round(middle(lambda p: p["icmpscope"]["pps"] / p["testpmd"]["pps"]), 3),
                "pairs": len(of), "disturbed": len(bad), "distance_ns": round(middle(lambda p: statistics.median(p["ns"]))),
                **{f"{who}_{what}": round(middle(lambda p, who=who, what=what: p[who][f"{what[:-4]}pps"]) / 1e6, 2)
                   for who in ("testpmd", "icmpscope") for what in ("offered_mpps", "mpps")},
                **{f"{who}_given_up_percent": round(middle(lambda p, who=who: 100 * p[who]["given_up"] / (p[who]["sent"] + p[who]["given_up"])), 2)
                   for who in ("testpmd", "icmpscope")},
                "sent": sum(p["icmpscope"]["sent"] for p in of), "lost": sum(p["icmpscope"]["lost"] for p in of),
                "disturbed_sent": sum(p["icmpscope"]["sent"] for p in bad), "disturbed_lost": sum(p["icmpscope"]["lost"] for p in bad),
                "conserved": all(p["icmpscope"]["conserved"] for p in pairs), "all": of + [p for p in bad if p not in of]})
    return rows


def say_full_rate(r):
    return (f"{r['kind']:8} {r['mode']:9} CPUs {r['cpus']} ({r['distance_ns']} ns): offered {r['icmpscope_offered_mpps']:5.1f} Mpps, received "
            f"{r['icmpscope_mpps']:5.1f}, testpmd {r['testpmd_mpps']:5.1f}: ratio {r['ratio']:.3f}; ring full for "
            f"{r['icmpscope_given_up_percent']:.2f} %, with testpmd {r['testpmd_given_up_percent']:.2f} %; lost {r['lost']} of {r['sent']} in the ring; "
            f"{r['pairs']} pairs, {r['disturbed']} disturbed (lost there {r['disturbed_lost']} of {r['disturbed_sent']})"
            + ("" if r["conserved"] else ", NOT CONSERVED"))
