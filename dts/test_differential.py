"""icmpscope against two readers that know nothing of it, tshark and scapy: class, checksum verdict, option types and lengths in
order, listener records (type, group, number of sources) of every frame of the captures of others, and of 100,000 frames made
from the base packets by a fixed seed. A difference is a fault here or one of dts/differential/exceptions.py; an exception
that nothing needs any more is a fault as well.

Each test prints how many values were compared with each reader, and how often which exception was used.
"""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT
from differential import mutate, read_dump, read_scapy, read_tshark
from differential.compare import compare
from differential.exceptions import DEFECTS, EXCEPTIONS
from differential.frames import read_pcap, write_pcap

SEED = 1
MUTATED = 100_000
SHOWN = 20
# What tshark and icmpscope both find to be none of ICMP; scapy, by far the slowest, reads one such frame in ten.
PLAIN = {"ip4_other", "ip6_other", "arp", "non_ip"}

used = {}  # test: exceptions that it needed


@pytest.fixture(scope="module", autouse=True)
def tshark():
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: devtools/setup test")


@pytest.fixture(scope="module")
def dump():
    path = Path(os.environ.get("ICMPSCOPE_BUILD", ROOT / "build")).resolve() / "app" / "dump" / "icmpscope-dump"
    if not path.exists():
        pytest.fail(f"{path} is missing: build first, or set ICMPSCOPE_BUILD", pytrace=False)
    return path


def check(name, dump, frames, origins, tmp_path, capsys):
    path = tmp_path / "frames.pcap"
    write_pcap(path, frames)
    ours = read_dump.read(dump, path)
    theirs = read_tshark.read(path)
    assert len(ours) == len(theirs) == len(frames)
    asked = [
        i for i, (d, t) in enumerate(zip(ours, theirs)) if i % 10 == 0 or d.cls not in PLAIN or d.cls != t.cls
    ]
    views = dict(zip(asked, read_scapy.read([frames[i] for i in asked])))
    tally = compare(frames, origins, ours, {"tshark": theirs, "scapy": [views.get(i) for i in range(len(frames))]})
    used[name] = set(tally.excused)
    with capsys.disabled():
        print("\n" + report(name, tally))
    assert not tally.wrong, f"{len(tally.wrong)} differences\n" + "\n".join(map(difference, tally.wrong[:SHOWN]))
    return tally


def report(name, tally):
    lines = [f"{name}:"]
    for reader in ("tshark", "scapy"):
        counts = {what: n for (r, what), n in tally.compared.items() if r == reader}
        lines.append(f"  {reader:7}" + ", ".join(f"{n} {what}" for what, n in counts.items()))
        lines += [f"  {n:9} {what}" for (r, what), n in tally.excused.most_common() if r == reader]
    alone = ", ".join(f"{n} {column}" for column, n in sorted(tally.alone.items()))
    return "\n".join([*lines, f"  confirmed by neither reader: {alone}"])


def difference(wrong):
    where, reader, column, ours, theirs, data = wrong
    return f"{where} {column}: {ours.column(column)}, {reader} {theirs.column(column)} ({ours.cls}) {data[:400].hex()}"


def test_mutated_frames(dump, tmp_path, capsys):
    frames = mutate.frames(MUTATED, SEED)
    assert len(set(frames)) == MUTATED
    tally = check("mutated", dump, frames, [f"frame {i + 1}" for i in range(MUTATED)], tmp_path, capsys)
    # What the mutations are for: most frames still are messages that both readers can tell something about.
    for reader in ("tshark", "scapy"):
        n = {what: tally.compared[reader, what] for what in ("verdicts", "option lists", "options", "reports", "records")}
        assert n["verdicts"] > 70_000 and n["option lists"] > 45_000 and n["options"] > 100_000, n
        assert n["reports"] > 14_000 and n["records"] > 35_000, n


def test_mutations_are_the_same_from_the_same_seed():
    assert mutate.frames(300, SEED) == mutate.frames(300, SEED) != mutate.frames(300, SEED + 1)


def test_captures(dump, captures, tmp_path, capsys):
    frames, origins = [], []
    for path in sorted(p for folder in ("raw", "attack", "real") for p in (captures / folder).glob("*.pcap")):
        some = read_pcap(path)
        frames += some
        origins += [f"{path.parent.name}/{path.name} frame {i + 1}" for i in range(len(some))]
    tally = check("captures", dump, frames, origins, tmp_path, capsys)
    assert tally.compared["tshark", "frames"] > 100_000 and tally.compared["tshark", "verdicts"] > 30_000


def test_every_exception_is_needed():
    if set(used) != {"mutated", "captures"}:
        pytest.skip("only after both comparisons")
    needed = set().union(*used.values())
    listed = {(reader, e.name) for e in EXCEPTIONS + DEFECTS for reader in e.readers}
    assert max(Counter(e.name for e in EXCEPTIONS + DEFECTS).values()) == 1
    assert listed - needed == set()
