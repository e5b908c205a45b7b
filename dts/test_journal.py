"""The journal of a running icmpscope: every line as the schema says, nothing lost in silence, whole after whatever happens."""

import os
import resource
import signal
import subprocess

import journal
import lab
import pytest
from conftest import VECTORS, program
from scope import Scope

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the telemetry socket needs root")

INCIDENT1 = VECTORS / "incident1.pcap"
T0 = 1463012450


def ra(n, lifetime, when):
    from scapy.all import Ether, ICMPv6ND_RA, ICMPv6NDOptSrcLLAddr, IPv6

    mac = f"00:00:5e:00:53:{n:02x}"
    frame = Ether(src=mac, dst="33:33:00:00:00:01") / IPv6(src=f"fe80::{n:x}", dst="ff02::1", hlim=255) / \
        ICMPv6ND_RA(routerlifetime=lifetime) / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    frame.time = T0 + when
    return frame


@pytest.fixture
def retractions(tmp_path):
    """A capture in which 40 routers give up, one after the other: an anomaly for each."""
    from scapy.all import wrpcap

    frames = [ra(n, 1800, n * 0.01) for n in range(1, 41)] + [ra(n, 0, 700 + n) for n in range(1, 41)]
    wrpcap(str(tmp_path / "retractions.pcap"), frames)
    return tmp_path / "retractions.pcap"


def settled(scope):
    """/icmpscope/info once the capture is read and nothing waits for the writer."""
    lab.wait_for("the capture is read", lambda: "capture read" in scope.output(), 30)

    def nothing_waits():
        info = scope.info()
        return info if info["journal_queued"] == 0 else None

    scope.settled()
    return lab.wait_for("the queue is empty", nothing_waits, 15)


def test_a_run(tmp_path):
    path = tmp_path / "journal.json"
    args = ("-p", f"pcap:{INCIDENT1}", "--set", f"journal.file={path}", "--set", f"state.file={tmp_path / 'state'}",
            "--set", "journal.appliance=tap-3", "--set", "journal.site=berlin")
    with Scope(*args) as scope:
        info = settled(scope)
        assert info["journal"] == "on" and info["journal_dropped"] == 0 and info["journal_written"] == len(journal.lines(path))
        found = {a["id"]: a for a in scope.anomalies()}
        scope.ask("/icmpscope/anomaly/ack,2")
        lab.wait_for("the mark is in the journal", lambda: "update" in journal.kinds(journal.lines(path)), 10)
    events = journal.lines(path)
    journal.assert_gapless(events)
    assert journal.kinds(events) == ["start", "config", "open", "clear", "open", "update", "state_saved", "stop"]
    assert path.stat().st_mode & 0o777 == 0o640
    start, config, opened, cleared, other, marked, _, stop = (e["icmpscope"] for e in events)
    assert start["run_before"] == "none" and start["torn_bytes"] == 0 and start["mode"] == "capture"
    assert config["overrides"] == 5
    assert all(e["icmpscope"]["appliance"] == "tap-3" and e["icmpscope"]["site"] == "berlin" for e in events)
    # What the socket says of it, the journal says.
    for own in (cleared, other):
        live = found[own["id"]]
        for key in ("name", "variant", "severity", "state", "count", "rfc", "says", "first", "last"):
            assert own[key] == live[key], key
        assert own["subject"]["router"] == live["subject_router"]
    assert opened["name"] == "router_lifetime_zero" and opened["state"] == "open" and not opened["acked"]
    assert marked["id"] == 2 and marked["acked"]
    envelope = events[2]
    assert envelope["timestamp"] == "2016-05-12T00:21:10.543000+0000"
    assert envelope["src_ip"] == "fe80::1" and envelope["dest_ip"] == "ff02::1" and envelope["vlan"] == [10]
    assert envelope["ether"] == {"src_mac": "00:00:5e:00:53:01", "dest_mac": "33:33:00:00:00:01"}
    assert (envelope["proto"], envelope["icmp_type"]) == ("IPv6-ICMP", 134)
    assert envelope["in_iface"] == f"pcap:{INCIDENT1}"
    assert stop["frames"] == 350 and stop["control"] == stop["delivered"] and stop["why"] == "signal"

    # The next run appends to it and says how the one before ended.
    with Scope(*args) as scope:
        settled(scope)
    events = journal.lines(path)
    journal.assert_gapless(events)
    assert len({e["icmpscope"]["boot"] for e in events}) == 2
    (again,) = [e["icmpscope"] for e in events if e["icmpscope"]["event"] == "start"][1:]
    assert again["run_before"] == "stopped" and again["journal_bytes"] > 0 and again["state_restored"]


def test_several_anomalies_and_rotation(retractions, tmp_path):
    """Rotation loses no line, and no more files are kept than asked for."""
    path = tmp_path / "journal.json"
    with Scope("-p", f"pcap:{retractions},loop", "--set", f"journal.file={path}", "--set", "journal.max_mb=1", "--set",
               "journal.keep=2") as scope:
        # Findings of a loop change at every turn; a capture played with its own time would be done with 80.
        lab.wait_for("two rotations", lambda: scope.info()["journal_rotations"] >= 2, 60)
        info = scope.info()
        assert info["journal"] == "on"
    earlier = sorted(tmp_path.glob("journal.json.*"))
    assert [p.name for p in earlier] == ["journal.json.1", "journal.json.2"]
    assert all((1 << 20) - 65536 < p.stat().st_size <= 1 << 20 for p in earlier)
    events = journal.lines(earlier[1], earlier[0], path)
    journal.assert_gapless(events)
    assert {e["icmpscope"].get("name") for e in events} >= {"router_lifetime_zero"}


def test_hangup_opens_it_again(retractions, tmp_path):
    path, moved = tmp_path / "journal.json", tmp_path / "moved.json"
    with Scope("-p", f"pcap:{retractions}", "--set", f"journal.file={path}") as scope:
        settled(scope)
        path.rename(moved)
        before = len(journal.lines(moved))
        scope.process.send_signal(signal.SIGHUP)
        lab.wait_for("a new file", path.exists, 10)
        lab.wait_for("its first line", lambda: journal.lines(path), 10)
        # Nothing can stand there: it goes on as soon as it can.
        path.unlink()
        path.mkdir()
        scope.process.send_signal(signal.SIGHUP)
        lab.wait_for("that is said", lambda: scope.info()["journal"] == "Is a directory", 10)
        path.rmdir()
        lab.wait_for("it goes on", lambda: scope.info()["journal"] == "on", 15)
    assert len(journal.lines(moved)) == before and before >= 42
    assert journal.kinds(journal.lines(path))[-1] == "stop"
    with Scope("-p", f"pcap:{retractions}") as scope:
        # Without a journal it is no reason to die.
        scope.process.send_signal(signal.SIGHUP)
        assert scope.info()["journal"] == "off"


def test_full_disk(retractions, tmp_path):
    """A file system that is full: what is lost is counted and said in the next line that fits; nothing else stops."""
    disk, ballast = tmp_path / "disk", tmp_path / "disk" / "ballast"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True, timeout=60)
    try:
        path = disk / "journal.json"
        with Scope("-p", f"pcap:{retractions}", "--set", f"journal.file={path}") as scope:
            info = settled(scope)
            assert info["journal"] == "No space left on device" and info["journal_dropped"] > 0
            assert info["journal_written"] == len(journal.lines(path)) and info["conservation_ok"] == 1
            assert scope.output().count("the journal cannot be written") == 1
            lost = info["journal_dropped"]
            # At least start, configuration, and an opening for each router.
            assert info["journal_written"] + lost >= 42
            subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True, timeout=60)
            lab.wait_for("it is written again", lambda: scope.info()["journal"] == "on", 15)
        events = journal.lines(path)
        journal.assert_gapless(events)
        # Short lines may fit between longer ones that do not.
        told = [e["icmpscope"] for e in events if e["icmpscope"]["event"] == "journal_lost"]
        assert sum(t["lost"] for t in told) == told[-1]["lost_since_start"] == lost
        assert {t["why"] for t in told} == {"No space left on device"}
        assert journal.kinds(events)[-1] == "stop"
    finally:
        assert not ballast.exists()
        subprocess.run(["umount", "-l", str(disk)], check=True, timeout=60)


def test_file_that_may_not_grow(retractions, tmp_path):
    """The same by a limit of the process, to the octet: a line that does not fit leaves nothing of itself."""
    path, limit = tmp_path / "journal.json", 40000
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        scope = Scope("-p", f"pcap:{retractions}", "--set", f"journal.file={path}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with scope:
        info = settled(scope)
        assert info["journal"] == "File too large" and info["journal_dropped"] > 0
        assert limit / 2 < path.stat().st_size <= limit
        assert len(journal.lines(path)) == info["journal_written"]
        resource.prlimit(scope.process.pid, resource.RLIMIT_FSIZE, before)
        lab.wait_for("it is written", lambda: scope.info()["journal"] == "on", 15)
    events = journal.lines(path)
    journal.assert_gapless(events)
    assert "journal_lost" in journal.kinds(events) and journal.kinds(events)[-1] == "stop"


def test_killed_under_load(retractions, tmp_path):
    """Whenever it is killed: whole lines, at most the last is torn, and the next start says what it found."""
    path = tmp_path / "journal.json"
    args = ("-p", f"pcap:{retractions},loop", "--set", f"journal.file={path}")
    for _ in range(3):
        scope = Scope(*args)
        try:
            lab.wait_for("lines are written", lambda: scope.info()["journal_written"] > 50, 30)
            scope.process.send_signal(signal.SIGKILL)
            scope.process.wait(60)
        finally:
            scope.stop(check=False)
    text = path.read_bytes()
    whole = text[:text.rfind(b"\n") + 1]
    # A kill hardly ever hits the middle of a line: this one does.
    path.write_bytes(whole + b'{"timestamp":"2026-')
    with Scope("-p", f"pcap:{INCIDENT1}", "--set", f"journal.file={path}") as scope:
        settled(scope)
        assert "octets of a line that was not finished; they are gone" in scope.output()
    events = journal.lines(path)
    journal.assert_gapless(events)
    starts = [e["icmpscope"] for e in events if e["icmpscope"]["event"] == "start"]
    assert [s["run_before"] for s in starts] == ["none"] + 3 * ["did not stop by itself"]
    assert starts[-1]["torn_bytes"] == 19 and starts[-1]["journal_bytes"] == len(whole)


def test_wrong_places(tmp_path):
    def refused(*args):
        r = subprocess.run([str(program("icmpscope")), "-p", f"pcap:{INCIDENT1}", *args], capture_output=True, text=True,
                           timeout=90, stdin=subprocess.DEVNULL)
        assert r.returncode == 1, r
        return r.stderr

    other = tmp_path / "passwd"
    other.write_text("root:x:0:0\n")
    assert "is no journal of icmpscope; name another file" in refused("--set", f"journal.file={other}")
    assert other.read_text() == "root:x:0:0\n"
    assert "No such file" in refused("--set", f"journal.file={tmp_path}/none/journal")
    assert "make the directory" in refused("--set", f"evidence.dir={tmp_path}/none")
    path = tmp_path / "journal.json"
    with Scope("-p", f"pcap:{INCIDENT1}", "--set", f"journal.file={path}"):
        assert "is written by another process" in refused("--set", f"journal.file={path}")
