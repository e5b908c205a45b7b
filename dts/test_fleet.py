"""A fleet on real NATS servers: each line of each journal once and in order, whatever is killed; what goes wrong is said once and
mends itself; nobody publishes for another. ICMPSCOPE_LONG=1 makes it 100,000 events with a node away for a minute."""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import lab
import nats
import pytest
from conftest import VECTORS, program
from scope import Scope

LONG = os.environ.get("ICMPSCOPE_LONG") == "1"
STREAM = "ICMPSCOPE_EVENTS"

pytestmark = [pytest.mark.live,
              pytest.mark.skipif(not os.path.exists("/usr/sbin/nats-server"), reason="nats-server is not installed (devtools/setup test)")]


def settings(path, servers, site="berlin", appliance="tap-1", more="", journal=None):
    """An appliance's settings; its files are beside them."""
    path.mkdir(parents=True, exist_ok=True)
    ini = path / "icmpscope.ini"
    ini.write_text(f"[journal]\nfile = {journal or path / 'journal.json'}\nsite = {site}\nappliance = {appliance}\n"
                   f"[fleet]\nservers = {servers}\ncursor = {path / 'cursor'}\nmax_gb = 1\n{more}")
    return ini


def line(boot, seq, number, name="router_new"):
    return json.dumps({"timestamp": "2026-11-22T06:00:00.000000+0000", "event_type": "anomaly", "host": "tap",
                       "icmpscope": {"event": "update", "seq": seq, "line": number, "boot": boot, "change": seq, "id": 1, "name": name,
                                     "says": "x" * 300}}, separators=(",", ":")) + "\n"


class Journal:
    """A journal as icmpscope writes it, with rotation."""

    def __init__(self, path, boot="boot-1", per_file=0, keep=14):
        self.path, self.boot, self.per_file, self.keep, self.n, self.in_file = path, boot, per_file, keep, 0, 0

    def write(self, n):
        left = n
        while left > 0:
            k = min(left, self.per_file - self.in_file) if self.per_file else left
            with open(self.path, "a", encoding="ascii") as f:
                f.write("".join(line(self.boot, self.n + i, self.n + i, f"kind_{(self.n + i) % 7}") for i in range(1, k + 1)))
            self.n, self.in_file, left = self.n + k, self.in_file + k, left - k
            if self.per_file and self.in_file == self.per_file:
                for i in range(self.keep - 1, 0, -1):
                    with contextlib.suppress(FileNotFoundError):
                        os.rename(f"{self.path}.{i}", f"{self.path}.{i + 1}")
                os.rename(self.path, f"{self.path}.1")
                self.path.touch()
                self.in_file = 0


class Exporter:
    def __init__(self, ini, said, socket=None):
        self.said = said
        self.file = open(said, "ab")
        self.process = subprocess.Popen([program("icmpscope-exporter"), "--listen", f"127.0.0.1:{nats.free_port()}", "--socket",
                                         socket or f"{ini}.no-socket", "-c", ini], stdout=subprocess.DEVNULL, stderr=self.file)

    def lines(self):
        return self.said.read_text(encoding="utf-8", errors="replace").splitlines()

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        status = self.process.wait(timeout=60)
        self.file.close()
        text = self.said.read_text(errors="replace")
        assert "Sanitizer" not in text and "runtime error" not in text, text
        return status


@contextlib.contextmanager
def exporter(ini, name="said", socket=None):
    e = Exporter(ini, ini.parent / name, socket)
    try:
        yield e
    finally:
        if e.process.poll() is None:
            assert e.stop() == 0, e.lines()
        else:
            e.file.close()


def ctl(ini, *args, status=0):
    r = subprocess.run([program("icmpscopectl"), "fleet", *args, "-c", ini], capture_output=True, text=True, timeout=120)
    assert r.returncode == status, (r.returncode, r.stdout, r.stderr)
    assert "Sanitizer" not in r.stderr, r.stderr
    return r.stdout if status == 0 else r.stderr


def set_up(ini):
    lab.wait_for("the streams", lambda: subprocess.run([program("icmpscopectl"), "fleet", "setup", "-c", ini], capture_output=True,
                                                       timeout=120).returncode == 0, 90, 1)


@pytest.fixture
def server(tmp_path):
    s = nats.Server(tmp_path / "server", "one").start()
    nats.wait_for_jetstream([s])
    yield s
    s.stop(signal.SIGKILL)


def count(s, stream=STREAM):
    try:
        with nats.Client(s.port) as c:
            return c.count(stream)
    except (OSError, EOFError):
        return -1


def assert_whole(messages, n, appliance="tap-1", site="berlin"):
    """Lines 1 to n of this appliance, each once and in order."""
    mine = [m for m in messages if m[1].startswith(f"icmpscope.{site}.{appliance}.")]
    numbers = [m[3]["icmpscope"]["line"] for m in mine]
    assert numbers == list(range(1, n + 1)), [(a, b) for a, b in itertools.pairwise([0, *numbers]) if b != a + 1][:10]
    assert len({m[2] for m in mine}) == n


def read(s):
    with nats.Client(s.port, timeout=60) as c:
        return c.read(STREAM)


ONE = "\nreplicas = 1\n"


def test_each_line_once(server, tmp_path):
    """Subject, id and body; rotation, restarts, a lost cursor: each line once, in order."""
    ini = settings(tmp_path / "tap", server.url(), more=ONE)
    journal = Journal(tmp_path / "tap" / "journal.json", per_file=300)
    set_up(ini)
    # As after an outage that is longer than the server knows ids: nothing here may rest on that it drops what it has.
    with nats.Client(server.port) as c:
        config = c.api(f"STREAM.INFO.{STREAM}")["config"]
        assert "error" not in c.api(f"STREAM.UPDATE.{STREAM}", config | {"duplicate_window": 100_000_000})
    journal.write(1000)
    with exporter(ini):
        lab.wait_for("the journal as it was", lambda: count(server) == 1000)
        journal.write(500)
        lab.wait_for("what came meanwhile", lambda: count(server) == 1500)
    journal.write(400)
    with exporter(ini) as e:
        lab.wait_for("some of it", lambda: count(server) > 1500)
        e.stop(signal.SIGKILL)
    # The stream knows how far it came.
    (tmp_path / "tap" / "cursor").unlink()
    time.sleep(1)
    with exporter(ini) as e:
        lab.wait_for("all of it", lambda: count(server) == 1900)
        journal.write(1)
        lab.wait_for("one more", lambda: count(server) == 1901)
    # Half of a cursor is enough, and a damaged one is said.
    (tmp_path / "tap" / "cursor").write_bytes(b"icscurs1" + b"\x5a" * 8000)
    time.sleep(1)
    with exporter(ini) as e:
        journal.write(2)
        lab.wait_for("two more", lambda: count(server) == 1903)
        assert any("cursor is damaged" in t for t in e.lines())
    messages = read(server)
    assert_whole(messages, 1903)
    first = messages[0]
    assert first[1] == "icmpscope.berlin.tap-1.update.kind_1" and first[2] == "tap-1:boot-1:1"
    assert json.dumps(first[3], separators=(",", ":")) + "\n" == line("boot-1", 1, 1, "kind_1")


def test_rotation_was_faster(server, tmp_path):
    """What went before it was published is one event that counts it, once."""
    ini = settings(tmp_path / "tap", server.url(), more=ONE)
    journal = Journal(tmp_path / "tap" / "journal.json", per_file=100, keep=2)
    set_up(ini)
    journal.write(150)
    with exporter(ini):
        lab.wait_for("the beginning", lambda: count(server) == 150)
    journal.write(1000)
    for _ in range(2):
        with exporter(ini) as e:
            lab.wait_for("the rest", lambda: count(server) == 150 + 1 + 250)
    said = [t for t in e.lines() if "went by rotation" in t]
    assert len(said) == 1 and "750 lines" in said[0]
    messages = read(server)
    assert [m[3]["icmpscope"]["line"] for m in messages] == [*range(1, 151), 900, *range(901, 1151)]
    gap = messages[150]
    assert gap[1] == "icmpscope.berlin.tap-1.gap.journal" and gap[3]["icmpscope"]["missing"] == 750


def test_setup_twice(server, tmp_path):
    ini = settings(tmp_path / "tap", server.url())
    assert "fleet.replicas" in ctl(ini, "setup", status=1)
    ini = settings(tmp_path / "tap", server.url(), more=ONE)
    assert ctl(ini, "setup").splitlines() == [f"{STREAM}: made", "KV_icmpscope_state: made", "KV_icmpscope_bindings: made"]
    assert all(t.endswith(": as it should be") for t in ctl(ini, "setup").splitlines())
    ini.write_text(ini.read_text() + "max_age_d = 7\n")
    changed = ctl(ini, "setup").splitlines()
    assert re.search("changed max_age [0-9]+ to [0-9]+$", changed[0]) and changed[1].endswith(": as it should be")
    assert all(t.endswith(": as it should be") for t in ctl(ini, "setup").splitlines())


def test_sites_are_split(server, tmp_path):
    """Two streams, each for some sites: who asks gets both."""
    inis = [settings(tmp_path / s, server.url(), site=s, more=f"{ONE}stream = EVENTS_{s[0]}\n") for s in ("berlin", "oslo")]
    assert ctl(inis[0], "setup", "berlin", "bonn").splitlines()[0] == "EVENTS_b: made"
    assert ctl(inis[1], "setup", "oslo").splitlines()[0] == "EVENTS_o: made"
    assert all(t.endswith("as it should be") for t in ctl(inis[0], "setup", "berlin", "bonn").splitlines())
    assert "subjects to" in ctl(inis[0], "setup", "berlin").splitlines()[0]
    assert "A-Z" in ctl(inis[0], "setup", "ber.lin", status=2)
    for ini in inis:
        (ini.parent / "journal.json").write_text(line("boot-1", 1, 1).replace('"says"', '"subject":{"mac":"02:00:00:00:00:01"},"says"'))
    with exporter(inis[0]), exporter(inis[1]):
        lab.wait_for("both", lambda: count(server, "EVENTS_b") == 1 and count(server, "EVENTS_o") == 1)
    about = json.loads(ctl(inis[0], "history", "02-00-00-00-00-01", "--since", "0", "--json"))
    assert sorted(e["subject"].split(".")[1] for e in about["events"]) == ["berlin", "oslo"]


def test_a_real_one(server, tmp_path):
    """An icmpscope with its exporter: what its journal and its socket say, the fleet says; the inspector's figures do not move when
    the server goes."""
    ini = settings(tmp_path / "tap", server.url(), more=ONE)
    path = tmp_path / "tap" / "journal.json"
    set_up(ini)
    with Scope("-p", f"pcap:{VECTORS / 'incident1.pcap'}", "--set", f"journal.file={path}", "--set", "journal.appliance=tap-1", "--set",
               "journal.site=berlin") as scope:
        lab.wait_for("the capture is read", lambda: "capture read" in scope.output())
        info = lab.wait_for("all is judged and written", lambda: (i := scope.info())["journal_queued"] == 0 and i["pending"] == 0
                            and i["anomalies_opened"] >= 2 and i)
        lines = len(path.read_text().splitlines())
        with exporter(ini, socket=scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2") as e:
            lab.wait_for("its journal", lambda: count(server) == lines)
            lab.wait_for("its state", lambda: count(server, "KV_icmpscope_state") == 1 and count(server, "KV_icmpscope_bindings") == 1)
            row = json.loads(ctl(ini, "--json"))["appliances"][0]
            found = [a for a in scope.anomalies() if a["state"] == "open" and not a["muted"]]
            assert row["state"]["frames"] == info["frames"] and row["state"]["version"] == info["version"]
            assert row["state"]["open"] == len(found) and row["state"]["critical"] == len([a for a in found if a["severity"] == "critical"])
            assert row["health"] == ("critical" if row["state"]["critical"] else "warn" if row["state"]["warn"] else "ok")
            assert len(row["state"]["routers"]) == info["routers"] > 0
            assert {a["name"] for a in json.loads(ctl(ini, "anomalies", "--json"))["anomalies"]} == {a["name"] for a in found}
            router = row["state"]["routers"][0]
            about = json.loads(ctl(ini, "history", router["mac"], "--since", "0", "--json"))
            assert any(e["event"]["icmpscope"]["event"] == "open" for e in about["events"])
            assert [e["event"] for e in about["events"]] == [m[3] for m in read(server) if router["mac"] in json.dumps(m[3])]
            assert json.loads(ctl(ini, "correlate", "--json")) == {"findings": [], "left_out": 0}
            server.stop(signal.SIGKILL)
            time.sleep(2)
            after = scope.info()
            moved = {k for k in ("frames", "delivered", "dropped", "missed", "journal_dropped", "conservation_ok") if after[k] != info[k]}
            assert not moved
            server.start()
            nats.wait_for_jetstream([server])
            lab.wait_for("that it works again", lambda: any("works again" in t for t in e.lines()))
    lab.wait_for("that its end is told", lambda: json.loads(ctl(ini, "--json"))["appliances"][0]["health"] == "stopped")


def trouble(e):
    return [t for t in e.lines() if "tried again" in t]


def test_servers_come_and_go(tmp_path):
    """No server, no stream, a restart: each said once, then it works by itself and nothing is missing."""
    s = nats.Server(tmp_path / "server", "one")
    ini = settings(tmp_path / "tap", s.url(), more=ONE)
    journal = Journal(tmp_path / "tap" / "journal.json")
    try:
        with exporter(ini) as e:
            lab.wait_for("no server", lambda: trouble(e))
            journal.write(10)
            s.start()
            lab.wait_for("no stream", lambda: len([t for t in trouble(e) if "fleet setup" in t]) >= 1)
            set_up(ini)
            lab.wait_for("the lines", lambda: count(s) == 10)
            lab.wait_for("that it works", lambda: any("publishing works again" in t for t in e.lines()))
            lab.wait_for("that its state is told", lambda: ctl(ini, "--json") is not None and "tap-1" in ctl(ini, "--json"))
            before = len(e.lines())
            s.stop(signal.SIGKILL)
            journal.write(10)
            lab.wait_for("that it is gone", lambda: len(e.lines()) > before)
            time.sleep(3)
            s.start()
            lab.wait_for("the lines after it", lambda: count(s) == 20)
            said = e.lines()
            # Not once a second: each kind of trouble once for each time that it began.
            assert len(said) <= 12, said
        assert_whole(read(s), 20)
    finally:
        s.stop(signal.SIGKILL)


def test_full_disk(tmp_path):
    """A server whose disk is full takes nothing; with room, and started again, it goes on where it was."""
    store = tmp_path / "small"
    store.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "icmpscope", store], capture_output=True).returncode != 0:
        pytest.skip("a file system of its own needs root")
    s = nats.Server(tmp_path / "server", "one", store=store)
    ini = settings(tmp_path / "tap", s.url(), more=ONE)
    journal = Journal(tmp_path / "tap" / "journal.json")
    try:
        s.start()
        nats.wait_for_jetstream([s])
        set_up(ini)
        with exporter(ini) as e:
            journal.write(100)
            lab.wait_for("the beginning", lambda: count(s) == 100)
            ballast = store / "ballast"
            with open(ballast, "wb") as f, contextlib.suppress(OSError):
                while True:
                    f.write(b"x" * 65536)
                    f.flush()
            journal.write(5000)
            lab.wait_for("that it is said", lambda: len(trouble(e)) >= 1, 90)
            ballast.unlink()
            # One whose disk was full may not end by itself.
            s.stop(signal.SIGKILL)
            s.start()
            lab.wait_for("all of it", lambda: count(s) == 5100, 120)
            assert len(e.lines()) <= 12, e.lines()
        assert_whole(read(s), 5100)
    finally:
        s.stop(signal.SIGKILL)
        subprocess.run(["umount", "-l", store], check=False)


# ---- who may do what ----


def certificates(path):
    """A CA, a certificate for 127.0.0.1 and a CA of somebody else."""
    def run(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, timeout=60, cwd=path)
    for name in ("ca", "other"):
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout",
            f"{name}.key", "-out", f"{name}.pem")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=n1", "-keyout", "n1.key", "-out", "n1.csr")
    (path / "ext").write_text("subjectAltName = IP:127.0.0.1\n")
    run("x509", "-req", "-in", "n1.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "n1.pem")


def test_keys_and_rights(tmp_path):
    """TLS and NKEYs: an appliance publishes its own subjects and no others, and no secret is seen anywhere."""
    certificates(tmp_path)
    admin, tap, other = (tmp_path / n for n in ("admin.nkey", "tap.nkey", "other.nkey"))
    s = nats.Server(tmp_path / "server", "one")
    base = settings(tmp_path / "admin", f"tls://127.0.0.1:{s.port}", more=f"{ONE}ca = {tmp_path / 'ca.pem'}\nnkey = {admin}\n")
    key = {p: ctl(base, "key", p).strip() for p in (admin, tap, other)}
    assert len(set(key.values())) == 3 and all(re.fullmatch("U[A-Z2-7]{55}", k) for k in key.values())
    assert tap.stat().st_mode & 0o077 == 0
    # What is there is not overwritten.
    assert "File exists" in ctl(base, "key", tap, status=1)
    rules = ctl(base, "permissions", "berlin", "tap-1", key[tap])
    s.more = (f'tls {{ cert_file: "{tmp_path}/n1.pem", key_file: "{tmp_path}/n1.key" }}\n'
              f"authorization {{ users: [ {{ nkey: {key[admin]} }}\n{rules} ] }}\n")
    s.start()
    ini = settings(tmp_path / "tap", f"tls://127.0.0.1:{s.port}", more=f"{ONE}ca = {tmp_path / 'ca.pem'}\nnkey = {tap}\n")
    journal = Journal(tmp_path / "tap" / "journal.json")
    try:
        set_up(base)
        journal.write(20)

        def state(appliance="tap-1"):
            rows = json.loads(ctl(base, "--json"))["appliances"]
            return next((r["state"] for r in rows if r["appliance"] == appliance), {})
        with exporter(ini) as e:
            lab.wait_for("its lines and its state", lambda: state().get("line") == 20)
            seed = tap.read_text().strip()
            assert seed not in " ".join(e.lines())
            for name in ("cmdline", "environ"):
                assert seed.encode() not in open(f"/proc/{e.process.pid}/{name}", "rb").read()
        assert state()["health"] == "stopped"
        # As another appliance, with the key of this one.
        liar = settings(tmp_path / "liar", f"tls://127.0.0.1:{s.port}", appliance="tap-2", more=f"{ONE}ca = {tmp_path / 'ca.pem'}\nnkey = {tap}\n",
                        journal=journal.path)
        with exporter(liar) as e:
            lab.wait_for("that it is refused", lambda: any("refuses it" in t for t in trouble(e)))
            refused = [t for t in trouble(e) if "refuses it" in t]
            assert "ermissions" in refused[0] and "tap-2" in refused[0], refused
            time.sleep(2)
            assert len([t for t in trouble(e) if "refuses it" in t]) <= 2, e.lines()
        # A key that the server does not know; a CA that is not the servers'; a seed that everybody can read.
        ini.write_text(ini.read_text().replace(str(tap), str(other)))
        with exporter(ini, "unknown") as e:
            lab.wait_for("that it is not let in", lambda: any("does not let this client in" in t for t in trouble(e)))
        ini.write_text(ini.read_text().replace(str(other), str(tap)).replace("ca.pem", "other.pem"))
        with exporter(ini, "ca") as e:
            lab.wait_for("that it is not the server", lambda: any("certificate" in t.lower() or "SSL" in t for t in trouble(e)))
        ini.write_text(ini.read_text().replace("other.pem", "ca.pem"))
        tap.chmod(0o644)
        e = Exporter(ini, tmp_path / "tap" / "open")
        assert e.process.wait(timeout=60) == 1
        assert "chmod" in e.lines()[-1] and len(e.lines()) == 1
        assert state("tap-2") == {}
    finally:
        s.stop(signal.SIGKILL)


# ---- a cluster, and what is killed in it ----


def test_cluster(tmp_path):
    """Ten exporters; the leader of the stream is killed with -9, another node is away for a while, an exporter is killed and
    started again: each line is there once, in order for each appliance."""
    each, away_s = (10000, 60) if LONG else (700, 3)
    cluster = nats.Cluster(tmp_path, 3).start()
    taps = [f"tap-{i}" for i in range(10)]
    ini = {t: settings(tmp_path / t, cluster.urls(), site=f"site-{i % 3}", appliance=t) for i, t in enumerate(taps)}
    journal = {t: Journal(tmp_path / t / "journal.json", boot=f"boot-{t}", per_file=each // 6) for t in taps}
    run, killed = {}, []
    stop, limit = threading.Event(), [each * 2 // 5]

    def feed():
        while not stop.is_set() and any(j.n < each for j in journal.values()):
            for j in journal.values():
                j.write(max(0, min(each // 40, limit[0] - j.n)))
            stop.wait(0.25)

    writer = threading.Thread(target=feed)
    try:
        nats.wait_for_jetstream(cluster.servers)
        set_up(ini[taps[0]])
        began = time.monotonic()
        # An appliance that says something once, and no more.
        with nats.Client(cluster.servers[0].port) as c:
            assert "seq" in c.publish("$KV.icmpscope_state.site-9.ghost", '{"v":1,"site":"site-9","appliance":"ghost","health":"ok"}')
        writer.start()
        for t in taps:
            run[t] = Exporter(ini[t], tmp_path / t / "said")

        def there():
            return max(count(s) for s in cluster.servers if s.process is not None)
        lab.wait_for("a tenth of it", lambda: there() >= each)
        leader = lab.wait_for("a leader", lambda: cluster.leader(STREAM))
        leader.stop(signal.SIGKILL)
        killed.append(leader.name)
        run[taps[3]].stop(signal.SIGKILL)
        lab.wait_for("another leader", lambda: cluster.leader(STREAM) is not None, 90)
        run[taps[3]] = Exporter(ini[taps[3]], tmp_path / taps[3] / "said")
        seen = there()
        limit[0] = each * 4 // 5
        lab.wait_for("more with it", lambda: there() > seen, 90)
        leader.start()
        nats.wait_for_jetstream(cluster.servers)
        node = next(s for s in cluster.servers if s not in (leader, cluster.leader(STREAM)))
        node.stop(signal.SIGTERM)
        killed.append(node.name)
        limit[0] = each
        time.sleep(away_s)
        node.start()
        writer.join(timeout=600)
        lab.wait_for("all of it", lambda: there() == each * len(taps), 900 if LONG else 240, 0.5)
        took = time.monotonic() - began
        lab.wait_for("all of it on all servers", lambda: cluster.is_current(STREAM), 240, 0.5)
        messages = read(lab.wait_for("a leader", lambda: cluster.leader(STREAM)))
        assert len(messages) == each * len(taps)
        assert len({m[2] for m in messages}) == len(messages)
        for i, t in enumerate(taps):
            assert_whole(messages, each, t, f"site-{i % 3}")
        # It shows, and nobody else.
        lab.wait_for("26 s since then", lambda: time.monotonic() > began + 26)

        def rows():
            return {r["appliance"]: r["health"] for r in json.loads(ctl(ini[taps[0]], "--json"))["appliances"]}
        lab.wait_for("the one that is silent", lambda: rows() == dict.fromkeys(taps, "down") | {"ghost": "silent"})
        said = [x for t in taps for x in (tmp_path / t / "said").read_text().splitlines()]
        print(f"{len(messages)} events in {took:.0f} s, killed {killed}; {len(said)} lines said")
    finally:
        stop.set()
        for e in run.values():
            if e.process.poll() is None:
                e.stop()
        cluster.stop()
