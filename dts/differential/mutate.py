"""Broken frames by the thousand, the same ones from the same seed: the base packets of the unit tests with one to four
things changed in each, lengths and checksums repaired afterwards or not.
"""

import random
import re
import struct
from pathlib import Path

BASES = Path(__file__).resolve().parents[2] / "app" / "test" / "base_packets.def"

ICMP4, ICMP6 = 1, 58
HBH, ROUTING, FRAGMENT, AH, DSTOPTS = 0, 43, 44, 51, 60
OPTIONS_AT = {133: 8, 134: 16, 135: 24, 136: 24, 137: 40}
EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 63, 64, 127, 128, 143, 254, 255)
# How often each base is taken: Neighbor Discovery messages and listener reports have the most to get wrong. A base that is
# added to the table stays out of here, so that the frames stay the same.
WEIGHTS = {
    "inc_ra": 4, "inc_na": 1, "ra": 10, "rs": 4, "ns": 6, "dad": 4, "na": 6, "na_r0": 1, "redirect": 6, "query1": 1,
    "query2": 1, "report1": 1, "done1": 1, "report2": 14, "ptb": 3, "fragneeded": 3, "fragneeded_zero": 1,
    "fragneeded_mpls": 1, "quench": 1, "unreach4": 1, "unreach6": 1, "na_lost_router": 1,
}  # fmt: skip

# Options from type to a few lengths in units of 8 octets that their RFCs allow. Without 11 (CGA): tshark ends its list at a
# body of octets drawn by lot.
OPTION_UNITS = {
    1: (1,), 2: (1,), 3: (4,), 4: (6, 8), 5: (1,), 7: (1,), 8: (1,), 12: (5,), 13: (2,), 14: (1, 2), 24: (1, 2, 3),
    25: (3, 5), 26: (1,), 31: (2, 4), 33: (2,), 34: (2, 3), 35: (3,), 36: (1,), 37: (3,), 38: (2,), 138: (1,), 139: (1,), 253: (1,),
}  # fmt: skip


def load_bases():
    """{name: frame} of base_packets.def."""
    text = BASES.read_text()
    bases = {}
    for name, strings in re.findall(r'^BASE\((\w+), "[^"]*",((?:\s*"[0-9a-f]*")+)\)', text, re.M):
        bases[name] = bytes.fromhex("".join(re.findall(r'"([0-9a-f]*)"', strings)))
    assert len(bases) == text.count("\nBASE(") >= 20
    return bases


def ones_sum(data, acc=0):
    if len(data) % 2:
        data += b"\0"
    acc += sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while acc >> 16:
        acc = (acc & 0xFFFF) + (acc >> 16)
    return acc


class Frame:
    """A frame taken apart: link header with its type, IP header, extension headers as [type, bytes], message, padding."""

    def __init__(self, data):
        self.link = bytearray(data[:14])
        self.version = data[14] >> 4
        if self.version == 4:
            at = 14 + (data[14] & 15) * 4
        else:
            at = 54
        self.ip = bytearray(data[14:at])
        self.ext = []
        if self.version == 6 and self.ip[6] == HBH:
            n = (data[at + 1] + 1) * 8
            self.ext.append([HBH, bytearray(data[at : at + n])])
            at += n
        self.message = bytearray(data[at:])
        self.padding = b""

    def repair_lengths(self):
        if self.version == 4:
            struct.pack_into(">H", self.ip, 2, min(len(self.ip) + len(self.message), 0xFFFF))
            return
        struct.pack_into(">H", self.ip, 4, min(sum(len(b) for _, b in self.ext) + len(self.message), 0xFFFF))
        # Who follows is named by the header before.
        types = [t for t, _ in self.ext] + [ICMP6]
        self.ip[6] = types[0]
        for (_, body), following in zip(self.ext, types[1:]):
            body[0] = following

    def repair_checksums(self):
        acc = 0
        if self.version == 4:
            self.ip[10:12] = b"\0\0"
            struct.pack_into(">H", self.ip, 10, ones_sum(bytes(self.ip)) ^ 0xFFFF)
        else:
            acc = ones_sum(bytes(self.ip[8:40]), len(self.message) + ICMP6)
        if len(self.message) >= 4:
            self.message[2:4] = b"\0\0"
            struct.pack_into(">H", self.message, 2, ones_sum(bytes(self.message), acc) ^ 0xFFFF)

    def bytes(self):
        return bytes(self.link + self.ip + b"".join(b for _, b in self.ext) + self.message + self.padding)

    def options(self):
        """Offsets of the options in the message, and that of their end."""
        at = OPTIONS_AT.get(self.message[0]) if self.message else None
        out = []
        while at is not None and at < len(self.message):
            out.append(at)
            if at + 1 >= len(self.message) or self.message[at + 1] == 0:
                break
            at += self.message[at + 1] * 8
        return [*out, min(at, len(self.message))] if at is not None else []

    def records(self):
        """Offsets of the records of a version 2 report, and that of their end."""
        if len(self.message) < 8 or self.message[0] != 143:
            return []
        at, out = 8, []
        while at + 20 <= len(self.message) and len(out) < 64:
            out.append(at)
            at += 20 + struct.unpack_from(">H", self.message, at + 2)[0] * 16 + self.message[at + 1] * 4
        return [*out, min(at, len(self.message))]


# ---- one change each; rng is the only source of chance -------------------------------------------------------


def flip_bits(f, rng):
    for _ in range(rng.randint(1, 4)):
        if f.message:
            f.message[rng.randrange(len(f.message))] ^= 1 << rng.randrange(8)


def set_octet(f, rng):
    if f.message:
        f.message[rng.randrange(len(f.message))] = rng.choice(EDGES)


def set_type(f, rng):
    if f.message:
        usual = (0, 3, 4, 5, 8, 11, 12) if f.version == 4 else (*OPTIONS_AT, 1, 2, 3, 4, 128, 129, 130, 131, 132, 143, 151)
        f.message[0] = rng.choice((rng.randrange(256), *usual))


def set_code(f, rng):
    if len(f.message) > 1:
        f.message[1] = rng.choice((0, 1, 4, 13, rng.randrange(256)))


def cut_message(f, rng):
    del f.message[rng.randrange(len(f.message) + 1) :]


def extend_message(f, rng):
    f.message += rng.choice((b"\0" * rng.randint(1, 24), rng.randbytes(rng.randint(1, 24))))


def option(rng):
    kind = rng.random()
    if kind < 0.85:
        t = rng.choice(list(OPTION_UNITS))
        units = rng.choice(OPTION_UNITS[t])
    else:
        t, units = rng.randrange(256), rng.randint(1, 4)
    body = bytearray(rng.randbytes(units * 8))
    body[0], body[1] = t, units
    if t == 31 and kind < 0.85:
        body[8:] = (b"\3lan\0" + b"\0" * 32)[: len(body) - 8]
    elif t == 37:
        body[2:] = b"https://192.0.2.1/portal"[: len(body) - 2]
    return body


def insert_option(f, rng):
    if ends := f.options():
        at = rng.choice(ends)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 12, 70)) if rng.random() < 0.2 else 1):
            f.message[at:at] = option(rng)


def remove_option(f, rng):
    ends = f.options()
    if len(ends) > 1:
        i = rng.randrange(len(ends) - 1)
        del f.message[ends[i] : ends[i + 1]]


def set_option_type(f, rng):
    ends = f.options()
    if len(ends) > 1:
        f.message[rng.choice(ends[:-1])] = rng.choice((rng.randrange(256), *OPTION_UNITS))


def set_option_length(f, rng):
    ends = [e for e in f.options() if e + 1 < len(f.message)]
    if ends:
        f.message[rng.choice(ends) + 1] = rng.choice((*EDGES, rng.randint(0, 8)))


def record(rng):
    aux, sources = rng.choice((0, 0, 0, 0, 1, 3)), rng.choice((0, 0, 1, 2, 5))
    head = struct.pack(">BBH", rng.choice((1, 2, 3, 4, 5, 6, 6, 0, 7, 200)), aux, sources)
    group = b"\xff\x02" + bytes(9) + rng.randbytes(5)
    return head + group + rng.randbytes(16 * sources + 4 * aux)


def count_records(f, change):
    struct.pack_into(">H", f.message, 6, (struct.unpack_from(">H", f.message, 6)[0] + change) & 0xFFFF)


def insert_record(f, rng):
    if ends := f.records():
        at, n = rng.choice(ends), rng.choice((1, 1, 1, 2, 4, 20))
        for _ in range(n):
            f.message[at:at] = record(rng)
        count_records(f, n + (rng.choice((-1, 1, 5)) if rng.random() < 0.1 else 0))


def remove_record(f, rng):
    ends = f.records()
    if len(ends) > 1:
        i = rng.randrange(len(ends) - 1)
        del f.message[ends[i] : ends[i + 1]]
        count_records(f, rng.choice((-1, -1, -1, 0)))


def set_record_field(f, rng):
    ends = f.records()
    if len(ends) > 1:
        at = rng.choice(ends[:-1])
        field = rng.randrange(4)
        if field == 0:
            f.message[at] = rng.choice(EDGES)
        elif field == 1:
            f.message[at + 1] = rng.choice((1, 2, 5, 255))
        else:
            struct.pack_into(">H", f.message, at + 2, rng.choice((0, 1, 2, 3, 87, 255, 4096, 0xFFFF)))


def set_record_count(f, rng):
    if f.records():
        struct.pack_into(">H", f.message, 6, rng.choice((0, 1, 2, 3, 20, 513, 0xFFFF)))


def set_header(f, rng):
    """Hop limit, addresses, traffic class."""
    at = rng.choice((1, 5, 8, 15) if f.version == 4 else (1, 3, 7, 8, 20, 24, 39))
    f.ip[at] = rng.choice((*EDGES, rng.randrange(256)))


def insert_extension(f, rng):
    if f.version != 6:
        return
    kind = rng.random()
    if kind < 0.3:
        body = [DSTOPTS, bytearray(b"\0\0\1\4\0\0\0\0")]
    elif kind < 0.45:
        body = [HBH, bytearray(b"\0\0\5\2\0\0\1\0")]
    elif kind < 0.7:
        offset, more = rng.choice(((0, 1), (0, 1), (0, 0), (0, 0), (8, 1), (1400, 0)))
        body = [FRAGMENT, bytearray(struct.pack(">BBHI", 0, 0, offset | more, rng.randrange(1 << 32)))]
    elif kind < 0.85:
        segments = rng.choice((0, 0, 1, 2))
        body = [ROUTING, bytearray(struct.pack(">BBBBI", 0, 2, rng.choice((0, 2, 4)), segments, 0) + rng.randbytes(16))]
    elif kind < 0.92:
        body = [AH, bytearray(struct.pack(">BBHII", 0, 4, 0, 1, 1) + rng.randbytes(12))]
    else:
        body = [DSTOPTS, bytearray(b"\0\3") + bytearray(b"\1\x1c") + bytearray(28)]
    f.ext.insert(rng.randint(0, len(f.ext)), body)


def set_extension_length(f, rng):
    if f.ext:
        rng.choice(f.ext)[1][1] = rng.choice((0, 1, 2, 3, 9, 255))


def remove_extensions(f, rng):
    f.ext.clear()


def tag(f, rng):
    vlan = struct.pack(">H", rng.choice((0, 1, 10, 4094)))
    f.link[12:12] = rng.choice((b"\x81\0", b"\x81\0", b"\x88\xa8")) + vlan


def label(f, rng):
    f.link[-2:] = b"\x88\x47" + b"".join(struct.pack(">I", n << 12 | 64) for n in range(16, 16 + rng.randint(0, 2)))
    f.link += struct.pack(">I", 100 << 12 | 0x100 | 64)


def pppoe(f, rng):
    n = len(f.ip) + sum(len(b) for _, b in f.ext) + len(f.message) + 2
    f.link[-2:] = b"\x88\x64" + struct.pack(">BBHHH", 0x11, 0, 1, n, 0x21 if f.version == 4 else 0x57)


def pad(f, rng):
    f.padding = rng.choice((bytes, rng.randbytes))(rng.randint(1, 40))


BEFORE = [
    (flip_bits, 10), (set_octet, 8), (set_type, 4), (set_code, 2), (cut_message, 6), (extend_message, 5), (insert_option, 16),
    (remove_option, 4), (set_option_type, 5), (set_option_length, 9), (insert_record, 16), (remove_record, 3), (set_record_field, 8),
    (set_record_count, 3), (set_header, 3), (insert_extension, 5), (remove_extensions, 1), (pad, 4),
]  # fmt: skip
LINKS = [(tag, 8), (label, 2), (pppoe, 2)]

# ---- changes to what is already built, which no repair follows -----------------------------------------------


def set_ip_length(data, at, rng):
    field = at + (2 if data[at] >> 4 == 4 else 4)
    value = struct.unpack_from(">H", data, field)[0]
    value = rng.choice((0, 1, value - 1, value + 1, value - 8, value + 8, value // 2, 39, 1500, 0xFFFF))
    struct.pack_into(">H", data, field, value & 0xFFFF)


def flip_anywhere(data, at, rng):
    for _ in range(rng.randint(1, 3)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def truncate(data, at, rng):
    del data[rng.randrange(15, len(data) + 1) :]


def set_next_header(data, at, rng):
    data[at + (9 if data[at] >> 4 == 4 else 6)] = rng.choice((0, 1, 2, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 89, 132, 135, 200, 255))


def set_version(data, at, rng):
    data[at] = rng.randrange(256)


def fragment4(data, at, rng):
    if data[at] >> 4 == 4:
        struct.pack_into(">H", data, at + 6, rng.choice((0x2000, 0x2000, 1, 0x2001, 185, 0x4000)))


AFTER = [(set_ip_length, 4), (flip_anywhere, 6), (truncate, 4), (set_next_header, 2), (set_version, 1), (fragment4, 3)]


def pick(table, rng):
    return rng.choices([fn for fn, _ in table], [w for _, w in table])[0]


def mutate(base, rng):
    """(frame, length on the wire). One frame in six keeps a checksum, one in ten the lengths, of what it was."""
    f = Frame(base)
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        pick(BEFORE, rng)(f, rng)
    if rng.random() < 0.9:
        f.repair_lengths()
    if rng.random() < 0.83:
        f.repair_checksums()
    if rng.random() < 0.1:
        pick(LINKS, rng)(f, rng)
    data = bytearray(f.bytes())
    if rng.random() < 0.2 and len(data) > len(f.link) + 20:
        pick(AFTER, rng)(data, len(f.link), rng)
    wire = len(data)
    if rng.random() < 0.04:
        del data[rng.randrange(15, len(data) + 1) :]
    return bytes(data), wire


def frames(count, seed):
    """[(frame, length on the wire)], each base packet as it is first; no two are the same."""
    rng = random.Random(seed)
    bases = load_bases()
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    out = {(bases[name], len(bases[name])): None for name in names}
    while len(out) < count:
        out[mutate(bases[rng.choices(names, weights)[0]], rng)] = None
    return list(out)
