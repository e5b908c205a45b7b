"""Journals for the suites: each line is checked against docs/journal.schema.json, running numbers without a gap that is not
told."""

import json
import time
from pathlib import Path

import jsonschema
from conftest import ROOT

SCHEMA = json.loads((ROOT / "docs" / "journal.schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(SCHEMA)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def lines(*paths):
    """The events of these files, the earliest first; every line is whole and valid."""
    out = []
    for path in paths:
        end = time.monotonic() + 10
        while (text := Path(path).read_text(encoding="ascii")) and not text.endswith("\n") and time.monotonic() < end:
            time.sleep(0.01)  # it is being written: a line across two pages of memory is there by halves for a moment
        assert text == "" or text.endswith("\n"), f"{path} ends in the middle of a line: {text[-200:]!r}"
        for line in text.splitlines():
            event = json.loads(line)
            errors = [e.message for e in VALIDATOR.iter_errors(event)]
            assert not errors, (errors, line)
            out.append(event)
    return out


def assert_gapless(events):
    """Within each run numbers go up by one, but for as many as a line tells are lost; "line" goes on across runs."""
    last, line = {}, 0
    for e in events:
        own = e["icmpscope"]
        lost = own["lost"] if own["event"] == "journal_lost" else 0
        if own["boot"] in last:
            assert own["seq"] == last[own["boot"]] + 1 + lost, own
        last[own["boot"]] = own["seq"]
        assert line == 0 or own["line"] == line + 1 + lost, own
        line = own["line"]


def kinds(events):
    return [e["icmpscope"]["event"] for e in events]
