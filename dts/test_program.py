"""icmpscope as its operator and its clients meet it: arguments, bad input, captures, kernel interfaces, the telemetry
socket at rest, under bad parameters and full of routers, and a clean stop."""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time
from collections import Counter
from pathlib import Path

import lab
import pytest
from conftest import VECTORS, program
from scope import Scope
from telemetry import connect

INCIDENT1 = VECTORS / "incident1.pcap"
FAMILIES = {"worker": "worker", "port": "port", "detector": "row", "anomaly": "id", "router": "id", "host": "id", "segment": "id"}
NAME = re.compile(r"[A-Za-z0-9_/]+")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the telemetry socket and kernel interfaces need root")


# ---- captures to feed it with ----

def write_pcap(path, frames, linktype=1, start=1463012460.0, step=0.001):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, linktype))
        for i, frame in enumerate(frames):
            us = round((start + i * step) * 1e6)
            f.write(struct.pack("<IIII", us // 1000000, us % 1000000, len(frame), len(frame)) + frame)
    return path


def checksum(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ra(vlan, router, lifetime=1800):
    """A valid RA of fe80::ROUTER on a VLAN (None: untagged)."""
    mac = b"\x02\0" + struct.pack("!I", router)
    src = bytes.fromhex("fe80") + bytes(6) + struct.pack("!Q", router)
    dst = bytes.fromhex("ff020000000000000000000000000001")
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime, 0, 0) + b"\x01\x01" + mac
    pseudo = src + dst + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return bytes.fromhex("333300000001") + mac + tag + struct.pack("!HIHBB", 0x86DD, 6 << 28, len(body), 58, 255) + \
        src + dst + body


# ---- arguments and bad input ----

def run(*args, timeout=90, **kwargs):
    return subprocess.run([str(program("icmpscope")), "--set", f"eal.file_prefix=icsrun{os.getpid()}", *map(str, args)],
                          capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, **kwargs)


@pytest.mark.parametrize("args,status,says", [
    ([], 2, "no device to listen on"),
    (["-x"], 2, "unknown option -x"),
    (["--nonsense"], 2, "unknown option --nonsense"),
    (["-p"], 2, "-p wants an argument"),
    (["-p", ""], 2, "-p wants a device"),
    (["stray"], 2, "stray: not an option"),
    (["-p", "lo", "--set", "detect.nothing=1"], 2, "nothing"),
    (["-p", "lo", "--set", "nonsense"], 2, "nonsense"),
    (["-p", "lo", "-w", "1-"], 2, "1-"),
    (["-p", "lo", "-c", "/nonexistent/icmpscope.ini"], 2, "/nonexistent/icmpscope.ini"),
    (["-p", "lo", "--run-for", "0"], 2, "--run-for wants whole seconds"),
    (["-p", "lo", "--run-for", "1.5"], 2, "--run-for wants whole seconds"),
    (["-p", "lo", "-p", "lo"], 2, "named twice"),
    (["-p", "lo", "-p", "xdp:lo"], 2, "named twice"),
    (["-p", "a/b"], 2, "not a device"),
    (["-p", "pcap:"], 2, "no file"),
    (["-p", "pcap:-"], 2, "icmpscope-read"),
    (["-p", "pcap:/tmp/a,b.pcap"], 2, "rename the file"),
    (["-p", "noif0"], 1, "no interface noif0 here"),
    (["-p", "xdp:noif0"], 1, "no interface noif0 here"),
    (["-p", "ffff:ff:1f.7"], 1, "no such PCI device"),
    (["-p", "pcap:/nonexistent.pcap"], 1, "/nonexistent.pcap"),
    (["-p", "lo", "-w", "1023"], 1, "CPU 1023"),
])
def test_wrong_arguments_are_one_line(args, status, says):
    r = run(*args)
    assert r.returncode == status, r.stderr
    assert says in r.stderr
    assert r.stderr.count("\n") == 1 and r.stderr.startswith("icmpscope: ") and r.stdout == ""


def test_help_and_version():
    r = run("--help")
    assert r.returncode == 0 and r.stderr == "" and "usage: icmpscope" in r.stdout
    r = run("--version")
    assert r.returncode == 0 and re.fullmatch(r"icmpscope \d+\.\d+\.\d+\n", r.stdout)


def test_no_capture_at_all(tmp_path):
    path = tmp_path / "text.pcap"
    path.write_text("this is no capture\n")
    r = run("-p", f"pcap:{path}")
    assert r.returncode == 1 and r.stderr.count("\n") == 1 and str(path) in r.stderr


def test_capture_of_another_link_type_is_for_the_reader(tmp_path):
    path = write_pcap(tmp_path / "raw.pcap", [ra(None, 1)[14:]], linktype=101)
    r = run("-p", f"pcap:{path}")
    assert r.returncode == 1 and r.stderr.count("\n") == 1 and "icmpscope-read" in r.stderr


def test_empty_capture_cannot_be_looped(tmp_path):
    path = write_pcap(tmp_path / "empty.pcap", [])
    r = run("-p", f"pcap:{path},loop")
    assert r.returncode == 1 and "no frame" in r.stderr


def test_eal_refusal_is_explained():
    r = run("-p", f"pcap:{INCIDENT1}", "--", "--no-such-eal-option")
    assert r.returncode == 1 and r.stdout == ""
    assert "icmpscope: DPDK did not start" in r.stderr


def test_raw_eal_options_are_passed_on():
    r = run("-p", f"pcap:{INCIDENT1}", "--run-for", 1, "--", "--log-level=lib.eal:debug")
    assert r.returncode == 0 and "EAL: " in r.stderr


# ---- captures ----

def test_capture_is_read_once_and_the_socket_goes_on_answering():
    with Scope("-p", f"pcap:{INCIDENT1}") as scope:
        wait_for_output(scope, "capture read: 350 of 350 frames")
        info = scope.assert_conservation()
        assert info["mode"] == "capture" and info["frames"] == 350 and info["captures_unread"] == 0
        port = scope.ask("/icmpscope/port/info,0")
        assert port["capture_frames"] == 350 and port["capture_read"] == 1 and port["clock"] == "capture"
        # Packet time: the capture's, not today's.
        assert scope.ask("/icmpscope/anomaly/info,1")["first"].startswith("2016-05-12T00:21:10.543")
        time.sleep(1)
        assert scope.info()["frames"] == 350
        # Nor does the wall clock run on behind the capture's end.
        assert scope.ask("/icmpscope/segment/info,0")["last_ns"] < 1463100000 * 10**9


def test_same_findings_as_the_reader(reader):
    want = reader.json(INCIDENT1)
    with Scope("-p", f"pcap:{INCIDENT1}") as scope:
        wait_for_output(scope, "capture read")
        got = scope.anomalies()
        assert {k: v for k, v in scope.ask("/icmpscope/classes").items()} == want["classes"]
        assert {k: v for k, v in scope.ask("/icmpscope/reasons").items() if v != 0} == want["reasons"]
    assert [(a["name"], a["variant"], a["severity"], a["state"], a["count"], a["says"]) for a in got] == \
        [(a["name"], a["variant"], a["severity"], a["state"], a["count"], a["says"]) for a in want["anomalies"]]


def test_cut_capture_is_said_and_its_head_inspected(tmp_path):
    whole = INCIDENT1.read_bytes()
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole[:-20])
    with Scope("-p", f"pcap:{path}") as scope:
        wait_for_output(scope, "capture read: 349 of 349 frames")
        assert "warning" in scope.output() and "349 frames before that are inspected" in scope.output()
        assert scope.assert_conservation()["frames"] == 349


def test_long_frames_are_put_together(tmp_path):
    # Longer than one packet buffer of the usual size, and than any frame on a wire.
    frames = [ra(None, 1) + bytes(n) for n in (0, 1500, 4000, 9000, 20000)]
    path = write_pcap(tmp_path / "long.pcap", frames)
    with Scope("-p", f"pcap:{path}") as scope:
        wait_for_output(scope, "capture read: 5 of 5 frames")
        scope.assert_conservation()
        assert scope.ask("/icmpscope/classes")["nd_ra"] == 5
        assert scope.ask("/icmpscope/worker/info,0")["bytes"] == sum(map(len, frames))


def test_two_captures_are_two_ports(tmp_path):
    other = write_pcap(tmp_path / "other.pcap", [ra(7, 5)])
    with Scope("-p", f"pcap:{INCIDENT1}", "-p", f"pcap:{other}") as scope:
        wait_for_output(scope, "capture read: 351 of 351 frames")
        assert scope.assert_conservation()["ports"] == 2
        assert scope.ask("/icmpscope/classes,0")["nd_ra"] == 22
        assert scope.ask("/icmpscope/classes,1")["nd_ra"] == 1
        assert {(r["port"], r["vlan"]) for r in scope.telemetry.table("router")} == {(0, "10"), (1, "7")}


def test_loop_at_full_speed_conserves_everything():
    scope = Scope("-p", f"pcap:{INCIDENT1},loop")
    try:
        lab.wait_for("five hundred turns", lambda: scope.info()["frames"] > 174000)
        assert scope.info()["mode"] == "loop"
    finally:
        text = stop_and_read(scope)
    found = re.search(r"control messages: (\d+) = (\d+) delivered \+ (\d+) pending \+ (\d+) dropped", text)
    control, delivered, pending, dropped = map(int, found.groups())
    assert control == delivered + dropped and pending == 0 and "DO NOT AGREE" not in text


# ---- stopping ----

def wait_for_output(scope, text, timeout=60):
    end = time.monotonic() + timeout
    while text not in scope.output():
        assert scope.process.poll() is None and time.monotonic() < end, f"no {text!r} in:\n{scope.output()}"
        time.sleep(0.05)


def stop_and_read(scope, sig=signal.SIGTERM):
    """Stops it and returns what it printed in all."""
    scope.process.send_signal(sig)
    status = scope.process.wait(60)
    text = scope.output()
    scope.stop()
    assert status == 0, text
    return text


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_it_cleanly_with_last_words(sig):
    scope = Scope("-p", f"pcap:{INCIDENT1}")
    wait_for_output(scope, "capture read")
    text = stop_and_read(scope, sig)
    assert "350 frames in" in text and re.search(r"nd_ra +22 ", text)
    assert "control messages: 315 = 315 delivered + 0 pending + 0 dropped" in text
    assert "2 opened, 1 cleared, 1 open now" in text


def test_run_for_ends_by_itself():
    began = time.monotonic()
    r = run("-p", f"pcap:{INCIDENT1}", "--run-for", 2)
    assert r.returncode == 0 and "350 frames in" in r.stdout
    assert 2 <= time.monotonic() - began < 60


def test_reader_of_stdout_that_goes_away_does_no_harm():
    p = subprocess.Popen([program("icmpscope"), "--set", f"eal.file_prefix=icspipe{os.getpid()}", "-p",
                          f"pcap:{INCIDENT1},loop", "--run-for", "2"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    p.stdout.close()
    assert p.wait(60) == 0


def test_second_one_of_the_same_name_is_refused():
    with Scope("-p", f"pcap:{INCIDENT1}") as scope:
        env = dict(os.environ, RUNTIME_DIRECTORY=str(scope.dir))
        r = subprocess.run([program("icmpscope"), "--set", f"eal.file_prefix={scope.prefix}", "-p",
                            f"pcap:{INCIDENT1}"], capture_output=True, text=True, timeout=90, env=env)
        assert r.returncode == 1 and "choose another" in r.stderr
        lab.wait_for("the first one goes on", lambda: scope.info()["frames"] == 350)


# ---- telemetry ----

@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Every VLAN there is, four routers each: more than the model's tables of routers hold pages of."""
    frames = [ra(vlan, vlan * 4 + k) for k in range(4) for vlan in range(1, 4095)]
    path = write_pcap(tmp_path_factory.mktemp("full") / "full.pcap", frames)
    with Scope("-p", f"pcap:{path}") as scope:
        wait_for_output(scope, f"capture read: {len(frames)} of {len(frames)} frames", timeout=60)
        scope.expected = Counter(str(vlan) for vlan in range(1, 4095) for _ in range(4))
        yield scope


def check_keys(data):
    assert all(NAME.fullmatch(k) for k in data), data
    assert len(data) <= 256
    for v in data.values():
        for x in v if isinstance(v, list) else [v]:
            assert isinstance(x, int) or (len(x) <= 127 and x.isascii() and x.isprintable()), data


def test_every_family_lists_and_informs(full):
    for family in FAMILIES:
        items = full.ask(f"/icmpscope/{family}/list")
        assert isinstance(items, list)
        for item in items[:20]:
            info = full.ask(f"/icmpscope/{family}/info,{item}")
            assert "error" not in info
            check_keys(info)
    rules = full.ask("/icmpscope/reason/list")
    assert len(rules) == len(set(rules)) > 150
    for rule in rules:
        check_keys(full.ask(f"/icmpscope/reason/info,{rule}"))
    assert set(full.ask("/icmpscope/reasons")) == set(rules)


def test_pages_hold_each_row_once(full):
    routers = full.telemetry.table("router")
    assert len(routers) == len({r["id"] for r in routers}) == full.info()["routers"] == sum(full.expected.values())
    assert Counter(r["vlan"] for r in routers) == full.expected
    segments = full.telemetry.table("segment")
    assert len(segments) == 4094 and {s["vlan"] for s in segments} == set(full.expected)
    # The pages of a list start where the one before ended.
    ids, start = [], 0
    while page := full.ask(f"/icmpscope/router/list,{start}"):
        assert len(page) <= 512
        ids += page
        start = page[-1] + 1
    assert ids == [r["id"] for r in routers]


def test_count_and_cursor(full):
    page = full.ask("/icmpscope/router/table,0,3")
    assert len(page["id"]) == 3 and page["more"] == 1 and page["total"] == full.info()["routers"]
    assert full.ask(f"/icmpscope/router/table,{page['next']},1")["id"][0] > page["id"][-1]
    last = full.ask("/icmpscope/router/table,4294967295")
    assert last["id"] == [] and last["more"] == 0


@pytest.mark.live
def test_full_replies_are_whole_and_in_time(full):
    for command in ("/icmpscope/info", "/icmpscope/classes", "/icmpscope/reasons", "/icmpscope/dropped",
                    "/icmpscope/encapsulation", *(f"/icmpscope/{f}/{v}" for f in FAMILIES for v in ("list", "table"))):
        took = []
        for _ in range(5):
            began = time.monotonic()
            data = full.ask(command)
            took.append(time.monotonic() - began)
        # The others may have waited for a CPU.
        assert min(took) < 0.2, command
        assert full.telemetry.reply_len <= 16384
        assert "truncated" not in data, command
        if command.endswith("/table"):
            assert list(data)[-3:] == ["total", "next", "more"], command
    assert len(full.ask("/icmpscope/router/table")["id"]) > 40


@pytest.mark.parametrize("command", [
    "/icmpscope/info,1", "/icmpscope/classes,9", "/icmpscope/classes,x", "/icmpscope/worker/info", "/icmpscope/worker/info,1",
    "/icmpscope/worker/info,-1", "/icmpscope/port/info,99999999999999999999999", "/icmpscope/router/info,0",
    "/icmpscope/router/table,a", "/icmpscope/router/table,1,0", "/icmpscope/router/table,1,2,3", "/icmpscope/reason/info,",
    "/icmpscope/reason/info,nonsense", "/icmpscope/anomaly/info,123456789", "/icmpscope/detector/info,%s%s%n",
    "/icmpscope/segment/info,4294967296", "/icmpscope/router/list, 1", '/icmpscope/worker/info,"\\',
])
def test_bad_parameters_earn_an_error(full, command):
    data = full.ask(command)
    assert list(data) == ["error"] and data["error"]


@pytest.mark.parametrize("fill", [b"A", b"9", b",", b"\xff", b"\\", b"%s"])
def test_parameters_of_a_thousand_bytes(full, fill):
    for command in (b"/icmpscope/router/info,", b"/icmpscope/reason/info,", b"/icmpscope/anomaly/table,"):
        data = full.ask((command + fill * 1000)[:1023])
        assert data is None or "error" in data
    assert full.info()["frames"] > 0


def test_unknown_command_is_null(full):
    assert full.ask("/icmpscope/nothing") is None
    assert full.ask("/icmpscope") is None


@pytest.mark.live
def test_client_that_does_not_read_delays_only_itself(full):
    path = full.dir / "dpdk" / full.prefix / "dpdk_telemetry.v2"
    idle = []
    try:
        idle += [connect(path, timeout=20) for _ in range(4)]
        for s in idle:
            s.setblocking(False)
            try:
                for _ in range(2000):
                    s.send(b"/icmpscope/router/table,0")
            except BlockingIOError:
                pass
        took = []
        for _ in range(21):
            began = time.monotonic()
            assert full.info()["frames"] > 0
            took.append(time.monotonic() - began)
        assert sorted(took)[10] < 0.2, took
    finally:
        for s in idle:
            s.close()


def test_dpdks_own_client_is_served(full):
    client = shutil.which("dpdk-telemetry.py", path=os.environ.get("PATH", "") + ":/usr/bin")
    if not client:
        pytest.skip("dpdk-telemetry.py is not installed (devtools/setup test)")

    def replies():
        """None while the control core is busy with what the clients before have left."""
        r = subprocess.run(["/usr/bin/python3", client, "-f", full.prefix], input="/icmpscope/info\n/help,/icmpscope/info\nquit\n",
                           capture_output=True, text=True, timeout=60, env=dict(os.environ, RUNTIME_DIRECTORY=str(full.dir)))
        lines = [json.loads(line) for line in r.stdout.splitlines() if line.startswith('{"/')]
        assert lines, r.stdout + r.stderr
        return None if "is busy" in lines[0]["/icmpscope/info"].get("error", "") else lines

    info, text = lab.wait_for("an answer", replies)
    assert info["/icmpscope/info"]["frames"] > 0
    assert "conservation" in json.dumps(text)


# ---- kernel interfaces ----

@pytest.fixture
def wire():
    """Two namespaces and a wire between them, quiet but for what a test sends; yields (send, name of the far one)."""
    near, far = f"ics{os.getpid()}-n", f"ics{os.getpid()}-f"

    def ip(*args):
        subprocess.run(["ip", *args], check=True, capture_output=True, timeout=20)

    try:
        for ns in (near, far):
            ip("netns", "add", ns)
            subprocess.run(["ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                            "net.ipv6.conf.default.disable_ipv6=1"], check=True, timeout=20)
        ip("link", "add", "w0", "netns", near, "type", "veth", "peer", "name", "w1", "netns", far)
        for ns, dev in ((near, "w0"), (far, "w1")):
            ip("-n", ns, "link", "set", dev, "up")

        def send(path):
            subprocess.run(["ip", "netns", "exec", near, "/usr/bin/python3", "-c", SENDER, str(path)], check=True,
                           timeout=90)

        yield send, far
    finally:
        for ns in (near, far):
            subprocess.run(["ip", "netns", "del", ns], capture_output=True, timeout=20)


SENDER = """
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("w0", 0))
data = open(sys.argv[1], "rb").read()[24:]
while data:
    n = struct.unpack("<I", data[8:12])[0]
    s.send(data[16:16 + n])
    data = data[16 + n:]
    time.sleep(0.0005)
"""


@pytest.mark.live
@pytest.mark.parametrize("device,driver", [("w1", "net_af_packet"), ("xdp:w1", "net_af_xdp")])
def test_every_frame_of_a_kernel_interface_arrives(tmp_path, wire, device, driver):
    send, far = wire
    frames = [ra(vlan, 1000 + i) for i, vlan in enumerate([None, 5, 6] * 100)]
    path = write_pcap(tmp_path / "wire.pcap", frames)
    with Scope("-p", device, ns=far) as scope:
        assert scope.ask("/icmpscope/port/info,0")["driver"] == driver
        began = time.time()
        send(path)
        lab.wait_for("all frames are in", lambda: scope.info()["frames"] >= len(frames))
        info = scope.assert_conservation()
        assert info["mode"] == "live" and info["frames"] == len(frames)
        assert scope.ask("/icmpscope/classes")["nd_ra"] == len(frames)
        assert Counter(r["vlan"] for r in scope.telemetry.table("router", pages_max=50)) == \
            {"none": 64, "5": 64, "6": 64}
        # Live frames have the time of day.
        assert began - 1 < scope.ask("/icmpscope/segment/info,0")["last_ns"] / 1e9 < time.time() + 1


def test_loopback_and_one_cpu():
    """The longest MTU there is, and a worker that shares its only CPU with the control core."""
    cpu = min(os.sched_getaffinity(0))
    r = subprocess.run(["taskset", "-c", str(cpu), program("icmpscope"), "--set", f"eal.file_prefix=icslo{os.getpid()}",
                        "-p", "lo", "--run-for", "2"], capture_output=True, text=True, timeout=90)
    assert r.returncode == 0, r.stderr
    assert "worker 0 shares CPU" in r.stderr and "live on 1 port, 1 worker" in r.stdout
