"""What devtools/bench compares with: dpdk-testpmd and Suricata, each on one CPU of its own, started and ended here."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

DECODER_RULES = Path("/etc/suricata/rules/decoder-events.rules")
HOW_TO_SURICATA = ("Debian 12: add `deb http://deb.debian.org/debian bookworm-backports main` to the sources, then "
                   "apt-get update && apt-get install -t bookworm-backports suricata")

# As Debian configures it, but for where packets come from, which CPUs it takes and how often it tells its counters.
SURICATA_YAML = """%YAML 1.1
---
include: /etc/suricata/suricata.yaml
stats: {{enabled: yes, interval: 1}}
outputs:
  - eve-log: {{enabled: yes, filetype: regular, filename: eve.json, types: [alert, flow, {{stats: {{totals: yes, threads: no}}}}]}}
logging: {{default-log-level: error, outputs: [{{console: {{enabled: yes}}}}]}}
dpdk:
  eal-params:
    proc-type: primary
    {memory}:
    no-pci:
    m: 512
    file-prefix: {prefix}
    vdev: "net_pcap0,rx_pcap={capture},infinite_rx=1"
  interfaces:
    - {{interface: net_pcap0, threads: 1, promisc: true, multicast: true, checksum-checks: true,
       checksum-checks-offload: false, mtu: 1500, mempool-size: 8191, mempool-cache-size: 257, rx-descriptors: 1024,
       tx-descriptors: 1024, copy-mode: none, copy-iface: none}}
threading:
  set-cpu-affinity: yes
  cpu-affinity:
    - management-cpu-set: {{cpu: [0]}}
    - worker-cpu-set: {{cpu: [1], mode: exclusive}}
"""


HUGEPAGES = Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
HUGEPAGES_MB = 1280
# Where all programs of a run have their packets: EAL's option. icmpscope takes hugepages where they are free.
MEMORY = "no-huge"


class Hugepages:
    """Reserved for a run and given back; without, none may be free, or icmpscope would have what testpmd has not."""

    def __init__(self, wanted):
        global MEMORY
        self.before = None
        free = int((HUGEPAGES / "free_hugepages").read_text()) if HUGEPAGES.exists() else 0
        if wanted and 2 * free < HUGEPAGES_MB:
            self.before = (HUGEPAGES / "nr_hugepages").read_text()
            (HUGEPAGES / "nr_hugepages").write_text(str(int(self.before) - free + HUGEPAGES_MB // 2))
            free = int((HUGEPAGES / "free_hugepages").read_text())
        if wanted and 2 * free < HUGEPAGES_MB:
            self.give_back()
            raise RuntimeError(f"the kernel has {2 * free} MB for hugepages and not {HUGEPAGES_MB}: restart it, or do without --hugepages")
        if not wanted and free > 0:
            raise RuntimeError(f"{2 * free} MB of hugepages are free: icmpscope would take them and testpmd not; give --hugepages, "
                               "or set vm.nr_hugepages to 0")
        MEMORY = "in-memory" if wanted else "no-huge"

    def give_back(self):
        if self.before is not None:
            (HUGEPAGES / "nr_hugepages").write_text(self.before)
            self.before = None


class Session:
    """Where the kernel groups processes by session (autogroup), nice values count within one session only, and each session has the
    same part of a CPU, however nice. Sessions have such a value, too: this one goes before all others, until it is given back."""

    def __init__(self, pid="self"):
        self.path, self.before = Path(f"/proc/{pid}/autogroup"), None
        try:
            self.before = self.path.read_text().rsplit(maxsplit=1)[-1]
            self.path.write_text("-20")
        except (OSError, IndexError):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.before:
            self.path.write_text(self.before)


class CpuTime:
    """CPU seconds that the busiest thread of a process took since this was made: the one that polls. Rates by this clock do not
    fall because others use the machine too."""

    def __init__(self, pid):
        self.pid = pid
        self.before = self._read()

    def _read(self):
        out = {}
        for task in os.listdir(f"/proc/{self.pid}/task"):
            try:
                out[task] = int(Path(f"/proc/{self.pid}/task/{task}/schedstat").read_text().split()[0])
            except OSError:
                pass
        return out

    def seconds(self, n=1):
        """The mean of the n busiest."""
        took = sorted(ns - self.before.get(task, 0) for task, ns in self._read().items())
        return sum(took[-n:]) / n / 1e9


class Testpmd:
    """testpmd told by its prompt. args: vdevs and what stands behind `--`; lcores: main and forwarding CPU; eal: more options of EAL;
    session: one of its own."""

    made = 0

    def __init__(self, directory, vdevs, args, lcores="0@0,1@1", eal=(), session=False):
        Testpmd.made += 1
        self.log = directory / f"testpmd{Testpmd.made}.log"
        argv = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", lcores, f"--{MEMORY}", "-m", "512", "--no-pci", "--no-telemetry",
                "--file-prefix", f"icsb{os.getpid()}x{Testpmd.made}", *eal]
        for v in vdevs:
            argv += ["--vdev", v]
        argv += ["--", "-i", "--total-num-mbufs=8192", "--burst=32", "--no-flush-rx", *args]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=session,
                                            env=dict(os.environ, RUNTIME_DIRECTORY=str(directory)))
        if session:
            Session(self.process.pid)
        self._wait("testpmd> ", 0)

    def _wait(self, text, since, timeout=40):
        end = time.monotonic() + timeout
        while True:
            out = self.log.read_text(errors="replace")
            if text in out[since:]:
                return out[since:]
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"testpmd did not say {text!r}:\n{out[-2000:]}")
            time.sleep(0.02)

    def ask(self, line, answer="testpmd> "):
        since = len(self.log.read_text(errors="replace"))
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()
        return self._wait(answer, since)

    def tell(self, line):
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def pid(self):
        """Of testpmd itself: stdbuf becomes it."""
        return self.process.pid

    def wait_link(self, port):
        end = time.monotonic() + 20
        while "Link status: up" not in self.ask(f"show port info {port}", "Link status"):
            if time.monotonic() > end:
                raise RuntimeError("the memif link does not come up")
            time.sleep(0.1)

    def received(self, port=0):
        """Packets so far, and what was lost: (time, packets, missed, without buffer)."""
        text = self.ask(f"show port stats {port}", "Tx-bps:")
        n = re.search(r"RX-packets: (\d+)\s+RX-missed: (\d+)", text)
        return time.monotonic(), int(n[1]), int(n[2]), int(re.search(r"RX-nombuf:\s+(\d+)", text)[1])

    def stop_and_count(self):
        """Sent, and given up at a full ring."""
        text = self.ask("stop", "Done.")
        n = re.search(r"Accumulated forward statistics for all ports.*?TX-packets: (\d+)\s+TX-dropped: (\d+)", text, re.S)
        return int(n[1]), int(n[2])

    def close(self):
        if self.process.poll() is None:
            try:
                self.tell("quit")
                self.process.wait(15)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait(5)


def pcap_vdev(capture, n=0):
    return f"net_pcap{n},rx_pcap={capture},infinite_rx=1"


def testpmd_rxonly(capture, seconds, directory, mbufs=8192):
    """Packets a second that testpmd receives from a looped capture and does nothing with, and what it lost."""
    pmd = Testpmd(directory, [pcap_vdev(capture)], ["--forward-mode=rxonly", f"--total-num-mbufs={mbufs}"])
    try:
        pmd.tell("start")
        time.sleep(1)
        cpu = CpuTime(pmd.pid())
        _, n0, _, _ = pmd.received()
        time.sleep(seconds)
        _, n1, missed, nombuf = pmd.received()
        return {"pps": round((n1 - n0) / cpu.seconds()), "missed": missed, "nombuf": nombuf}
    finally:
        pmd.close()


def suricata_missing():
    """Why Suricata cannot be measured, or None."""
    if not shutil.which("suricata"):
        return f"not installed ({HOW_TO_SURICATA})"
    info = subprocess.run(["suricata", "--build-info"], capture_output=True, text=True).stdout
    if not re.search(r"DPDK support:\s+yes", info):
        return "installed without DPDK"
    return None if DECODER_RULES.exists() else f"its {DECODER_RULES} is missing"


def suricata_version():
    return subprocess.run(["suricata", "-V"], capture_output=True, text=True).stdout.strip()


def suricata(capture, seconds):
    """Packets a second that Suricata takes from the same port, one worker, decoder rules about ICMP alone."""
    directory = Path(tempfile.mkdtemp(prefix="icss", dir="/tmp"))
    try:
        rules = [l for l in DECODER_RULES.read_text().splitlines() if "icmp" in l.lower() and not l.startswith("#")]
        (directory / "icmp.rules").write_text("\n".join(rules) + "\n")
        (directory / "s.yaml").write_text(SURICATA_YAML.format(memory=MEMORY, prefix=f"icss{os.getpid()}", capture=capture))
        log = directory / "log"
        with open(log, "wb") as out:
            p = subprocess.Popen(["suricata", "-c", str(directory / "s.yaml"), "--dpdk", "-S", str(directory / "icmp.rules"), "-l",
                                  str(directory)], stdout=out, stderr=out, env=dict(os.environ, RUNTIME_DIRECTORY=str(directory)))
        try:
            return _suricata_rate(p, directory, seconds, len(rules))
        finally:
            p.send_signal(signal.SIGINT)
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait(5)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _stats(directory):
    eve = directory / "eve.json"
    out = []
    for line in eve.read_text().splitlines() if eve.exists() else []:
        try:
            e = json.loads(line)
        except ValueError:
            continue
        at = re.search(r"T(\d+):(\d+):([\d.]+)", e["timestamp"])
        out.append((int(at[1]) * 3600 + int(at[2]) * 60 + float(at[3]), e["stats"]))
    return out


def _suricata_rate(p, directory, seconds, rules):
    end, seen, cpu = time.monotonic() + 60 + seconds, [], CpuTime(p.pid)
    while time.monotonic() < end:
        if p.poll() is not None:
            raise RuntimeError("suricata ended:\n" + (directory / "log").read_text(errors="replace")[-2000:])
        rows = [r for r in _stats(directory) if r[1]["decoder"]["pkts"] > 0]
        # Its counters come once a second; between two of them, CPU time by CPU time.
        if rows and (not seen or rows[-1][1]["decoder"]["pkts"] > seen[-1][1]):
            seen.append((rows[-1][0], rows[-1][1]["decoder"]["pkts"], cpu.seconds()))
        if len(seen) >= 2 + seconds:
            (_, n0, t0), (_, n1, t1) = seen[1], seen[-1]
            return {"pps": round((n1 - n0) / (t1 - t0)), "rules": rules, "missed": rows[-1][1].get("capture", {}).get("errors", 0)}
        time.sleep(0.02)
    raise RuntimeError("suricata gave no statistics")
