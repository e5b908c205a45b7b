"""A fleet whose servers know their clients by tokens (operator mode): what a credentials file does for an exporter, and what one does
that others can read, that is damaged, or that is another appliance's."""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import urllib.request

import lab
import nats
import pytest
from conftest import program
from test_fleet import ONE, STREAM, Exporter, Journal, assert_whole, ctl, exporter, set_up, settings, trouble

nats_jwt = pytest.importorskip("nats_jwt", reason="python3-cryptography is not installed (devtools/setup test)")

pytestmark = [pytest.mark.live,
              pytest.mark.skipif(not os.path.exists("/usr/sbin/nats-server"), reason="nats-server is not installed (devtools/setup test)")]

LINES = 40


def write_secret(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def rights(ini, site, appliance, public):
    """What icmpscopectl fleet permissions says, as the two lists of a token."""
    block = ctl(ini, "permissions", site, appliance, public)
    return [re.findall('"([^"]+)"', part) for part in re.search(r"publish:(.*)subscribe:(.*)", block, re.DOTALL).groups()]


def failures(e):
    """As its metrics count them."""
    listen = e.process.args[2]
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{listen}/metrics", timeout=10) as r:
        found = re.search(r"^icmpscope_fleet_failures_total ([0-9]+)$", r.read().decode(), re.MULTILINE)
        return int(found.group(1)) if found else 0
    return 0


def refusal(ini, name):
    """The one line with which an exporter ends."""
    e = Exporter(ini, ini.parent / name)
    try:
        assert e.process.wait(timeout=60) != 0
    finally:
        e.stop(signal.SIGKILL)
    assert len(e.lines()) == 1, e.lines()
    return e.lines()[0]


@pytest.mark.parametrize("what", ["nkey", "creds"])
def test_signature_that_the_library_leaves_out(tmp_path, what):
    """It begins with a zero octet, one of 256: the server refuses, and the next nonce has another one."""
    user = nats_jwt.Operator().user("admin")
    secret = write_secret(tmp_path / "secret", user.creds() if what == "creds" else user.key.seed)

    def nonce(zero):
        while True:
            text = base64.urlsafe_b64encode(os.urandom(11)).decode().rstrip("=")
            if (user.key.private.sign(text.encode())[0] == 0) == zero:
                return text

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        port = listener.getsockname()[1]
        ini = settings(tmp_path / "ctl", f"nats://127.0.0.1:{port}", more=f"{ONE}{what} = {secret}\n")
        process = subprocess.Popen([program("icmpscopectl"), "fleet", "--json", "-c", ini], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        signatures = []
        for text in (nonce(True), nonce(True), nonce(False)):
            with listener.accept()[0] as c:
                info = {"server_id": "x", "version": "2.9.10", "proto": 1, "headers": True, "max_payload": 1 << 20, "auth_required": True, "nonce": text}
                c.sendall(f"INFO {json.dumps(info)}\r\n".encode())
                with c.makefile("rb") as lines:
                    signatures.append((json.loads(lines.readline().split(b" ", 1)[1]).get("sig"), user.key.sign(text.encode())))
                c.sendall(b"-ERR 'Authorization Violation'\r\n")
        assert process.wait(60) == 1 and b"does not let this client in" in process.stderr.read()
        process.stderr.close()
        listener.settimeout(0.5)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert signatures[-1][0] == signatures[-1][1]
    # A library that sends it, or one that does not.
    assert all(sent in (None, right) for sent, right in signatures), signatures


def test_credentials_file(tmp_path):
    operator = nats_jwt.Operator()
    admin = operator.user("admin")
    s = nats.Server(tmp_path / "server", "one", operator.conf)
    base = settings(tmp_path / "admin", s.url(), more=f"{ONE}creds = {write_secret(tmp_path / 'admin.creds', admin.creds())}\n")
    publish, subscribe = rights(base, "berlin", "tap-1", admin.key.public)
    assert "icmpscope.berlin.tap-1.>" in publish and len(subscribe) == 1
    tap = operator.user("tap-1", publish, subscribe)
    creds = write_secret(tmp_path / "tap.creds", tap.creds(), 0o640)
    ini = settings(tmp_path / "tap", s.url(), more=f"{ONE}creds = {creds}\n")
    journal = Journal(tmp_path / "tap" / "journal.json", per_file=LINES // 2)

    def there():
        with nats.Client(s.port, user=admin) as c:
            return c.count(STREAM)

    try:
        s.start()
        set_up(base)
        journal.write(LINES - 10)
        with exporter(ini) as e:
            lab.wait_for("the journal as it was", lambda: there() == LINES - 10)
            journal.write(10)
            lab.wait_for("what came meanwhile", lambda: there() == LINES)
            for name in ("cmdline", "environ"):
                seen = open(f"/proc/{e.process.pid}/{name}", "rb").read()
                assert tap.key.seed.encode() not in seen and tap.token.encode() not in seen
            assert not any("refuses it" in t or "let this client in" in t for t in e.lines()), e.lines()
        # As another appliance, with the credentials of this one.
        liar = settings(tmp_path / "liar", s.url(), appliance="tap-2", more=f"{ONE}creds = {creds}\n", journal=journal.path)
        with exporter(liar) as e:
            # Its place or its lines, its state, its lines again: two kinds of work, each said once.
            def refused():
                return [t for t in e.lines() if "refuses it: Permissions Violation" in t and "berlin.tap-2" in t]
            lab.wait_for("that it is refused more than once", lambda: failures(e) >= 3 and any("$KV." not in t for t in refused()))
            said = ["$KV." in t for t in refused()]
            assert said.count(False) == 1 and said.count(True) <= 1, e.lines()
            e.stop(signal.SIGKILL)
        # Of a user that the account's key did not sign.
        stranger = nats_jwt.Operator().user("tap-1", publish, subscribe)
        ini.write_text(ini.read_text().replace(str(creds), str(write_secret(tmp_path / "stranger.creds", stranger.creds()))))
        with exporter(ini, "stranger") as e:
            lab.wait_for("that it is not let in", lambda: any("does not let this client in" in t for t in trouble(e)))
            assert "fleet.creds" in trouble(e)[0]
        ini.write_text(ini.read_text().replace("stranger.creds", "tap.creds"))
        # One that everybody can read, and those that are none.
        creds.chmod(0o644)
        assert "chmod" in (line := refusal(ini, "open")) and str(creds) in line
        wrong = tap.key.seed[:20] + ("A" if tap.key.seed[20] != "A" else "B") + tap.key.seed[21:]
        for n, text in enumerate((tap.creds(seed=wrong), tap.creds(seed=tap.key.public), tap.creds().split("-----BEGIN USER")[0], tap.key.seed, "",
                                  tap.creds(token=tap.token[:-7]), tap.creds(seed=admin.key.seed), "x" * 100000)):
            write_secret(creds, text)
            line = refusal(ini, f"damaged-{n}")
            assert f"fleet.creds = {creds}" in line, line
        # An operator's words are as clear.
        base.write_text(base.read_text().replace(str(tmp_path / "admin.creds"), str(creds)))
        assert "fleet.creds" in ctl(base, status=1)

        with nats.Client(s.port, user=admin) as c:
            messages = c.read(STREAM)
            states = c.read("KV_icmpscope_state")
        assert len(messages) == LINES
        assert_whole(messages, LINES)
        assert [m[1] for m in states] == ["$KV.icmpscope_state.berlin.tap-1"] and states[0][3]["line"] == LINES
        # No seed is in what was said, what was stored, or what the server wrote.
        files = [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".creds" and p.name != "nats.conf"]
        assert len(files) > 10
        for p in files:
            text = p.read_bytes()
            assert not any(u.key.seed.encode() in text for u in (tap, admin, stranger)) and wrong.encode() not in text, p
        assert tap.key.seed not in json.dumps([messages, states])
    finally:
        s.stop(signal.SIGKILL)
