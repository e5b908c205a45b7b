"""The page of icmpscope-exporter and the report of icmpscope-read in a headless Chromium: quiet, in each incident, with more findings than
fit, with a connection that is lost and comes back, on a telephone and a wide screen, dark and light. Nothing on the console, nothing serious
for axe-core, and whatever the wire says shows as text. Then what no browser would send. Pictures go to ICMPSCOPE_PICTURES if it names
a folder."""

import base64
import contextlib
import http.server
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
from browser import Browser, axe_source
from conftest import ROOT, VECTORS, program
from scope import Scope
from test_exporter import running, socket_of

INCIDENT1 = VECTORS / "incident1.pcap"
MARKUP = ("<img", "</script>", "javascript:", "<svg")


def until(records, path, second):
    """The frames of a capture before that second of its day."""
    data = records.read_bytes()
    out, at, first = [data[:24]], 24, None
    while at < len(data):
        s, _, n, _ = struct.unpack_from("<IIII", data, at)
        first = s if first is None else first
        if s < first + second:
            out.append(data[at:at + 16 + n])
        at += 16 + n
    path.write_bytes(b"".join(out))
    return path


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    """Captures by name, each made once."""
    folder, made = tmp_path_factory.mktemp("page"), {"gateway": INCIDENT1}
    how = {"meltdown": ["meltdown.py", "w2"], "blackhole": ["blackhole.py"], "many": ["vlans.py"]}

    def get(name):
        if name == "quiet":
            made[name] = until(INCIDENT1, folder / "quiet.pcap", 1200)
        elif name not in made:
            subprocess.run([sys.executable, ROOT / "dts" / "gen" / how[name][0], *how[name][1:], folder / f"{name}.pcap"], check=True, timeout=60)
            made[name] = folder / f"{name}.pcap"
        return made[name]

    return get


@pytest.fixture(scope="module")
def browser():
    b = Browser()
    yield b
    b.close()


def read(s):
    """Waits until the capture is read to its end and judged."""
    end = time.monotonic() + 60
    while s.info()["captures_unread"]:
        assert time.monotonic() < end, s.output()
        time.sleep(0.1)
    s.settled(60)
    return s


@contextlib.contextmanager
def page_of(path):
    """icmpscope over a capture, read to the end, and an exporter that has read it; gives the URL and icmpscope."""
    with Scope("-p", f"pcap:{path}") as s:
        read(s)
        with running(socket_of(s)) as url:
            wait_state(url)
            yield url, s


@pytest.fixture(scope="module")
def gateway(capture, slow):
    with page_of(capture("gateway")) as g:
        for _ in range(40):
            c = socket.create_connection(("127.0.0.1", int(g[0].rsplit(":", 1)[1])), timeout=20, source_address=("127.0.0.9", 0))
            with contextlib.suppress(OSError):
                c.sendall(b"GET /api/v1/state HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            slow.append(c)
        yield g


@pytest.fixture(scope="module")
def slow():
    """Connections of somebody who never says all: open while everybody else is served."""
    connections = []
    yield connections
    for c in connections:
        c.close()


@pytest.fixture(scope="module")
def many(capture):
    with page_of(capture("many")) as g:
        yield g


def get(url, method="GET", host=None, timeout=20):
    """Status, headers and bytes."""
    request = urllib.request.Request(url, method=method, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as r:
            return r.status, r.headers, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read()


def get_json(url):
    status, _, body = get(url)
    assert status == 200, body
    return json.loads(body)


def picture(browser, name):
    folder = os.environ.get("ICMPSCOPE_PICTURES")
    if folder:
        browser.picture(f"{folder}/{name}.png")


def no_sideways(browser):
    """The page itself is not wider than the window; tables scroll in themselves."""
    assert browser.script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth"), \
        browser.script("return [...document.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map((e) => e.outerHTML.slice(0, 120))")


def clean(browser):
    assert browser.console() == []


def shown(browser, url, words):
    # The page before asks its own exporter once a second, which may have ended by now: what it said of that is not this one's.
    browser.open("about:blank")
    browser.console()
    browser.open(url)
    browser.wait(f"return document.querySelector('.verdict') && document.querySelector('.verdict h2').textContent.includes({json.dumps(words)})", words)


SCENES = [
    ("quiet", "Nothing is wrong", ["1 gateway, ", "None is open.", "1,800 s, medium"]),
    ("gateway", "1 critical problem", ["told every host that it is no router", "no gateway left", "fe80::1 (00:00:5e:00:53:01)", "Evidence: 1 frame (pcapng)"]),
    ("meltdown", "critical problem", ["3,305 of 3,000 entries", "It is full: groups beyond it", "Multicast table at port 0"]),
    ("blackhole", "1 critical problem", ["Clamp the TCP MSS to 1,452 for IPv4, 1,432 for IPv6", "3 black holes", "behind 203.0.113.4", "15 paths to 3 networks"]),
    ("many", "60 critical problems", ["Open findings (121)", "The 50 worst of 121 open"]),
]


@pytest.mark.parametrize("scene, verdict, words", SCENES, ids=[s[0] for s in SCENES])
def test_scene(browser, capture, request, scene, verdict, words):
    with contextlib.ExitStack() as stack:
        url, s = request.getfixturevalue(scene) if scene in ("gateway", "many") else stack.enter_context(page_of(capture(scene)))
        for width, scheme in ((1600, "light"), (375, "dark")):
            browser.size(width)
            browser.scheme(scheme)
            shown(browser, url + "/", verdict)
            text = browser.script("return document.getElementById('app').textContent")
            for w in words:
                assert w in text, f"{w}\n{browser.text()}"
            no_sideways(browser)
            picture(browser, f"{scene}-{width}-{scheme}")
            clean(browser)


def test_axe(browser, gateway):
    """In both schemes, everything unfolded."""
    if axe_source()[0] is None:
        pytest.skip(axe_source()[1])
    url, s = gateway
    for width, scheme in ((1600, "light"), (1600, "dark"), (375, "light")):
        browser.size(width)
        browser.scheme(scheme)
        shown(browser, url + "/", "1 critical problem")
        browser.script("for (const d of document.querySelectorAll('details')) d.open = true")
        assert browser.axe() == []
    clean(browser)


def test_report(browser, capture, tmp_path):
    """The same page as a file: no request leaves it, its policy allows nothing else, evidence is inside."""
    path = tmp_path / "report.html"
    r = subprocess.run([program("icmpscope-read"), "--html", path, INCIDENT1], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0 and "2 anomalies" not in r.stderr, r.stderr
    text = path.read_text("utf-8")
    assert not re.search(r"(src|href)=[\"']?https?:", text) and "default-src 'none'" in text
    for width, scheme in ((1600, "light"), (375, "dark")):
        browser.size(width)
        browser.scheme(scheme)
        shown(browser, path.as_uri(), "2 critical problems found")
        no_sideways(browser)
        picture(browser, f"report-{width}-{scheme}")
    assert browser.axe() == []
    app = browser.script("return document.getElementById('app').textContent")
    for w in ("router lifetime zero (graceful)", "no gateway left", "54 detectors", "incident1.pcap", "1,800 s, medium"):
        assert w in app, w
    hrefs = browser.script("return [...document.querySelectorAll('article a')].map((a) => a.href)")
    assert len(hrefs) == 2
    for href in hrefs:
        kind, data = href.split(",", 1)
        assert kind == "data:application/octet-stream;base64"
        proof = tmp_path / "proof.pcapng"
        proof.write_bytes(base64.b64decode(data, validate=True))
        r = subprocess.run(["tcpdump", "-nr", proof], capture_output=True, text=True, timeout=30)
        assert r.returncode == 0 and "ICMP6, " in r.stdout, r
    assert browser.script("return performance.getEntriesByType('resource').map((e) => e.name)") == []
    clean(browser)
    # Without a script the findings stand in the file.
    plain = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert plain.count("<article>") == 2 and "told every host that it is no router" in plain and "Not assessed" in plain


def test_report_of_markup(browser, capture, tmp_path):
    path = tmp_path / "<b>&report.html"
    r = subprocess.run([program("icmpscope-read"), "--html", path, capture("many")], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stderr
    text = path.read_text("utf-8")
    # Of elements there are those that the page's own files have; data and words hold no '<' of the wire.
    assert "<img" not in text and "<svg o" not in text and text.count("</script") == 2
    browser.size(1600)
    shown(browser, path.as_uri(), "60 critical problems")
    markup_is_text(browser)
    clean(browser)


def markup_is_text(browser):
    """It can be read, and made nothing."""
    browser.script("for (const d of document.querySelectorAll('details')) d.open = true")
    text = browser.script("return document.getElementById('app').textContent")
    assert "</script><script>alert(2)</script>.example" in text, text[:3000]
    assert browser.script("return document.querySelectorAll('img, #app script, [onload], [onerror], iframe, object, embed').length") == 0
    for href in browser.script("return [...document.querySelectorAll('a')].map((a) => a.getAttribute('href'))"):
        assert re.fullmatch(r"#\w+|evidence/\d+\.pcapng|data:application/octet-stream;base64,[A-Za-z0-9+/=]+", href), href


def test_markup_of_the_wire(browser, many):
    url, s = many
    browser.size(1600)
    shown(browser, url + "/", "60 critical problems")
    # The finding about the search domain is not among the worst 50, but on the second page of findings; back from the third.
    for act, place in (("on", "51 to 100 of 121 open"), ("on", "101 to 121 of 121 open"), ("back", "51 to 100 of 121 open")):
        browser.script("document.querySelector('[data-act=findings-" + act + "]').click()")
        browser.wait(f"return document.querySelector('#anomalies').parentNode.textContent.includes('{place}')", place)
    # And all names stand in the table of prefixes and options.
    browser.script("const s = document.getElementById('family'); s.value = 'prefix'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    browser.wait("return document.getElementById('explore').parentNode.textContent.includes('onerror=alert(1)')", "the table")
    markup_is_text(browser)
    text = browser.script("return document.getElementById('explore').parentNode.textContent")
    browser.script("document.querySelector('[data-act=rows-on]').click()")
    browser.wait("return document.getElementById('explore').parentNode.textContent.includes('onload=alert(4)')", "the next page of the table")
    text += browser.script("return document.getElementById('explore').parentNode.textContent")
    for m in MARKUP:
        assert m in text, m
    clean(browser)


def test_pages_of_tables(browser, many):
    url, s = many
    browser.size(1600)
    shown(browser, url + "/", "60 critical problems")
    browser.script("const s = document.getElementById('family'); s.value = 'host'; s.dispatchEvent(new Event('change', {bubbles: true}))")
    rows = "document.querySelectorAll('#explore ~ .scroll tbody tr')"
    browser.wait(f"return {rows}.length === 50", "50 hosts")
    first = browser.script(f"return {rows}[0].textContent")
    browser.script("document.querySelector('[data-act=rows-on]').click()")
    browser.wait(f"return {rows}.length === 50 && {rows}[0].textContent !== {json.dumps(first)}", "the next 50")
    browser.script("document.querySelector('[data-act=rows-back]').click()")
    browser.wait(f"return {rows}[0].textContent === {json.dumps(first)}", "the first 50 again")
    assert "50 rows of 240" in browser.text()
    clean(browser)


@pytest.mark.live
def test_lost_and_back(browser, capture, tmp_path):
    """First icmpscope goes, then the exporter: each is said with since when, and forgotten once it is back."""
    link = tmp_path / "socket"
    browser.size(1600)
    browser.scheme("light")
    with running(link) as url:
        browser.open(url + "/")
        browser.wait("return document.body.innerText.includes('icmpscope does not answer')", "never there")
        for _ in range(2):
            with Scope("-p", f"pcap:{INCIDENT1}") as s:
                read(s)
                link.unlink(missing_ok=True)
                link.symlink_to(socket_of(s))
                browser.wait("return document.querySelector('.verdict') && !document.querySelector('.banner')", "connected")
            browser.wait("return /icmpscope does not answer since \\d{4}-\\d\\d-\\d\\d/.test(document.body.innerText)", "lost")
        assert browser.script("return document.querySelector('.verdict h2').textContent") == "1 critical problem"
        browser.wait("return document.getElementById('assertive').textContent === 'icmpscope does not answer.'", "it is said aloud")
        assert browser.script("return document.title") == "(no answer) icmpscope"
        assert browser.axe() == []
        picture(browser, "lost-1600-light")
        # The exporter answered all along, but for requests under way when nothing did.
        clean(browser)
        port = int(url.rsplit(":", 1)[1])
    browser.wait("return /The exporter does not answer since \\d{4}/.test(document.body.innerText)", "the exporter is gone")
    picture(browser, "gone-1600-light")
    refused = browser.console()
    assert refused and all("ERR_CONNECTION_REFUSED" in e or "ERR_EMPTY_RESPONSE" in e or "ERR_CONNECTION_RESET" in e for e in refused), refused
    with Scope("-p", f"pcap:{INCIDENT1}") as s:
        read(s)
        with running(socket_of(s), port=port):
            browser.wait("return !document.querySelector('.banner')", "all is back")
            browser.wait("return document.getElementById('polite').textContent.startsWith('The connection is back.')", "it is said aloud")


class Between(http.server.BaseHTTPRequestHandler):
    """Stands between the browser and an exporter, and changes the state on its way; class attributes say how."""

    upstream, change = None, None
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        status, headers, body = get(Between.upstream + self.path)
        if self.path == "/api/v1/state" and Between.change:
            body = json.dumps(Between.change(json.loads(body))).encode()
        self.send_response(status)
        for k in ("Content-Type", "Content-Security-Policy"):
            self.send_header(k, headers[k])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def between(gateway):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    Between.upstream, Between.change = gateway[0], None
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_every_text_may_be_hostile(browser, between):
    """All texts of the state but those that are names of states: no policy is needed to keep them text."""
    kept = {"kind", "severity", "health", "state", "what", "mode", "started"}
    markup = '"><img src=x onerror="window.pwned=1"><script>window.pwned=2</script>'

    def spoil(v, key=None):
        if isinstance(v, dict):
            return {k: spoil(x, k) for k, x in v.items()}
        if isinstance(v, list):
            return [spoil(x, key) for x in v]
        return v + markup if isinstance(v, str) and key not in kept else v

    Between.change = lambda reply: {**reply, "state": spoil(reply["state"])}
    shown(browser, between, "1 critical problem")
    browser.script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert browser.script("return window.pwned") is None
    assert browser.script("return document.querySelectorAll('img, #app script').length") == 0
    assert browser.script("return document.getElementById('app').textContent").count("window.pwned=2") > 40
    clean(browser)


@pytest.mark.live
def test_new_findings_are_said(browser, between):
    """And what one holds on to stays while the page changes: what is unfolded, and the focus."""
    shown(browser, between, "1 critical problem")
    browser.wait("return document.getElementById('polite').textContent === '1 open finding.'", "how many are open is said aloud")
    browser.script("const d = document.querySelector('article details'); d.open = true; d.querySelector('summary').focus()")

    def another(reply):
        a = reply["state"]["anomalies"]
        new = dict(a["list"][0], id=99, name="router_new", severity="warn", says="A router that was not there before. Find it.")
        return {**reply, "state": {**reply["state"], "anomalies": {**a, "list": [new, *a["list"]], "open": 2, "warn": 1}}}

    Between.change = another
    browser.wait("return document.getElementById('polite').textContent === 'New warning: router new on VLAN 10, port 0.'", "the new one is said")
    assert browser.script("return document.querySelectorAll('article').length >= 2 && document.title") == "(2) icmpscope"
    assert browser.script("return document.activeElement.nodeName + document.activeElement.closest('article').dataset.key + document.activeElement.parentNode.open") \
        == "SUMMARYanomaly 2true"
    clean(browser)


def test_keyboard(browser, gateway):
    """The skip link comes first, every control after it, and each shows that it has the focus."""
    from selenium.webdriver.common.keys import Keys
    url, s = gateway
    browser.size(1600)
    shown(browser, url + "/", "1 critical problem")
    names = []
    for _ in range(60):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        name, outline = browser.script("const e = document.activeElement; return [e.nodeName + ' ' + e.textContent.slice(0, 30), getComputedStyle(e).outlineStyle]")
        if name in names or name.startswith("BODY"):
            break
        names.append(name)
        assert outline == "solid", name
    assert names[0] == "A Skip to the findings" and names[1:4] == ["BUTTON 15 min", "BUTTON 1 h", "BUTTON 6 h"]
    assert any(n.startswith("A Evidence") for n in names) and any(n.startswith("SELECT") for n in names), names
    assert browser.script("return [...document.querySelectorAll('main h2')].every((h) => h.closest('section').getAttribute('aria-labelledby') === h.id)")
    assert browser.script("return [...document.querySelectorAll('table')].every((t) => t.caption && t.querySelector('th[scope=col]') && (!t.tBodies[0].rows.length || t.querySelector('th[scope=row]')))")


# ---- what no browser sends ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(gateway):
    return gateway


def wait_state(url):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        reply = get_json(url + "/api/v1/state")
        if reply["connection"]["ok"]:
            return reply
        time.sleep(0.2)
    raise AssertionError(reply)


def test_state_is_true(plain):
    url, s = plain
    reply = wait_state(url)
    state, info = reply["state"], s.info()
    assert state["kind"] == "live" and state["info"]["frames"] == info["frames"]
    (a,) = state["anomalies"]["list"]
    (told,) = [x for x in s.anomalies() if x["state"] == "open"]
    assert (a["id"], a["says"], a["severity"]) == (told["id"], told["says"], "critical")
    assert a["subject"] == {"router": "fe80::1", "mac": "00:00:5e:00:53:01"} and a["evidence"]["hosts"] == told["evidence_hosts"]
    assert [x["id"] for x in state["anomalies"]["before"]] == [1]
    assert [(e["what"], e["lifetime_before_s"], e["lifetime_s"], e["left"]) for e in state["gateways"]["events"]] == [
        ("advertised", 0, 1800, 1), ("retracted", 1800, 0, 0), ("advertised", 0, 1800, 1), ("flag_cleared", 1800, 1800, 0)]
    (segment,) = state["segments"]["list"]
    assert (segment["where"], segment["health"], segment["open"], segment["hosts"]) == ("VLAN 10, port 0", "critical", 1, info["hosts"])
    assert len(state["detectors"]["list"]) == state["detectors"]["total"]
    history = get_json(url + "/api/v1/history?since=0")
    assert history["step_s"] == 10 and all(len(v) == len(history["t"]) for v in history.values() if isinstance(v, list))


def test_evidence(plain, tmp_path):
    """What icmpscopectl writes, byte for byte but for the name of the program."""
    url, s = plain
    status, headers, body = get(url + "/evidence/1.pcapng")
    assert status == 200 and headers["Content-Disposition"] == 'attachment; filename="icmpscope-1.pcapng"'
    assert headers["Content-Type"] == "application/octet-stream" and headers["X-Content-Type-Options"] == "nosniff"
    r = subprocess.run([program("icmpscopectl"), "evidence", "1", "--socket", socket_of(s)], capture_output=True, timeout=30)
    assert r.returncode == 0 and len(r.stdout) > 200
    assert r.stdout[r.stdout.index(b"pcap:"):] == body[body.index(b"pcap:"):]


def test_headers(plain):
    url, s = plain
    for path in ("/", "/page.js", "/page.css"):
        status, headers, body = get(url + path)
        policy = headers["Content-Security-Policy"]
        assert status == 200 and body
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:")
        assert "frame-ancestors 'none'" in policy and "unsafe" not in policy and "*" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert get(url + path, "HEAD")[::2] == (200, b"")
    page = get(url + "/")[2].decode()
    assert "<script>" not in page and " style=" not in page and not re.search(r" on\w+=", page) and "http:" not in page.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize("path, statuses", [
    ("/nothing", (404,)), ("/page.css/", (404,)), ("/../etc/passwd", (404,)), ("/%2e%2e/%2e%2e/etc/passwd", (404,)), ("//", (404,)),
    ("/evidence/0.pcapng", (404,)), ("/evidence/1.pcap", (404,)), ("/evidence/1.pcapngx", (404,)), ("/evidence/.pcapng", (404,)),
    ("/evidence/-1.pcapng", (404,)), ("/evidence/1%00.pcapng", (400, 404)), ("/evidence/99999999999999999999.pcapng", (404,)),
    ("/evidence/1,1.pcapng", (404,)), ("/evidence/99.pcapng", (404,)),
    ("/api/v1/table/", (404,)), ("/api/v1/table/info", (404,)), ("/api/v1/table/host/../info", (404,)), ("/api/v1/table/host,1", (404,)),
    ("/api/v1/table/anomaly/ack", (404,)), ("/api/v1/nothing", (404,)),
    ("/api/v1/table/host?start=-1", (400,)), ("/api/v1/table/host?start=1,2", (400,)), ("/api/v1/table/host?count=0", (400,)),
    ("/api/v1/table/host?count=101", (400,)), ("/api/v1/anomalies?start=99999999999999999999", (400,)), ("/api/v1/history?since=0x1", (400,)),
    ("/api/v1/table/host?start=", (400,)), ("/api/v1/anomalies?start=9999999999", (200,)), ("/api/v1/history?since=9999999999999999999", (200,)),
    ("/" + "x" * 100000, (400, 404, 414, 431)), ("/api/v1/state?" + "a=b&" * 20000, (400, 413, 414, 431)),
])
def test_hostile_urls(plain, path, statuses):
    status, _, body = get(plain[0] + path)
    assert status in statuses, (status, body[:200])
    assert b"passwd" not in body and b"xxx" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_answers(plain, method):
    for path in ("/", "/api/v1/state", "/evidence/1.pcapng"):
        status, headers, _ = get(plain[0] + path, method)
        assert status == 405 and headers["Allow"] == "GET, HEAD"


def test_names_of_others(plain):
    """DNS rebinding: who comes by a name of the attacker's gets nothing."""
    url, s = plain
    port = url.rsplit(":", 1)[1]
    for path in ("/", "/api/v1/state", "/metrics", "/evidence/1.pcapng"):
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "[::1", "[evil]", ":80"):
            assert get(url + path, host=host)[0] in (400, 421), (path, host)
        for host in (f"127.0.0.1:{port}", "localhost", f"LOCALHOST:{port}", f"[::1]:{port}", "192.0.2.7"):
            assert get(url + path, host=host)[0] in (200, 404), (path, host)
    with running(socket_of(s), "--host", "tap.example") as named:
        assert get(named + "/", host="tap.example")[0] == 200 and get(named + "/", host="evil.example")[0] == 421


def test_slow_clients(plain, slow):
    """Forty of one address that never said all kept nobody else waiting (all tests above), and are shown the door after 10 s."""
    assert len(slow) == 40
    for c in slow:
        c.settimeout(40)
        with contextlib.suppress(ConnectionResetError):
            while c.recv(4096):
                pass
    assert get(plain[0] + "/")[0] == 200


def population(path):
    """100,000 hosts with ten addresses each, of which every hundredth reports ten multicast groups of its own: 10,000."""
    def total(data):
        n = sum(struct.unpack(f"!{len(data) // 2}H", data))
        return (n >> 16) + (n & 0xFFFF)

    router, report_to = bytes.fromhex("fe80" + "00" * 13 + "01"), bytes.fromhex("ff02" + "00" * 12 + "0016")
    target = bytes.fromhex("ff0200000000000000000001ff000001")
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))

        def put(at_us, smac, group, src, before, body, hop_limit, next_header):
            n = total(src + group + struct.pack("!II", len(body), 58) + body)
            n = ~((n >> 16) + (n & 0xFFFF)) & 0xFFFF
            body = before + body[:2] + struct.pack("!H", n) + body[4:]
            frame = b"\x33\x33" + group[12:] + smac + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(body), next_header, hop_limit) + src + group + body
            f.write(struct.pack("<IIII", 1463011200 + at_us // 1000000, at_us % 1000000, len(frame), len(frame)) + frame)

        at_us = 0
        for n in range(10):
            for host in range(100000):
                smac = bytes([2, 0, 0]) + host.to_bytes(3, "big")
                src = bytes.fromhex("20010db800010000") + bytes([n, 1]) + smac
                at_us += 1000
                put(at_us, smac, target, src, b"", struct.pack("!BBHI", 135, 0, 0, 0) + router + b"\1\1" + smac, 255, 58)
                if n == 9 and host % 100 == 0:
                    records = b"".join(struct.pack("!BBH", 4, 0, 0) + bytes.fromhex("ff05" + "00" * 10) + (host * 10 + k).to_bytes(4, "big") for k in range(10))
                    put(at_us, smac, report_to, bytes.fromhex("fe80" + "00" * 8) + smac, bytes.fromhex("3a00050200000100"), struct.pack("!BBHHH", 143, 0, 0, 0, 10) + records, 1, 0)


@pytest.mark.skipif(not os.environ.get("ICMPSCOPE_LONG"), reason="takes two minutes; set ICMPSCOPE_LONG=1")
def test_full_population(browser, tmp_path):
    """Each answer within a second, and the page on the screen; the median of five, because others use this machine too."""
    path = tmp_path / "population.pcap"
    population(path)
    with Scope("-p", f"pcap:{path}") as s:
        end = time.monotonic() + 300
        while s.info()["captures_unread"]:
            assert time.monotonic() < end
            time.sleep(0.5)
        info = s.settled(60)
        assert (info["hosts"], info["bindings"]) == (100000, 1000000), info
        with running(socket_of(s)) as url:
            state = wait_state(url)["state"]
            assert state["segments"]["groups"] >= 10000
            asked = ["/api/v1/state", "/api/v1/history", "/api/v1/anomalies"]
            asked += [f"/api/v1/table/{f}?start={start}" for f, n in (("host", 100000), ("neighbor", 1000000), ("group", 10000), ("segment", 1), ("detector", 54))
                      for start in (0, n // 2, max(0, n - 10))]
            for what in asked:
                took = []
                for _ in range(5):
                    begin = time.monotonic()
                    status, _, body = get(url + what)
                    took.append(time.monotonic() - begin)
                assert status == 200, body
                print(f"{what}: {len(body)} bytes, {1000 * sorted(took)[2]:.1f} ms")
                assert sorted(took)[2] < 1, (what, took)
            browser.size(1600)
            shown(browser, url + "/", "critical problem")
            begin = time.monotonic()
            browser.script("const s = document.getElementById('family'); s.value = 'neighbor'; s.dispatchEvent(new Event('change', {bubbles: true}))")
            browser.wait("return document.querySelectorAll('#explore ~ .scroll tbody tr').length === 50", "50 addresses")
            print(f"a page of addresses on the screen: {1000 * (time.monotonic() - begin):.0f} ms")
            clean(browser)


def test_usage():
    for args, words in ((["--host"], "wants an argument"), (["--host", "x"] * 17, "at most 16")):
        r = subprocess.run([program("icmpscope-exporter"), *args], capture_output=True, text=True, timeout=10)
        assert r.returncode == 2 and words in r.stderr and r.stderr.count("\n") == 1, r
    r = subprocess.run([program("icmpscope-read"), "--html", INCIDENT1, INCIDENT1], capture_output=True, text=True, timeout=10)
    assert r.returncode == 1 and "is one of the captures" in r.stderr and INCIDENT1.stat().st_size > 1000
    r = subprocess.run([program("icmpscope-read"), "--html", "/nonexistent/r.html", INCIDENT1], capture_output=True, text=True, timeout=10)
    assert r.returncode == 1 and "/nonexistent/r.html" in r.stderr
