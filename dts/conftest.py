"""What the suites share: where the programs are (ICMPSCOPE_BUILD, default build), where the captures of others are
(ICMPSCOPE_CAPTURES, default ../shared/captures beside the repository), and the reader."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "dts" / "vectors"


def pytest_configure(config):
    config.addinivalue_line("markers", "live: depends on the timing of real kernels and daemons; played once more when it fails")
    if not config.pluginmanager.hasplugin("rerunfailures"):
        config.addinivalue_line("markers", "flaky: of python3-pytest-rerunfailures, which is not installed")


def pytest_collection_modifyitems(items):
    for item in items:
        # A browser takes its time as any daemon does.
        if item.get_closest_marker("live") or "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_runtest_setup(item):
    """What a fixture of the module threw stays kept for all tests that ask for it later on (request.getfixturevalue): one that is
    played again begins without, and so makes the fixture again."""
    if getattr(item, "execution_count", 1) > 1:
        for known in item.session._fixturemanager._arg2fixturedefs.values():
            for f in known:
                if getattr(f, "cached_result", None) is not None and f.cached_result[2] is not None:
                    f.cached_result = None


def is_again(request):
    """The test failed and is played once more: what a fixture of the module has in store for it is no answer then."""
    return getattr(request.node, "execution_count", 1) > 1


def program(name):
    path = Path(os.environ.get("ICMPSCOPE_BUILD", ROOT / "build")).resolve() / "app" / name / name
    if not path.exists():
        pytest.fail(f"{path} is missing: build first, or set ICMPSCOPE_BUILD", pytrace=False)
    return path


class Reader:
    """icmpscope-read as a function; sanitizer findings fail the test."""

    def __init__(self, path):
        self.path = path

    def run(self, *args, **kwargs):
        r = subprocess.run([self.path, *args], capture_output=True, timeout=120, **kwargs)
        assert r.returncode in (0, 1, 2), r.stderr.decode(errors="replace")
        assert b"Sanitizer" not in r.stderr and b"runtime error" not in r.stderr, r.stderr.decode(errors="replace")
        return r

    def json(self, *args, status=0, **kwargs):
        r = self.run("--json", *args, **kwargs)
        assert r.returncode == status, r.stderr.decode(errors="replace")
        return json.loads(r.stdout.decode("ascii"))


@pytest.fixture(scope="session")
def reader():
    return Reader(program("icmpscope-read"))


@pytest.fixture(scope="session")
def captures():
    path = Path(os.environ.get("ICMPSCOPE_CAPTURES", ROOT.parent / "shared" / "captures"))
    if not (path / "index.tsv").exists():
        pytest.skip(f"no captures in {path}: ICMPSCOPE_CAPTURES names the folder that holds index.tsv")
    return path
