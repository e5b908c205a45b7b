#!/usr/bin/python3
"""Writes a large capture to read offline: dts/gen/big.py FILE (--frames N | --bytes N) [--small] [--icmp PERCENT] [--pcapng]

TCP and UDP of 4,096 flows, IPv4 and IPv6, frames of 60 to 1,500 bytes (7:4:1, 60, 576, 1500) or, with --small, of 60 and 74; of 100
frames PERCENT (2) are of 1,024 control messages in turns: solicitations, advertisements, MLDv2 reports, ICMPv4 3/4. 10 us a frame.
"""

import argparse
import struct

import mix

DATA, CONTROL = 4096, 1024
STEP_US = 10


def data(i, small):
    return mix.bulk(i) if small or i % 4 == 3 else mix.imix(i)


def record(frame, us, pcapng):
    if not pcapng:
        return struct.pack("<IIII", us // 1000000, us % 1000000, len(frame), len(frame)) + frame
    pad = -len(frame) % 4
    total = 32 + len(frame) + pad
    return struct.pack("<IIIIIII", 6, total, 0, us >> 32, us & 0xFFFFFFFF, len(frame), len(frame)) + frame + bytes(pad) + struct.pack("<I", total)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("file")
    ap.add_argument("--frames", type=int)
    ap.add_argument("--bytes", type=int)
    ap.add_argument("--small", action="store_true")
    ap.add_argument("--icmp", type=float, default=2)
    ap.add_argument("--pcapng", action="store_true")
    args = ap.parse_args()
    if not args.frames and not args.bytes:
        ap.error("--frames or --bytes says how much")
    flows = [data(i, args.small) for i in range(DATA)]
    control = [mix.nd_mix(i) for i in range(CONTROL)]
    us, n, n_data, n_control, written, due = 1700000000 * 1000000, 0, 0, 0, 0, 0.0
    with open(args.file, "wb") as f:
        if args.pcapng:
            f.write(struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28) + struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20))
        else:
            f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        while n < args.frames if args.frames else written < args.bytes:
            parts = []
            for _ in range(min(8192, args.frames - n if args.frames else 8192)):
                due += args.icmp / 100
                if due >= 1:
                    due -= 1
                    frame = control[n_control % CONTROL]
                    n_control += 1
                else:
                    frame = flows[n_data % DATA]
                    n_data += 1
                parts.append(record(frame, us, args.pcapng))
                us += STEP_US
                n += 1
            block = b"".join(parts)
            f.write(block)
            written += len(block)
    print(f"{n} frames, {n_control} of them ICMP, {written} bytes")


if __name__ == "__main__":
    main()
