"""The manual pages say what --help says: every program's options, every command of icmpscopectl, every key."""

import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, program

MAN = ROOT / "docs/man"
PROGRAMS = {"icmpscope": 8, "icmpscope-read": 1, "icmpscopectl": 1, "icmpscope-exporter": 1}
# An option is a word of its own: not the dashes inside one.
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*|-[a-zA-Z])(?![\w-])")


def help_of(name, *command):
    r = subprocess.run([program(name), *command, "--help"], capture_output=True, text=True, timeout=20)
    assert (r.returncode, r.stderr) == (0, "")
    return r.stdout


def commands():
    """Names as the first words of the lines of --help; of fleet and its like, the first word alone."""
    return sorted(set(re.findall(r"^  ([a-z]+)(?: |$)", help_of("icmpscopectl"), re.M)))


def page(name, section):
    return (MAN / f"{name}.{section}").read_text()


def options_of_page(text):
    """What the page explains: the flags of its .It lines, and those of the synopsis of a command."""
    return {"-" + f for line in text.splitlines() if line.startswith((".It", ".Op", ".Oo", ".Cm"))
            for f in re.findall(r"\bFl (-?[A-Za-z][a-z0-9-]*)", line)}


@pytest.mark.parametrize("name", PROGRAMS)
def test_options(name):
    said = help_of(name)
    if name == "icmpscopectl":
        said += "".join(help_of(name, c) for c in commands())
    # What an example hands to another program (tshark -V -r -, icmpscopectl top) is none of ours.
    ours = "\n".join(line for line in said.splitlines()
                     if ("|" not in line or "[" in line) and (name == "icmpscopectl" or "icmpscopectl" not in line))
    options = set(OPTION.findall(ours)) | {"--help", "--version"}
    assert len(options) > 3, said
    assert options_of_page(page(name, PROGRAMS[name])) == options


def test_commands():
    listed = re.findall(r"^\.It Cm ([a-z]+)", page("icmpscopectl", 1), re.M)
    assert len(commands()) > 15
    assert sorted(set(listed)) == commands()


def test_keys():
    ini = (ROOT / "config/icmpscope.ini").read_text()
    text = subprocess.run([sys.executable, ROOT / "devtools/gen-man-ini", ROOT / "config/icmpscope.ini"],
                          capture_output=True, text=True, check=True, timeout=20).stdout
    keys = re.findall(r"^([a-z_0-9]+) *=", ini, re.M)
    assert len(keys) > 40
    assert re.findall(r"^\.It Ic (\w+)", text, re.M) == keys
    assert [s.lower() for s in re.findall(r"^\.Sh SECTION (\w+)", text, re.M)] == re.findall(r"^\[(\w+)\]", ini, re.M)


def test_syntax(tmp_path):
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed (devtools/setup test)")
    made = tmp_path / "icmpscope.ini.5"
    with open(made, "w") as out:
        subprocess.run([sys.executable, ROOT / "devtools/gen-man-ini", ROOT / "config/icmpscope.ini"], stdout=out, check=True,
                       timeout=20)
    pages = [MAN / f"{n}.{s}" for n, s in PROGRAMS.items()] + [made]
    r = subprocess.run(["mandoc", "-Tlint", "-W", "warning", *pages], capture_output=True, text=True, timeout=20)
    assert (r.returncode, r.stdout + r.stderr) == (0, "")
