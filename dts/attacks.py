#!/usr/bin/python3
"""The attacks of thc-ipv6 and ipv6toolkit that run on a small LAN, and what icmpscope must say of each.

    sudo ICMPSCOPE_BUILD=$PWD/build dts/attacks.py [REGEX]     runs them and prints the table of docs/testing.md

Not here, because the tools do not work as Debian 12 ships them: flood_router26 -D and -G and rs6 -F (they crash), sendpees6,
redirsniff6 and ndpexhaust6 (nothing arrives on the wire).
"""

import os
import re
import sys

import lab
from attack_lan import (ATTACKER_MAC, a_host_solicits, a_host_takes_addresses, hosts_look_for_each_other, hosts_send_large,
                        run_group)

DEV = "eth0"
R_LL, R_MAC = lab.ROUTER_LL, lab.ROUTER_MAC
R_GUA = lab.ROUTER_GUA
V, W = lab.HOST_GUA["h1"], lab.HOST_GUA["h2"]
V_LL, V_MAC = "fe80::ff:fe00:10", lab.HOSTS["h1"]
A_LL = "fe80::ff:fe00:6666"
AWAY = "2001:db8:ffff::1"
ALL = "ff02::1"
BAD = "2001:db8:bad::/64"


class Attack:
    """expect: anomalies that there must be; also: others that are true of it, and come or not with the moment. Above info
    there must be no other. why: what is to be known where nothing is expected."""

    def __init__(self, name, command, expect="", also="", seconds=2, meanwhile=None, why=""):
        self.name, self.command, self.expect, self.also = name, command.split(), set(expect.split()), set(also.split())
        self.seconds, self.meanwhile, self.why = seconds, meanwhile, why

    def shown(self):
        return " ".join(self.command).replace("|", "\\|")


def atk6(name, command, *args, **kw):
    return Attack(name, "atk6-" + command, *args, **kw)


ATTACKS = [
    atk6("fake_router6", f"fake_router6 {DEV} {BAD}", "router_new router_preference_hijack", "ra_dns_change"),
    atk6("fake_router26", f"fake_router26 -A {BAD} -R 2001:db8:f00::/48 -D 2001:db8:bad::53 -M 1280 -n 3 -i 0 {DEV}",
         "router_new router_preference_hijack ra_param_change ra_dns_change"),
    atk6("fake_router26_spoofrtr", f"fake_router26 -s {R_LL} -S {R_MAC} -l 0 -A 2001:db8:1::/64 -a 0 -n 3 -i 0 {DEV}",
         "router_lifetime_zero ra_prefix_withdrawn", "ra_param_change"),
    atk6("fake_router26_managed", f"fake_router26 -F managed,other -p reserved -n 2 -i 0 {DEV}", "router_new"),
    atk6("fake_router26_evadeH", f"fake_router26 -E H -A {BAD} -n 2 -i 0 {DEV}",
         "router_new router_preference_hijack ra_guard_evasion"),
    atk6("fake_router26_evade1", f"fake_router26 -E 111 -A {BAD} -n 2 -i 0 {DEV}",
         "router_new router_preference_hijack"),
    atk6("fake_router26_evadeD", f"fake_router26 -E D -A {BAD} -n 2 -i 0 {DEV}", "ra_guard_evasion"),
    atk6("fake_router26_evadeF", f"fake_router26 -E F -A {BAD} -n 2 -i 0 {DEV}", "ra_guard_evasion"),
    atk6("fake_router26_evadeO", f"fake_router26 -E O -A {BAD} -n 2 -i 0 {DEV}", "ra_guard_evasion"),
    atk6("fake_router26_evadeo", f"fake_router26 -E o -A {BAD} -n 2 -i 0 {DEV}", "ra_guard_evasion"),
    atk6("kill_router6", f"kill_router6 {DEV} {R_LL} {R_MAC}", "router_lifetime_zero"),
    atk6("kill_router6_any", f"kill_router6 {DEV} *", "router_lifetime_zero", seconds=8, meanwhile=a_host_solicits),
    atk6("kill_router6_H", f"kill_router6 -H {DEV} {R_LL}",
         "router_lifetime_zero ra_guard_evasion", "router_gateway_mac_changed nb_spoof"),
    atk6("flood_router6", f"flood_router6 {DEV}",
         "ra_flood", "router_new router_preference_hijack route_slot_exhaustion", seconds=5),
    atk6("flood_router26", f"flood_router26 {DEV}",
         "ra_flood", "router_new router_preference_hijack route_slot_exhaustion", seconds=5),
    atk6("flood_router26_R", f"flood_router26 -R {DEV}",
         "ra_flood", "router_new router_preference_hijack route_slot_exhaustion", seconds=5),
    atk6("flood_router26_A", f"flood_router26 -A {DEV}",
         "ra_flood", "router_new router_preference_hijack route_slot_exhaustion", seconds=5),
    atk6("flood_router26_H", f"flood_router26 -H {DEV}",
         "ra_flood ra_guard_evasion", "router_new router_preference_hijack route_slot_exhaustion", seconds=5),
    atk6("flood_router26_F", f"flood_router26 -F {DEV}", "ra_guard_evasion", "ra_flood", seconds=5),
    atk6("flood_rs6", f"flood_rs6 -S {DEV}", "nd_flood", "nb_spoof", seconds=5),
    atk6("fake_advertise6", f"fake_advertise6 -n 3 -w 0 {DEV} {W}", "nb_spoof"),
    atk6("fake_advertise6_router", f"fake_advertise6 -n 2 -w 0 {DEV} {R_LL} {V_LL}",
         "router_flag_cleared nb_spoof router_gateway_mac_changed"),
    atk6("fake_advertise6_rflag", f"fake_advertise6 -r -n 2 -w 0 {DEV} {R_LL} {V_LL}",
         "nb_spoof router_gateway_mac_changed"),
    atk6("fake_advertise6_H", f"fake_advertise6 -H -n 2 -w 0 {DEV} {W}", "nb_spoof"),
    atk6("fake_advertise6_f", f"fake_advertise6 -f -n 2 -w 0 {DEV} {W}",
         why="hosts ignore it behind a fragment header (RFC 6980), told as info"),
    atk6("fake_advertise6_D", f"fake_advertise6 -D -n 2 -w 0 {DEV} {W}", why="the tool crashes after one fragment"),
    atk6("fake_solicitate6", f"fake_solicitate6 {DEV} {W}", why="what it says is true: its own address and MAC"),
    atk6("flood_advertise6", f"flood_advertise6 {DEV}", "nd_flood", seconds=5),
    atk6("flood_advertise6_k", f"flood_advertise6 -k {DEV}", "nd_flood", "nb_lla_mismatch", seconds=5),
    # Of the stations that it invents two may have one address.
    atk6("flood_solicitate6", f"flood_solicitate6 {DEV} {V} {V}", "nd_flood", "nb_spoof", seconds=5),
    atk6("flood_solicitate6_k", f"flood_solicitate6 -k {DEV}", "nd_flood", "nd_scan nb_lla_mismatch", seconds=5),
    atk6("parasite6", f"parasite6 {DEV}",
         "nb_spoof", "nb_flip_flop router_gateway_mac_changed", seconds=3, meanwhile=hosts_look_for_each_other),
    atk6("parasite6_lR", f"parasite6 -lR {DEV}",
         "nb_spoof router_gateway_mac_changed", "nb_flip_flop", seconds=3, meanwhile=hosts_look_for_each_other),
    atk6("dos-new-ip6", f"dos-new-ip6 {DEV}",
         "dad_denial dad_conflict", "nb_spoof", seconds=5, meanwhile=a_host_takes_addresses),
    atk6("dos-new-ip6_S", f"dos-new-ip6 -S {DEV}",
         "dad_denial dad_conflict", "nb_spoof", seconds=5, meanwhile=a_host_takes_addresses),
    atk6("detect-new-ip6", f"detect-new-ip6 {DEV}", seconds=4, meanwhile=a_host_takes_addresses, why="it only listens"),
    atk6("sendpeesmp6", f"sendpeesmp6 {DEV} 1024 fe80:: {V_LL}",
         "", "nd_flood", seconds=5, why="told as nb_lla_mismatch, info; nd_flood where it is fast enough"),
    atk6("redir6", f"redir6 {DEV} {V} {AWAY} {R_LL} {A_LL}", "redirect_rogue"),
    atk6("flood_redir6", f"flood_redir6 {DEV} {V}",
         seconds=5, why="a redirect from a global address is invalid (RFC 4861 8.1): told as a violated rule"),
    atk6("flood_redir6_router", f"flood_redir6 {DEV} {V} {R_LL} {A_LL}",
         "redirect_rogue", "redirect_storm nb_flip_flop nb_spoof", seconds=5),
    atk6("fake_solicitate6_spoof", f"fake_solicitate6 {DEV} {V} {ALL} {ATTACKER_MAC} {W}", "nb_spoof"),
    atk6("toobig6", f"toobig6 {DEV} {V} {W} 1280",
         why="one message that could be true: told as pmtu_learned, info"),
    atk6("toobig6_600", f"toobig6 {DEV} {V} {W} 600", "pmtu_bogus"),
    atk6("toobig6_u", f"toobig6 -u {DEV} {V} {W} 1300",
         why="one message that could be true: told as pmtu_learned, info"),
    atk6("toobigsniff6", f"toobigsniff6 -c {DEV} {V} 1280", "pmtu_bogus", "pmtu_spoof", seconds=4, meanwhile=hosts_send_large),
    atk6("flood_unreach6", f"flood_unreach6 {DEV} {V}", "unreach_storm", seconds=5),
    atk6("flood_unreach6_pR", f"flood_unreach6 -p -R {DEV} {V}", "unreach_storm", seconds=5),
    atk6("ndpexhaust26", f"ndpexhaust26 {DEV} 2001:db8:1::/64",
         "nd_scan pmtu_bogus", "pmtu_spoof pmtu_storm", seconds=5),
    atk6("ndpexhaust26_p", f"ndpexhaust26 -p -r {DEV} 2001:db8:1::/64", "nd_scan", seconds=5),
    atk6("smurf6", f"smurf6 {DEV} {V}", seconds=3, why="echo is not what icmpscope judges"),
    atk6("rsmurf6", f"rsmurf6 {DEV} {V}", seconds=3, why="echo is not what icmpscope judges"),
    atk6("fake_mld6_add", f"fake_mld6 {DEV} add ff02::dead",
         why="an ordinary join"),
    atk6("fake_mld6_delete", f"fake_mld6 {DEV} delete ff02::dead",
         why="an ordinary leave"),
    atk6("fake_mld6_query", f"fake_mld6 {DEV} query", "mld_version_mismatch", "mld_querier_change"),
    atk6("fake_mld26_add", f"fake_mld26 {DEV} add ff02::dead",
         why="an ordinary join"),
    atk6("fake_mld26_delete", f"fake_mld26 {DEV} delete ff02::dead",
         why="an ordinary leave"),
    atk6("fake_mld26_query", f"fake_mld26 {DEV} query",
         why="the only querier here is an ordinary one"),
    atk6("fake_mldrouter6_adv", f"fake_mldrouter6 {DEV} advertise",
         why="counted by class"),
    atk6("fake_mldrouter6_sol", f"fake_mldrouter6 {DEV} solicitate",
         why="counted by class"),
    atk6("fake_mldrouter6_term", f"fake_mldrouter6 {DEV} terminate",
         why="counted by class"),
    atk6("flood_mld6", f"flood_mld6 {DEV}", "mld_report_storm",
         "mld_slowpath_budget mld_table_forecast", seconds=5),
    atk6("flood_mld26", f"flood_mld26 {DEV}", "mld_report_storm",
         "mld_slowpath_budget mld_table_forecast host_group_excess", seconds=5),
    atk6("flood_mldrouter6", f"flood_mldrouter6 {DEV}", "mld_slowpath_budget", seconds=5),
    atk6("alive6", f"alive6 {DEV}", seconds=4, why="echo is not what icmpscope judges"),
    atk6("node_query6", f"node_query6 {DEV} {V}", why="counted by class"),
    atk6("inverse_lookup6", f"inverse_lookup6 {DEV} {V_MAC}", why="counted by class"),
    atk6("dump_router6", f"dump_router6 {DEV}", seconds=4, why="ordinary solicitations"),
    atk6("detect_sniffer6", f"detect_sniffer6 {DEV} {V}", seconds=4, why="echo is not what icmpscope judges"),
    atk6("randicmp6", f"randicmp6 -p {DEV} {V}", why="counted by class; violated rules are told"),
    atk6("fuzz_ip6_ns", f"fuzz_ip6 -a -2 {DEV} {V}", "", "nd_scan nd_flood", why="violated rules are told"),
    atk6("fuzz_ip6_na", f"fuzz_ip6 -a -3 {DEV} {V}", why="violated rules are told"),
    atk6("fuzz_ip6_ra", f"fuzz_ip6 -a -4 {DEV} {V}",
         "ra_flood", "router_new router_preference_hijack route_slot_exhaustion ra_dns_change"),
    atk6("denial6_1", f"denial6 {DEV} {V} 1", why="violated rules are told"),
    atk6("denial6_6", f"denial6 {DEV} {V} 6", why="violated rules are told"),
    atk6("exploit6", f"exploit6 {DEV} {V}", "", "pmtu_bogus", seconds=4, why="violated rules are told"),
    atk6("thcping6_ra_hl64", f"thcping6 -T 134 -t 64 -d 12 {DEV} {A_LL} {V}",
         seconds=4, why="invalid hop limit: told as a violated rule"),
    atk6("thcping6_na_hl64", f"thcping6 -T 136 -t 64 -d 20 {DEV} {A_LL} {V}",
         seconds=4, why="invalid hop limit: told as a violated rule"),
    atk6("trace6", f"trace6 {DEV} {AWAY}", seconds=3, why="ordinary"),
    Attack("si6_ra6", f"ra6 -i {DEV} -d {V_LL} -t 9000 -p 1 -e -P {BAD}#LA#3600#1800",
           "router_new router_preference_hijack"),
    Attack("si6_ra6_life0", f"ra6 -i {DEV} -s {R_LL} -d {ALL} -t 0 -e",
           "router_lifetime_zero nb_spoof router_gateway_mac_changed", "ra_param_change"),
    Attack("si6_ra6_curhop", f"ra6 -i {DEV} -s {R_LL} -d {ALL} -c 1 -r 4000000 -x 10 -M 1280 -e",
           "ra_param_change nb_spoof router_gateway_mac_changed"),
    Attack("si6_ra6_mtu16", f"ra6 -i {DEV} -s {R_LL} -d {ALL} -M 16 -e",
           "nb_spoof router_gateway_mac_changed", "ra_param_change"),
    Attack("si6_ra6_flood", f"ra6 -i {DEV} -d {ALL} -F 50 -f 10 -l -z 1",
           "ra_flood", "router_new router_preference_hijack route_slot_exhaustion", seconds=5),
    Attack("si6_ra6_routes", f"ra6 -i {DEV} -d {ALL} -w 20 -W 10 -F 5",
           "ra_flood ra_dns_change", "router_new router_preference_hijack route_slot_exhaustion"),
    Attack("si6_ra6_frag", f"ra6 -i {DEV} -d {ALL} -y 64 -u 400 -P {BAD}#LA#3600#1800 -e", "ra_guard_evasion"),
    Attack("si6_ra6_hbh", f"ra6 -i {DEV} -d {ALL} -H 16 -u 16 -e",
           "router_new router_preference_hijack ra_guard_evasion"),
    Attack("si6_ra6_listen", f"ra6 -i {DEV} -L -e -P {BAD}#LA#3600#1800",
           "router_new router_preference_hijack", "ra_inconsistent", seconds=3, meanwhile=a_host_solicits),
    Attack("si6_rs6_mcast", f"rs6 -i {DEV} -s {A_LL} -S {ATTACKER_MAC} -D 33:33:00:00:00:02 -d ff02::2 -e",
           why="the tool sends an invalid NS instead: told as a violated rule"),
    Attack("si6_na6", f"na6 -i {DEV} -s {R_LL} -d {V_LL} -t {R_LL} -c -o -E {ATTACKER_MAC}",
           "router_flag_cleared nb_spoof router_gateway_mac_changed"),
    Attack("si6_na6_nolla", f"na6 -i {DEV} -s {W} -d {ALL} -t {W} -c -o",
           why="invalid (RFC 4861 7.1.2): told as a violated rule"),
    Attack("si6_na6_flood", f"na6 -i {DEV} -d {ALL} -t 2001:db8:1::/64 -T 100 -F 10 -l -z 1 -e -o",
           "nd_flood", seconds=5),
    Attack("si6_na6_listen", f"na6 -i {DEV} -L -W 2001:db8:1::/64 -E {ATTACKER_MAC} -c -o",
           "nb_spoof", "nb_flip_flop", seconds=3,
           meanwhile=hosts_look_for_each_other),
    Attack("si6_ns6", f"ns6 -i {DEV} -s {W} -d ff02::1:ff00:10 -t {V} -E {ATTACKER_MAC}", "nb_spoof"),
    Attack("si6_ns6_flood", f"ns6 -i {DEV} -d ff02::1:ff00:10 -t 2001:db8:1::/64 -F 300 -T 4 -l -z 1 -e",
           "nd_flood", seconds=5),
    Attack("si6_ns6_dad", f"ns6 -i {DEV} -s :: -d ff02::1:ff00:10 -t {V} -E {ATTACKER_MAC}",
           why="invalid (RFC 4861 7.1.1): told as a violated rule"),
    Attack("si6_rd6",
           f"rd6 -i {DEV} -s {R_LL} -d {V} -r {AWAY} -t {A_LL} -S {ATTACKER_MAC} -D {V_MAC} -E {ATTACKER_MAC} -p TCP -P 50", "redirect_rogue"),
    Attack("si6_rd6_hl64",
           f"rd6 -i {DEV} -A 64 -s {R_LL} -d {V} -r {AWAY} -t {A_LL} -S {ATTACKER_MAC} -D {V_MAC} -E {ATTACKER_MAC} -n", why="invalid hop limit: told as a violated rule"),
    Attack("si6_rd6_flood", f"rd6 -i {DEV} -s {R_LL} -d {V} -r 2001:db8:ffff::/64 -t {A_LL} -R 100 -l -z 1 -n",
           "redirect_rogue redirect_storm", seconds=5),
    Attack("si6_icmp6_ptb", f"icmp6 -i {DEV} -s {R_GUA} -d {V} -E -m 1280 -p TCP -x {AWAY} -r {V} -a 80 -o 40000",
           "pmtu_bogus"),
    Attack("si6_icmp6_ptb68", f"icmp6 -i {DEV} -s {R_GUA} -d {V} -E -m 68 -p ICMP6 -x {AWAY} -r {V}",
           "pmtu_bogus"),
    Attack("si6_icmp6_ptb_nopay", f"icmp6 -i {DEV} -s {R_GUA} -d {V} -E -m 1300 -n",
           why="without a quoted packet it is invalid: told as a violated rule"),
    Attack("si6_icmp6_unreach", f"icmp6 -i {DEV} -s {R_GUA} -d {V} -e 1 -p UDP -x {AWAY} -r {V}",
           why="one message is no storm"),
    Attack("si6_icmp6_pp", f"icmp6 -i {DEV} -s {R_GUA} -d {V} -R 0 -O 40 -p TCP -x {AWAY} -r {V}",
           why="counted by class"),
    Attack("si6_ni6", f"ni6 -i {DEV} -d {V} -6 {V} -q 2", why="counted by class"),
    Attack("si6_tcp6", f"tcp6 -i {DEV} -s 2001:db8:1::/64 -d {V} -a 80 -X S -F 100 -T 10 -l -z 1",
           "", "nd_flood nd_scan", seconds=5,
           why="the host that is attacked resolves forged senders"),
    Attack("si6_frag6_flood", f"frag6 -i {DEV} -d {V} -F 200", why="fragments are not what icmpscope judges"),
    Attack("si6_scan6", f"scan6 -i {DEV} -L", seconds=4, why="ordinary"),
]

# LANs at a time; icmpscope takes 16 ports.
GROUP = 12


def run(chosen):
    """{name: anomalies}. Attacks of equal length go together, so that floods are not beside what a flood would drown."""
    found = {}
    in_order = sorted(chosen, key=lambda a: a.seconds)
    for i in range(0, len(in_order), GROUP):
        found.update(run_group(in_order[i : i + GROUP]))
    # Some tools give up on a slow machine before they have sent anything. A name that is wrong stays wrong.
    again = [a for a in chosen if (verdict(a, found[a.name]) or "").startswith("missing")][:GROUP]
    return found | (run_group(again) if again else {})


def loud(anomalies):
    """Names above info, each once, in order of their first message."""
    return list(dict.fromkeys(a["name"] for a in sorted(anomalies, key=lambda a: a["first_ns"]) if a["severity"] != "info"))


def verdict(attack, anomalies):
    """What is wrong with these findings, or None."""
    names = set(loud(anomalies))
    if not attack.expect <= names:
        return "missing: " + ", ".join(sorted(attack.expect - names))
    if names - attack.expect - attack.also:
        return "wrong: " + ", ".join(sorted(names - attack.expect - attack.also))
    return None


def table(found):
    """The table of docs/testing.md."""
    print("| attack | tool | must be named | got |")
    print("|---|---|---|---|")
    for a in ATTACKS:
        if a.name in found:
            got = ", ".join(f"{x['name']} ({x['variant']})" for n in loud(found[a.name])
                            for x in [max((y for y in found[a.name] if y["name"] == n), key=lambda y: y["count"])])
            want = ", ".join(sorted(a.expect)) or (f"nothing: {a.why}" if a.why else "nothing")
            wrong = verdict(a, found[a.name])
            print(f"| {a.name} | `{a.shown()}` | {want} | {got or '-'}{' **' + wrong + '**' if wrong else ''} |")


if __name__ == "__main__":
    if WHY_NOT := lab.unavailable():
        sys.exit(f"attacks: {WHY_NOT}")
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    results = run([a for a in ATTACKS if re.search(pattern, a.name)])
    table(results)
    if os.environ.get("SAYS"):
        for name, anomalies in results.items():
            for x in anomalies:
                print(name, x["name"], x["variant"], x["severity"], x["count"], x["says"])
