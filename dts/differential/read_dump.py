"""icmpscope's own view: the lines of icmpscope-dump."""

import subprocess

from differential.view import View


def split(text):
    return () if text == "-" else text.split(",")


def parse(line):
    _, cls, checksum, options, records, reasons = line.rstrip("\n").split("\t")
    return View(
        cls,
        checksum,
        tuple(tuple(map(int, o.split(":"))) for o in split(options)),
        tuple((int(t), g, int(n)) for t, g, n in (r.split("/") for r in split(records))),
        {"reasons": frozenset(split(reasons))},
    )


def read(program, path):
    r = subprocess.run([program, path], capture_output=True, timeout=120)
    errors = r.stderr.decode(errors="replace")
    assert r.returncode == 0 and not errors, errors
    lines = r.stdout.decode("ascii").splitlines()
    assert lines[0] == "frame\tclass\tchecksum\toptions\trecords\treasons"
    return [parse(line) for line in lines[1:]]
