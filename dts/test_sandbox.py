"""The sandbox: each thing that it forbids is tried and fails, in every kind of thread; and all that icmpscope does goes on
inside it."""

import ctypes
import json
import os
import platform
import pwd
import signal
import subprocess

import journal
import lab
import pytest
from conftest import VECTORS, program
from scope import Scope
from threads import Stopped, statuses

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give away")

INCIDENT1 = VECTORS / "incident1.pcap"
NOTHING = "0" * 16
# What stays possible, and what landlock refuses; everything else that is tried is refused by seccomp.
OK = {"write_mine", "read_other"}
READ_ONLY = {"write_other", "make_other", "truncate_other", "remove_other", "move_out", "write_proc"}


# landlock_create_ruleset() tells its version; some containers hide it, and then icmpscope says "in part".
LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


def is_sanitized():
    """A build with sanitizers leaves the system calls alone (docs/testing.md)."""
    options = json.loads((program("icmpscope").parents[2] / "meson-info" / "intro-buildoptions.json").read_text())
    return next(o["value"] for o in options if o["name"] == "sanitize")


needs_seccomp = pytest.mark.skipif("is_sanitized()", reason="a build with sanitizers has no filter of system calls")


def assert_bound(pid, uid=0, seccomp="2"):
    """Every thread of it, as the kernel says."""
    threads = statuses(pid)
    for tid, s in threads.items():
        for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert s[key] == NOTHING, (tid, s["Name"], key, s[key])
        assert s["NoNewPrivs"] == "1" and s["Seccomp"] == seccomp, (tid, s["Name"])
        assert s["Uid"].split() == s["Gid"].split() == 4 * [str(uid)] or uid != 0 and s["Uid"].split() == 4 * [str(uid)], s
    return threads


# ---- what it may not do: app/test/sandbox_probe.c ----

@pytest.fixture
def probe(tmp_path):
    """Runs it as this user, in a directory of that user's."""
    path = program("icmpscope").parents[1] / "test" / "sandbox_probe"
    running = []

    def run(user=""):
        mine, other = tmp_path / "mine", tmp_path / "other"
        for d in (tmp_path, *tmp_path.parents[:2]):
            d.chmod(0o755)
        for d in (mine, other):
            d.mkdir()
            (d / "there").write_text("x")
            if user and d == mine:
                os.chown(d, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        p = subprocess.Popen([path, user, mine, other], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(p)
        lines = []
        for line in p.stdout:
            if line == "waiting\n":
                break
            lines.append(line.split())
        return p, lines

    yield run
    for p in running:
        p.stdin.close()
        assert p.wait(20) == 0


@needs_seccomp
@pytest.mark.parametrize("user", ["", "nobody"])
def test_what_it_may_not_do(probe, tmp_path, user):
    p, lines = probe(user)
    results = {(who, what): result for who, what, result in lines if who != "denied"}
    tried = {what for _, what in results}
    assert len(tried) == 38 and len(results) == 3 * 38, "a thread did not try everything"
    for (who, what), result in results.items():
        if what in READ_ONLY and not LANDLOCK:
            continue
        wanted = "ok" if what in OK else "EACCES" if what in READ_ONLY else "EPERM"
        # A file that is another's is refused for that, whoever asks first.
        assert result == wanted or (user and what == "write_proc" and result in ("EACCES", "EPERM")), (who, what, result)
    # Each refusal was counted, by its name, and the program went on.
    denied = {call: int(n) for who, call, n in lines if who == "denied"}
    assert sum(denied.values()) == sum(r == "EPERM" for (_, what), r in results.items() if what not in READ_ONLY)
    assert denied["execve"] == denied["ptrace"] == denied["bpf"] == 3 and denied["socket"] == 12
    threads = assert_bound(p.pid, pwd.getpwnam(user).pw_uid if user else 0)
    assert len(threads) == 3
    assert not LANDLOCK or (tmp_path / "other" / "there").read_text() == "x" and not (tmp_path / "other" / "new").exists()


# ---- icmpscope itself ----

def start(tmp_path, *args, device=f"pcap:{INCIDENT1}"):
    (tmp_path / "evidence").mkdir(exist_ok=True)
    settings = {"journal.file": "journal.json", "state.file": "state", "history.file": "history.db", "evidence.dir": "evidence"}
    return Scope("-p", device, *(a for k, v in settings.items() for a in ("--set", f"{k}={tmp_path / v}")), *args)


def test_every_thread_is_bound(tmp_path):
    with start(tmp_path) as scope:
        seccomp = "0" if is_sanitized() else "2"
        # A client's thread was started later, by one of DPDK's.
        names = {s["Name"] for s in assert_bound(scope.process.pid, seccomp=seccomp).values()}
        assert {"icmpscope", "journal", "state", "history", "watchdog"} <= names
        info = scope.info()
        assert info["sandbox"] == ("on" if info["sandbox_landlock"] and seccomp == "2" else "in part")
        assert info["sandbox_user"] == "root" and info["sandbox_seccomp"] == ("on" if seccomp == "2" else "off")
        assert info["sandbox_bounding"] == 0 and info["sandbox_denied"] == 0 and info["sandbox_threads"] >= 7
    (begun,) = [e["icmpscope"] for e in journal.lines(tmp_path / "journal.json") if e["icmpscope"]["event"] == "start"]
    assert begun["sandbox"] == info["sandbox"]


def test_all_that_it_does_goes_on(tmp_path):
    """Rotation, reopening, settings read again, state, history, evidence, every endpoint, the end: and nothing is refused."""
    path, ini = tmp_path / "journal.json", tmp_path / "icmpscope.ini"
    ini.write_text("[detect]\nlearn_s = 60\n")
    with start(tmp_path, "-c", str(ini)):
        pass
    # So long that the first line of the next run begins a new one.
    line = path.read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(line * ((1 << 20) // len(line)))
    with start(tmp_path, "-c", str(ini), "--set", "journal.max_mb=1") as scope:
        lab.wait_for("a rotation", lambda: scope.info()["journal_rotations"] >= 1, 30)
        path.rename(tmp_path / "moved.json")
        ini.write_text("[detect]\nlearn_s = 61\n")
        scope.process.send_signal(signal.SIGHUP)
        lab.wait_for("the journal is new", lambda: path.exists() and journal.lines(path), 30)
        lab.wait_for("the settings are read again", lambda: "was read again" in scope.output(), 30)
        lab.wait_for("history is written", lambda: scope.info()["history_written"], 60)
        lab.wait_for("evidence is written", lambda: scope.info()["evidence_written"] >= 2, 60)
        for command in scope.ask("/"):
            scope.ask(f"{command},0")
        assert scope.info()["sandbox_denied"] == 0
    assert (tmp_path / "state").exists() and list((tmp_path / "evidence").glob("*.pcapng"))
    assert journal.kinds(journal.lines(path))[-1] == "stop"
    # DPDK took its socket away.
    assert not scope.socket_left


@needs_seccomp
@pytest.mark.live
@pytest.mark.skipif(platform.machine() != "x86_64", reason="makes a thread do a system call by its registers")
def test_a_refusal_is_seen(tmp_path):
    """What an intruder would do: it fails, and standard error, journal and telemetry say so."""
    sethostname = 170
    with start(tmp_path) as scope:
        scope.may_be_refused = True

        def is_led():
            with Stopped(scope.process.pid) as control:
                return control.next_call(sethostname)

        lab.wait_for("the control thread is stopped while it waits", is_led)
        lab.wait_for("telemetry counts it", lambda: scope.info().get("sandbox_denied") == 1, 30)
        lab.wait_for("standard error names it", lambda: "refused the system call sethostname, 1 times" in scope.output(), 30)
        lab.wait_for("all threads go on", lambda: scope.info()["stalled"] == 0)
    told = [e["icmpscope"] for e in journal.lines(tmp_path / "journal.json") if e["icmpscope"]["event"] == "denied"]
    assert [(t["call"], t["denied"]) for t in told] == [("sethostname", 1)]


def test_another_user(tmp_path):
    """It becomes that user, who then owns what was written before and goes on writing."""
    user = pwd.getpwnam("nobody")
    for d in (tmp_path, *tmp_path.parents[:2]):
        d.chmod(0o755)
    own = tmp_path / "own"
    (own / "evidence").mkdir(parents=True)
    for d in (own, own / "evidence"):
        os.chown(d, user.pw_uid, user.pw_gid)
    for _ in range(2):
        with start(own, "--set", "sandbox.user=nobody") as scope:
            assert_bound(scope.process.pid, user.pw_uid, seccomp="0" if is_sanitized() else "2")
            assert scope.info()["sandbox_user"] == "nobody"
            (own / "journal.json").rename(own / "moved.json")
            scope.process.send_signal(signal.SIGHUP)
            lab.wait_for("a new journal", lambda: (own / "journal.json").exists(), 30)
            lab.wait_for("findings are written", lambda: list((own / "evidence").glob("*.pcapng")), 30)
            lab.wait_for("history is written", lambda: scope.info().get("history_written"), 30)
        for f in own.rglob("*"):
            assert f.stat().st_uid == user.pw_uid, f
        assert (own / "state").exists()


def refused(tmp_path, *args):
    (tmp_path / "evidence").mkdir(exist_ok=True)
    r = subprocess.run([str(program("icmpscope")), "-p", f"pcap:{INCIDENT1}", "--run-for", "1", "--set",
                        f"eal.file_prefix=icssb{os.getpid()}", *args], capture_output=True, text=True, timeout=60,
                       stdin=subprocess.DEVNULL, env=dict(os.environ, RUNTIME_DIRECTORY=str(tmp_path)))
    return r


def test_failure_is_fatal_unless_told_otherwise(tmp_path):
    nobody = ["--set", "sandbox.user=no-such-user"]
    r = refused(tmp_path, *nobody)
    assert r.returncode == 1
    assert [line for line in r.stderr.splitlines() if "sandbox" in line] == [
        "icmpscope: the sandbox does not hold: sandbox.user = no-such-user: there is no such user; --set sandbox.enable=try "
        "goes on without"]
    r = refused(tmp_path, *nobody, "--set", "sandbox.enable=try")
    assert r.returncode == 0 and "warning: the sandbox holds in part: sandbox.user = no-such-user" in r.stderr
    # Who may not write its journal any more says so at the start, not at the first rotation.
    place = tmp_path / "place"
    place.mkdir(mode=0o700)
    os.chown(place, pwd.getpwnam("nobody").pw_uid, 0)
    r = refused(tmp_path, "--set", f"journal.file={place}/journal.json")
    assert r.returncode == 1 and f"{place}: user root without capabilities cannot write there" in r.stderr
    with Scope("-p", f"pcap:{INCIDENT1}", "--set", "sandbox.enable=off") as scope:
        info = scope.info()
        assert info["sandbox"] == "off" and "sandbox_user" not in info
        assert all(s["NoNewPrivs"] == "0" and s["CapEff"] != NOTHING for s in statuses(scope.process.pid).values())


def test_reader(reader, tmp_path):
    """icmpscope-read keeps what root needs to read other people's files, and writes where it was asked to."""
    where = {name: tmp_path / name for name in ("history", "evidence", "html")}
    for d in where.values():
        d.mkdir()
    p = subprocess.Popen([reader.path, "--history", where["history"] / "h.db", "--evidence", where["evidence"], "--html",
                          where["html"] / "r.html", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def is_bound():
        return all(s["NoNewPrivs"] == "1" and s["CapBnd"] == NOTHING for s in statuses(p.pid).values())

    try:
        lab.wait_for("it gives away what it does not need", is_bound, 30)
        lab.wait_for("capabilities, too", lambda: all(int(s["CapEff"], 16) & ~6 == 0 for s in statuses(p.pid).values()), 10)
        p.communicate(INCIDENT1.read_bytes(), timeout=60)
    finally:
        p.kill()
        p.wait(10)
    assert p.returncode == 0
    assert (where["history"] / "h.db").stat().st_size and (where["html"] / "r.html").stat().st_size
    assert len(list(where["evidence"].glob("*.pcapng"))) == 2
