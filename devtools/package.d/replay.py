#!/usr/bin/env python3
"""replay.py CAPTURE INTERFACE: sends the frames of a classic capture file on an interface, a hundred a second."""

import socket
import struct
import sys
import time


def main():
    data = open(sys.argv[1], "rb").read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((sys.argv[2], 0))
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack_from(order + "I", data, at + 8)[0]
        out.send(data[at + 16 : at + 16 + length])
        at += 16 + length
        time.sleep(0.01)


main()
