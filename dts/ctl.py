"""icmpscopectl as a function, for the suites."""

import json
import subprocess

from conftest import program


def ctl(*args, status=0):
    """Its standard output; with another status expected, its one line on standard error."""
    r = subprocess.run([str(program("icmpscopectl")), *map(str, args)], capture_output=True, text=True, timeout=90,
                       stdin=subprocess.DEVNULL)
    assert "Sanitizer" not in r.stderr and "runtime error" not in r.stderr, r.stderr
    assert r.returncode == status, (r.returncode, r.stdout, r.stderr)
    if status != 0:
        assert r.stdout == "" and r.stderr.startswith("icmpscopectl: ") and r.stderr.count("\n") == 1, r
    return r.stdout if status == 0 else r.stderr


def ctl_json(*args):
    return json.loads(ctl(*args, "--json"))
