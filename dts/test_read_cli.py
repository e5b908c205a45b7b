"""icmpscope-read as its user meets it: arguments, exit status, one line of error that tells how to mend it, the JSON
contract, and the voice of the text report."""

import json
import os
import re
import subprocess

import pytest
from capture_files import pcap, read_pcap
from conftest import VECTORS

INCIDENT1 = VECTORS / "incident1.pcap"
CLASSES = """icmp6_unreach icmp6_too_big icmp6_time_exceeded icmp6_param_problem icmp6_echo_request icmp6_echo_reply
    mld_query mld1_report mld1_done nd_rs nd_ra nd_ns nd_na nd_redirect mld2_report mrd icmp6_other icmp4_echo_reply
    icmp4_unreach icmp4_frag_needed icmp4_source_quench icmp4_redirect icmp4_echo_request icmp4_time_exceeded
    icmp4_param_problem icmp4_other ip4_other ip6_other ip4_fragment ip6_fragment arp non_ip malformed""".split()
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def one_line(r):
    text = r.stderr.decode()
    assert text.count("\n") == 1 and text.startswith("icmpscope-read: "), text
    return text


def usage_error(r):
    assert r.returncode == 2 and r.stdout == b""
    return r.stderr.decode()


def test_help_and_version(reader):
    r = reader.run("--help")
    assert r.returncode == 0 and b"usage: icmpscope-read" in r.stdout and b"--json" in r.stdout
    r = reader.run("--version")
    assert r.returncode == 0 and re.fullmatch(rb"icmpscope-read \d+\.\d+\.\d+\n", r.stdout)


def test_usage_errors(reader, tmp_path):
    assert "no capture is named" in usage_error(reader.run())
    assert "usage:" in usage_error(reader.run("--jsno", INCIDENT1))
    assert "usage:" in usage_error(reader.run(INCIDENT1, "--set"))
    assert "detect.learn_s" in usage_error(reader.run("--set", "detect.lern_s=0", INCIDENT1))
    assert "0 to 86400" in usage_error(reader.run("--set", "detect.learn_s=soon", INCIDENT1))
    ini = tmp_path / "bad.ini"
    ini.write_text("[detect]\nlearn_s = 0\nlink_mtu = 12\n")
    text = usage_error(reader.run("-c", ini, INCIDENT1))
    assert text.count("\n") == 1 and f"{ini}:3: detect.link_mtu = \"12\"" in text and "1280 to 65535" in text
    assert "No such file" in usage_error(reader.run("-c", tmp_path / "none.ini", INCIDENT1))


def test_command_line_wins_over_file(reader, tmp_path):
    """An MTU of 1500 in the RA is told when links are said to carry 1280, wherever that is said."""
    ini = tmp_path / "mtu.ini"
    ini.write_text("[detect]\nlink_mtu = 1280\n")
    rule = "nd_ra_mtu_gt_link"
    assert rule not in reader.json(INCIDENT1)["reasons"]
    assert rule in reader.json("-c", ini, INCIDENT1)["reasons"]
    assert rule not in reader.json("--set", "detect.link_mtu=1500", "-c", ini, INCIDENT1)["reasons"]


@pytest.mark.parametrize(
    "name,content,expect",
    [
        ("none.pcap", None, "No such file"),
        ("empty.pcap", b"", "is empty"),
        ("text.pcap", b"hello, this is no capture at all\n" * 9, "is no capture file"),
        ("wifi.pcap", pcap([], link=127), "link type 127 (IEEE802_11_RADIO) cannot be read; readable: Ethernet"),
    ],
)
def test_unreadable(reader, tmp_path, name, content, expect):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    r = reader.run("--json", path)
    assert r.returncode == 1 and r.stdout == b""
    assert expect in one_line(r) and str(path) in one_line(r)


def test_directory(reader, tmp_path):
    r = reader.run(tmp_path)
    assert r.returncode == 1 and r.stdout == b"" and "is a directory" in one_line(r)


def test_cut_capture_is_reported_up_to_the_cut(reader, tmp_path):
    whole = INCIDENT1.read_bytes()
    frames = len(read_pcap(INCIDENT1))
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole[:-7])
    r = reader.run("--json", path)
    assert r.returncode == 1
    j = json.loads(r.stdout)
    assert j["frames"] == frames - 1 == sum(j["classes"].values())
    assert f"cut short after frame {frames - 1}: " in j["captures"][0]["damage"]
    assert f"cut short after frame {frames - 1}: " in one_line(r)
    r = reader.run(path)
    assert r.returncode == 1 and b"damaged: cut short after frame" in r.stdout


def test_one_bad_capture_of_several(reader, tmp_path):
    r = reader.run("--json", tmp_path / "none.pcap", INCIDENT1)
    assert r.returncode == 1 and "No such file" in one_line(r)
    j = json.loads(r.stdout)
    assert [c["frames"] for c in j["captures"]] == [0, len(read_pcap(INCIDENT1))]
    assert "No such file" in j["captures"][0]["damage"] and "damage" not in j["captures"][1]
    assert j["captures"][0]["first"] is None


def test_several_captures_are_one_run(reader, tmp_path):
    frames = read_pcap(INCIDENT1)
    (tmp_path / "a.pcap").write_bytes(pcap(frames[:5]))
    (tmp_path / "b.pcap").write_bytes(pcap(frames[5:]))
    whole, parts = reader.json(INCIDENT1), reader.json(tmp_path / "a.pcap", tmp_path / "b.pcap")
    assert parts["classes"] == whole["classes"] and parts["frames"] == whole["frames"]
    assert [c["frames"] for c in parts["captures"]] == [5, len(frames) - 5]
    assert [(a["name"], a["variant"], a["count"]) for a in parts["anomalies"]] == [
        (a["name"], a["variant"], a["count"]) for a in whole["anomalies"]
    ]


def test_standard_input(reader):
    j = reader.json("-", input=INCIDENT1.read_bytes())
    assert j["classes"] == reader.json(INCIDENT1)["classes"]
    assert j["captures"][0]["file"] == "-"


def test_file_name_that_is_no_text(reader, tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff\xfe\n\".pcap"
    with open(path, "wb") as f:
        f.write(INCIDENT1.read_bytes())
    j = reader.json(path)
    assert j["captures"][0]["file"].endswith('/\\xff\\xfe\n".pcap')
    assert reader.run(path).returncode == 0


def test_no_room_for_the_report(reader):
    with open("/dev/full", "wb") as full:
        for mode in ((), ("--json",)):
            r = subprocess.run([reader.path, *mode, INCIDENT1], stdout=full, stderr=subprocess.PIPE, timeout=60)
            assert r.returncode == 1 and b"could not be written" in r.stderr


def check_contract(j):
    assert set(j) >= set(
        "version captures frames classes reasons encapsulation conservation anomalies detectors routers mld pmtu "
        "hosts bindings".split()
    )
    assert list(j["classes"]) == CLASSES
    assert sum(j["classes"].values()) == j["frames"] == sum(c["frames"] for c in j["captures"])
    assert set(j["encapsulation"]) == {"vlan", "qinq", "mpls", "pppoe", "tunnel"}
    assert all(n > 0 and re.fullmatch("[a-z0-9_]+", name) for name, n in j["reasons"].items())
    c = j["conservation"]
    assert c["frames"] == c["classes"] == j["frames"]
    assert c["control"] == c["delivered"] + c["dropped"] + c["pending"]
    assert c["dropped"] == 0 and c["pending"] == 0
    for d in j["detectors"]:
        assert set(d) == {"name", "state", "fired", "cleared", "suppressed"}
        assert d["state"] in ("on", "muted", "not_assessed")
        assert d["cleared"] <= d["fired"]
    assert [a["id"] for a in j["anomalies"]] == sorted(a["id"] for a in j["anomalies"])
    for a in j["anomalies"]:
        assert a["severity"] in ("info", "warn", "critical") and a["state"] in ("open", "cleared")
        assert ISO.fullmatch(a["first"]) and ISO.fullmatch(a["last"]) and a["first"] <= a["last"]
        assert a["count"] >= len(a["frames"]) > 0 and len(a["frames"]) <= 16
        assert all(1 <= n <= j["frames"] for n in a["frames"])
        assert a["segment"]["port"] == 0 and "vlan" in a["segment"]
        assert isinstance(a["subject"], dict) and isinstance(a["evidence"], dict) and a["subject"]
        assert a["says"] and "\n" not in a["says"] and re.match(r"\d+ \d", a["rfc"])
    for r in j["routers"]:
        assert set(r["flags"]) == {"managed", "other"} and r["preference"] in ("low", "medium", "high", "reserved")
        assert r["expires"] is None or ISO.fullmatch(r["expires"])
        assert {"address", "mac", "segment", "state", "lifetime", "ra_count", "zero_ra_count", "r0_count"} <= set(r)


def test_json_contract(reader):
    j = reader.json(INCIDENT1)
    check_contract(j)
    assert j["captures"][0]["file"] == str(INCIDENT1)
    assert ISO.fullmatch(j["captures"][0]["first"])


def test_incident1(reader):
    """The two packets that took the gateway away, each on the frame that did it."""
    frames = read_pcap(INCIDENT1)
    ra0 = [n for n, (_, f, _) in enumerate(frames, 1) if f[18:20] != b"" and b"\x86\x00" in f[58:60] and f[64:66] == b"\0\0"]
    na0 = [n for n, (_, f, _) in enumerate(frames, 1) if f[58:60] == b"\x88\x00" and f[62] == 0x20 and f[42] == 0xFF]
    assert len(ra0) == 1 and len(na0) == 1
    by_name = {a["name"]: a for a in reader.json(INCIDENT1)["anomalies"]}
    zero, cleared = by_name["router_lifetime_zero"], by_name["router_flag_cleared"]
    assert zero["frames"][0] == ra0[0] and cleared["frames"][0] == na0[0]
    for a in (zero, cleared):
        assert a["severity"] == "critical"
        assert a["segment"] == {"port": 0, "vlan": 10}
        assert "fe80::1" in json.dumps(a["subject"])
    assert cleared["variant"] == "unsol_all"


def test_text_voice(reader):
    text = reader.run(INCIDENT1).stdout.decode("ascii")
    lines = text.splitlines()
    assert re.fullmatch(r"CRITICAL router_\w+ \(\w+\) +VLAN 10, port 0", lines[0]) and len(lines[0]) == 78
    findings = text[: text.index("\nMessages\n")]
    assert all(len(line) <= 78 for line in findings.splitlines())
    assert re.search(r"^  frames? \d+.*, RFC 4861 ", findings, re.M)
    severities = [w for w in re.findall(r"^(CRITICAL|WARNING|INFO) ", findings, re.M)]
    assert severities == sorted(severities, key=["CRITICAL", "WARNING", "INFO"].index)
    assert "\nRouters\n" in text and "\nLooked at\n" in text


def test_silence_tells_what_was_looked_at(reader, tmp_path):
    """The first frames of the incident, before anything happened."""
    path = tmp_path / "calm.pcap"
    path.write_bytes(pcap(read_pcap(INCIDENT1)[:4]))
    text = reader.run(path).stdout.decode("ascii")
    assert text.startswith("No findings.\n")
    looked = text[text.index("\nLooked at\n"):]
    assert "4 frames" in looked and "1 segment" in looked
    # Four frames hold no TCP: who needs that is named with the reason, the others are counted.
    n, m = map(int, re.search(r"assessed by (\d+) of (\d+) detectors", looked).groups())
    assert 0 < n < m and "pmtu_blackhole_silent" in looked and "router_lifetime_zero" not in looked


def test_empty_capture(reader, tmp_path):
    path = tmp_path / "none.pcap"
    path.write_bytes(pcap([]))
    j = reader.json(path)
    check_contract(j)
    assert j["frames"] == 0 and j["anomalies"] == [] and j["captures"][0]["first"] is None
    assert reader.run(path).stdout.startswith(b"No findings.\n")
