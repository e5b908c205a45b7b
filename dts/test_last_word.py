"""A gateway retracts itself in the middle of a flood of forged router advertisements, each from a router of its own, as fast
as a process makes them: reported every time, with the right evidence. ICMPSCOPE_LONG=1 tries it a hundred times."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT, program
from scope import Scope

sys.path.insert(0, str(ROOT / "devtools"))

import bench_rows  # noqa: E402

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(os.geteuid() != 0, reason="DPDK's processes need root here"),
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two CPUs are needed, one for each process"),
]


@pytest.mark.parametrize("known", ["named", "learned"])
def test_it_is_reported_every_time(monkeypatch, record_property, known):
    monkeypatch.setenv("ICMPSCOPE_BUILD", str(program("icmpscope").parents[2]))
    if not bench_rows.program("icmpscope-bench-generator").exists():
        pytest.fail("icmpscope-bench-generator is missing: build first", pytrace=False)
    times = 100 if os.environ.get("ICMPSCOPE_LONG") else 2
    directory = Path(tempfile.mkdtemp(prefix="icsl", dir="/tmp"))
    try:
        row = bench_rows.last_word(directory, times, Scope, known)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    record_property("row", row)
    print(row)
    assert row["found"] == row["right_evidence"] == times
    assert row["exact"] == times
