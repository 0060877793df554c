#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Command lines that are wrong: one clear line that names the argument, and exit code 2.

usage_check.py WEIR WEIRCTL WEIRLAB
"""
import subprocess
import sys

WRONG = [
    ("weir", ["replay", "--in", "x.pcap", "--burst", "-5"], "--burst"),
    ("weir", ["run", "--bogus"], "--bogus"),
    ("weir", [], "subcommand"),
    ("weirctl", ["models", "activate", "qos", "m", "-1"], "-1"),
    ("weirctl", ["models", "canary", "qos", "m", "-5"], "-5"),
    ("weirctl", ["top", "--interval", "-1"], "--interval"),
    ("weirctl", ["--timeout", "-1", "status"], "--timeout"),
    ("weirlab", ["train", "--trees", "-5"], "--trees"),
    ("weirlab", [], "subcommand"),
]


def main():
    programs = dict(zip(("weir", "weirctl", "weirlab"), sys.argv[1:], strict=True))
    wrong = 0
    for program, arguments, word in WRONG:
        done = subprocess.run(
            [programs[program], *arguments], capture_output=True, text=True, timeout=60, check=False)
        lines = done.stderr.splitlines()
        good = (done.returncode == 2 and len(lines) == 1 and word in lines[0] and not done.stdout
                and lines[0].startswith(program + ": "))
        wrong += not good
        print("ok  " if good else "FAIL", program, *arguments, f"-> {done.returncode}: {done.stdout}{done.stderr.strip()}")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
