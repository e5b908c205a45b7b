"""Frames in and out of capture files, many files made one."""

import struct


def read_pcap(path):
    """[(frame, length on the wire)] of a little-endian Ethernet capture, up to where it is damaged."""
    data = path.read_bytes()
    # The high half of the link type says whether frames end with a checksum, and how long that is.
    assert struct.unpack_from("<I", data)[0] == 0xA1B2C3D4 and struct.unpack_from("<H", data, 20)[0] == 1, path
    out, at = [], 24
    while at + 16 <= len(data):
        captured, wire = struct.unpack_from("<II", data, at + 8)
        if at + 16 + captured > len(data):
            break
        out.append((data[at + 16 : at + 16 + captured], wire))
        at += 16 + captured
    return out


def write_pcap(path, frames):
    """A microsecond apart, so that the time says which frame it is."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for i, (data, wire) in enumerate(frames):
            f.write(struct.pack("<IIII", i // 1000000, i % 1000000, len(data), wire) + data)
