"""The frames that prove anomalies, as capture files that tshark reads: from the socket, the directory and the reader."""

import json
import os
import pty
import struct
import subprocess

import lab
import pytest
from conftest import VECTORS, program
from ctl import ctl, ctl_json
from scope import Scope

INCIDENT1 = VECTORS / "incident1.pcap"
T0 = 1463012450
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the telemetry socket needs root")


def tshark(path, *fields):
    """Frames of a capture: the values of these fields."""
    args = [a for f in fields for a in ("-e", f)]
    r = subprocess.run(["tshark", "-r", str(path), "-T", "fields", *args], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    return [tuple(line.split("\t")) for line in r.stdout.splitlines()]


def zero(vlan, when, lifetime=0):
    from scapy.all import Dot1Q, Ether, ICMPv6ND_RA, ICMPv6NDOptSrcLLAddr, IPv6

    mac = "00:00:5e:00:53:01"
    frame = Ether(src=mac, dst="33:33:00:00:00:01") / Dot1Q(vlan=vlan) / IPv6(src="fe80::1", dst="ff02::1", hlim=255) / \
        ICMPv6ND_RA(routerlifetime=lifetime, reachabletime=int(when * 1000)) / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    frame.time = T0 + when + 123456e-6
    return frame


@pytest.fixture
def repeated(tmp_path):
    """A router that gives up in five different frames."""
    from scapy.all import wrpcap

    wrpcap(str(tmp_path / "repeated.pcap"), [zero(10, 0, 1800), zero(10, 700, 1800)] + [zero(10, 701 + n) for n in range(5)])
    return tmp_path / "repeated.pcap"


def test_reader_writes_one_file(reader, repeated, tmp_path):
    out = tmp_path / "all.pcapng"
    doc = reader.json("--evidence", out, repeated)
    (a,) = [a for a in doc["anomalies"] if a["name"] == "router_lifetime_zero"]
    rows = tshark(out, "frame.comment", "frame.time_epoch", "frame.interface_name", "frame.encap_type", "icmpv6.nd.ra.router_lifetime",
                  "vlan.id")
    mine = [r for r in rows if "router_lifetime_zero" in r[0]]
    assert len(mine) >= 2
    head = f"anomaly {a['id']} router_lifetime_zero ({a['variant']}), critical: "
    assert mine[0][0] == f"{head}opened it (frame 1 of {len(mine)})"
    assert mine[-1][0].startswith(head) and mine[-1][0].endswith(f"(frame {len(mine)} of {len(mine)})")
    assert float(mine[0][1]) == pytest.approx(T0 + 701.123456, abs=1e-6)
    assert float(mine[-1][1]) == pytest.approx(T0 + 705.123456, abs=1e-6)
    for r in rows:
        assert r[2] == str(repeated) and r[3] == "1" and r[5] == "10"
    assert all(r[4] == "0" for r in mine)
    # Frames, octet by octet, are those of the capture.
    r = subprocess.run(["tshark", "-r", str(out), "-T", "json", "-x"], capture_output=True, text=True, timeout=60)
    raw = {p["_source"]["layers"]["frame_raw"][0] for p in json.loads(r.stdout)}
    assert raw <= {bytes(f).hex() for f in [zero(10, 0, 1800), zero(10, 700, 1800)] + [zero(10, 701 + n) for n in range(5)]}
    # The inspector itself reads what it wrote.
    assert reader.json(out)["frames"] == len(rows)


def test_nanoseconds_and_details(reader, tmp_path):
    data = struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1)
    for sec, nsec, lifetime in ((T0, 0, 1800), (T0 + 700, 987654321, 0)):
        frame = bytes(zero(10, sec - T0, lifetime))
        data += struct.pack("<IIII", sec, nsec, len(frame), len(frame)) + frame
    (tmp_path / "ns.pcap").write_bytes(data)
    out = tmp_path / "ns.pcapng"
    reader.json("--evidence", out, tmp_path / "ns.pcap")
    assert f"{T0 + 700}.987654321" in {r[0] for r in tshark(out, "frame.time_epoch")}
    verbose = subprocess.run(["tshark", "-V", "-r", str(out)], capture_output=True, text=True, timeout=60).stdout
    assert "Packet comments" in verbose and "opened it (frame 1 of" in verbose and "Malformed" not in verbose


def test_link_types(reader, tmp_path):
    """A capture without Ethernet stays one."""
    from scapy.all import wrpcap

    frames = []
    for when, lifetime in ((0, 1800), (700, 0)):
        frame = zero(10, when, lifetime)
        ip = frame["IPv6"]
        ip.time = frame.time
        frames.append(ip)
    wrpcap(str(tmp_path / "raw.pcap"), frames)
    out = tmp_path / "raw.pcapng"
    assert reader.json("--evidence", out, tmp_path / "raw.pcap")["anomalies"]
    # WTAP_ENCAP_RAW_IP
    assert {r[0] for r in tshark(out, "frame.encap_type")} == {"7"}
    assert {r[0] for r in tshark(out, "ipv6.src")} == {"fe80::1"}


def test_reader_writes_a_directory(reader, repeated, tmp_path):
    where = tmp_path / "files"
    where.mkdir()
    doc = reader.json("--evidence", where, repeated)
    files = sorted(where.iterdir())
    with_frames = [a for a in doc["anomalies"] if a["frames"]]
    assert len(files) == len(with_frames) and all(f.name.startswith("icmpscope-2016") for f in files)
    for f in files:
        ids = {r[0].split()[1] for r in tshark(f, "frame.comment")}
        assert len(ids) == 1


def test_reader_refuses(reader, repeated, tmp_path):
    r = reader.run("--evidence", tmp_path / "none" / "x", repeated)
    assert r.returncode == 1 and b"the evidence could not be written: No such file" in r.stderr
    before = repeated.read_bytes()
    r = reader.run("--evidence", repeated, repeated)
    assert r.returncode == 1 and b"is one of the captures" in r.stderr and repeated.read_bytes() == before
    text = reader.run(repeated).stdout.decode()
    assert "icmpscopectl evidence" not in text and "socket" not in text


@needs_root
def test_socket_and_directory(repeated, tmp_path):
    where = tmp_path / "evidence"
    where.mkdir()
    with Scope("-p", f"pcap:{repeated}", "--set", f"evidence.dir={where}", "--set", "evidence.max_files=5") as scope:
        lab.wait_for("the capture is read", lambda: "capture read" in scope.output(), 20)
        socket = scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2"
        (a,) = [a for a in scope.anomalies() if a["name"] == "router_lifetime_zero"]
        assert f"`icmpscopectl evidence {a['id']}`" in scope.output()
        assert f"`icmpscopectl evidence {a['id']}`" in ctl("anomalies", "--long", "--socket", socket)
        r = subprocess.run([str(program("icmpscopectl")), "evidence", str(a["id"]), "--socket", str(socket)],
                           capture_output=True, timeout=90, stdin=subprocess.DEVNULL)
        assert r.returncode == 0, r.stderr
        out = tmp_path / "17.pcapng"
        out.write_bytes(r.stdout)
        rows = tshark(out, "frame.comment", "frame.interface_name", "frame.time_epoch")
        assert len(rows) == a["frames_kept"] >= 2
        assert all(row[1] == f"pcap:{repeated}" for row in rows)
        frames = ctl_json("evidence", a["id"], "--socket", socket)["frames"]
        assert [f["role"] for f in frames][0] == "opened it" and [f["frame"] for f in frames] == list(range(1, len(frames) + 1))

        lab.wait_for("its file", lambda: list(where.glob(f"*-router_lifetime_zero-{a['id']}-*.pcapng")), 10)
        (file,) = where.glob(f"*-router_lifetime_zero-{a['id']}-*.pcapng")
        assert tshark(file, "frame.comment")[0][0].startswith(f"anomaly {a['id']} router_lifetime_zero")
        assert scope.info()["evidence"] == "on" and scope.info()["evidence_failed"] == 0

        assert "is no id of an anomaly" in ctl("evidence", "x", "--socket", socket, status=2)
        assert "is not an anomaly that is kept" in ctl("evidence", "9999", "--socket", socket, status=1)
        # A terminal is told what to do instead.
        master, slave = pty.openpty()
        r = subprocess.run([str(program("icmpscopectl")), "evidence", "1", "--socket", str(socket)], stdout=slave,
                           stderr=subprocess.PIPE, timeout=90, stdin=subprocess.DEVNULL)
        os.close(slave)
        os.close(master)
        assert r.returncode == 2 and b"icmpscopectl evidence 1 > 1.pcapng" in r.stderr
