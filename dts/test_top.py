"""icmpscopectl top in a real terminal (tmux): sizes, keys, a restart underneath, and a terminal left as it was."""

import os
import re
import shutil
import subprocess
import time

import pytest
from conftest import VECTORS, program
from ctl import ctl
from scope import Scope

INCIDENT1 = VECTORS / "incident1.pcap"
pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")]


def socket_of(scope):
    return scope.dir / "dpdk" / scope.prefix / "dpdk_telemetry.v2"


class Terminal:
    def __init__(self, tmp_path, width=80, height=24):
        self.server = str(tmp_path / "tmux")
        # A login shell of its own: its prompt tells when the program is gone.
        env = dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8")
        subprocess.run(["tmux", "-S", self.server, "-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
                        "env", "PS1=ready> ", "bash", "--norc", "--noprofile"], check=True, timeout=60, env=env)
        self.wait_for(r"^ready>$")

    def run(self, *args):
        return subprocess.run(["tmux", "-S", self.server, *args], capture_output=True, text=True, timeout=60)

    def text(self):
        return self.run("capture-pane", "-p").stdout

    def keys(self, *keys):
        self.run("send-keys", *keys)

    def resize(self, width, height):
        self.run("resize-window", "-x", str(width), "-y", str(height))

    def wait_for(self, pattern, timeout=60):
        end = time.monotonic() + timeout
        while not re.search(pattern, self.text(), re.M):
            assert time.monotonic() < end, f"no {pattern!r} in:\n{self.text()}"
            time.sleep(0.1)

    def close(self):
        self.run("kill-server")


@pytest.fixture
def terminal(tmp_path):
    t = Terminal(tmp_path)
    yield t
    t.close()


def start(terminal, path):
    terminal.keys(f"{program('icmpscopectl')} top --socket {path}", "Enter")


def test_top_sizes_keys_and_restart(terminal, tmp_path):
    link = tmp_path / "socket"
    with Scope("-p", f"pcap:{INCIDENT1}") as scope:
        link.symlink_to(socket_of(scope))
        start(terminal, link)
        terminal.wait_for(r"^icmpscope \S+, capture, up ")
        terminal.wait_for(r"^OPEN ANOMALIES: 1$")
        terminal.wait_for(r"CRIT +\S+ +10 x1 +router_flag_cleared \(unsol_all\) router=fe80::1")
        terminal.wait_for(r"^frames +0/s +350")
        terminal.wait_for(r"^VLAN +MSG/S +HOSTS")
        terminal.wait_for(r"^10 +0 +9 +0 ")
        for width, height in ((60, 20), (200, 60), (20, 5), (80, 24)):
            terminal.resize(width, height)
            terminal.wait_for(r"too small" if width < 40 else r"^OPEN ANOMALIES: 1")
            assert all(len(line) <= width for line in terminal.text().splitlines())
        terminal.keys("Space")
        terminal.wait_for(r"PAUSED")
        terminal.keys("Down", "Up", "PPage", "NPage", "x", "Space")
        terminal.wait_for(r"^icmpscope [^P]*$")
    terminal.wait_for(r"icmpscope does not answer; trying again")
    with Scope("-p", f"pcap:{INCIDENT1}") as scope:
        link.unlink()
        link.symlink_to(socket_of(scope))
        terminal.wait_for(r"\Aicmpscope [^\n]*\n\s*frames +0/s +350")
        terminal.keys("q")
        terminal.wait_for(r"^ready>$")
    # Echo is back, and the cursor.
    terminal.keys("echo 'as' 'before'; stty -a | grep -o ' -\\?echo ' | head -1", "Enter")
    terminal.wait_for(r"^as before$")
    terminal.wait_for(r"^ echo")
    assert terminal.run("display-message", "-p", "#{cursor_flag} #{alternate_on}").stdout.strip() == "1 0"


def test_top_leaves_the_terminal_when_told_to_end(terminal, tmp_path):
    with Scope("-p", f"pcap:{INCIDENT1}") as scope:
        start(terminal, socket_of(scope))
        terminal.wait_for(r"^OPEN ANOMALIES")
        terminal.keys("C-c")
        terminal.wait_for(r"^ready>$")
        assert terminal.run("display-message", "-p", "#{alternate_on}").stdout.strip() == "0"


def test_top_wants_a_terminal_and_an_icmpscope(terminal, tmp_path):
    assert "wants a terminal" in ctl("top", "--socket", tmp_path / "none", status=1)
    assert "--json" in ctl("top", "--json", status=2)
    start(terminal, tmp_path / "none")
    terminal.wait_for(r"no icmpscope answers at ")
