"""Scenarios of devtools/bench beyond the looped mixes: distinct messages, two workers, latency, and a gateway's last word inside a
flood. Each returns rows for the JSON and lines for the table."""

import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import bench_peers
from bench_peers import CpuTime, Session

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "dts"))

DISTINCT = 16384  # four times the slots of the fold cache: none is found again
PROBES = 100
# Between two looks at the socket: who asks without a pause takes the CPU from whom it asks.
LOOK_S = 0.0005
WORKER_CPU = 1


def program(name):
    return Path(os.environ["ICMPSCOPE_BUILD"]) / "app/bench" / name


def memif(socket, role, ring_log=11, zero_copy=False):
    """The client's is the shared memory, and the ring as long as it says. With zero_copy that memory is its packet buffers."""
    return f"net_memif0,role={role},id=0,socket={socket},socket-abstract=no,rsize={ring_log}" + ",zero-copy=yes" * zero_copy


def losses(scope, info):
    port = scope.ask("/icmpscope/port/info,0")
    return {"missed": port["missed"], "nombuf": port["no_mbuf"], "dropped": info["dropped"],
            "conserved": bool(info["conservation_ok"] and info["frames"] == info["classes_sum"])}


def all_in(scope, sent):
    """At rest, what was sent having come out of the shared memory (or not: then frames says so)."""
    end = time.monotonic() + 30
    while scope.info()["frames"] < sent and time.monotonic() < end:
        time.sleep(0.05)
    return scope.settled(60)


class Generator:
    """icmpscope-bench-generator; it ends after its reader, or that would poll rings that are gone."""

    def __init__(self, directory, socket, capture, last=False, stdin=False, session=False, **options):
        """last: whatever else of its session wants its CPU goes first (SCHED_IDLE); a source of traffic is no part of an inspector.
        session: one of its own, before those of others; then a control core on that CPU waits for it."""
        argv = ["chrt", "--idle", "0"] if last else []
        argv += [program("icmpscope-bench-generator"), socket, capture, *(f"{k}={v}" for k, v in options.items())]
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=session,
                                        env=dict(os.environ, RUNTIME_DIRECTORY=str(directory)))
        if session:
            Session(self.process.pid)
        self.probes = {}

    def finish(self):
        """(sent, lost, seconds) once it is through; probes: number -> when it was sent, in ns."""
        for line in self.process.stdout:
            if m := re.match(r"probe (\d+) (\d+)", line):
                self.probes[int(m[1])] = int(m[2])
            elif m := re.match(r"sent (\d+) lost (\d+) seconds ([\d.]+)", line):
                return int(m[1]), int(m[2]), float(m[3])
        raise RuntimeError(f"the generator ended: {self.process.stderr.read()[-1000:]}")

    def warm(self):
        """Frames sent before the first trial (trials=1)."""
        line = self.process.stdout.readline()
        if not line.startswith("warm "):
            raise RuntimeError(f"the generator ended: {self.process.stderr.read()[-1000:]}")
        return int(line.split()[1])

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def trial(self, rate, seconds):
        self.process.stdin.write(f"{rate} {round(seconds * 1000)}\n")
        self.process.stdin.flush()
        return self.finish()

    def close(self):
        if self.process.stdin is not None:
            self.process.stdin.close()
            self.process.stdin = None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.communicate()


# ---- all different, to a consumer that only counts ----

# Below, two CPUs have a cache in common. The host moves them now and then.
NEAR_NS = 200


def distance_ns():
    """There and back of a line of cache between CPU 0 and CPU 1."""
    return int(subprocess.run([program("icmpscope-bench-roundtrip")], capture_output=True, text=True, check=True).stdout)


def _distinct_once(directory):
    before = distance_ns()
    out = subprocess.run([program("icmpscope-bench-worker"), directory / "distinct.pcap", "16", str(DISTINCT), "distinct",
                          *(["huge"] if bench_peers.MEMORY == "in-memory" else [])],
                         capture_output=True, text=True, env=dict(os.environ, RUNTIME_DIRECTORY=str(directory)))
    rows = re.findall(r"^(receive|worker).*?([\d.]+) +([\d.]+) +([\d.]+)(?: +(\d+) +(\d+) +(\d+) +(\d+) +(\d+))?(.*)$", out.stdout, re.M)
    if len(rows) != 3:
        raise RuntimeError(f"icmpscope-bench-worker: {out.stderr[-1000:]}{out.stdout}")
    _, _, median, _, _, messages, _, _, dropped, _ = rows[2]
    apart = {before <= NEAR_NS, distance_ns() <= NEAR_NS}
    cpus = "moved" if len(apart) > 1 else "near" if True in apart else "far"
    return {"cpus": cpus, "limit": float(rows[0][2]), "cycles": float(median), "messages": int(messages), "dropped": int(dropped),
            "conserved": out.returncode == 0}


def distinct(directory, rounds, rxonly, hz):
    """The worker and its rings, every message one of its own, the control core replaced by a loop on the other CPU that counts: a
    row for each distance that the CPUs had. ratio: to receiving and freeing in the same process, in turns (limit_cycles);
    ratio_to_testpmd: to testpmd, before."""
    pps = statistics.median(r["pps"] for r in rxonly)
    runs = [_distinct_once(directory) for _ in range(rounds)]
    rows = []
    for cpus in ("near", "far", "moved"):
        some = [r for r in runs if r["cpus"] == cpus]
        if some:
            cycles = statistics.median(r["cycles"] for r in some)
            rows.append({"mix": "distinct", "cpus": cpus, "runs": len(some), "testpmd_cycles": round(hz / pps, 1),
                         "limit_cycles": statistics.median(r["limit"] for r in some), "cycles": cycles,
                         "ratio": round(statistics.median(r["limit"] / r["cycles"] for r in some), 3),
                         "ratio_to_testpmd": round(hz / cycles / pps, 3), "messages": sum(r["messages"] for r in some),
                         "dropped": sum(r["dropped"] for r in some), "conserved": all(r["conserved"] for r in some),
                         "consumer": "counts", "all": some})
    return rows


# ---- two workers ----

def _packets_per_cpu_second(scopes, seconds):
    """Of all workers of all programs, each program by the CPU time of its workers' threads; and what was dropped meanwhile."""
    before = [(s.info(), CpuTime(s.process.pid)) for s in scopes]
    time.sleep(seconds)
    rate = dropped = 0
    for s, (first, cpu) in zip(scopes, before):
        last, took = s.info(), cpu.seconds(len(s.ask("/icmpscope/worker/list")))
        rate += (last["frames"] - first["frames"]) / took
        dropped += last["dropped"] - first["dropped"]
    return rate, dropped


def workers(directory, rounds, seconds, scope_class):
    """A port of its own for each worker. Of two CPUs the second worker takes the one of the control core, which sleeps. In turns: one
    worker, two, two programs of one worker each, one worker again. ratio: two workers to the mean of one before and one after, for
    the machine's speed drifts. ratio_programs: the same of two programs, which share nothing of ours: what the machine allows."""
    rows = []
    for mix in ("bulk", "nd_mix"):
        # No device is taken twice.
        shutil.copy(directory / f"{mix}.pcap", directory / f"{mix}-2.pcap")
        device, other = (f"pcap:{directory / mix}{n}.pcap,loop" for n in ("", "-2"))
        one, two = ["-p", device, "-w", str(WORKER_CPU)], ["-p", device, "-p", other, "-w", f"0,{WORKER_CPU}"]
        apart = ["-p", other, "-w", "0"]
        found, others, dropped = [], [], 0
        for _ in range(rounds):
            pps = []
            for programs in ([one], [two], [one, apart], [one]):
                with contextlib.ExitStack() as stack:
                    scopes = [stack.enter_context(scope_class(*args)) for args in programs]
                    time.sleep(1)
                    beside = Beside(*(s.process.pid for s in scopes))
                    beside.start()
                    rate, lost = _packets_per_cpu_second(scopes, seconds)
                    others.append(beside.others_percent())
                    pps.append(rate)
                    dropped += lost
            mean = (pps[0] + pps[3]) / 2
            found.append((pps[1] / mean, pps[2] / mean, mean, pps[1]))
        ratio, programs, mean, both = (statistics.median(f[i] for f in found) for i in range(4))
        rows.append({"mix": mix, "ratio": round(ratio, 2), "ratio_programs": round(programs, 2), "one_mpps": round(mean / 1e6, 2),
                     "two_mpps": round(both / 1e6, 2), "dropped": dropped, "others_percent": max(others),
                     "ratios": [[round(x, 3) for x in f[:2]] for f in found]})
    return rows


# ---- from the frame to the finding ----

def _damage(n):
    """Each on a VLAN of its own, or they would become one finding: a router's last word, told at the first packet."""
    from test_program import ra
    return [ra(1 + i, 0x1000 + i, lifetime=0) for i in range(n)]


def _write(path, frames):
    from test_program import write_pcap
    return write_pcap(path, frames)


class Watch:
    """When each finding of a name was first seen on the socket, by its subject."""

    def __init__(self, scope, name):
        self.scope, self.name, self.after, self.seen = scope, name, 0, {}

    def poll(self):
        known = self.scope.ask("/icmpscope/anomaly/list")
        now = time.time_ns()
        for n in known if isinstance(known, list) else []:
            if n <= self.after:
                continue
            self.after = n
            a = self.scope.ask(f"/icmpscope/anomaly/info,{n}")
            if a.get("name") == self.name:
                self.seen.setdefault(a.get("subject_router"), (now, a))


def _spread(ms):
    """Of n, the p-th percentile is the one of rank n p / 100, rounded up."""
    ms = sorted(ms)
    return {"n": len(ms), "p50_ms": round(ms[(len(ms) + 1) // 2 - 1], 2), "p99_ms": round(ms[-(-len(ms) * 99 // 100) - 1], 2),
            "max_ms": round(ms[-1], 2)}


class Beside:
    """Keeps whoever asks off the worker's CPU, and says what share of the CPUs others took meanwhile: not the processes named, nor
    this one."""

    def __init__(self, *pids):
        self.pids = [os.getpid(), *pids]

    def __enter__(self):
        self.cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.cpus - {WORKER_CPU})
        return self

    def start(self):
        self.before = self._read()

    def _read(self):
        ours = 0
        for pid in self.pids:
            for task in os.listdir(f"/proc/{pid}/task"):
                try:
                    ours += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
                except OSError:
                    pass
        # Neither idle nor waiting for a disk.
        fields = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return time.monotonic(), ours / 1e9, (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")

    def others_percent(self):
        took, ours, all_ = (n - b for n, b in zip(self._read(), self.before))
        return max(0, round(100 * (all_ - ours) / took / os.cpu_count()))

    def __exit__(self, *exc):
        os.sched_setaffinity(0, self.cpus)


def latency_idle(mode, scope_class):
    """RAs with lifetime 0, one after the other, through a veth pair and AF_PACKET."""
    from wire import Wire
    frames, ms = _damage(PROBES), []
    with Wire() as wire, scope_class("-p", "tap0", "-w", str(WORKER_CPU), "--set", "detect.learn_s=0", "--set",
                                     f"worker.idle={mode}", ns=wire.ns) as scope, Beside(scope.process.pid) as beside:
        watch = Watch(scope, "router_lifetime_zero")
        time.sleep(0.5)
        cpu = CpuTime(scope.process.pid)
        time.sleep(1)
        share = cpu.seconds()
        beside.start()
        for f in frames:
            before, sent = len(watch.seen), time.time_ns()
            wire.send(f)
            watch.poll()
            while len(watch.seen) == before and time.time_ns() < sent + 2e9:
                time.sleep(LOOK_S)
                watch.poll()
            ms.append((time.time_ns() - sent) / 1e6)
            time.sleep(0.005)
        found, others = len(watch.seen), beside.others_percent()
    return {"load": f"idle, idle = {mode}", "found": found, "cpu_percent": round(100 * share), "others_percent": others, **_spread(ms)}


def _busy_percent(before, after):
    busy, idle = (after[k] - before[k] for k in ("busy_cycles", "idle_cycles"))
    return round(100 * busy / max(busy + idle, 1))


def latency_load(directory, mix, scope_class, last=True, realtime="off"):
    """The same among as many frames as the generator makes, through memif. The worker is busy all the time, or the generator can
    do no more; what a probe waits for room in the ring counts."""
    socket, gen = directory / "memif.sock", None
    socket.unlink(missing_ok=True)
    _write(directory / "routers.pcap", _damage(PROBES))
    try:
        with scope_class("-p", memif(socket, "server"), "-w", str(WORKER_CPU), "--set", "detect.learn_s=0", "--set",
                         f"control.realtime={realtime}") as scope:
            watch = Watch(scope, "router_lifetime_zero")
            gen = Generator(directory, socket, directory / f"{mix}.pcap", last, seconds=6, retry=1,
                            probes=directory / "routers.pcap", probe_ms=50)
            with Beside(scope.process.pid, gen.process.pid) as beside:
                beside.start()
                first, end = None, time.monotonic() + 40
                while len(watch.seen) < PROBES and time.monotonic() < end:
                    watch.poll()
                    if first is None and watch.seen:
                        first = scope.ask("/icmpscope/worker/info,0")
                    time.sleep(LOOK_S)
                others, busy = beside.others_percent(), _busy_percent(first, scope.ask("/icmpscope/worker/info,0"))
            sent, lost, took = gen.finish()
            info = all_in(scope, sent)
            at = {a["subject_router"]: now for _, (now, a) in watch.seen.items()}
            ms = [(at[f"fe80::{0x1000 + i:x}"] - ns) / 1e6 for i, ns in gen.probes.items() if f"fe80::{0x1000 + i:x}" in at]
            return {"load": mix, "source": "last" if last else "as others", "realtime": realtime, "mpps": round(sent / took / 1e6, 1),
                    "worker_busy_percent": busy, "others_percent": others, "found": len(ms), "sent": sent, "not_sent": lost, **losses(scope, info), **_spread(ms)}
    finally:
        if gen is not None:
            gen.close()


def latency(directory, scope_class):
    rows = [latency_idle(mode, scope_class) for mode in ("poll", "pause", "sleep")]
    rows += [latency_load(directory, mix, scope_class) for mix in ("bulk", "nd_mix")]
    # What an appliance has whose control core shares its CPU with work that never sleeps.
    return rows + [latency_load(directory, "nd_mix", scope_class, False, realtime) for realtime in ("off", "on")]


# ---- a gateway's last word inside a flood ----

def last_word(directory, times, scope_class, known="named"):
    """RAs of invented routers as fast as the generator makes them, each with another source, and among them the gateway's own with
    lifetime 0. known: the operator has named the gateway, or it is learned from one RA that was judged before
    the flood begins."""
    from test_program import ra
    _write(directory / "forged.pcap", [ra(None, 0x2000 + i) for i in range(64)])
    _write(directory / "gateway.pcap", [ra(None, 1), ra(None, 1, lifetime=0)])
    options = ["--set", "detect.learn_s=0"] + (["--set", "detect.gateways=fe80::1"] if known == "named" else [])
    # Of the gateways that nobody has named it is one among 64.
    right_evidence = {"severity": "critical" if known == "named" else "warn", "count": 1, "subject_mac": "02:00:00:00:00:01",
                      "evidence_router_mac": "02:00:00:00:00:01", "evidence_mac_known": 1, "evidence_lifetime_before_s": 1800,
                      "evidence_lifetime_after_s": 0}
    found, right, conserved, wrong, runs = 0, 0, 0, [], []
    for _ in range(times):
        socket, gen = directory / "memif.sock", None
        socket.unlink(missing_ok=True)
        try:
            with scope_class("-p", memif(socket, "server"), "-w", str(WORKER_CPU), *options) as scope:
                hold = known == "learned"
                gen = Generator(directory, socket, directory / "forged.pcap", stdin=hold, seconds=1, distinct=1,
                                probes=directory / "gateway.pcap", probe_ms=300, hold=int(hold))
                if hold:
                    all_in(scope, 1)
                    gen.go_on()
                sent, full, took = gen.finish()
                info = all_in(scope, sent)
                x = losses(scope, info)
                gone = [a for a in scope.anomalies() if a["name"] == "router_lifetime_zero" and a.get("subject_router") == "fe80::1"]
                good = len(gone) == 1 and all(gone[0].get(k) == v for k, v in right_evidence.items())
                exact = x["conserved"] and info["frames"] == sent and info["control"] == info["delivered"] + info["dropped"]
                found, right, conserved = found + bool(gone), right + good, conserved + exact
                if not (good and exact):
                    wrong.append({"found": gone, "info": info, "sent": sent, "probes": gen.probes})
                runs.append(((sent + full) / took, sent / took, x["dropped"], info["delivered"]))
        finally:
            if gen is not None:
                gen.close()
    offered, taken, dropped, delivered = zip(*runs)
    return {"gateway": known, "times": times, "found": found, "right_evidence": right, "exact": conserved, "conserved": conserved == times,
            "offered_mpps": round(statistics.median(offered) / 1e6, 2), "taken_mpps": round(statistics.median(taken) / 1e6, 2),
            "dropped": sum(dropped), "delivered": sum(delivered), "wrong": wrong}


def say_last_word(r):
    return (f"gateway {r['gateway']}: lifetime 0 reported {r['found']} of {r['times']} times, {r['right_evidence']} with the right evidence, every frame "
            f"accounted for {r['exact']} times; {r['offered_mpps']} M forged RAs a second offered and {r['taken_mpps']} taken (medians); of all "
            f"{r['delivered']} judged, {r['dropped']} dropped and counted")
