"""Captures that others made, against an independent count of their messages: index.tsv holds the class counts of each
file as tshark sees them. Where the two differ for good reason, EXCEPTIONS says so.

A column of the index named like a class is compared with that class; "untyped" frames (ICMP is announced and no type
byte is there) are of no class in the index, and of class icmp6_other, icmp4_other or ip6_fragment here.
"""

import csv

import pytest
from capture_files import pcap, read_pcap
from test_read_cli import check_contract

# (file, class): (ours minus the index's, frames, why ours is right)
EXCEPTIONS = {
    ("raw/suricata-verify__frag-27.pcap", "icmp6_other"): (
        1,
        [8],
        "a fragment header with offset 0 and M=0 announces ICMPv6, and nothing follows it: untyped in the index",
    ),
}


def table(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_class_counts(reader, captures, capsys):
    compared, differences, excused = 0, [], set()
    rows = table(captures / "index.tsv")
    for row in rows:
        j = reader.json(captures / row["file"])
        check_contract(j)
        if j["frames"] != int(row["packets"]):
            differences.append(f"{row['file']}: {j['frames']} frames, {row['packets']} in the index")
        names = [name for name in row if name in j["classes"]]
        assert len(names) == 26
        for name in names:
            compared += 1
            difference = j["classes"][name] - int(row[name])
            key = (row["file"], name)
            if difference != EXCEPTIONS.get(key, (0,))[0]:
                differences.append(f"{row['file']}: {name} {j['classes'][name]}, {row[name]} in the index")
            elif key in EXCEPTIONS:
                excused.add(key)
        untyped = j["classes"]["ip6_fragment"] + sum(EXCEPTIONS.get((row["file"], name), (0,))[0] for name in names)
        if untyped < int(row["untyped"]):
            differences.append(f"{row['file']}: {row['untyped']} messages without a type, {untyped} frames for them")
    with capsys.disabled():
        print(f"\n{len(rows)} captures, {compared} class counts compared, {len(excused)} known to differ", end=" ")
    assert not differences, "\n".join(differences)
    assert excused == set(EXCEPTIONS), "an exception is no longer needed"
    assert len(rows) >= 300


def test_every_index_row_is_a_file(captures):
    rows = {row["file"] for row in table(captures / "index.tsv")}
    files = {f"{d}/{p.name}" for d in ("raw", "attack", "real") for p in (captures / d).glob("*.pcap")}
    assert rows == files


def test_reader_samples(reader, captures, tmp_path, capsys):
    """Big-endian, nanosecond and pcapng samples count as their frames do in a little-endian microsecond file."""
    rows = table(captures / "reader" / "reader.tsv")
    for row in rows:
        path = captures / "reader" / row["file"]
        j = reader.json(path)
        assert j["frames"] == int(row["packets"]), row["file"]
        if row["path"].startswith("real/"):
            original = captures / row["path"]
        elif row["source"] == "real" or (captures / row["source"]).is_file():
            original = captures / row["source"]
        else:
            original = tmp_path / "original.pcap"
            original.write_bytes(pcap(read_pcap(path)))
        want = reader.json(original)
        for key in ("classes", "reasons", "encapsulation", "frames", "hosts", "bindings"):
            assert j[key] == want[key], (row["file"], key)
        assert [a["name"] for a in j["anomalies"]] == [a["name"] for a in want["anomalies"]]
    with capsys.disabled():
        print(f"\n{len(rows)} format samples", end=" ")
    assert len(rows) == 9


def names(j):
    return {a["name"] for a in j["anomalies"]}


def find(j, name):
    found = [a for a in j["anomalies"] if a["name"] == name]
    assert len(found) == 1, [(a["name"], a["variant"], a["frames"]) for a in j["anomalies"]]
    return found[0]


SEGMENTS = [
    (b"", {"port": 0, "vlan": None}),
    (b"\x81\0\0\x0a", {"port": 0, "vlan": 10}),
    (b"\x88\xa8\0\x64\x81\0\0\x0a", {"port": 0, "vlan": 100, "inner_vlan": 10}),
]


def tagged(original, tags, path):
    """A copy with VLAN tags in every frame. (The derived_ captures have lost their source MACs, see
    test_group_source_macs.)"""
    path.write_bytes(pcap([(ns, f[:12] + tags + f[12:], wire + len(tags)) for ns, f, wire in read_pcap(original)]))
    return path


@pytest.mark.parametrize("tags,segment", SEGMENTS)
def test_orderly_radvd_shutdown(reader, captures, tmp_path, tags, segment):
    """A real radvd that is stopped takes itself back: the loss is reported, and that it was orderly."""
    path = tagged(captures / "real" / "slaac_radvd_shutdown.pcap", tags, tmp_path / "tagged.pcap")
    a = find(reader.json(path), "router_lifetime_zero")
    assert a["variant"] == "graceful" and a["frames"] == [25] and a["count"] == 1
    assert a["segment"] == segment


@pytest.mark.parametrize("tags,segment", SEGMENTS)
def test_kill_router6(reader, captures, tmp_path, tags, segment):
    """A forged RA with lifetime 0, with the router's own MAC; the real router goes on advertising."""
    path = tagged(captures / "attack" / "kill_router6.pcap", tags, tmp_path / "tagged.pcap")
    a = find(reader.json(path), "router_lifetime_zero")
    assert a["frames"] == [9] and a["segment"] == segment
    assert a["variant"] == "contradicted"


@pytest.mark.parametrize(
    "file,variant,frame", [("real/derived_{}_slaac_radvd_shutdown", "graceful", 25), ("attack/derived_{}_kill_router6", "contradicted", 9)]
)
@pytest.mark.parametrize("name,encap,segment", [("vlan10", "vlan", SEGMENTS[1][1]), ("qinq100.10", "qinq", SEGMENTS[2][1])])
def test_group_source_macs(reader, captures, file, variant, frame, name, encap, segment):
    """The tool that tagged these copies wrote group addresses (33:33:...) over the source MACs. A bridge discards such a
    frame, a host that hears it does not: the rule fires, and what the message does to hosts is reported all the same."""
    j = reader.json(captures / f"{file.format(name)}.pcap")
    assert j["encapsulation"][encap] == j["frames"] and j["reasons"]["eth_smac_invalid"] > j["classes"]["nd_ra"]
    a = find(j, "router_lifetime_zero")
    assert a["variant"] == variant and a["frames"] == [frame] and a["segment"] == segment


def test_kill_router6_any(reader, captures):
    a = find(reader.json(captures / "attack" / "kill_router6_any.pcap"), "router_lifetime_zero")
    assert a["frames"] == [15] and a["variant"] == "contradicted"


def test_clean_captures_are_silent(reader, captures):
    """Benign look-alikes: privacy addresses, reachability probes, two hosts with one address, queriers, joins."""
    clean = [row["file"] for row in table(captures / "real.tsv") if row["class"] == "clean"]
    assert len(clean) >= 8
    for file in clean:
        for settings in ((), ("--set", "detect.learn_s=0")):
            j = reader.json(*settings, captures / file)
            assert [a for a in j["anomalies"] if a["severity"] != "info"] == [], file


# fake_advertise6 tells one host; the message of na6 has a unicast IP destination in a multicast frame.
@pytest.mark.parametrize("name,frames", [("fake_advertise6_router", [11, 12]), ("si6_na6", [9])])
@pytest.mark.parametrize("settings", [(), ("--set", "detect.gateways=fe80::1", "--set", "detect.learn_s=0")])
def test_forged_na_about_the_router(reader, captures, name, frames, settings):
    """An NA about the router without the router flag and with another MAC: who hears it drops the router."""
    a = find(reader.json(*settings, captures / "attack" / f"{name}.pcap"), "router_flag_cleared")
    assert a["frames"] == frames and a["variant"] == "hijack" and a["severity"] == "critical"
    assert a["segment"] == {"port": 0, "vlan": None}


def test_vrrp_failover(reader, captures):
    """No RA names fe80::5 as a router, so nobody can lose it by RA; the backup takes it over with the router flag clear.
    Who tells that fe80::5 is the gateway learns that hosts which had it as router drop it now."""
    path = captures / "real" / "vrrp_failover.pcap"
    assert not names(reader.json(path)) & {"router_lifetime_zero", "router_flag_cleared"}
    a = find(reader.json("--set", "detect.gateways=fe80::5", path), "router_flag_cleared")
    assert a["frames"] == [29, 31] and a["count"] == 2
    assert "02:00:00:00:00:20" in a["says"]
