#!/usr/bin/env python3
"""set-keys.py FILE.ini SECTION.KEY=VALUE...: the file with those keys set, on standard output. A key that the file lacks is
an error, so that what is installed keeps up with config/icmpscope.ini."""

import sys


def main():
    wanted = dict(assignment.split("=", 1) for assignment in sys.argv[2:])
    section = ""
    with open(sys.argv[1], encoding="ascii") as f:
        for line in f:
            if line.startswith("["):
                section = line.strip()[1:-1]
            key = line.split("=", 1)[0].strip()
            if "=" in line and not line.startswith(("#", ";")) and f"{section}.{key}" in wanted:
                line = f"{key} = {wanted.pop(f'{section}.{key}')}\n"
            sys.stdout.write(line)
    if wanted:
        sys.exit(f"set-keys.py: {sys.argv[1]} has no {', '.join(wanted)}")


main()
