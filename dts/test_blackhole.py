"""Incident 3 whole, in simulated time: the pages that stayed blank, with what was tried in turn.

dts/gen/blackhole.py's capture goes through icmpscope, which is asked through its telemetry socket, and through
icmpscope-read --json. Both must find the same, field by field, and nothing but what the incident is.
"""

import subprocess
import sys

import lab
import pytest
from conftest import ROOT
from scope import Scope
from test_gateway_loss import compare, facts

A, B = "192.0.2.16", "192.0.2.17"


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    path = tmp_path_factory.mktemp("blackhole") / "blackhole.pcap"
    subprocess.run([sys.executable, ROOT / "dts" / "gen" / "blackhole.py", path], check=True, timeout=60)
    return path


@pytest.fixture(scope="module")
def findings(reader, capture):
    """By name and subject, from the reader, found to be what icmpscope says."""
    document = reader.json(capture)
    with Scope("-p", f"pcap:{capture}") as scope:
        lab.wait_for("the capture is read", lambda: "capture read" in scope.output(), 30)
        info = scope.assert_conservation(lost=0)
        assert info["frames"] == document["frames"]
        live = scope.anomalies()
    for a in document["anomalies"]:
        # No frame asks for advice: it follows from another finding, or from ten minutes.
        assert bool(a["frames"]) == (a["name"] != "pmtu_mss_advice")
        a["frames"] = a["frames"] or [0]
    compare(live, document["anomalies"])
    found = {(a["name"], *a["subject"].values()): a for a in document["anomalies"]}
    assert len(found) == len(document["anomalies"])
    return found


def finding(a, variant, severity, **want):
    assert (a["variant"] or "", a["severity"]) == (variant, severity)
    facts(a, **want)


def test_nothing_else(findings):
    assert sorted(findings) == sorted([
        ("pmtu_legacy_zero", "203.0.113.1"),
        ("pmtu_learned", "203.0.113.2"), ("pmtu_learned", "203.0.113.3"), ("pmtu_learned", "203.0.113.4"),
        ("pmtu_learned", "2001:db8:ff::4"),
        ("pmtu_blackhole_repeat", A, "203.0.113.3"),
        ("pmtu_blackhole_silent", "198.18.1.0/24"), ("pmtu_blackhole_silent", "198.18.2.0/24"),
        ("pmtu_mss_advice", "203.0.113.3"), ("pmtu_mss_advice", "203.0.113.4"), ("pmtu_mss_advice", "2001:db8:ff::4"),
        ("pmtu_mss_advice", "198.18.1.0/24"), ("pmtu_mss_advice", "198.18.2.0/24"),
    ])


def test_told_without_an_mtu(findings):
    finding(findings["pmtu_legacy_zero", "203.0.113.1"], "", "warn", plateau=1492, quoted_len=1500, mss4=1452, mss6=1432)


def test_two_labels(findings):
    finding(findings["pmtu_learned", "203.0.113.2"], "", "info", host=A, far="198.51.100.20", mtu=1492, labels=2,
            guess_1="2 MPLS labels, link 1500 (high)", mss4=1452, mss6=1432)


def test_filter_behind_the_tap(findings):
    finding(findings["pmtu_blackhole_repeat", A, "203.0.113.3"], "ignored", "warn", far="198.51.100.30", mtu=1492,
            quoted_len=1500, messages=5, mss4=1452, where="downstream of the tap")
    finding(findings["pmtu_mss_advice", "203.0.113.3"], "black_hole", "info", mtu=1492, mss4=1452, mss6=1432)


def test_filter_before_the_tap(findings):
    hole = findings["pmtu_blackhole_silent", "198.18.1.0/24"]
    finding(hole, "path", "warn", far="198.18.1.9", lost_len=1500, acked_len=440, retries=3, flows=2, hosts=2, mss=1460,
            mss4=1240, mss6=1220)
    assert hole["evidence"]["pmtu_low"] <= 1492 <= hole["evidence"]["pmtu_high"]
    assert "vanish without an ICMP message" in hole["says"]
    finding(findings["pmtu_mss_advice", "198.18.1.0/24"], "black_hole", "info", mtu=1280, mss4=1240, mss6=1220)


def test_pppoe(findings):
    """Ordinary life for those who listen, and advice for the link: three far networks, ten minutes, both versions."""
    for reporter in "203.0.113.4", "2001:db8:ff::4":
        assert findings["pmtu_learned", reporter]["evidence"]["guess_1"].startswith("PPPoE")
        finding(findings["pmtu_mss_advice", reporter], "egress", "info", mtu=1492, far_prefixes=3, mss4=1452, mss6=1432)


def test_encrypted(findings):
    """What the application found out to pass is what is advised: an MSS of 1200."""
    finding(findings["pmtu_blackhole_silent", "198.18.2.0/24"], "confirmed", "critical", flows=1, lost_len=1500, shrunk_len=1240,
            pmtu_low=1240, mss4=1200)
    finding(findings["pmtu_mss_advice", "198.18.2.0/24"], "black_hole", "info", mtu=1240, mss4=1200, mss6=1180)
