"""The address history end to end: the reader or icmpscope fills it, icmpscopectl answers from it, and a disk that takes no
more costs rows that are counted, nothing else."""

import contextlib
import json
import os
import re
import resource
import signal
import sqlite3
import stat
import subprocess

import lab
import pytest
from conftest import VECTORS, program
from ctl import ctl
from scope import Scope

INCIDENT1 = VECTORS / "incident1.pcap"
HOST, MAC = "fe80::10", "00:00:5e:00:53:10"
BINDINGS = 17  # that the capture tells of


def rows(path, *query):
    return json.loads(ctl("history", *query, "--file", path, "--json"))["rows"]


@pytest.fixture
def history(reader, tmp_path):
    path = tmp_path / "history.db"
    reader.json("--history", path, INCIDENT1)
    return path


def test_reader_fills_and_ctl_answers(history):
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    (row,) = rows(history, HOST)
    assert row["mac"] == MAC and row["vlan"] == "10" and row["how"] == "DAD" and row["class"] == "link_local"
    assert row["first"] == "2016-05-12T00:02:11.150000Z" < row["last"]
    back = rows(history, MAC)
    assert {r["address"] for r in back} == {HOST, "2001:db8:1::10"} and {r["mac"] for r in back} == {MAC}
    # Then, and before.
    assert rows(history, HOST, "--at", "2016-05-12T00:10")[0]["mac"] == MAC
    assert rows(history, HOST, "--at", 1463011800)[0]["mac"] == MAC
    assert "was not seen at that time" in ctl("history", HOST, "--at", "2016-05-12T00:01Z", "--file", history, status=1)


def test_tables_fit_80_columns(history):
    for query in (HOST, MAC, "2001:db8:1::10"):
        text = ctl("history", query, "--file", history)
        assert max(map(len, text.splitlines())) <= 80
        assert MAC in text or query == MAC and HOST in text
        assert "2016-05-12T00:02:11Z" in text or query == "2001:db8:1::10"
    for help_text in (ctl("--help"), ctl("history", "--help")):
        assert max(map(len, help_text.splitlines())) <= 80


def test_reading_twice_changes_nothing(reader, history):
    def contents():
        with sqlite3.connect(history) as db:
            return sorted(db.execute("SELECT addr, mac, vlan_outer, how, first, last FROM binding"))

    before = contents()
    assert len(before) == BINDINGS
    reader.json("--history", history, INCIDENT1)
    assert contents() == before


def test_errors(reader, history, tmp_path):
    for args, says in ((["history"], "one address or MAC"), (["history", "nobody"], "neither an IPv6 address nor a MAC"),
                       (["history", HOST, "--at", "soon", "--file", history], "2026-05-12T08:30"),
                       (["history", HOST, "--fiel", "x"], "unknown option --fiel"), ([], "no command"),
                       (["history", HOST, "--file"], "--file wants an argument"),
                       (["nothing"], "unknown command nothing"),
                       (["history", HOST, "-c", tmp_path / "none.ini"], "none.ini")):
        assert says in ctl(*args, status=2)
    assert "No such file" in ctl("history", HOST, "--file", tmp_path / "none.db", status=1)
    assert "fe80::99 was not seen" in ctl("history", "fe80::99", "--file", history, status=1)
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"x" * 8192)
    assert "is no address history" in ctl("history", HOST, "--file", junk, status=1)
    r = reader.run("--history", junk, INCIDENT1)
    assert r.returncode == 1 and b"is no address history" in r.stderr and junk.read_bytes() == b"x" * 8192
    ini = tmp_path / "scope.ini"
    ini.write_text(f"[history]\nfile = {history}\n")
    assert MAC in ctl("history", HOST, "-c", ini)
    assert "icmpscopectl" in ctl("--version")


def dads(path, n, mac="02:00:00:00:00:07"):
    """A capture in which one host takes n addresses."""
    from scapy.all import Ether, ICMPv6ND_NS, IPv6, wrpcap

    frames = []
    for i in range(n):
        target = f"2001:db8:1:0:8a3f:5b71:{i >> 8:x}:{0x100 + (i & 0xff):x}"
        group = f"ff02::1:ff{i >> 8 & 0xff:02x}:{0x100 + (i & 0xff):x}"
        frame = Ether(src=mac, dst=f"33:33:ff:{i >> 8 & 0xff:02x}:01:{i & 0xff:02x}") / \
            IPv6(src="::", dst=group, hlim=255) / ICMPv6ND_NS(tgt=target)
        frame.time = 1463012450 + i * 0.01
        frames.append(frame)
    wrpcap(str(path), frames)
    return path


def test_reader_on_a_full_disk(reader, tmp_path):
    """What the file does not take is said, and the report comes all the same."""
    path, capture = tmp_path / "history.db", dads(tmp_path / "dads.pcap", 600)
    r = subprocess.run([str(reader.path), "--json", "--history", str(path), str(capture)], capture_output=True, timeout=60,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (70000, 70000)))
    assert r.returncode == 1 and re.fullmatch(rb"icmpscope-read: the history lacks \d+ events: .*\n", r.stderr), r.stderr
    assert json.loads(r.stdout)["bindings"] == 600
    # Once there is room the same call fills it.
    reader.json("--history", path, capture)
    assert len(rows(path, "02:00:00:00:00:07")) == 600


def test_host_with_many_addresses_is_named(reader, tmp_path):
    capture = dads(tmp_path / "dads.pcap", 40)
    (a,) = (a for a in reader.json(capture)["anomalies"] if a["name"] == "host_addr_excess")
    assert a["subject"]["mac"] == "02:00:00:00:00:07" and a["severity"] == "warn" and a["evidence"]["addresses"] == 40
    text = reader.run(capture).stdout.decode()
    assert "Hosts with the most addresses, of 1\n" in text
    assert "40 02:00:00:00:00:07 on port 0 untagged: 0 link-local, 1 stable, 39 temporary\n" in text
    assert "Hosts with the most" not in reader.run(dads(tmp_path / "two.pcap", 2)).stdout.decode()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the telemetry socket needs root")


def bindings(path):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as db:
        return db.execute("SELECT count(*) FROM binding").fetchone()[0]


def wait_written(scope, path):
    """/icmpscope/info once all that the capture tells is on file."""
    lab.wait_for("the capture is read", lambda: "capture read" in scope.output())
    scope.settled()
    lab.wait_for("all of it is on file", lambda: scope.info()["history_queued"] == 0 and bindings(path) == BINDINGS)
    return scope.info()


@needs_root
def test_icmpscope_fills_it(tmp_path):
    path = tmp_path / "history.db"
    with Scope("-p", f"pcap:{INCIDENT1}", "--set", f"history.file={path}") as scope:
        info = wait_written(scope, path)
        assert info["history_written"] > 0
        assert info["history"] == "on" and info["history_dropped"] == 0
        # While it runs and after it was killed: what is on file is on file.
        assert rows(path, HOST)[0]["mac"] == MAC
        hosts = scope.ask("/icmpscope/host/table,0")
        assert hosts["total"] == len(hosts["id"]) and MAC in hosts["mac"]
        n = hosts["mac"].index(MAC)
        one = scope.ask(f"/icmpscope/host/info,{hosts['id'][n]}")
        assert one["mac"] == MAC and one["addresses"] == hosts["addresses"][n] == 2
    assert {r["address"] for r in rows(path, MAC)} == {HOST, "2001:db8:1::10"}


@needs_root
def test_icmpscope_killed(tmp_path):
    path = tmp_path / "history.db"
    scope = Scope("-p", f"pcap:{INCIDENT1}", "--set", f"history.file={path}")
    try:
        wait_written(scope, path)
        scope.process.send_signal(signal.SIGKILL)
        scope.process.wait(10)
    finally:
        scope.stop(check=False)
    assert rows(path, HOST)[0]["mac"] == MAC
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM binding").fetchone() == (BINDINGS,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@needs_root
def test_icmpscope_refuses_a_file_of_others(tmp_path):
    path = tmp_path / "junk.db"
    path.write_bytes(b"x" * 8192)
    r = subprocess.run([str(program("icmpscope")), "-p", f"pcap:{INCIDENT1}", "--set", f"history.file={path}"],
                       capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert r.returncode == 1 and "is no address history (not an SQLite file); name another file" in r.stderr
    assert path.read_bytes() == b"x" * 8192


@needs_root
def test_icmpscope_without_it(tmp_path):
    with Scope("-p", f"pcap:{INCIDENT1}") as scope:
        info = scope.settled()
        assert info["history"] == "off" and info["history_written"] == info["history_dropped"] == 0
