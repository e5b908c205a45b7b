"""Incident 1 whole, in simulated time: gateways lost by either cause, again and again, until hosts accept no more routes.

Each scenario of dts/gen/gateway_loss.py goes through icmpscope, which is asked through its telemetry socket, and through
icmpscope-read --json. Both must find the same, field by field, and nothing but what the incident is.
"""

import re
import subprocess
import sys

import lab
import pytest
from conftest import ROOT
from scope import Scope

ROUTER = {"router": "fe80::1", "mac": "00:00:5e:00:53:01"}
HOSTS = [f"00:00:5e:00:53:{0x10 + i:02x}" for i in range(8)]
H60 = HOSTS[3]

# What the reader's document has under other names, or alone: the reader's field, the live one, how the value is written.
SAME = ("id", "name", "variant", "severity", "state", "count", "rfc", "says", "first", "last")
# Told by one side alone, and why.
LIVE_ALONE = {
    "seq": "the change counter of the follower's table; a document has nobody who follows it",
    "where": "segment in words, for people",
    "first_ns": "first, once more as a number",
    "last_ns": "last, once more as a number",
    "cleared_ns": "cleared, once more as a number",
    "frames_kept": "how many frames anomaly/evidence has; the reader writes them with --evidence",
}
READER_ALONE = {
    "frames": "numbers of frames in the capture; live, a frame has none: its bytes are in anomaly/evidence",
}


def as_reader_value(live, want):
    """Telemetry has numbers and texts only: truth is 0 or 1, seconds are a text with three decimals."""
    if isinstance(want, bool):
        assert live in (0, 1), live
        return bool(live)
    if isinstance(want, float):
        assert re.fullmatch(r"\d+\.\d{3}", live), live
        return float(live)
    return live


def as_reader_document(live, want):
    """The live anomaly in the words of the reader's document; every field must have its place there."""
    left = {k: v for k, v in live.items() if k not in LIVE_ALONE and not re.fullmatch(r"says_\d+", k)}
    got = {k: left.pop(k) for k in SAME}
    got["acked"] = bool(left.pop("acked"))
    got["muted"], got["lenient"] = bool(left.pop("muted")), bool(left.pop("lenient"))
    got["cleared"] = left.pop("cleared", None)
    got["segment"] = {"port": left.pop("port"), "vlan": int(left.pop("vlan"))}
    for group in ("subject", "evidence"):
        keys = [k for k in left if k.startswith(group + "_")]
        got[group] = {k[len(group) + 1:]: as_reader_value(left.pop(k), want[group].get(k[len(group) + 1:])) for k in keys}
    assert left == {}
    return got


def compare(live, document):
    assert [a["name"] for a in live] == [a["name"] for a in document]
    for a, want in zip(live, document):
        for field in READER_ALONE:
            assert want.pop(field)
        assert as_reader_document(a, want) == want


@pytest.fixture(scope="module")
def findings(reader, tmp_path_factory):
    """Scenario -> its anomalies, from the reader, found to be what icmpscope says; made once."""
    folder = tmp_path_factory.mktemp("gateway-loss")
    known = {}

    def of(scenario):
        if scenario not in known:
            path = folder / f"{scenario}.pcap"
            subprocess.run([sys.executable, ROOT / "dts" / "gen" / "gateway_loss.py", scenario, path], check=True, timeout=60)
            document = reader.json(path)
            with Scope("-p", f"pcap:{path}") as scope:
                lab.wait_for("the capture is read", lambda: "capture read" in scope.output(), 30)
                info = scope.assert_conservation(lost=0)
                assert info["frames"] == document["frames"]
                live = scope.anomalies()
                assert {k: v for k, v in scope.ask("/icmpscope/classes").items()} == document["classes"]
            compare(live, document["anomalies"])
            known[scenario] = document["anomalies"]
        return known[scenario]

    return of


def one_each(anomalies, *names):
    """The anomalies of these names, in this order; there is nothing else above info, and none twice."""
    loud = [a for a in anomalies if a["severity"] != "info"]
    assert sorted(a["name"] for a in loud) == sorted(names)
    assert all(a["segment"] == {"port": 0, "vlan": 10} and not a["muted"] and not a["lenient"] for a in loud)
    return [next(a for a in loud if a["name"] == n) for n in names]


def facts(a, **want):
    assert {k: a["evidence"].get(k) for k in want} == want


def host_macs(a):
    return ", ".join(v for k, v in sorted(a["evidence"].items()) if k.startswith("host_macs") and v).split(", ")


def test_w1(findings):
    cleared, flap, slots, zero = one_each(findings("w1"), "router_flag_cleared", "router_flap", "route_slot_exhaustion",
                                          "router_lifetime_zero")
    assert (cleared["variant"], cleared["severity"], cleared["state"], cleared["count"]) == ("unsol_all", "critical", "open", 100)
    assert cleared["subject"] == ROUTER
    facts(cleared, match="both", kill=True, flag_r=False, flag_s=False, flag_o=True, variants="unsol_all,mixed",
          default_routers_left=0, hosts=8, last_ra_lifetime_s=1800)
    assert (cleared["first"], cleared["last"]) == ("2016-05-12T00:11:43.000000Z", "2016-05-12T10:05:43.000000Z")

    # Ten times within a day is reached by the eleventh advertisement, 99 by the last.
    assert (flap["variant"], flap["severity"], flap["state"], flap["count"]) == ("slow", "critical", "open", 90)
    assert flap["subject"] == ROUTER
    facts(flap, cycles_since_start=99, by_lifetime_0=0, by_router_flag=16, routes_used_up=101, hosts=8)
    assert "at least 16 times within 24 hours" in flap["says"] and "99 times" in flap["says"]

    # The prefix once, the default route at first and 99 times more.
    assert (slots["variant"], slots["severity"], slots["state"]) == ("exhausted", "critical", "open")
    assert slots["subject"] == {"segment": "whole"}
    facts(slots, routes_created=101, hosts_exhausted=8, hosts=8, by_default_router=100, by_prefix=1, since_start=False,
          creators="fe80::1: 101", full_in_s=0.0)
    assert host_macs(slots) == HOSTS

    assert (zero["variant"], zero["severity"], zero["state"], zero["count"]) == ("graceful", "critical", "open", 1)
    assert zero["subject"] == ROUTER
    facts(zero, lifetime_before_s=1800, lifetime_after_s=0, lifetime_left_s=1440.0, last_ra_age_s=360.0, default_routers_left=0,
          zero_ras=1, hosts=8, mac_known=True)


def test_retracted_and_back(findings):
    """Cause one, the RA with lifetime 0, as a restart sends it: one finding, over when the router is back for good."""
    (zero,) = one_each(findings("retracted"), "router_lifetime_zero")
    assert (zero["variant"], zero["severity"], zero["state"], zero["count"]) == ("graceful", "critical", "cleared", 3)
    assert zero["subject"] == ROUTER
    facts(zero, zero_ras=3, lifetime_left_s=1740.0, last_ra_age_s=60.0, hosts=8, default_routers_left=0)
    # 90 s of silence, and two more advertisements.
    assert (zero["last"], zero["cleared"]) == ("2016-05-12T00:11:32.000000Z", "2016-05-12T00:13:18.000000Z")


def test_flag_cleared_and_advertised_again(findings):
    """Cause two, the NA without the router flag, while RAs go on: what one takes the other brings back."""
    cleared, flap = one_each(findings("flap"), "router_flag_cleared", "router_flap")
    assert (cleared["variant"], cleared["severity"], cleared["state"], cleared["count"]) == ("unsol_all", "critical", "open", 3)
    facts(cleared, variants="unsol_all,mixed", match="both", kill=True, chronic=True)
    assert (flap["variant"], flap["severity"], flap["state"], flap["count"]) == ("fast", "critical", "open", 1)
    assert flap["subject"] == ROUTER
    facts(flap, cycles_10min=3, cycles_since_start=3, by_router_flag=3, by_lifetime_0=0,
          gone_s_ago_for_s="20 (20), 180 (20), 340 (20)", routes_used_up=5)


def test_a_hundred_routes(findings):
    """Cause three: all hosts named but the one whose link bounced on the way, which has 40 only."""
    slots = one_each(findings("exhausted"), "router_flag_cleared", "router_flap", "route_slot_exhaustion")[2]
    assert (slots["variant"], slots["severity"], slots["state"]) == ("exhausted", "critical", "open")
    facts(slots, routes_created=101, hosts_exhausted=7, hosts_half=7, hosts=8)
    assert host_macs(slots) == [m for m in HOSTS if m != H60]


def test_bounced_links_start_anew(findings):
    slots = one_each(findings("bounced"), "router_flag_cleared", "router_flap", "route_slot_exhaustion")[2]
    assert slots["state"] == "cleared"
    # All links had bounced at 10:13:00.
    assert "2016-05-12T10:13:00" < slots["cleared"] < "2016-05-12T10:15:00"
