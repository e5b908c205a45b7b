"""Capture files read and written byte by byte, so that the reader meets formats that no library of the tests shares."""

import struct


def read_pcap(path):
    """[(ns since the epoch, frame, length on the wire)] of a classic pcap of either byte order and time unit."""
    data = path.read_bytes()
    order, scale = {
        b"\xd4\xc3\xb2\xa1": ("<", 1000),
        b"\xa1\xb2\xc3\xd4": (">", 1000),
        b"\x4d\x3c\xb2\xa1": ("<", 1),
        b"\xa1\xb2\x3c\x4d": (">", 1),
    }[data[:4]]
    frames, off = [], 24
    while off < len(data):
        s, frac, cap, wire = struct.unpack_from(order + "IIII", data, off)
        assert len(data) >= off + 16 + cap
        frames.append((s * 10**9 + frac * scale, data[off + 16 : off + 16 + cap], wire))
        off += 16 + cap
    return frames


def pcap(frames, order="<", unit="us", link=1):
    magic, scale = (0xA1B2C3D4, 1000) if unit == "us" else (0xA1B23C4D, 1)
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for ns, frame, wire in frames:
        out.append(struct.pack(order + "IIII", ns // 10**9, ns % 10**9 // scale, len(frame), wire) + frame)
    return b"".join(out)


def pcapng(frames, order="<", unit="us", link=1):
    """One section, one interface, enhanced packet blocks; if_tsresol (option 9) for nanoseconds."""

    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        n = struct.pack(order + "I", len(body) + 12)
        return struct.pack(order + "I", kind) + n + body + n

    resolution = struct.pack(order + "HHBxxxHH", 9, 1, 9, 0, 0) if unit == "ns" else b""
    out = [
        block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack(order + "HHI", link, 0, 262144) + resolution),
    ]
    for ns, frame, wire in frames:
        t = ns if unit == "ns" else ns // 1000
        head = struct.pack(order + "IIIII", 0, t >> 32, t & 0xFFFFFFFF, len(frame), wire)
        out.append(block(6, head + frame + b"\0" * (-len(frame) % 4)))
    return b"".join(out)
