"""scapy's view, frame by frame in two processes. scapy knows fewer Neighbor Discovery options than there are; those that it
lacks, or whose octets do not fit its layout, are given to it as type, length and body; the next one is looked for where the
length says, not where scapy's layout ends. scapy 2.5.0 takes the length of a record's auxiliary data for octets; RFC 9777
5.2.6 counts 32-bit words. Behind an authentication header it looks for nothing; here for what follows any extension header. What is not compared (upper layers other than ICMP, packets that an error quotes) is not dissected,
because scapy takes its time.
"""

import gc
import logging
import struct
from concurrent.futures import ProcessPoolExecutor

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.config import conf  # noqa: E402
from scapy.contrib.mpls import MPLS  # noqa: E402
from scapy.fields import ByteField, StrLenField  # noqa: E402
from scapy.layers.inet import ICMP, IP  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    ICMPv6MLDMultAddrRec,
    ICMPv6MLReport2,
    IPv6,
    IPv6ExtHdrFragment,
    IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting,
    _ICMPv6Error,
    _ICMPv6NDGuessPayload,
    _IPv6ExtHdr,
    icmp6ndoptscls,
    in6_chksum,
    ipv6nhcls,
)
from scapy.layers.ipsec import AH  # noqa: E402
from scapy.layers.l2 import ARP, CookedLinux, Dot1AD, Dot1Q, Dot3, Ether, LLC, SNAP  # noqa: E402
from scapy.layers.ppp import PPP, PPPoE  # noqa: E402
from scapy.packet import NoPayload, Packet, Padding, Raw, bind_layers  # noqa: E402
from scapy.utils import checksum  # noqa: E402

from differential.view import ND_CLASSES, View, icmp4_class, icmp6_class  # noqa: E402


EXTENSIONS = {0, 43, 44, 51, 60}


class OtherOption(_ICMPv6NDGuessPayload, Packet):
    name = "ICMPv6 Neighbor Discovery Option"
    fields_desc = [
        ByteField("type", 0),
        ByteField("len", 1),
        StrLenField("body", b"", length_from=lambda o: max(0, o.len * 8 - 2)),
    ]


def narrow():
    """All options; no upper layer but ICMP, and nothing that is quoted."""
    for option_type in range(256):
        icmp6ndoptscls.setdefault(option_type, OtherOption)
    for protocol in (4, 6, 17, 50):
        ipv6nhcls.pop(protocol, None)
    ICMPv6MLDMultAddrRec.fields_desc[-1].length_from = lambda record: record.auxdata_len * 4
    AH.guess_payload_class = _IPv6ExtHdr.default_payload_class
    bind_layers(Ether, Dot1Q, type=0x9100)
    bind_layers(Dot1Q, Dot1Q, type=0x9100)
    ICMP.guess_payload_class = _ICMPv6Error.guess_payload_class = lambda layer, payload: Raw
    conf.layers.filter([Ether, Dot3, LLC, SNAP, CookedLinux, Dot1Q, Dot1AD, MPLS, PPPoE, PPP, ARP, IP, ICMP, IPv6, AH])


narrow()


def octets(layer):
    return b"" if isinstance(layer, (NoPayload, Padding)) else layer.original


def read_option(data):
    try:
        return icmp6ndoptscls[data[0]](data)
    except Exception:  # whatever scapy's fields raise when octets are missing
        return OtherOption(data)


def read_options(layer):
    """The options that start with layer."""
    out = []
    while len(octets(layer)) > 1:
        if not isinstance(layer, _ICMPv6NDGuessPayload):
            layer = OtherOption(layer.original)
        out.append((layer.type, layer.len))
        rest = octets(layer)[layer.len * 8 :]
        if layer.len == 0 or len(rest) < 2:
            break
        layer = layer.payload if len(octets(layer.payload)) == len(rest) else read_option(rest)
    return tuple(out)


def read_records(report):
    """scapy chains the records one in the other, and goes on behind the number of records that the report announces. The
    last one is no record when it is not whole."""
    out = []
    for record in report.records:
        while isinstance(record, ICMPv6MLDMultAddrRec) and len(octets(record)) >= 20 and len(out) < report.records_number:
            out.append((record.rtype, record.original[4:20].hex(), record.sources_number))
            record = record.payload
    return tuple(out)


def read_ip4(ip, facts):
    if ip.version != 4 or ip.ihl < 5 or len(ip.original) < 20:
        return View("malformed", facts=facts)
    if ip.frag > 0:
        return View("ip4_fragment", facts=facts)
    if ip.proto != 1:
        return View("ip4_other", facts=facts)
    message = octets(ip.payload)
    view = View(icmp4_class(message[0] if message else None, message[1] if len(message) > 1 else None), facts=facts)
    facts["message"] = len(message)
    facts["type"] = message[0] if message else None
    if "MF" not in ip.flags and len(message) == ip.len - ip.ihl * 4:
        view.checksum = "bad" if checksum(message) else "ok"
    return view


def header_len(extension):
    """Octets of an extension header by its own length field (RFC 8200 4.3 to 4.6, RFC 4302 2.2)."""
    if isinstance(extension, IPv6ExtHdrFragment) or len(extension.original) < 8:
        return 8
    return (extension.payloadlen + 2) * 4 if isinstance(extension, AH) else (extension.len + 1) * 8


def read_ip6(ip, facts):
    if ip.version != 6 or len(ip.original) < 40:
        return View("malformed", facts=facts)
    whole = len(octets(ip.payload)) == ip.plen
    upper, extensions, first = ip, 0, False
    while isinstance(upper.payload, (_IPv6ExtHdr, AH)):
        upper = upper.payload
        extensions += 1
        facts["extension_octets"] = facts.get("extension_octets", 0) + header_len(upper)
        facts["ah_short"] = facts.get("ah_short") or (isinstance(upper, AH) and header_len(upper) < 12)
        if len(upper.original) < header_len(upper):
            # Cut by the capture, or longer than the IP layer allows.
            cut = facts["snapped"] and facts["extension_octets"] <= ip.plen
            return View("ip6_other" if cut else "malformed", facts=facts)
        if isinstance(upper, IPv6ExtHdrFragment):
            if upper.offset > 0:
                return View("ip6_fragment", facts=facts)
            first |= upper.m == 1
        if isinstance(upper, (IPv6ExtHdrRouting, IPv6ExtHdrSegmentRouting)) and upper.segleft:
            facts["segments_left"] = True
        if isinstance(upper, IPv6ExtHdrSegmentRouting) and (upper.lastentry or 0) * 16 + 24 > header_len(upper):
            facts["segments_overrun"] = True
    facts["extensions"] = extensions
    facts["next"] = upper.nh
    facts["unread"] = upper.nh in EXTENSIONS
    if upper.nh != 58:
        return View("ip6_other", facts=facts)
    icmp = upper.payload
    message = octets(icmp)
    view = View(icmp6_class(message[0] if message else None), facts=facts)
    facts["message"] = len(message)
    facts["type"] = message[0] if message else None
    if not first and message and whole:
        if extensions:
            wrong = in6_chksum(58, upper, message)
        else:
            wrong = checksum(ip.original[8:40] + len(message).to_bytes(4, "big") + b"\0\0\0\x3a" + message)
        view.checksum = "bad" if wrong else "ok"
    if view.cls in ND_CLASSES and not isinstance(icmp, Raw):
        view.options = read_options(icmp.payload)
    elif isinstance(icmp, ICMPv6MLReport2):
        view.records = read_records(icmp)
    return view


def read_frame(data, wire):
    facts = {"snapped": len(data) < wire}
    try:
        layer = Ether(data)
    except struct.error:
        return View("malformed", facts=facts)
    while not isinstance(layer, (NoPayload, IP, IPv6, ARP)):
        # An IP header that scapy could not read is left as it was.
        if isinstance(layer.payload, Raw) and layer.guess_payload_class(layer.payload.original) in (IP, IPv6):
            facts["unread"] = True
            return View("malformed", facts=facts)
        layer = layer.payload
    if isinstance(layer, IPv6):
        return read_ip6(layer, facts)
    if isinstance(layer, IP):
        return read_ip4(layer, facts)
    return View("arp" if isinstance(layer, ARP) else "non_ip", facts=facts)


def read_frames(frames):
    # Layers point at each other, and looking for them again and again takes a third of the time.
    gc.disable()
    views = [read_frame(data, wire) for data, wire in frames]
    gc.enable()
    gc.collect()
    return views


def read(frames, processes=2, chunk=2000):
    """frames: (frame, length on the wire)."""
    chunks = [frames[i : i + chunk] for i in range(0, len(frames), chunk)]
    with ProcessPoolExecutor(processes) as pool:
        return [view for part in pool.map(read_frames, chunks) for view in part]
