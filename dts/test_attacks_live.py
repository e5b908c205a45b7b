"""Real attack tools against small LANs of real kernels, watched by icmpscope on AF_PACKET: each has its right name, and no
wrong one. The attacks are in attacks.py; they run in groups, a LAN each (attack_lan.py), when the first test asks."""

import shutil

import attacks
import lab
import pytest
from conftest import is_again, program

WHY_NOT = lab.unavailable()
pytestmark = [pytest.mark.live, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]
PATH = "/usr/bin:/usr/sbin:/bin:/sbin"


def missing(attack):
    """The tools of attack that are not installed."""
    wanted = [attack.command[0], "tc", "timeout"] + (["rdisc6"] if attack.meanwhile else [])
    return [t for t in wanted if not shutil.which(t, path=PATH)]


@pytest.fixture(scope="module")
def found(request):
    """Attack and whether it is made again -> anomalies. All that are asked for in this run are made at once at first."""
    program("icmpscope")
    wanted = {i.callspec.params["attack"].name for i in request.session.items if i.module is request.module}
    results = attacks.run([a for a in attacks.ATTACKS if a.name in wanted and not missing(a)])

    def of(attack, again):
        if again:
            results.update(attacks.run([attack]))
        return results[attack.name]

    return of


@pytest.mark.parametrize("attack", attacks.ATTACKS, ids=lambda a: a.name)
def test_attack(attack, request):
    if missing(attack):
        pytest.skip(f"{', '.join(missing(attack))} not installed (devtools/setup test)")
    anomalies = request.getfixturevalue("found")(attack, is_again(request))
    wrong = attacks.verdict(attack, anomalies)
    assert wrong is None, "\n".join([f"{' '.join(attack.command)}: {wrong}"] + [a["says"] for a in anomalies])
