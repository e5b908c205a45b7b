"""Where another reader sees something else for a good reason. An exception holds for frames that the reader itself, or the
other one, describes in a way that calls for it; never for what icmpscope says alone. Each has to be needed by some frame.
"""

from collections.abc import Callable
from dataclasses import dataclass

ANY = ("tshark", "scapy")
# Octets that a message has at least, by ICMPv6 type (RFC 4443 2.1, 2710 5, 9777 5.2); others have 4, and all of ICMPv4 8.
MIN_LEN = {1: 8, 2: 8, 3: 8, 4: 8, 128: 8, 129: 8, 130: 24, 131: 24, 132: 24, 143: 8}
OPTIONS_MAX = 64
MOBILE = {"mipv6", "hip", "shim6"}
LINK = ("eth", "vlan", "ieee8021ad", "mpls", "pppoes", "ppp")


@dataclass(frozen=True)
class Excuse:
    """applies looks at a Case (compare.py)."""

    name: str
    readers: tuple
    columns: tuple
    applies: Callable
    why: str


def says(case, *words):
    """tshark's expert information, whichever reader is at hand."""
    text = case.theirs.facts.get("expert", "") + case.other.facts.get("expert", "")
    return any(w in text for w in words)


def fact(case, name):
    """What either reader noticed."""
    return case.theirs.facts.get(name) or case.other.facts.get(name)


def is_short(case):
    """By scapy's length of the message."""
    n = case.theirs.facts.get("message", case.other.facts.get("message"))
    if n is None:
        return False
    least = 8 if case.ours.cls.startswith("icmp4") else MIN_LEN.get(fact(case, "type"), 4)
    return n < least


def is_prefix(a, b):
    return len(a) < len(b) and b[: len(a)] == a


def other_agrees(case):
    """Exactly, or as far as options are walked here."""
    ours, other = case.ours.column(case.column), case.other.column(case.column)
    return ours == other or (case.column == "options" and len(ours) == OPTIONS_MAX and is_prefix(ours, other))


def is_blind(case):
    """The other reader sees another class, so it cannot be asked about the rest."""
    return case.other.cls != case.ours.cls


def extensions(case):
    return fact(case, "extensions_seen") or []


def scapy_of(case):
    return case.theirs if "protocols" not in case.theirs.facts else case.other


def is_untyped_fragment(case):
    """tshark sees a Fragment header, and neither reader a type."""
    return (
        case.ours.cls == "ip6_fragment"
        and "ipv6.fraghdr" in extensions(case)
        and {case.theirs.cls, case.other.cls} <= {"ip6_other", "icmp6_other", "malformed"}
        and not scapy_of(case).facts.get("message")
    )


def is_pppoe_bad(case):
    """Version and type 0x11, code 0 (RFC 2516 4, 6); read from the frame itself."""
    at = case.data.find(b"\x88\x64", 12, 30)
    return at > 0 and case.data[at + 2 : at + 4] != b"\x11\0"


EXCEPTIONS = (
    Excuse(
        "link header cut",
        ANY,
        ("class",),
        lambda c: c.ours.cls == "malformed" and c.theirs.cls == "non_ip" and fact(c, "protocols")[-1] in LINK,
        "a tag, label or PPPoE header that ends with the frame: malformed here, and the readers have no word for it",
    ),
    Excuse(
        "IP header cut",
        ("scapy",),
        ("class",),
        lambda c: c.theirs.cls == "non_ip" and c.other.cls == c.ours.cls == "malformed",
        "scapy makes no layer of an IP header without a single octet",
    ),
    Excuse(
        "mobility header",
        ANY,
        ("class",),
        lambda c: MOBILE & set(extensions(c)) or fact(c, "next") in (135, 139, 140),
        "Mobility, HIP and Shim6 are extension headers (IANA, RFC 7045 2) and are walked like any other here; the readers take "
        "them for upper layers",
    ),
    Excuse(
        "authentication header below 12 octets",
        ("scapy",),
        ("class", "checksum", "options", "records"),
        lambda c: fact(c, "ah_short") and (other_agrees(c) or is_blind(c)),
        "scapy reads 12 octets whatever the length field says; tshark goes by the length as we do",
    ),
    Excuse(
        "authentication header beyond the frame",
        ANY,
        ("class",),
        lambda c: c.theirs.cls == "ip6_other" and c.ours.cls == "malformed" and says(c, "exceeds framing length"),
        "the IP layer announces more octets than the frame has, and the header chain ends in what is missing: with an "
        "authentication header both readers stop there without a word, with any other header they say malformed as we do",
    ),
    Excuse(
        "beyond the frame",
        ("tshark",),
        ("checksum",),
        lambda c: c.ours.checksum == "skipped" and says(c, "exceeds framing length", "exceeds packet length"),
        "the IP layer announces more octets than the frame has; tshark sums those that are there, scapy and we none (RFC 8200 3)",
    ),
    Excuse(
        "shorter than its fixed part",
        ANY,
        ("checksum",),
        lambda c: c.ours.checksum == "skipped" and (is_short(c) or fact(c, "ah_short")),
        "length is judged before the checksum (RFC 4443 2.1, 2710 5, 9777 5.2, 792): a message without its fixed part is dropped",
    ),
    Excuse(
        "routing header not used up",
        ANY,
        ("checksum",),
        lambda c: fact(c, "segments_left"),
        "the checksum covers the last address of the route (RFC 8200 8.1); here it is judged by the final destination alone, "
        "and a sum that differs before the route is used up is no fault",
    ),
    Excuse(
        "more options than are walked",
        ANY,
        ("options",),
        lambda c: len(c.ours.options) == OPTIONS_MAX and is_prefix(c.ours.options, c.theirs.options),
        "nd_opt_too_many: 64 options of a message are walked",
    ),
    Excuse(
        "gives up inside an option",
        ("tshark",),
        ("options",),
        lambda c: is_prefix(c.theirs.options, c.ours.options) and (other_agrees(c) or fact(c, "ah_short")),
        "the body of one option makes no sense to tshark and its list ends; where the next one starts is said by the length alone "
        "(RFC 4861 4.6), and scapy goes on there as we do",
    ),
    Excuse(
        "gives up inside an extension header",
        ("tshark",),
        ("class",),
        lambda c: c.theirs.cls in ("malformed", "ip6_other") and c.theirs.facts["malformed"] and (other_agrees(c) or fact(c, "ah_short")),
        "the options of a header make no sense to tshark and it looks no further; what follows is said by the header's length "
        "alone (RFC 8200 4.2), and scapy goes on there as we do",
    ),
    Excuse(
        "no type read",
        ("tshark",),
        ("class",),
        lambda c: c.theirs.cls in ("icmp4_other", "ip4_other", "ip6_other") and is_short(c) and other_agrees(c),
        "tshark wants the first octets of a message at once; here the type decides the class as soon as it is there",
    ),
    Excuse(
        "total length below the header's",
        ("tshark",),
        ("class",),
        lambda c: says(c, "Bogus IP length") and other_agrees(c),
        "tshark reads nothing behind such an IPv4 header; the type decides the class of what it was, and ip4_hdr_bad says the rest",
    ),
    Excuse(
        "record cut by the end of the message",
        ("scapy",),
        ("records",),
        lambda c: c.theirs.records == c.ours.records[:-1] and (other_agrees(c) or is_blind(c)),
        "scapy drops a record whose sources are cut; type, group and number of sources are there, and tshark lists them as we do",
    ),
    Excuse(
        "first fragment without the upper layer",
        ANY,
        ("class",),
        is_untyped_fragment,
        "nothing of the message is in the first fragment (RFC 7112 5), so it has no type and the class is ip6_fragment",
    ),
    Excuse(
        "chain beyond the limits",
        ANY,
        ("checksum", "options", "records"),
        lambda c: (fact(c, "extensions") or 0) > 8 or (fact(c, "extension_octets") or 0) > 512,
        "ip6_ext_limit: behind more than 8 extension headers or 512 octets of them nothing is judged (RFC 8883 2)",
    ),
    Excuse(
        "segments that the routing header has no room for",
        ANY,
        ("class", "checksum"),
        lambda c: fact(c, "segments_overrun"),
        "the readers go by the number of segments, we by the header's length, which says where the next header is (RFC 8200 4.4)",
    ),
    Excuse(
        "extension header that scapy cannot read",
        ("scapy",),
        ("class",),
        lambda c: c.theirs.facts.get("unread") and other_agrees(c),
        "scapy leaves a header as it is when its fields do not fit; tshark goes by the length as we do",
    ),
    Excuse(
        "PPPoE that is no session",
        ANY,
        ("class",),
        lambda c: c.ours.cls == "malformed" and is_pppoe_bad(c),
        "another version, type or code: discarded (RFC 2516 4, 6), pppoe_bad; the readers go on",
    ),
    Excuse(
        "PPPoE length",
        ("scapy",),
        ("class", "checksum", "options", "records"),
        lambda c: says(c, "Possible bad payload length") and (other_agrees(c) or says(c, "exceeds framing length")),
        "scapy does not cut a PPPoE payload at its length; tshark does as we do",
    ),
    Excuse(
        "IPv4 options that pass the end",
        ("scapy",),
        ("class",),
        lambda c: c.ours.cls == c.other.cls == "malformed" and says(c, "Bogus IP length"),
        "scapy takes what there is for options and looks for ICMP behind them",
    ),
    Excuse(
        "network service header",
        ("tshark",),
        ("class",),
        lambda c: "nsh" in c.theirs.facts["protocols"] and other_agrees(c),
        "an overlay; tunnels are not looked into unless the configuration names them",
    ),
    Excuse(
        "payload length 0 without a jumbo option",
        ("scapy",),
        ("class",),
        lambda c: says(c, "Jumbo Payload option missing") and other_agrees(c),
        "no jumbogram without option 0xC2 (RFC 2675 3): the payload has no octets and the header chain overruns; scapy goes on",
    ),
    Excuse(
        "Cisco metadata",
        ("scapy",),
        ("class",),
        lambda c: "cmd" in c.other.facts["protocols"] and other_agrees(c),
        "scapy does not know the security group tag; tshark reads on behind it as we do",
    ),
)

# Where icmpscope is wrong, and until it is not: like exceptions, and as strict about being needed.
DEFECTS = ()
