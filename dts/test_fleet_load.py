"""Many appliances at once on a cluster of three: what icmpscopectl fleet makes of them against what fleet-load planted.
ICMPSCOPE_LONG=1: 1,000 appliances for five minutes, and how soon 50 that fall silent are seen (docs/scale.md)."""

import json
import os
import subprocess
import time
from pathlib import Path

import lab
import nats
import pytest
from conftest import program
from test_fleet import STREAM, ctl, set_up, settings

LONG = os.environ.get("ICMPSCOPE_LONG") == "1"
TAPS, SITES, SECONDS, RATE, SILENT, SILENT_AT = (1000, 200, 300, 0.5, 50, 120) if LONG else (60, 12, 12, 1, 0, 6)

pytestmark = [pytest.mark.live,
              pytest.mark.skipif(not os.path.exists("/usr/sbin/nats-server"), reason="nats-server is not installed (devtools/setup test)")]


def rss_mb(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS:"))) // 1024


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_many_appliances(tmp_path):
    cluster = nats.Cluster(tmp_path, 3).start()
    ini = settings(tmp_path / "ctl", cluster.urls())
    load = None
    try:
        nats.wait_for_jetstream(cluster.servers)
        set_up(ini)
        with open(tmp_path / "said", "wb") as said:
            load = subprocess.Popen([program("fleet-load"), "-c", ini, "--appliances", str(TAPS), "--sites", str(SITES), "--seconds",
                                     str(SECONDS), "--rate", str(RATE), "--silent", str(SILENT), "--silent-at", str(SILENT_AT)],
                                    stdout=subprocess.PIPE, stderr=said)

        def rows():
            return json.loads(ctl(ini, "--json"))["appliances"]
        lab.wait_for("all connections", lambda: b"connections" in (tmp_path / "said").read_bytes(), 120)
        began = time.monotonic()
        lab.wait_for("all appliances", lambda: len(rows()) == TAPS, 120, 1)
        time.sleep(max(0, began + SILENT_AT - time.monotonic()))

        # Those that say nothing any more show; by the age of what they said last, so that a slow look is not their fault.
        def silent():
            return {r["appliance"]: r["age_s"] for r in rows() if r["health"] == "silent"}
        lab.wait_for("who is silent", lambda: len(silent()) >= SILENT, 90, 0.5)
        took = time.monotonic() - began - SILENT_AT
        started = time.monotonic()
        ages = silent()
        list_s = time.monotonic() - started
        started = time.monotonic()
        found = json.loads(ctl(ini, "correlate", "--json"))
        correlate_s = time.monotonic() - started
        memory = [rss_mb(s.process.pid) for s in cluster.servers]
        cpu = [cpu_s(s.process.pid) for s in cluster.servers]
        load_mb = rss_mb(load.pid)
        events_seen = json.loads(ctl(ini, "history", "fe80::beef", "--since", "0", "--json"))["events"]
        out = json.loads(load.communicate(timeout=SECONDS + 120)[0])
        assert load.returncode == 0
        # The silent ones are there; others may be late on a busy machine, but then they are by their age.
        assert set(out["silent"]) <= set(ages) and all(age > 25 for age in ages.values()), (out["silent"], ages)
        assert len(ages) <= SILENT + TAPS // 10
        wanted = {(t["kind"], t["key"], t["n_sites"]) for t in out["truth"]}
        got = {(f["kind"], f["key"], f["n_sites"]) for f in found["findings"] if f["kind"] != "version_silent"}
        assert got == wanted and found["left_out"] == 0
        version = [f for f in found["findings"] if f["kind"] == "version_silent"]
        assert [(f["key"], f["appliances"]) for f in version] == ([("0.9.9", SILENT)] if SILENT else [])
        assert {e["subject"].split(".")[1] for e in events_seen} == {"site-0006", "site-0007", "site-0008"}
        with nats.Client(lab.wait_for("a leader", lambda: cluster.leader(STREAM)).port) as c:
            info = c.api(f"STREAM.INFO.{STREAM}")["state"]
        assert info["messages"] >= out["events"] > 0
        print(json.dumps({k: v for k, v in out.items() if k not in ("truth", "silent")} |
                         {"silent_seen_s": round(took, 1), "list_s": round(list_s, 2), "correlate_s": round(correlate_s, 2),
                          "server_mb": memory, "server_cpu_s": cpu, "load_mb": load_mb, "stream_bytes_per_event": info["bytes"] // info["messages"]}))
    finally:
        if load is not None and load.poll() is None:
            load.kill()
            load.wait()
        cluster.stop()
