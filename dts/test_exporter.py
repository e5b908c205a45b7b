"""icmpscope-exporter: what a strict OpenMetrics parser, promtool and a real Prometheus make of it, with icmpscope there, away
and started anew."""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import lab
import pytest
from conftest import ROOT, VECTORS, program
from scope import Scope

INCIDENT1 = VECTORS / "incident1.pcap"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, accept=None, timeout=60):
    """Status, content type and text."""
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as r:
            return r.status, r.headers["Content-Type"], r.read().decode("ascii")
    except urllib.error.HTTPError as e:
        return e.code, e.headers["Content-Type"], e.read().decode("ascii")


@contextlib.contextmanager
def running(path, *args, port=None):
    """An exporter over the socket at path; gives its base URL."""
    port = port or free_port()
    p = subprocess.Popen([str(program("icmpscope-exporter")), "--listen", f"127.0.0.1:{port}", "--socket", str(path), *args],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert p.stdout.readline().startswith("icmpscope-exporter "), p.poll()
        yield f"http://127.0.0.1:{port}"
        p.send_signal(signal.SIGTERM)
        assert p.wait(60) == 0
    finally:
        if p.poll() is None:
            p.kill()
            p.wait(5)
        rest = p.stdout.read()
        p.stdout.close()
        assert "Sanitizer" not in rest and "runtime error" not in rest, rest


def socket_of(scope):
    return scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2"


@pytest.fixture(scope="module")
def scope():
    with Scope("-p", f"pcap:{INCIDENT1}") as s:
        end = time.monotonic() + 60
        while s.info()["captures_unread"] or s.info()["anomalies_opened"] < 2:
            assert time.monotonic() < end, s.output()
            time.sleep(0.1)
        s.settled()
        yield s


@pytest.fixture(scope="module")
def exporter(scope):
    with running(socket_of(scope)) as url:
        yield url


def samples(text):
    """{(name, labels as sorted pairs): value} of a text that a strict parser has taken."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    out = {}
    for family in parser.text_string_to_metric_families(text):
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge"), family
        for s in family.samples:
            key = (s.name, tuple(sorted(s.labels.items())))
            assert key not in out, key
            out[key] = s.value
    return out


def test_openmetrics_is_strict_and_true(scope, exporter):
    status, kind, text = get(exporter + "/metrics", OPENMETRICS)
    assert status == 200 and kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("\n# EOF\n")
    got = samples(text)
    info = scope.info()
    assert got[("icmpscope_up", ())] == 1
    classes = scope.ask("/icmpscope/classes")
    assert {k: got[("icmpscope_frames_total", (("class", k),))] for k in classes} == classes
    reasons = scope.ask("/icmpscope/reasons")
    assert {k: got[("icmpscope_rule_messages_total", (("rule", k),))] for k in reasons} == reasons
    assert got[("icmpscope_control_messages_total", ())] == info["control"]
    assert got[("icmpscope_dropped_messages_total", (("cause", "bulk_ring_full"),))] == 0
    assert got[("icmpscope_model_entries", (("table", "hosts"),))] == info["hosts"]
    assert got[("icmpscope_anomalies_open", (("detector", "router_flag_cleared"), ("severity", "critical")))] == 1
    assert got[("icmpscope_anomalies_open", (("detector", "router_lifetime_zero"), ("severity", "critical")))] == 0
    assert got[("icmpscope_detector_fired_total", (("detector", "router_lifetime_zero"),))] == 1
    assert got[("icmpscope_segment_hosts", (("port", "0"), ("vlan", "10")))] == info["hosts"]
    (device,) = [labels for name, labels in got if name == "icmpscope_port_received_frames_total"]
    assert dict(device)["device"] == f"pcap:{INCIDENT1}"


def test_older_format_passes_promtool(exporter):
    status, kind, text = get(exporter + "/metrics", "text/plain")
    assert status == 200 and kind.startswith("text/plain; version=0.0.4")
    assert "# EOF" not in text and "# UNIT" not in text and "# TYPE icmpscope_frames_total counter" in text
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian's prometheus) is not installed")
    r = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=90)
    assert r.returncode == 0 and r.stderr == "", r.stderr


def test_alert_rules():
    if shutil.which("promtool") is None:
        pytest.skip("promtool (Debian's prometheus) is not installed")
    for args in (["check", "rules", "config/icmpscope-alerts.yml"], ["test", "rules", "dts/alerts_test.yml"]):
        r = subprocess.run(["promtool", *args], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert r.returncode == 0, r.stdout + r.stderr


def test_alert_rules_name_metrics_that_exist(exporter):
    text = get(exporter + "/metrics", "text/plain")[2]
    for name in set(re.findall(r"\bicmpscope_\w+", (ROOT / "config" / "icmpscope-alerts.yml").read_text())):
        assert re.search(rf"^{name}[ {{]", text, re.M), f"{name} is in no exposition"


def test_routes(exporter):
    assert get(exporter + "/healthz") == (200, "text/plain; charset=utf-8", "ok\n")
    assert get(exporter + "/")[0] == 200
    assert get(exporter + "/nothing<script>")[0] == 404
    assert "script" not in get(exporter + "/nothing<script>")[2]
    request = urllib.request.Request(exporter + "/metrics", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen(request, timeout=60)
    assert e.value.code == 405 and e.value.headers["Allow"] == "GET, HEAD"


def test_away_and_back(tmp_path):
    link = tmp_path / "socket"
    with running(link) as url:
        assert get(url + "/healthz")[0] == 503
        text = get(url + "/metrics", OPENMETRICS)[2]
        got = samples(text)
        assert got[("icmpscope_up", ())] == 0 and len(got) == 2
        for _ in range(2):
            with Scope("-p", f"pcap:{INCIDENT1}") as s:
                link.unlink(missing_ok=True)
                link.symlink_to(socket_of(s))
                lab.wait_for("it is up", lambda: samples(get(url + "/metrics", OPENMETRICS)[2])[("icmpscope_up", ())] == 1)
            assert samples(get(url + "/metrics", OPENMETRICS)[2])[("icmpscope_up", ())] == 0
        assert get(url + "/healthz")[0] == 503


@pytest.mark.parametrize("args, words", [
    (["--listen", "9886"], "ADDRESS:PORT"),
    (["--listen", "127.0.0.1:0"], "ADDRESS:PORT"),
    (["--listen", "127.0.0.1:65536"], "ADDRESS:PORT"),
    (["--listen", "example:1"], "ADDRESS:PORT"),
    (["--listen"], "wants an argument"),
    (["--socket", "/" + "x" * 200], "at most 107"),
    (["--nonsense"], "unknown option"),
    (["more"], "no argument"),
    (["-c", "/nonexistent.ini"], "/nonexistent.ini"),
])
def test_usage(args, words):
    r = subprocess.run([str(program("icmpscope-exporter")), *args], capture_output=True, text=True, timeout=60)
    assert r.returncode == 2 and r.stdout == "" and r.stderr.count("\n") == 1 and words in r.stderr, r


def test_port_in_use():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        r = subprocess.run([str(program("icmpscope-exporter")), "--listen", f"127.0.0.1:{s.getsockname()[1]}"],
                           capture_output=True, text=True, timeout=60)
        assert r.returncode == 1 and "cannot listen on" in r.stderr


@pytest.mark.live
def test_real_prometheus(scope, exporter, tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus (Debian's package) is not installed")
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{ROOT / 'config' / 'icmpscope-alerts.yml'}]\n"
        f"scrape_configs: [{{job_name: icmpscope, static_configs: [{{targets: ['{exporter[7:]}']}}]}}]\n")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with open(tmp_path / "log", "wb") as log:
        p = subprocess.Popen(["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
                              f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address=127.0.0.1:{port}"],
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def query(expression):
        doc = json.loads(get(f"{url}/api/v1/query?query={urllib.request.quote(expression)}")[2])
        assert doc["status"] == "success", doc
        return {tuple(sorted((k, v) for k, v in r["metric"].items() if k in ("class", "alertname", "detector"))):
                float(r["value"][1]) for r in doc["data"]["result"]}

    def wait_for(expression, want):
        end = time.monotonic() + 120
        got = None
        while time.monotonic() < end:
            with contextlib.suppress(OSError, json.JSONDecodeError):  # "Service Unavailable" while it reads what it has
                got = query(expression)
                if got == want:
                    return
            time.sleep(0.3)
        raise AssertionError(f"{expression}: {got}\n{(tmp_path / 'log').read_text()[-2000:]}")

    try:
        wait_for("icmpscope_up", {(): 1.0})
        wait_for('icmpscope_frames_total{class="nd_ra"}', {(("class", "nd_ra"),): 22.0})
        wait_for('ALERTS{alertstate="firing"}', {(("alertname", "IcmpscopeCritical"), ("detector", "router_flag_cleared")): 1.0})
        # Every scrape was taken whole: the server's own count of samples that it refused.
        assert json.loads(get(f"{url}/api/v1/targets")[2])["data"]["activeTargets"][0]["lastError"] == ""
    finally:
        p.terminate()
        p.wait(60)
