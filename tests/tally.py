#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counts test cases over meson's testlog.json files and prints 'N passed, N failed, N skipped'.

A GoogleTest program counts by its cases, any other test as one. A program that fails without a failed case (a crash,
a timeout, a sanitizer's report at exit) counts as one failure more, and so does a log that is not there. Exit 1 if
anything failed or nothing ran.
"""
import argparse
import json
import re
import sys

PASSED = re.compile(r"\[       OK \] \S+.* \(\d+ ms\)")
FAILED = re.compile(r"\[  FAILED  \] \S+.* \(\d+ ms\)")
SKIPPED = re.compile(r"\[  SKIPPED \] \S+.* \(\d+ ms\)")
GTEST = re.compile(r"\[==========\] Running \d+ test")


def count(entry):
    """(passed, failed, skipped) of one line of a log."""
    output = entry.get("stdout") or ""
    result = entry["result"]
    good = result in ("OK", "EXPECTEDFAIL")
    if not GTEST.search(output):
        return (int(good), int(not good and result != "SKIP"), int(result == "SKIP"))
    passed, failed, skipped = (len(pattern.findall(output)) for pattern in (PASSED, FAILED, SKIPPED))
    if not good and result != "SKIP" and failed == 0:
        failed = 1
    return (passed, failed, skipped)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broken", type=int, default=0, help="stages that did not build, counted as failures")
    parser.add_argument("logs", nargs="*")
    arguments = parser.parse_args()
    total = [0, arguments.broken, 0]
    for path in arguments.logs:
        try:
            with open(path, encoding="utf-8") as log:
                entries = [json.loads(line) for line in log if line.strip()]
        except FileNotFoundError:
            print(f"failed: {path}: no test ran", file=sys.stderr)
            total[1] += 1
            entries = []
        for entry in entries:
            counts = count(entry)
            total = [a + b for a, b in zip(total, counts)]
            if counts[1]:
                print(f"failed: {path.split('/meson-logs')[0]}: {entry['name']}", file=sys.stderr)
            for line in re.findall(r".*\bskipped: .*", entry.get("stdout") or ""):
                print(f"{entry['name']}: {line.strip()}", file=sys.stderr)
    sys.stderr.flush()
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
