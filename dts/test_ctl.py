"""icmpscopectl against a running icmpscope: every command as a table and as JSON, what it says when nobody answers, and
--follow through a restart."""

import json
import re
import signal
import subprocess
import time

import pytest
from conftest import ROOT, VECTORS, program
from ctl import ctl, ctl_json
from scope import Scope

INCIDENT1 = VECTORS / "incident1.pcap"
TABLES = ["routers", "prefixes", "neighbors", "hosts", "groups", "queriers", "segments", "workers", "ports", "detectors"]


def socket_of(scope):
    return scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2"


@pytest.fixture(scope="module")
def incident1():
    with Scope("-p", f"pcap:{INCIDENT1}") as scope:
        end = time.monotonic() + 60
        while scope.info()["captures_unread"] or scope.info()["anomalies_opened"] < 2:
            assert time.monotonic() < end, scope.output()
            time.sleep(0.1)
        scope.settled()
        yield scope


@pytest.mark.parametrize("command", TABLES)
def test_tables_fit_and_agree_with_the_socket(incident1, command):
    family = {"prefixes": "prefix"}.get(command, command[:-1])
    rows = incident1.telemetry.table(family)
    assert rows
    text = ctl(command, "--socket", socket_of(incident1), "--all")
    lines = text.splitlines()
    assert len(lines) == 1 + len(rows)
    assert all(len(line) <= 80 for line in lines), text
    assert "\033" not in text, "colour in a pipe"
    doc = ctl_json(command, "--socket", socket_of(incident1), "--all")
    assert not doc["more"] and doc["total"] == len(rows)
    key = "name" if command == "detectors" else "device" if command == "ports" else next(iter(rows[0]))
    assert [r[key] for r in doc["rows"]] == [r[key] for r in rows]


def test_path_mtus(incident1, tmp_path):
    assert ctl("pmtu", "--socket", socket_of(incident1)) == "No path that carries less than its link.\n"


def test_pages_join(incident1):
    whole = ctl_json("neighbors", "--socket", socket_of(incident1), "--all")["rows"]
    seen, start = [], 0
    for _ in range(len(whole) + 1):
        page = ctl_json("neighbors", "--socket", socket_of(incident1), "--count", 5, "--start", start)
        assert len(page["rows"]) <= 5
        seen += page["rows"]
        if not page["more"]:
            break
        start = page["next"]
    assert seen == whole
    text = ctl("neighbors", "--socket", socket_of(incident1), "--count", 5)
    assert re.search(r"^5 of 17; the next: icmpscopectl neighbors --start \d+$", text, re.M), text


def test_anomalies_say_what_to_do(incident1):
    text = ctl("anomalies", "--socket", socket_of(incident1))
    assert re.search(r"^ 1 critical router_lifetime_zero cleared 10 ", text, re.M), text
    assert re.search(r"^ 2 critical router_flag_cleared  open    10 ", text, re.M), text
    whole = ctl("anomalies", "--long", "--socket", socket_of(incident1))
    assert "CRITICAL router_lifetime_zero (graceful)" in whole and "VLAN 10, port 0" in whole
    assert "Enable IPv6 forwarding on that interface" in whole
    assert all(len(line) <= 80 for line in whole.splitlines())
    rows = ctl_json("anomalies", "--socket", socket_of(incident1))["anomalies"]
    assert [r["name"] for r in rows] == ["router_lifetime_zero", "router_flag_cleared"]
    last = rows[-1]["last_ns"] // 10**9
    assert [r["id"] for r in ctl_json("anomalies", "--since", last, "--socket", socket_of(incident1))["anomalies"]] == [2]
    assert ctl("anomalies", "--since", last + 1, "--socket", socket_of(incident1)) == "Nothing was found since then.\n"


def test_status_counters_reasons(incident1):
    text = ctl("status", "--socket", socket_of(incident1))
    assert "350 frames, 315 control messages" in text and "1 open: 1 critical" in text
    assert "nothing before the workers, nothing behind them" in text
    doc = ctl_json("status", "--socket", socket_of(incident1))
    assert doc["open_critical"] == 1 and doc["open_warn"] == 0 and doc["frames"] == 350
    assert re.search(r"^ +22  nd_ra$", ctl("counters", "--socket", socket_of(incident1)), re.M)
    assert sum(ctl_json("counters", "--socket", socket_of(incident1)).values()) == 350
    assert ctl_json("counters", "--worker", 0, "--socket", socket_of(incident1))["nd_ra"] == 22
    assert "mld_src_unspecified" in ctl("reasons", "--socket", socket_of(incident1))
    assert "7" in ctl("counters", "--worker", 7, "--socket", socket_of(incident1), status=1)


def test_check_speaks_nagios(incident1, tmp_path):
    def check(*args):
        r = subprocess.run([str(program("icmpscopectl")), "check", *map(str, args)], capture_output=True, text=True,
                           timeout=90)
        assert r.stdout.count("\n") == 1
        return r.returncode, r.stdout

    status, line = check("--socket", socket_of(incident1))
    assert status == 2 and line.startswith("ICMPSCOPE CRITICAL - 1 critical, 0 warnings open: router_flag_cleared,")
    assert re.search(r"\| critical=1 warning=0 frames=350c lost=0c dropped=0c$", line), line
    assert check("--socket", socket_of(incident1), "--critical", 5, "--warning", 1)[0] == 1
    assert check("--socket", socket_of(incident1), "--critical", 5, "--warning", 4)[0] == 0
    status, line = check("--socket", tmp_path / "none")
    assert status == 3 and line.startswith("ICMPSCOPE UNKNOWN - no icmpscope answers")


def test_explain_asks_nobody():
    text = ctl("explain", "router_flag_cleared")
    assert "RFC 4861 7.2.5" in text and "enable IPv6 forwarding" in text
    assert ctl_json("explain", "nd_hop_limit")["kind"] == "rule"
    assert "router_flag_cleared" in ctl("explain", "flag_cleared", status=1)


def test_every_detector_is_explained(incident1):
    for row in incident1.telemetry.table("detector"):
        doc = ctl_json("explain", row["name"])
        assert doc["kind"] == "detector" and doc["what"] and doc["do"] and doc["thresholds"]


@pytest.mark.parametrize("args, words", [
    ([], "no command"),
    (["nonsense"], "unknown command nonsense"),
    (["routers", "--count", "0"], "--count 0"),
    (["routers", "--count", "x"], "--count x"),
    (["routers", "--start", "18446744073709551616"], "--start"),
    (["routers", "--nonsense"], "unknown option --nonsense"),
    (["routers", "--follow"], "unknown option --follow"),
    (["routers", "more"], "takes nothing besides"),
    (["routers", "--socket"], "--socket wants an argument"),
    (["routers", "--socket", "/" + "x" * 200], "at most 107"),
    (["anomalies", "--since", "yesterday"], "--since yesterday"),
    (["explain"], "takes one argument"),
    (["routers", "-c", "/nonexistent.ini"], "/nonexistent.ini"),
])
def test_usage(args, words):
    assert words in ctl(*args, status=2)


def test_nobody_answers(tmp_path):
    assert "start it, or name its socket" in ctl("status", "--socket", tmp_path / "none", status=1)


def test_help_names_every_option(incident1):
    commands = re.findall(r"^  ([a-z]+) ?[\[A-Z]?", ctl("--help"), re.M)
    assert set(TABLES) | {"status", "anomalies", "explain", "history", "check"} <= set(commands)
    for c in commands:
        text = ctl(c, "--help")
        assert text.startswith(f"usage: icmpscopectl {c} ") and all(len(line) <= 80 for line in text.splitlines()[1:])


@pytest.mark.live
def test_follow_outlives_a_restart(tmp_path):
    link = tmp_path / "socket"
    log = tmp_path / "log"
    first = Scope("-p", f"pcap:{INCIDENT1}")
    follower = None
    try:
        link.symlink_to(socket_of(first))
        with open(log, "wb") as out:
            follower = subprocess.Popen([str(program("icmpscopectl")), "anomalies", "--follow", "--json", "--socket",
                                         str(link)], stdout=out, stderr=out, stdin=subprocess.DEVNULL)

        def wait_for(pattern, n):
            end = time.monotonic() + 60
            while len(re.findall(pattern, log.read_text())) < n:
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.1)

        wait_for('"name":"router_flag_cleared"', 1)
        first.stop()
        with Scope("-p", f"pcap:{INCIDENT1}") as second:
            link.unlink()
            link.symlink_to(socket_of(second))
            wait_for("connected again", 1)
            wait_for('"name":"router_flag_cleared"', 2)
            follower.send_signal(signal.SIGINT)
            assert follower.wait(60) == -signal.SIGINT
    finally:
        if follower is not None and follower.poll() is None:
            follower.kill()
            follower.wait(5)
        first.stop(check=False)
    for line in log.read_text().splitlines():
        assert line.startswith("icmpscopectl: ") or json.loads(line)["id"] > 0


def complete(*words):
    """What bash offers for the last of words."""
    script = (f"source {ROOT}/config/icmpscopectl.bash; COMP_WORDS=({' '.join(repr(w) for w in words)}); "
              f"COMP_CWORD={len(words) - 1}; _icmpscopectl; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    r = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=90)
    assert r.returncode == 0 and r.stderr == "", r
    return set(r.stdout.split())


def test_completion_offers_what_help_tells():
    me = str(program("icmpscopectl"))
    commands = set(re.findall(r"^  ([a-z]+) ", ctl("--help"), re.M))
    assert commands | {"--help", "--version"} == complete(me, "")
    assert complete(me, "neigh") == {"neighbors"}
    assert {"--start", "--count", "--all", "--json", "--socket"} <= complete(me, "routers", "--")
    assert "--follow" in complete(me, "anomalies", "--f") and "--follow" not in complete(me, "routers", "--f")
    assert complete(me, "explain", "router_flag") == {"router_flag_cleared"}
