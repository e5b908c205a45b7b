"""devtools/bench: the highest rate at which nothing is lost between two processes (RFC 2544 26.1), by fixed rates downward and a
longer trial at the first that loses nothing; testpmd rxonly and icmpscope in turns, both from the same ladder of rates."""

import statistics
import time

from bench_memif import RING_LOG, Inspector, Pmd, Rig, Stalls, by_distance, disturbed, in_turns, where
from bench_rows import Beside, Generator, distance_ns

LINE_RATE = 15_500_000  # 10 Gb/s of frames of 64 octets are 14.88
LINE_S = 4
TOP_PPS, STEP = 60e6, 0.97
TRIAL_S, CONFIRM_S = 1, 3
RUNGS = 12
TRIES = 2
REACHED = 0.95
PAIRS = 3
KINDS = [("bulk", "copy"), ("nd_mix", "copy")]


class Trials:
    """One rig, trial after trial: so many frames a second, and how many of them did not arrive."""

    def __init__(self, rig, until):
        self.rig, self.gen, self.made, self.until = rig, rig.sender, [], until
        self.arrived = rig.receiver.frames(self.gen.warm())
        self.inside = rig.receiver.lost_inside()

    def once(self, rate, seconds):
        with Beside(self.rig.receiver.pid, self.gen.process.pid) as beside:
            beside.start()
            stalls = Stalls(self.rig.receiver.pid)
            sent, full, took = self.gen.trial(round(rate), seconds)
            stall_ms, others = stalls.ms(), beside.others_percent()
        frames, inside = self.rig.receiver.frames(self.arrived + sent), self.rig.receiver.lost_inside()
        lost = full + self.arrived + sent - frames + inside - self.inside
        self.arrived, self.inside = frames, inside
        t = {"rate": round(rate), "pps": (sent + full) / took, "received_pps": (sent + full - lost) / took, "sent": sent + full, "lost": lost,
             "seconds": round(took, 2), "stall_ms": round(stall_ms, 2), "others_percent": others, "conserved": self.rig.receiver.conserved()}
        t["disturbed"] = disturbed(t)
        self.made.append(t)
        return t

    def run(self, rate, seconds):
        """A trial in which somebody took a CPU away proves a loss no more than a rate that the sender did not reach proves none."""
        for _ in range(TRIES):
            t = self.once(rate, seconds)
            reached = t["pps"] > REACHED * rate
            if (t["lost"] == 0 and reached) or (t["lost"] and not t["disturbed"]) or time.monotonic() > self.until:
                break
        return t

    def search(self):
        """The best trial that lost nothing for CONFIRM_S, or None; the last one above it that lost, or None: the sender is the limit."""
        t, rate, above = self.run(0, TRIAL_S), 0, None
        rungs = [TOP_PPS * STEP**k for k in range(120)]
        for _ in range(RUNGS):
            if t["lost"] == 0:
                t = self.run(rate, CONFIRM_S)
                if t["lost"] == 0:
                    return t, above
            above = t
            if time.monotonic() > self.until:
                break
            # The host may have moved the CPUs: from what was received there, down again.
            rungs = [r for r in rungs if r <= t["received_pps"] / STEP and r != rate]
            rate = rungs[0] if rungs else rate
            t = self.run(rate, TRIAL_S)
        return None, above


def _search_one(receiver_class, mode, directory, mix, scope_class, until):
    def make_sender(socket, role):
        return Generator(directory, socket, directory / f"{mix}.pcap", last=True, stdin=True, session=True, trials=1, ring=RING_LOG,
                         server=int(role == "server"))
    with Rig(receiver_class, mode, directory, scope_class, make_sender) as rig:
        trials = Trials(rig, until)
        line = trials.run(LINE_RATE, LINE_S)
        best, above = trials.search()
    unsure = best is None or any(t is not None and t["lost"] and t["disturbed"] for t in (line, above))
    return {"best_pps": best["pps"] if best else 0, "limit": "receiver" if above else "sender", "line": line, "trials": trials.made,
            "conserved": all(t["conserved"] for t in trials.made), "sure": not unsure}


def _pair(directory, mix, mode, scope_class, until):
    ns, out = [distance_ns()], []
    for c in (Pmd, Inspector):
        out.append(_search_one(c, mode, directory, mix, scope_class, until))
        ns.append(distance_ns())
    cpus = where(ns)
    return {"ns": ns, "cpus": cpus, "good": cpus != "moved" and all(o["sure"] for o in out), "testpmd": out[0], "icmpscope": out[1]}


def _ratio(pairs):
    """None where testpmd found no rate without loss."""
    ratios = [p["icmpscope"]["best_pps"] / p["testpmd"]["best_pps"] for p in pairs if p["testpmd"]["best_pps"]]
    return round(statistics.median(ratios), 3) if ratios else None


def search(directory, rounds, scope_class, kinds, limit_s):
    rows = []
    for (mix, mode), pairs in in_turns(kinds, min(rounds, PAIRS), limit_s, lambda k, until: _pair(directory, *k, scope_class, until)):
        bad = sum(not p["good"] for p in pairs)
        for cpus, of in by_distance(pairs):
            def middle(who, of=of):
                return statistics.median(p[who]["best_pps"] for p in of)
            ours = [t for p in of for t in p["icmpscope"]["trials"]]
            rows.append({
                "mix": mix, "mode": mode, "cpus": cpus, "distance_ns": round(statistics.median(n for p in of for n in p["ns"])), "pairs": len(of),
                "disturbed": bad, "disturbed_trials": sum(t["disturbed"] for t in ours), "trials": len(ours),
                "testpmd_mpps": round(middle("testpmd") / 1e6, 2), "icmpscope_mpps": round(middle("icmpscope") / 1e6, 2),
                "ratio": _ratio(of),
                "limit": [p["icmpscope"]["limit"] for p in of], "testpmd_limit": [p["testpmd"]["limit"] for p in of],
                "line_mpps": round(statistics.median(p["icmpscope"]["line"]["pps"] for p in of) / 1e6, 2),
                "line_sent": sum(p["icmpscope"]["line"]["sent"] for p in of), "line_lost": sum(p["icmpscope"]["line"]["lost"] for p in of),
                "line_lost_testpmd": sum(p["testpmd"]["line"]["lost"] for p in of), "conserved": all(p["icmpscope"]["conserved"] for p in pairs), "all": of})
    return rows


def say_search(r):
    return (f"{r['mix']:8} {r['mode']:9} CPUs {r['cpus']} ({r['distance_ns']} ns): nothing lost up to {r['icmpscope_mpps']:5.2f} Mpps for {CONFIRM_S} s (then "
            f"the {'/'.join(sorted(set(r['limit'])))}), testpmd {r['testpmd_mpps']:5.2f} ({'/'.join(sorted(set(r['testpmd_limit'])))}): ratio {'-' if r['ratio'] is None else r['ratio']}; at "
            f"{r['line_mpps']} Mpps for {LINE_S} s lost {r['line_lost']} of {r['line_sent']}, testpmd {r['line_lost_testpmd']}; {r['pairs']} pairs, {r['disturbed']} "
            f"disturbed, {r['disturbed_trials']} of {r['trials']} trials disturbed" + ("" if r["conserved"] else ", NOT CONSERVED"))
