"""Every key of the settings with every kind of wrong value, from the table itself (lib/config/keys.def): one line that names
file, line, key, value and what is allowed, exit status 2, and nothing started. Then files that are wrong as such."""

import os
import re
import subprocess

import pytest
from conftest import ROOT, program

ROW = re.compile(r"^(KEY\w*)\((\w+), (\w+),\s*(.*?)\)\n(?=KEY|\Z)", re.M | re.S)
LINE_MAX = 199


def table():
    """(section, key, type, what is allowed, range or None, default) of each row."""
    text = (ROOT / "lib" / "config" / "keys.def").read_text().split("*/\n", 1)[1]
    rows = []
    for macro, section, key, rest in ROW.findall(text):
        if macro == "KEY":
            kind, default, allowed = re.match(r'(\w+),\s*"([^"]*)",\s*"([^"]*)"', rest, re.S).groups()
            rows.append((section, key, kind, allowed, None, default))
        else:
            default, lo, hi = map(int, re.match(r"(\d+), (\d+), (\d+)", rest).groups())
            allowed = f"{'a power of two, ' if macro == 'KEY_POW2' else ''}{lo} to {hi}"
            rows.append((section, key, macro, allowed, (lo, hi), str(default)))
    return rows


# For each type values that are wrong, as bytes; what is common to all types is added below.
WRONG = {
    "BOOL": [b"", b"maybe", b"onn", b"on off", b"2", b"-1", b"on,off"],
    "MODEL": [b"", b"ports", b"port,group", b"0"],
    "SANDBOX": [b"", b"maybe", b"tri", b"on off"],
    "IDLE": [b"", b"never", b"poll,sleep", b"0"],
    "TUNNELS": [b"", b"vxlan,", b"vxlan;gre", b"vxlan, wifi", b"vx lan", b"," * 8],
    "CPUS": [b"a", b"1-", b"-1", b"3-1", b"1,,2", b"1024", b"1,", b"0x1", b"1.5", b"99999999999999999999"],
    "NAME": [b"", b".hidden", b"a/b", b"../x", b"a b", b"x" * 64, b"name!"],
    "LABEL": [b".hidden", b"a/b", b"a b", b"x" * 64, b"berlin!"],
    "PATH": [b"/tmp/\xff", b"/tmp/\xc3", b"/tmp/\x01", b"/tmp/a\tb", b"\xed\xa0\x80"],
    "SERVERS": [b"n1:4222", b"http://n1", b"nats://", b"nats://n1:", b"nats://n1:x", b"nats://n1:123456", b"tls://[::1", b"nats://n1,",
                b"nats://n1 nats://n2", b"nats://n1/x"],
    "IPS": [b"fe80::g", b"fe80::1,", b",fe80::1", b"fe80::1/64", b"fe80::1%eth0", b"192.0.2.256", b"fe80::1 fe80::2", b"router"],
    "MACS": [b"00:00:5e:00:53", b"00:00:5e:00:53:01:02", b"00:00:5e:00:53:zz", b"fe80::1", b"00:00:5e:00:53:01,"],
    "MUTES": [b"no_such_detector", b"router_new,", b"*@", b"*@vlan0", b"*@vlan4095", b"*@eth0", b"*/tomorrow",
              b"*/2026-02-31T06:00Z", b"*/2026-02-03T06:00", b"*@fe80::1/", b"Router_new", b"@fe80::1"],
    "DEVICES": [b"a/b", b"pcap:", b"xdp:", b"interface-too-long", b"iface=eth0", b"eth0,", b",eth0", b"eth0,blocksz=1",
                b"eth\x01", b"eth 0"],
}
TOO_MANY = {
    "IPS": [b", ".join(b"fe80::%x" % (i + n) for i in range(1, 14)) for n in range(0, 70, 13)],
    "MACS": [b", ".join(b"00:00:5e:00:%02x:%02x" % (n, i) for i in range(9)) for n in range(8)],
    "MUTES": [b", ".join([b"*@vlan2"] * 20) for n in range(4)],
    "DEVICES": [b", ".join(b"eth%d" % (n * 9 + i) for i in range(9)) for n in range(2)],
}


def wrong_values(kind, span):
    if span is None:
        values = list(WRONG.get(kind, []))
    else:
        lo, hi = span
        values = [b"", b"%dx" % lo, b"-1", b"%d" % (hi + 1), b"9" * 60]
        values += [b"%d" % (lo - 1)] if lo > 0 else []
        values += [b"%d" % (hi - 1), b"%d" % (lo + 1)] if kind == "KEY_POW2" else []
    return values + [b"a\0b", b"\xff" * (LINE_MAX + 1)]


def check(path, *args):
    return subprocess.run([str(program("icmpscope")), "--check", "-c", str(path), *args], capture_output=True, timeout=30,
                          stdin=subprocess.DEVNULL)


def assert_refused(r, *says):
    assert r.returncode == 2, (r.stdout, r.stderr)
    assert r.stdout == b""
    line = r.stderr.decode("ascii")
    assert line.startswith("icmpscope: ") and line.endswith("\n") and line.count("\n") == 1 and line[:-1].isprintable(), line
    for word in says:
        assert word in line, (word, line)


def shown(value):
    """The value as the message has it: printable, cut at 64 octets or a zero."""
    text = "".join(chr(c) if 32 <= c < 127 else "?" for c in value.split(b"\0")[0].strip(b" \t"))
    return text[:64] if value.find(b"\0") < 0 and len(value) <= LINE_MAX - 40 else text[:32]


@pytest.mark.parametrize("row", table(), ids=lambda r: f"{r[0]}.{r[1]}")
def test_a_wrong_value_is_one_line(row, tmp_path):
    section, key, kind, allowed, span, default = row
    path = tmp_path / "wrong.ini"
    for value in wrong_values(kind, span):
        path.write_bytes(b"# a comment\n[%s]\n%s = %s\n" % (section.encode(), key.encode(), value))
        assert_refused(check(path), f"{path}:3: {section}.{key} = \"{shown(value)}", f"allowed: {allowed}")
    for lines in [TOO_MANY[kind]] if kind in TOO_MANY else []:
        path.write_bytes(b"[%s]\n" % section.encode() + b"".join(b"%s = %s\n" % (key.encode(), v) for v in lines))
        assert_refused(check(path), f"{path}:", f"{section}.{key} = ", "too many", f"allowed: {allowed}")
    if kind not in TOO_MANY:
        path.write_text(f"[{section}]\n{key} = {default}\n{key} = {default}\n")
        assert_refused(check(path), f"{path}:3: {section}.{key} is given a second time")


def test_a_password_is_not_repeated(tmp_path):
    path = tmp_path / "wrong.ini"
    path.write_bytes(b"[fleet]\nservers = nats://user:geheim@n1:4222\n")
    r = check(path)
    assert_refused(r, f"{path}:2: fleet.servers = ", "fleet.nkey")
    assert b"geheim" not in r.stderr


def test_the_table_is_read_whole():
    rows = table()
    documented = re.findall(r"^([a-z0-9_]+) =", (ROOT / "config" / "icmpscope.ini").read_text(), re.M)
    assert [r[1] for r in rows] == documented
    assert {r[2] for r in rows if r[4] is None} == set(WRONG)


def test_least_and_most_are_right(tmp_path):
    """Each range holds its ends; all keys in one file."""
    path = tmp_path / "right.ini"
    for end in (0, 1):
        text, last = "", None
        for section, key, _, _, span, _ in table():
            if section != last:
                text, last = text + f"[{section}]\n", section
            if span:
                text += f"{key} = {span[end]}\n"
        path.write_text(text)
        r = check(path)
        assert r.returncode == 0 and r.stderr == b"", r.stderr


@pytest.mark.parametrize("content,line,says", [
    (b"[detekt]\nlearn_s = 1\n", 1, "unknown section \"detekt\"; sections are detect, decode, port, worker, control, sample, history"),
    (b"[detect]\nlern_s = 1\n", 2, "did you mean detect.learn_s?"),
    (b"[detect]\nxyzzy_plugh = 1\n", 2, "unknown key detect.xyzzy_plugh"),
    (b"[decode]\nlearn_s = 1\n", 2, "did you mean detect.learn_s?"),
    (b"[detect]\nlearn_s\n", 2, "neither [section] nor KEY = VALUE"),
    (b"[detect\nlearn_s = 1\n", 1, "neither [section] nor KEY = VALUE"),
    (b"learn_s = 1\n", 1, "before the first [section]"),
    (b"[detect]\nlearn_s = 1\n[eal]\nmemory_mb = 0\n[detect]\nlearn_s = 2\n", 6, "second time"),
    (b"[detect]\n  learn_s = 1\nlearn_s = x\n", 3, "learn_s"),
    (b"\x7fELF\x02\x01\x01\0\0\0", 1, "zero byte"),
    (b"\xff\xfe[\0d\0e\0t\0", 1, "zero byte"),
    (b"[" + b"a" * 500 + b"]\n", 1, "longer than 199"),
    (b"# " + b"a" * 500 + b"\n", 1, "longer than 199"),
])
def test_a_wrong_file_is_one_line(content, line, says, tmp_path):
    path = tmp_path / "wrong.ini"
    path.write_bytes(content)
    assert_refused(check(path), f"{path}:{line}:", says)


def test_a_huge_file_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "huge.ini"
    path.write_bytes(b"# comment\n" * 200000)
    assert_refused(check(path), f"{path}:", "larger than 1 MB")


@pytest.mark.parametrize("content", [
    b"", b"\n\n", b"# nothing\n", b"\xef\xbb\xbf[detect]\nlearn_s = 5\n", b"[detect]\r\nlearn_s = 5\r\n\r\n",
    b"[detect]\nlearn_s=5", b"[detect]\nlearn_s : 5\n", b"[detect]\nlearn_s = 5 ; five\n",
])
def test_a_right_file_is_one_line(content, tmp_path):
    path = tmp_path / "right.ini"
    path.write_bytes(content)
    r = check(path)
    n = 1 if b"learn_s" in content else 0
    assert r.returncode == 0 and r.stderr == b""
    assert r.stdout.decode() == f"icmpscope: {path} is right: {n} of {len(table())} settings differ from their defaults, 0 devices\n"


def test_what_is_no_file(tmp_path):
    assert_refused(check(tmp_path / "missing.ini"), "missing.ini: No such file or directory")
    assert_refused(check(tmp_path), f"{tmp_path}: ", "is it a file?")
    assert_refused(check("/dev/zero"), "/dev/zero:1:")
    if os.geteuid() == 0:
        return
    path = tmp_path / "secret.ini"
    path.write_text("")
    path.chmod(0)
    assert_refused(check(path), "Permission denied")


def test_the_command_line_is_checked_with_it(tmp_path):
    path = tmp_path / "right.ini"
    path.write_text("[detect]\nlearn_s = 5\n[port]\ndevice = eth0, pcap:a.pcap\n")
    r = check(path, "--set", "detect.nce_limit=7")
    assert r.returncode == 0 and r.stdout.endswith(b"is right: 3 of %d settings differ from their defaults, 2 devices\n" % len(table()))
    assert_refused(check(path, "--set", "detect.nce_limit=0"), "detect.nce_limit = \"0\"", "allowed: 1 to 10000000")
    assert_refused(check(path, "-w", "1-"), "worker.cpus = \"1-\"")
    r = check(ROOT / "config" / "icmpscope.ini")
    assert r.returncode == 0 and b" is right: 0 of " in r.stdout
