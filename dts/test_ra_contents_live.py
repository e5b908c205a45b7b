"""What a real radvd announces, changed while hosts with real kernels listen: icmpscope names each change, once, and the
kernels confirm what it says hosts lose."""

import signal

import lab
import pytest
from conftest import program
from scope import Scope

WHY_NOT = lab.unavailable()
pytestmark = [pytest.mark.live, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]

PREFIX = "2001:db8:1::/64"


def config(net, hop_limit=64, valid=86400, preferred=14400, rdnss="2001:db8:1::53"):
    net.write(
        "radvd.conf",
        "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 1800;"
        f" AdvCurHopLimit {hop_limit}; AdvLinkMTU 1500;"
        f" prefix {PREFIX} {{ AdvValidLifetime {valid}; AdvPreferredLifetime {preferred}; }};"
        f" RDNSS {rdnss} {{ AdvRDNSSLifetime 600; }}; }};\n"
    )


def reload(net, **changes):
    config(net, **changes)
    net.radvd.send_signal(signal.SIGHUP)


def of(scope, name):
    return [a for a in scope.anomalies() if a["name"] == name]


def wait_for(scope, name, state="open"):
    def found():
        return [a for a in of(scope, name) if a["state"] == state]

    lab.wait_for(f"{state} {name}", found, 15)
    assert len(of(scope, name)) == 1
    return of(scope, name)[0]


def on_link(net, host):
    return net.run("ip", "-n", net.ns(host), "-6", "route", "show", PREFIX, "dev", "eth0").stdout.strip()


@pytest.fixture
def lan():
    program("icmpscope")
    with lab.Lab() as net:
        yield net


def test_changes_are_named(lan):
    with Scope("-p", "tap0", "--set", "detect.learn_s=0", ns=lan.ns("tap")) as scope:
        lan.router_up()
        lan.radvd_start()
        reload(lan)
        lan.hosts_up()
        lan.wait_slaac()
        announced = scope.ask("/icmpscope/classes")["nd_ra"]
        lab.wait_for("three announcements", lambda: scope.ask("/icmpscope/classes")["nd_ra"] >= announced + 3)
        mine = ("ra_", "router_")
        assert [a for a in scope.anomalies() if a["name"].startswith(mine) and a["severity"] != "info"] == []
        table = scope.ask("/icmpscope/prefix/table")
        assert sorted(zip(table["kind"], table["prefix"])) == [("prefix", PREFIX), ("rdnss", "2001:db8:1::53")]

        reload(lan, hop_limit=20)
        a = wait_for(scope, "ra_param_change")
        assert (a["variant"], a["severity"]) == ("hop_limit", "critical")
        lab.wait_for("the kernel took the hop limit over", lambda: lan.run(
            "cat", "/proc/sys/net/ipv6/conf/eth0/hop_limit", ns="h1").stdout.strip() == "20", 10)
        reload(lan)
        wait_for(scope, "ra_param_change", "cleared")

        reload(lan, rdnss="2001:db8:1::666")
        a = wait_for(scope, "ra_dns_change")
        assert a["severity"] == "warn"
        assert "2001:db8:1::666" in scope.ask(f"/icmpscope/anomaly/info,{a['id']}")["evidence_gained"]
        reload(lan)

        assert on_link(lan, "h1") != ""
        reload(lan, valid=0, preferred=0)
        a = wait_for(scope, "ra_prefix_withdrawn")
        assert a["variant"] == "withdrawn"
        info = scope.ask(f"/icmpscope/anomaly/info,{a['id']}")
        assert info["evidence_prefix"] == PREFIX
        assert info["evidence_addresses"] >= 2
        assert info["evidence_addresses_end_s"] == 7200
        # The two-hour rule of RFC 4862 5.5.3 e, as the kernels have it: the address stays, no longer preferred.
        lab.wait_for("the kernel gave the prefix up", lambda: on_link(lan, "h1") == "", 10)
        left = lan.run("ip", "-n", lan.ns("h1"), "-6", "addr", "show", "dev", "eth0", "scope", "global").stdout
        assert "deprecated" in left
        reload(lan)
        wait_for(scope, "ra_prefix_withdrawn", "cleared")
        scope.assert_conservation()
