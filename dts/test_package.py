"""What `meson install` lays out, whether systemd takes the units, what the Debian package says of itself, and what others read of
icmpscope: Telegraf's example, the endpoint file of DPDK's exporter. devtools/package --check 12 (or 13) builds, installs, runs and
purges the packages; that takes minutes and is not done here."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT, VECTORS, program
from scope import Scope
from telemetry import Telemetry

INCIDENT1 = VECTORS / "incident1.pcap"
UNITS = ("icmpscope.service", "icmpscope-exporter.service", "icmpscope-hugepages.service")
# Highest score of systemd-analyze security (0: nothing to gain, 10: everything) that each may have.
EXPOSURE = {"icmpscope.service": 2.5, "icmpscope-exporter.service": 1.5, "icmpscope-hugepages.service": 1.5}

PROGRAMS = {"usr/local/sbin/icmpscope", "usr/local/bin/icmpscope-read", "usr/local/bin/icmpscopectl", "usr/local/bin/icmpscope-exporter",
            "usr/local/libexec/icmpscope/reserve-hugepages"}
FILES = {
    "etc/icmpscope/icmpscope.ini",
    "etc/default/icmpscope",
    "usr/local/lib/sysusers.d/icmpscope.conf",
    "usr/local/lib/tmpfiles.d/icmpscope.conf",
    "usr/local/share/bash-completion/completions/icmpscopectl",
    "usr/local/share/doc/icmpscope/operations.md",
    "usr/local/share/doc/icmpscope/examples/icmpscope-alerts.yml",
    "usr/local/share/doc/icmpscope/examples/icmpscope.ini",
    "usr/local/share/doc/icmpscope/examples/telegraf-icmpscope.conf",
    "usr/local/share/dpdk/telemetry-endpoints/icmpscope.py",
    "usr/local/share/man/man8/icmpscope.8",
    "usr/local/share/man/man1/icmpscopectl.1",
    "usr/local/share/man/man1/icmpscope-read.1",
    "usr/local/share/man/man1/icmpscope-exporter.1",
    "usr/local/share/man/man5/icmpscope.ini.5",
} | {f"usr/local/lib/systemd/system/{unit}" for unit in UNITS}


def run(*cmd, **kwargs):
    return subprocess.run([str(c) for c in cmd], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **kwargs)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A fresh configuration for the paths, with the programs of the build that is tested: nothing is compiled here."""
    work = tmp_path_factory.mktemp("install")
    for name in ("icmpscope", "icmpscope-read", "icmpscopectl", "icmpscope-exporter"):
        program(name)
    build = Path(os.environ.get("ICMPSCOPE_BUILD", ROOT / "build")).resolve()
    options = {o["name"]: o["value"] for o in json.loads(run("meson", "introspect", "--buildoptions", build).stdout)}
    if (options["prefix"], options["sysconfdir"]) != ("/usr/local", "/etc"):
        pytest.skip(f"{build} is configured for other paths ({options['prefix']}, {options['sysconfdir']})")
    r = run("meson", "install", "-C", build, "--no-rebuild", "--quiet", env=dict(os.environ, DESTDIR=str(work)))
    assert r.returncode == 0, r.stdout + r.stderr
    return work


def test_layout(installed):
    found = {str(p.relative_to(installed)) for p in installed.rglob("*") if p.is_file()}
    assert PROGRAMS | FILES <= found, sorted((PROGRAMS | FILES) - found)
    # Nothing that only the tests use.
    assert not [f for f in found if re.search(r"icmpscope-(sim|dump|bench)|fuzz|test_|\.a$|\.h$", f)], found
    for name in found:
        mode = (installed / name).stat().st_mode & 0o7777
        assert mode == (0o755 if name in PROGRAMS else 0o644), (name, oct(mode))
    assert not [f for f in found if b"@" in re.findall(rb"@\w*dir@", (installed / f).read_bytes())]


def test_installed_settings(installed):
    """The settings that the service starts with: those of config/icmpscope.ini, but for those that tell where the services write."""
    ini = (installed / "etc/icmpscope/icmpscope.ini").read_text()
    ours = (ROOT / "config/icmpscope.ini").read_text()
    changed = [(a, b) for a, b in zip(ours.splitlines(), ini.splitlines(), strict=True) if a != b]
    assert [b for _, b in changed] == ["file = /var/lib/icmpscope/state", "file = /var/log/icmpscope/journal.json",
                                       "dir = /var/lib/icmpscope/evidence"], changed
    # Where the exporter's unit may write is the default.
    assert "cursor = /var/lib/icmpscope-exporter/fleet.cursor" in ini.splitlines()
    r = run(program("icmpscope-read"), "-c", installed / "etc/icmpscope/icmpscope.ini", INCIDENT1)
    assert r.returncode == 0, r.stderr
    r = run(ROOT / "config/set-keys.py", ROOT / "config/icmpscope.ini", "journal.nonsense=1")
    assert r.returncode == 1 and "journal.nonsense" in r.stderr


def test_units(installed, tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.fail("systemd-analyze is not installed (devtools/setup test)", pytrace=False)
    for unit in UNITS:
        text = (installed / "usr/local/lib/systemd/system" / unit).read_text()
        assert "@" not in re.sub(r"@system-service|~@privileged @resources", "", text), unit
        # Commands stand in the folder that they were installed into.
        (tmp_path / unit).write_text(text.replace("/usr/local/", f"{installed}/usr/local/"))
        shutil.copymode(installed / "usr/local/lib/systemd/system" / unit, tmp_path / unit)
    for unit in UNITS:
        r = run("systemd-analyze", "verify", "--man=no", tmp_path / unit)
        # Other units of this machine may be at fault: only lines about ours count.
        said = [line for line in (r.stdout + r.stderr).splitlines() if "icmpscope" in line]
        assert not said, said
        r = run("systemd-analyze", "security", "--offline=yes", "--no-pager", tmp_path / unit)
        score = re.search(r"Overall exposure level for \S+: ([\d.]+)", r.stdout)
        assert score, r.stdout + r.stderr
        assert float(score[1]) <= EXPOSURE[unit], f"{unit}: {score[1]}"


def test_bad_unit_is_refused(installed, tmp_path):
    """That systemd-analyze would say something."""
    text = (installed / "usr/local/lib/systemd/system/icmpscope.service").read_text()
    (tmp_path / "icmpscope.service").write_text(text.replace("Type=notify", "Type=shout"))
    r = run("systemd-analyze", "verify", "--man=no", tmp_path / "icmpscope.service")
    assert "shout" in r.stdout + r.stderr


def test_unit_agrees_with_program():
    """Where the program looks and writes is what the unit makes."""
    unit = (ROOT / "config/systemd/icmpscope.service.in").read_text()
    prefix = re.search(r"^file_prefix = (\S+)$", (ROOT / "config/icmpscope.ini").read_text(), re.M)[1]
    assert f"RuntimeDirectory=dpdk/{prefix}\n" in unit and "Environment=RUNTIME_DIRECTORY=/run\n" in unit
    assert "StateDirectory=icmpscope icmpscope/evidence\n" in unit and "LogsDirectory=icmpscope\n" in unit
    exporter = (ROOT / "config/systemd/icmpscope-exporter.service.in").read_text()
    assert "SupplementaryGroups=icmpscope\n" in exporter and "CapabilityBoundingSet=\n" in exporter


def test_reserve_hugepages(tmp_path):
    script = ROOT / "config/systemd/reserve-hugepages"
    nodes = [tmp_path / f"devices/system/node/node{n}/hugepages/hugepages-2048kB/nr_hugepages" for n in (0, 1)]
    assert run(script, 512, tmp_path).returncode == 1, "no hugepages here"
    for node, have in zip(nodes, ("0", "2048")):
        node.parent.mkdir(parents=True)
        node.write_text(have + "\n")
    r = run(script, 512, tmp_path)
    assert r.returncode == 0, r.stderr
    assert [int(n.read_text()) for n in nodes] == [512, 2048], "more than asked for stays"
    for wrong in ("", "-1", "1k", "99999999"):
        assert run(script, wrong, tmp_path).returncode == 2, wrong
    # A kernel that gives fewer than asked for.
    nodes[0].unlink()
    nodes[0].symlink_to("/dev/null")
    nodes[1].write_text("7\n")
    assert run(script, 7, tmp_path).returncode != 0


# ---- the Debian package ----


def paragraphs(path):
    return [dict(re.findall(r"^(\S+?):[ \t]*(.*(?:\n[ \t].*)*)", p, re.M)) for p in path.read_text().strip().split("\n\n")]


def test_debian_metadata(installed):
    debian = ROOT / "config/debian"
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
    assert (debian / "changelog").read_text().startswith(f"icmpscope ({version}) "), "changelog and meson.build name one version"
    source, *binaries = paragraphs(debian / "control")
    assert source["Source"] == "icmpscope" and [b["Package"] for b in binaries] == ["icmpscope", "icmpscope-exporter"]
    # What devtools/setup installs to build it is what the package asks for, and the other way round.
    setup = (ROOT / "devtools/setup").read_text()
    wanted = set(re.search(r'^build_set="([^"]*)"', setup, re.M)[1].split())
    needs = set(re.findall(r"^\s*(lib\S+-dev)", source["Build-Depends"], re.M))
    assert needs == {p for p in wanted if p.startswith("lib") and p.endswith("-dev") and p != "libc6-dev"}
    # Every file that is installed goes into one of the packages, and each line of theirs names something.
    lines = [line for b in binaries for line in (debian / f"{b['Package']}.install").read_text().split()]
    where = [line.replace("${env:UNITS}", "usr/local/lib/systemd/system") for line in lines]
    where = [re.sub(r"^usr/(?!local)", "usr/local/", w) for w in where]
    found = [str(p.relative_to(installed)) for p in installed.rglob("*") if p.is_file()]
    for f in found:
        assert sum(f == w or f.startswith(w + "/") for w in where) == 1, f
    for w in where:
        assert (installed / w).exists(), w
    assert "3.0 (native)" in (debian / "source/format").read_text()
    assert os.access(debian / "rules", os.X_OK)
    for script in ("icmpscope.postrm", "icmpscope-exporter.postrm"):
        r = run("sh", "-n", debian / script)
        assert r.returncode == 0, r.stderr


def test_package_tree(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository")
    r = run(ROOT / "devtools/package", "--layout", tmp_path / "tree")
    assert r.returncode == 0, r.stderr
    assert (tmp_path / "tree/debian/control").exists() and (tmp_path / "tree/meson.build").exists()
    if shutil.which("dpkg-parsechangelog"):
        r = run("dpkg-parsechangelog", "-SVersion", cwd=tmp_path / "tree")
        assert r.returncode == 0 and re.fullmatch(r"[\d.]+\n", r.stdout), r.stdout + r.stderr
    assert run(ROOT / "devtools/package", "--layout", tmp_path / "tree").returncode == 1, "not over what is there"
    assert run(ROOT / "devtools/package", "--nonsense").returncode == 2


# ---- what reads the telemetry socket ----


@contextlib.contextmanager
def incident():
    scope = Scope("-p", f"pcap:{INCIDENT1},loop", "--set", "detect.learn_s=0")
    try:
        end = time.monotonic() + 60
        while scope.info()["anomalies_opened"] == 0:
            assert time.monotonic() < end, scope.output()
            time.sleep(0.1)
        yield scope
    finally:
        scope.stop(check=False)


def flatten(value, name=""):
    """As Telegraf's: members of dicts and lists become fields, joined by '_'."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield from flatten(v, f"{name}_{k}" if name else k)
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from flatten(v, f"{name}_{i}" if name else str(i))
    else:
        yield name, value


# Keys of inputs.dpdk (Telegraf 1.31) and, of those that every input has, the ones in use.
TELEGRAF_KEYS = {"socket_path", "socket_access_timeout", "device_types", "additional_commands", "plugin_options", "unreachable_socket_behavior",
                 "metadata_fields", "ethdev", "tags", "name_override"}


def test_telegraf_example():
    """Its limits: a command begins with '/' and has fewer than 56 characters, 1,024 with parameters; replies fit max_output_len and
    are objects that are not empty; in one measurement a field has one type."""
    conf = tomllib.loads((ROOT / "config/telegraf-icmpscope.conf").read_text())
    assert list(conf) == ["inputs"] and list(conf["inputs"]) == ["dpdk"]
    with incident() as scope, Telemetry(scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2") as socket:
        known = socket.ask("/")
        types = {}
        for plugin in conf["inputs"]["dpdk"]:
            assert set(plugin) <= TELEGRAF_KEYS
            assert plugin["socket_path"] == "/run/dpdk/icmpscope/dpdk_telemetry.v2"
            assert plugin["unreachable_socket_behavior"] in ("error", "ignore") and plugin["device_types"] == []
            assert len(set(plugin["additional_commands"])) == len(plugin["additional_commands"])
            for command in plugin["additional_commands"]:
                name = command.split(",")[0]
                assert name in known and len(name) < 56 and len(command) < 1024, command
                reply = socket.ask_patiently(command)
                assert isinstance(reply, dict) and reply and "error" not in reply, (command, reply)
                assert socket.reply_len <= socket.hello["max_output_len"]
                assert not [k for k, v in reply.items() if isinstance(v, (dict, list))], f"{command} is not flat"
                for field, value in flatten(reply):
                    kind = types.setdefault((plugin["name_override"], field), (type(value), command))
                    assert kind[0] is type(value), f"{field}: {kind} and {type(value)} in {command}"
        assert len(types) > 100
        assert types["icmpscope", "anomalies_open"][0] is int and types["icmpscope_part", "fired"][0] is int


class ExporterSocket:
    """What dpdk-telemetry-exporter.py gives to an endpoint file."""

    def __init__(self, telemetry):
        self.telemetry = telemetry

    def cmd(self, uri, arg=None):
        return self.telemetry.ask_patiently(uri if arg is None else f"{uri},{arg}")


def test_dpdk_endpoint():
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("icmpscope_endpoint", ROOT / "config/dpdk-telemetry-endpoints/icmpscope.py")
    endpoint = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(endpoint)
    info = endpoint.info()
    for name, (what, kind) in info.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name) and "\n" not in what
        assert kind == ("counter" if name.endswith("_total") else "gauge"), name
    with incident() as scope, Telemetry(scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2") as socket:
        before, after = (endpoint.metrics(ExporterSocket(socket)) for _ in range(2))
    assert {name for name, _, _ in before} == set(info), "each metric has its words, and the other way round"
    keys = [(name, tuple(sorted(labels.items()))) for name, _, labels in before]
    assert len(keys) == len(set(keys))
    for name, value, labels in before:
        assert isinstance(value, int) and value >= 0, name
        # The exporter escapes labels wrongly: none may need it.
        assert not re.search(r'["\\\n]', "".join(map(str, labels.values()))), labels
    values = {(name, tuple(sorted(labels.items()))): value for name, value, labels in after}
    for key, value in zip(keys, (v for _, v, _ in before)):
        assert not key[0].endswith("_total") or values[key] >= value, key
    assert values["detector_fired_total", (("detector", "router_lifetime_zero"),)] >= 1


def test_dpdk_endpoint_without_icmpscope():
    """Another program's socket: the exporter says that the endpoint failed, and goes on."""
    spec = importlib.util.spec_from_file_location("icmpscope_endpoint", ROOT / "config/dpdk-telemetry-endpoints/icmpscope.py")
    endpoint = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(endpoint)

    class Foreign:
        def cmd(self, uri, arg=None):
            return None

    with pytest.raises(RuntimeError, match="did not answer"):
        endpoint.metrics(Foreign())
