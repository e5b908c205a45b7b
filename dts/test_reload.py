"""SIGHUP: settings that are live count from the next message on, the others are named and wait, a file that is wrong changes
nothing; the journal, standard error and the socket say the same; under load nothing is lost."""

import os
import signal
import time

import journal
import pytest
from lab import wait_for
from scope import Scope
from test_program import ra
from wire import Wire

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


def asked(scope, command="/icmpscope/info"):
    """The answer, also of a control core that was busy for a moment."""
    return wait_for(f"an answer to {command}", lambda: [a] if "error" not in (a := scope.ask(command)) else None)[0]


def addresses(scope):
    """Of the routers that are known, with their ports."""
    try:
        return {(r["port"], r["address"]) for r in scope.telemetry.table("router")}
    except AssertionError:
        return set()


class Rig:
    """icmpscope on a wire, with a file of settings and a journal."""

    def __init__(self, tmp_path, wire, text, *args):
        self.ini, self.path, self.wire = tmp_path / "icmpscope.ini", tmp_path / "journal.json", wire
        self.ini.write_text(text)
        self.scope = Scope("-p", "tap0", "-c", self.ini, "--set", f"journal.file={self.path}", *args, ns=wire.ns)

    def hangup(self):
        self.scope.process.send_signal(signal.SIGHUP)

    def reload(self, text):
        """Returns /icmpscope/info once the settings are applied."""
        generation = asked(self.scope)["config_generation"]
        self.ini.write_text(text)
        self.hangup()
        return wait_for("the settings are applied", lambda: self.of_generation(generation + 1))

    def of_generation(self, n):
        info = asked(self.scope)
        return info if info["config_generation"] == n else None

    def events(self, *kinds):
        return [e["icmpscope"] for e in journal.lines(self.path) if e["icmpscope"]["event"] in kinds]

    def routers_new(self):
        rows = [asked(self.scope, f"/icmpscope/anomaly/info,{n}") for n in asked(self.scope, "/icmpscope/anomaly/list")]
        return {a["subject_router"]: a for a in rows if a["name"] == "router_new"}

    def announce(self, n):
        """A router of its own number says that it is there; what is known of it, or None."""
        self.wire.send(ra(None, n))
        wait_for(f"router {n} is known", lambda: (0, f"fe80::{n:x}") in addresses(self.scope))
        return self.routers_new().get(f"fe80::{n:x}")


@pytest.fixture
def wire():
    with Wire() as w:
        yield w


def test_what_is_live_counts_from_the_next_message_on(tmp_path, wire):
    rig = Rig(tmp_path, wire, "[detect]\nlearn_s = 86400\n")
    with rig.scope as scope:
        assert asked(scope)["config_generation"] == 1
        assert rig.announce(1) is None
        info = rig.reload("[detect]\nlearn_s = 0\n")
        assert (info["config_need_restart"], info["config_refused"]) == (0, 0)
        assert rig.announce(2)["muted"] == 0
        rig.reload("[detect]\nlearn_s = 0\nmute = router_new@fe80::3\n")
        assert rig.announce(3)["muted"] == 1
        rig.reload("[detect]\nlearn_s = 0\nrouters_allow = fe80::4\n")
        assert rig.announce(4) is None
        assert rig.announce(5)["muted"] == 0
        wait_for("it is said", lambda: "was read again: 2 settings changed, 2 applied, 0 need a restart" in scope.output())
        assert 'icmpscope: detect.learn_s: "86400" -> "0"\n' in scope.output()
        keys = wait_for("it is in the journal", lambda: k if len(k := rig.events("config_key")) == 4 else None)
        assert [(k["key"], k["before"], k["after"], k["applied"]) for k in keys] == [
            ("detect.learn_s", "86400", "0", True), ("detect.mute", "", "router_new@fe80::3", True),
            ("detect.routers_allow", "", "fe80::4", True), ("detect.mute", "router_new@fe80::3", "", True)]
        scope.assert_conservation()


def test_what_needs_a_restart_is_said_and_waits(tmp_path, wire):
    rig = Rig(tmp_path, wire, "[detect]\nlearn_s = 86400\n[worker]\nring_bulk = 1024\n", "--set", "detect.nce_limit=77")
    with rig.scope as scope:
        before = asked(scope, "/icmpscope/worker/info,0")["bulk_size"]
        info = rig.reload("[detect]\nlearn_s = 0\nnce_limit = 5\n[worker]\nring_bulk = 2048\n")
        assert info["config_need_restart"] == 1
        assert asked(scope, "/icmpscope/worker/info,0")["bulk_size"] == before
        # What was said on the command line wins over the file, now as then.
        assert "nce_limit 77 entries" in " ".join(map(str, asked(scope, "/icmpscope/detector/info,nd_scan").values()))
        wait_for("it is said", lambda: "was read again" in scope.output())
        assert 'worker.ring_bulk: "1024" -> "2048" needs a restart; until then it stays as it was\n' in scope.output()
        keys = wait_for("it is in the journal", lambda: k if len(k := rig.events("config_key")) == 2 else None)
        assert {k["key"]: k["applied"] for k in keys} == {"detect.learn_s": True, "worker.ring_bulk": False}
        config = wait_for("its end too", lambda: c if len(c := rig.events("config")) == 2 else None)[1]
        assert (config["generation"], config["applied"], config["need_restart"]) == (2, 1, 1)
        # It is still said while it is so, and no more once it is not.
        assert rig.reload("[detect]\nlearn_s = 0\n[worker]\nring_bulk = 2048\n")["config_need_restart"] == 1
        assert rig.reload("[detect]\nlearn_s = 0\n[worker]\nring_bulk = 1024\n")["config_need_restart"] == 0


@pytest.mark.parametrize("text,says", [
    ("[detect]\nlearn_s = 0\nnce_limit = 0\n", ':3: detect.nce_limit = "0" is out of range; allowed: 1 to 10000000'),
    ("[detect]\nlearn_s = 0\nmute = router_neww\n", "names a detector that there is not"),
    ("learn_s = 0\n", "before the first [section]"),
    (None, "No such file or directory"),
    ("DIR", "is no regular file"),
])
def test_a_wrong_file_changes_nothing(tmp_path, wire, text, says):
    rig = Rig(tmp_path, wire, "[detect]\nlearn_s = 86400\n")
    with rig.scope as scope:
        rig.ini.unlink()
        if text == "DIR":
            rig.ini.mkdir()
        elif text is not None:
            rig.ini.write_text(text)
        rig.hangup()
        info = wait_for("it is refused", lambda: i if (i := asked(scope))["config_refused"] == 1 else None)
        assert info["config_generation"] == 1 and info["config_need_restart"] == 0
        assert rig.announce(1) is None, "learning goes on"
        wait_for("it is said", lambda: "; nothing was changed\n" in scope.output())
        line = next(line for line in scope.output().splitlines() if "nothing was changed" in line)
        assert line.startswith(f"icmpscope: {rig.ini}") and says in line
        refused = wait_for("it is in the journal", lambda: rig.events("config_refused"))
        assert len(refused) == 1 and refused[0]["file"] and refused[0]["why"]
        assert rig.events("config_key") == []
        # Once it is right again, it counts.
        if text == "DIR":
            rig.ini.rmdir()
        assert rig.reload("[detect]\nlearn_s = 0\n")["config_refused"] == 1
        assert rig.announce(2) is not None


def test_without_a_file(wire):
    with Scope("-p", "tap0", ns=wire.ns) as scope:
        scope.process.send_signal(signal.SIGHUP)
        wait_for("it is said", lambda: "SIGHUP: there is no file of settings (-c) to read again" in scope.output())
        assert asked(scope)["config_generation"] == 1


def test_limits_of_the_journal(tmp_path, wire):
    """A journal that takes one more megabyte, and one earlier file of it."""
    rig = Rig(tmp_path, wire, "[detect]\nlearn_s = 0\n[journal]\nmax_mb = 0\nkeep = 5\n")
    with rig.scope as scope:
        info = rig.reload("[detect]\nlearn_s = 0\n[journal]\nmax_mb = 1\nkeep = 1\n")
        assert info["config_need_restart"] == 0 and info["journal_rotations"] == 0
        n = 0
        while asked(scope)["journal_rotations"] < 2:
            rig.wire.send(*[ra(vlan, n + vlan) for vlan in range(1, 100)])
            n += 100
            assert n < 100000
            time.sleep(0.02)
        assert sorted(p.name for p in tmp_path.glob("journal.json*")) == ["journal.json", "journal.json.1"]


@pytest.mark.live
def test_under_load_nothing_is_lost(tmp_path, wire):
    """Forty times the settings change while messages come."""
    texts = ["[detect]\nlearn_s = 0\nproxies = 00:00:5e:00:53:01\ngateways = fe80::1\n",
             "[detect]\nlearn_s = 86400\nroute_limit = 5\nmute = *\n"]
    # Room for all of them, however long the control core waits for a CPU.
    rig = Rig(tmp_path, wire, texts[1], "--set", "worker.ring_urgent=262144")
    frames = [ra(vlan, n) for vlan in range(1, 101) for n in range(1, 5)]
    with rig.scope as scope:
        before, sent = scope.settled()["frames"], 0
        for i in range(40):
            # Whole at any moment, as a file of settings has to be that is read while it changes.
            (tmp_path / "next.ini").write_text(texts[i % 2])
            (tmp_path / "next.ini").rename(rig.ini)
            rig.hangup()
            wire.send(*frames)
            sent += len(frames)
            # The kernel keeps some thousand frames for a worker that waits for a CPU.
            wait_for("all frames came", lambda: asked(scope)["frames"] >= before + sent, interval=0.01)
        info = scope.assert_conservation()
        assert info["frames"] == before + sent and info["missed"] == 0
        # Several in a row may be one.
        wait_for("the last is applied", lambda: scope.output().count("was read again") >= 1)
        assert 2 <= asked(scope)["config_generation"] <= 41 and asked(scope)["config_refused"] == 0
    journal.assert_gapless(journal.lines(rig.path))
