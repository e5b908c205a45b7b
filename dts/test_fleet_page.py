"""The fleet on the page of icmpscope-exporter, from a real NATS server with users: a reader that may read and an appliance that may only
publish. Appliances that are well, unwell and hostile; one falls silent by its age; servers that go and come back. Pictures go to
ICMPSCOPE_PICTURES if it names a folder."""

import json
import os
import signal
import subprocess

import lab
import nats
import pytest
from browser import Browser
from conftest import program
from test_exporter import running
from test_fleet import ONE, ctl, set_up, settings
from test_page import MARKUP, clean, get, get_json, no_sideways, picture

pytestmark = [pytest.mark.live,
              pytest.mark.skipif(not os.path.exists("/usr/sbin/nats-server"), reason="nats-server is not installed (devtools/setup test)")]

# As docs/fleet.md has it.
READER = """{ nkey: %s, permissions: {
  publish: { allow: [
    "$JS.API.STREAM.NAMES",
    "$JS.API.CONSUMER.CREATE.KV_icmpscope_state", "$JS.API.CONSUMER.CREATE.KV_icmpscope_bindings",
    "$JS.API.CONSUMER.CREATE.ICMPSCOPE_EVENTS", "$JS.FC.>" ] },
  subscribe: { allow: ["_INBOX.fleet.reader.>"] } } }"""
HOSTILE = '<img src=x onerror="window.owned=1"></script><svg onload=alert(1)> javascript:alert(1)'


def anomaly(ident, severity="warn", name="router_new", subject="router=fe80::1 mac=02:00:00:00:00:01", says="A router is new. Is it yours?"):
    return {"id": ident, "name": name, "variant": "", "severity": severity, "first": "2026-11-22T05:40:10.123456Z",
            "last": "2026-11-22T05:45:10.123456Z", "count": 3, "vlan": "12", "subject": subject, "says": says}


def entry(health="ok", anomalies=(), version="0.1.0", **more):
    n = {s: sum(a["severity"] == s for a in anomalies) for s in ("critical", "warn", "info")}
    return {"v": 1, "health": health, "why": "", "version": version, "uptime_s": 86400, "dropped": 0, "missed": 0, "open": len(anomalies),
            **n, "line": 1, "lag_s": 0, "gap": 0, "anomalies": list(anomalies), "routers": [], **more}


BAD_PMTU = anomaly(7, "critical", "pmtu_blackhole", "reporter=203.0.113.4 path=192.0.2.1", "Big packets vanish behind this router. Clamp the TCP MSS.")
ENTRIES = {
    ("berlin", "tap-1"): entry(),
    ("berlin", "tap-2"): entry("critical", [BAD_PMTU, *(anomaly(100 + i) for i in range(60))], missed=12345),
    ("oslo", "tap-1"): entry("critical", [BAD_PMTU]),
    ("wien", "tap-1"): entry("warn", [anomaly(9, "warn", HOSTILE, HOSTILE, HOSTILE * 20)], version=HOSTILE, why=HOSTILE, host=HOSTILE),
}


@pytest.fixture(scope="module")
def browser():
    b = Browser()
    yield b
    b.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    out = {}
    for who in ("admin", "reader", "tap"):
        r = subprocess.run([program("icmpscopectl"), "fleet", "key", folder / f"{who}.nkey"], capture_output=True, text=True, timeout=20, check=True)
        out[who] = (folder / f"{who}.nkey", r.stdout.split()[-1])
    return out


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, keys):
    """A server to which all appliances have said something, and the settings of operator, reader and an appliance."""
    tmp_path = tmp_path_factory.mktemp("fleet")
    base = settings(tmp_path / "base", "nats://127.0.0.1:1")
    rules = ctl(base, "permissions", "berlin", "tap-9", keys["tap"][1])
    s = nats.Server(tmp_path / "server", "one", f"authorization {{ users: [ {{ nkey: {keys['admin'][1]} }}\n{READER % keys['reader'][1]}\n{rules}\n"
                    "{ user: suite } ] }\nno_auth_user: suite\n").start()
    nats.wait_for_jetstream([s])
    admin = settings(tmp_path / "admin", s.url(), more=f"{ONE}nkey = {keys['admin'][0]}\n")
    set_up(admin)
    reader = tmp_path / "reader.ini"
    reader.write_text(f"[fleet]\nservers = {s.url()}\nreader_nkey = {keys['reader'][0]}\n")
    tap = settings(tmp_path / "tap", s.url(), appliance="tap-9", more=f"{ONE}nkey = {keys['tap'][0]}\n")
    with nats.Client(s.port) as c:
        say(c, ENTRIES)
    yield s, admin, reader, tap
    s.stop(signal.SIGKILL)


def say(client, which):
    for site, appliance in which:
        r = client.publish(f"$KV.icmpscope_state.{site}.{appliance}", json.dumps(ENTRIES[site, appliance]))
        assert "error" not in r, r


def view(url, start=0):
    return get_json(f"{url}/api/v1/fleet?start={start}&count=50")


def opened(browser, url, words):
    browser.open(url + "/#fleet")
    browser.wait(f"return document.body.innerText.includes({json.dumps(words)})", words)


def test_publisher_cannot_read(fleet, browser, tmp_path):
    """An appliance's own key may not read, and the page says what to do; without a fleet there is no such view."""
    _, admin, _, tap = fleet
    with running(tmp_path / "no-socket", "-c", tap) as url:
        opened(browser, url, "The fleet may not be read since")
        assert "fleet.reader_nkey" in browser.text() and view(url)["connection"]["why"] == "refused"
        assert view(url)["fleet"] is None
        browser.open("about:blank")
    # It said that it stops.
    ctl(admin, "forget", "berlin", "tap-9")
    bare = tmp_path / "bare.ini"
    bare.write_text("")
    with running(tmp_path / "no-socket", "-c", bare) as url:
        assert get(url + "/api/v1/fleet")[0] == 404 and get_json(url + "/api/v1/state")["fleet"] is False
        browser.open(url + "/#fleet")
        browser.wait("return document.querySelector('.banner')", "the page")
        assert "Fleet" not in browser.text() and browser.script("return document.querySelectorAll('header a').length") == 0


def test_fleet_view(fleet, browser, tmp_path):
    s, _, reader, _ = fleet
    with running(tmp_path / "no-socket", "-c", reader) as url:
        assert get_json(url + "/api/v1/state")["fleet"] is True
        lab.wait_for("the appliances", lambda: view(url)["fleet"], 30)
        reply = view(url)
        assert reply["connection"]["ok"] and len(json.dumps(reply)) < 200000
        f = reply["fleet"]
        assert f["sites"]["total"] == 3 and f["appliances"]["total"] == 4 and f["open"] == 63
        page = f["anomalies"]
        assert (page["total"], len(page["list"]), [a["severity"] for a in page["list"][:3]]) == (63, 50, ["critical", "critical", "warn"])
        last = view(url, 50)["fleet"]["anomalies"]
        assert (last["start"], len(last["list"])) == (50, 13) and all(len(a["says"]) <= 300 for a in last["list"])
        assert view(url, 10 ** 18)["fleet"]["anomalies"]["list"] == []
        assert get(url + "/api/v1/fleet?start=x")[0] == 400

        browser.size(1200)
        browser.scheme("light")
        opened(browser, url, "3 of 4 appliances not well")
        lab.wait_for("the comparison", lambda: view(url)["fleet"]["findings"]["read_ms"], 30)
        browser.wait("return document.body.innerText.includes('One path MTU reporter: 203.0.113.4 at 2 sites')", "the correlation", 30)
        text = browser.text()
        for words in ("berlin / tap-2", "2026-11-22 05:40:10 UTC", "12,345", "Open findings everywhere (63)", "1 to 50 of 63", "Big packets vanish"):
            assert words in text, (words, text)
        assert browser.script("return [...document.querySelectorAll('header a')].map((a) => [a.textContent, a.getAttribute('aria-current')])") == [["Network", None], ["Fleet", "page"]]
        # What appliances say is text.
        for words in MARKUP:
            assert words in text, words
        assert browser.script("return document.querySelectorAll('main img, main script, main a').length") == 0
        assert browser.script("return window.owned === undefined")
        picture(browser, "fleet")
        browser.script("document.querySelector('[data-act=fleet-on]').click()")
        browser.wait("return document.body.innerText.includes('51 to 63 of 63')", "the second page")
        assert browser.axe() == []
        browser.scheme("dark")
        browser.size(375)
        browser.open("about:blank")
        opened(browser, url, "3 of 4 appliances not well")
        no_sideways(browser)
        assert browser.axe() == []
        picture(browser, "fleet-narrow")
        browser.size(1200)

        # Away: said, the last state stays; and back. Meanwhile oslo is silent for long enough.
        s.stop(signal.SIGKILL)
        browser.wait("return document.body.innerText.includes('The fleet cannot be read since') && document.querySelector('main.stale')", "that it is away", 60)
        assert "berlin / tap-2" in browser.text() and get(url + "/")[0] == 200
        picture(browser, "fleet-lost")
        s.start()
        nats.wait_for_jetstream([s])
        with nats.Client(s.port) as c:
            browser.wait("return !document.querySelector('.banner') && !document.querySelector('main.stale')", "that it is back", 90)

            def goes_silent():
                say(c, [k for k in ENTRIES if k != ("oslo", "tap-1")])
                first = "document.querySelector('[data-key=\"appliance-table\"] tbody tr').innerText"
                return browser.script(f"return /^oslo.*silent/s.test({first}) && document.querySelectorAll('.verdict dd')[2].textContent === '1'")
            lab.wait_for("oslo is silent", goes_silent, 90, 1)
            assert "last said" in browser.text()
            picture(browser, "fleet-silent")
            clean(browser)
            browser.open("about:blank")
