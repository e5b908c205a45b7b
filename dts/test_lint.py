"""devtools/lint is part of the test run."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("check", ["format", "layering", "paths", "ascii"])
def test_lint(check):
    r = subprocess.run([str(ROOT / "devtools" / "lint"), check], capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stdout + r.stderr
