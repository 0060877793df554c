#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Command lines that are wrong: one clear line that names the argument, and exit code 2. And `weir check` on a rule that
no model can trigger: good, with a warning.

usage_check.py WEIR WEIRCTL WEIRLAB
"""
import pathlib
import subprocess
import sys
import tempfile

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


RULE_WITHOUT_CLASS = """
ports:
  - {name: lan, device: "net_null0"}
  - {name: wan, device: "net_null1"}
pairs: [[lan, wan]]
policy: {use: edge}
policies:
  edge:
    rules:
      - {slot: anomaly, class: scan, action: drop}
      - {slot: anomaly, class: [flood, no_such_thing], action: drop}
"""


def warns_of_class(weir):
    """The shipped anomaly model has scan and flood."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "weir.yaml"
        path.write_text(RULE_WITHOUT_CLASS, encoding="utf-8")
        done = subprocess.run(
            [weir, "check", "-q", "-c", path], capture_output=True, text=True, timeout=60, check=False)
        start = f"warning: {path}: policies.edge.rules[1].class: no model of slot anomaly has the class 'no_such_thing'"
        lines = done.stderr.splitlines()
        good = (done.returncode == 0 and len(lines) == 1 and lines[0].startswith(start)
                and "use one of: " in lines[0] and done.stdout == f"{path}: ok\n")
        print("ok  " if good else "FAIL", "weir check", f"-> {done.returncode}: {done.stdout}{done.stderr.strip()}")
        return good


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
    wrong += not warns_of_class(programs["weir"])
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
