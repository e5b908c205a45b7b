"""tshark's view of a capture, from one run over all of it, without reassembly. The outermost ICMP message counts. tshark lists
records up to the end of the message; here up to as many as the report announces (RFC 9777 5.2.12: what follows is no record).
"""

import ipaddress
import os
import subprocess

from differential.view import ND_CLASSES, View, icmp4_class, icmp6_class

FIELDS = (
    "frame.protocols",
    "icmpv6.type",
    "icmp.type",
    "icmp.code",
    "icmpv6.checksum.status",
    "icmp.checksum.status",
    "icmpv6.opt.type",
    "icmpv6.opt.length",
    "icmpv6.mldr.nb_mcast_records",
    "icmpv6.mldr.mar.record_type",
    "icmpv6.mldr.mar.multicast_address",
    "icmpv6.mldr.mar.nb_sources",
    "ip.dst",
    "ipv6.dst",
    "ip.frag_offset",
    "ipv6.fraghdr.offset",
    "ipv6.routing.segleft",
    "_ws.malformed",
    "_ws.expert.message",
)
NETWORK = {"ip": "ip4", "ipv6": "ip6", "arp": "arp", "rarp": "arp"}
EXTENSIONS = {"ipv6.hopopts", "ipv6.dstopts", "ipv6.routing", "ipv6.fraghdr", "ah", "mipv6", "hip", "shim6"}
BOGUS = ("Bogus IPv4 version", "Bogus IPv6 version", "Bogus IP header length")
STATUS = {"0": "bad", "1": "ok"}


def numbers(text):
    return [int(n) for n in text.split(",")] if text else []


def parse(line):
    values = dict(zip(FIELDS, line.rstrip("\n").split("\t")))
    protocols = values["frame.protocols"].split(":")
    facts = {"protocols": protocols, "malformed": bool(values["_ws.malformed"]), "expert": values["_ws.expert.message"]}
    facts["segments_left"] = any(numbers(values["ipv6.routing.segleft"]))
    at = next((i for i, p in enumerate(protocols) if p in NETWORK), None)
    # What is wrong with a header that is quoted or tunnelled has more headers before it.
    if (at is None or at == len(protocols) - 1) and any(words in facts["expert"] for words in BOGUS):
        return View("malformed", facts=facts)
    if at is None:
        return View("non_ip", facts=facts)
    network = NETWORK[protocols[at]]
    if network == "arp":
        return View("arp", facts=facts)
    # Without its last field the header is not whole.
    if not values["ip.dst" if network == "ip4" else "ipv6.dst"]:
        return View("malformed", facts=facts)
    upper = next((i for i in range(at + 1, len(protocols)) if protocols[i] not in EXTENSIONS), len(protocols))
    facts["extensions_seen"] = protocols[at + 1 : upper]
    offsets = numbers(values["ip.frag_offset" if network == "ip4" else "ipv6.fraghdr.offset"])
    offsets = offsets[: 1 if network == "ip4" else facts["extensions_seen"].count("ipv6.fraghdr")]
    if any(offsets):
        return View(network + "_fragment", facts=facts)
    # tshark gave up inside an extension header.
    if network == "ip6" and facts["malformed"] and upper == len(protocols) and facts["extensions_seen"]:
        return View("malformed", facts=facts)
    if upper == len(protocols) or protocols[upper] != {"ip4": "icmp", "ip6": "icmpv6"}[network]:
        return View(network + "_other", facts=facts)
    # Of a quoted message nothing counts but what is looked for below: whether there is one.
    facts["quotes"] = "icmpv6" in protocols[upper + 1 :]
    if network == "ip4":
        types, codes = numbers(values["icmp.type"]), numbers(values["icmp.code"])
        status = values["icmp.checksum.status"].split(",")[0]
        cls = icmp4_class(types[0] if types else None, codes[0] if codes else None)
        return View(cls, STATUS.get(status, "skipped"), facts=facts)
    types = numbers(values["icmpv6.type"])
    view = View(icmp6_class(types[0] if types else None), facts=facts)
    view.checksum = STATUS.get(values["icmpv6.checksum.status"].split(",")[0], "skipped")
    if view.cls in ND_CLASSES:
        # zip: of an option that is cut behind its type there is no length.
        view.options = tuple(zip(numbers(values["icmpv6.opt.type"]), numbers(values["icmpv6.opt.length"])))
    if view.cls == "mld2_report":
        groups = values["icmpv6.mldr.mar.multicast_address"]
        view.records = tuple(
            zip(
                numbers(values["icmpv6.mldr.mar.record_type"]),
                [ipaddress.IPv6Address(g).packed.hex() for g in groups.split(",")] if groups else [],
                numbers(values["icmpv6.mldr.mar.nb_sources"]),
            )
        )[: sum(numbers(values["icmpv6.mldr.nb_mcast_records"]))]
    return view


def read(path):
    argv = ["tshark", "-n", "-r", path]
    for preference in ("ip.defragment", "ipv6.defragment", "ip.tso_support", "ipv6.tso_support"):
        argv += ["-o", preference + ":FALSE"]
    argv += ["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,", "-E", "separator=/t"]
    for name in FIELDS:
        argv += ["-e", name]
    # No preferences of a user, and no words of another language.
    env = dict(os.environ, LC_ALL="C", WIRESHARK_CONFIG_DIR="/nonexistent")
    r = subprocess.run(argv, capture_output=True, timeout=300, env=env)
    assert r.returncode == 0, r.stderr.decode(errors="replace")
    return [parse(line) for line in r.stdout.decode(errors="replace").splitlines()]
