#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two workers beside one, as a port's RSS would share flows out.

    perf/scaling.py BUILD_DIR [--rounds N] [--flows N] [--json FILE]

Runs the build's bench_path --child once alone and twice at once, in turns, each on a CPU of its own and with flows,
tables and models of its own, as workers have them. Ratios are of the same round: packets a second of both to those of
the one alone.
CPUs that are threads of one core share its units and caches; the output says whether they are."""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

CASES = ("no_models", "default_both")


def start(bench, cpu, case, flows):
    return subprocess.Popen(
        ["taskset", "-c", str(cpu), bench, "--child", "--case", case, "--flows", str(flows), "--rounds", "21"],
        stdout=subprocess.PIPE, text=True)


def rate(process, case):
    """Million packets a second, as the child says."""
    out = process.communicate(timeout=300)[0]
    for line in out.splitlines():
        row = line.split()
        if row[:2] == ["row", case + ".ns"]:
            return 1000 / float(row[2])
    sys.exit(f"{process.args}: no row {case}.ns:\n{out}")


def siblings(cpus):
    path = Path(f"/sys/devices/system/cpu/cpu{cpus[0]}/topology/thread_siblings_list")
    return path.exists() and str(cpus[1]) in path.read_text("utf-8").replace("-", ",").strip().split(",")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flows", type=int, default=1 << 18, help="of each worker")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    bench = f"{arguments.build}/perf/bench_path"
    cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(cpus) < 2:
        sys.exit("two CPUs are needed")
    print(f"CPUs {cpus[0]} and {cpus[1]}: {'two threads of one core' if siblings(cpus) else 'cores of their own'}")
    results = []
    for case in CASES:
        alone, both, ratios = [], [], []
        for _ in range(arguments.rounds):
            alone.append(rate(start(bench, cpus[1], case, arguments.flows), case))
            pair = [start(bench, cpu, case, arguments.flows) for cpu in cpus]
            both.append(sum(rate(process, case) for process in pair))
            ratios.append(both[-1] / alone[-1])
        for name, value, unit in (("one", statistics.median(alone), "Mpps"), ("two", statistics.median(both), "Mpps"),
                                  ("ratio", statistics.median(ratios), "x")):
            print(f"scaling.{case}.{name:24} {value:10.3f} {unit}")
            results.append({"name": f"scaling.{case}.{name}", "value": value, "unit": unit, "goal": None,
                            "higher_is_better": True})
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"results": results}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
