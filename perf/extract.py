#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How fast weir extract reads, beside tshark's statistics and ndpiReader on the same file, and whether its memory grows.

    perf/extract.py --weir build/release/control/app/weir [--json FILE] CAPTURE...

Joins the captures (classic pcap, little endian, microseconds, Ethernet) into one file, and ten copies of it, each a day later
than the one before, into another. Each tool reads the small file --rounds times in turn, on one CPU; figures are medians,
ratios are medians of the rounds' ratios. Peak memory is the kernel's (ru_maxrss)."""

import argparse
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

DAY_S = 86400
COPIES = 10
HEADER = struct.Struct("<IHHiIII")
RECORD = struct.Struct("<IIII")


def packets_of(path):
    """Yields (seconds, rest of the record with its data)."""
    with open(path, "rb") as file:
        data = file.read()
    if HEADER.unpack_from(data)[0] != 0xA1B2C3D4 or HEADER.unpack_from(data)[6] != 1:
        raise SystemExit(f"{path}: not a little-endian microsecond pcap of Ethernet; convert it with editcap -F pcap")
    at = HEADER.size
    while at + RECORD.size <= len(data):
        seconds, _, caplen, _ = RECORD.unpack_from(data, at)
        end = at + RECORD.size + caplen
        yield seconds, data[at + 4:end]
        at = end


def join(captures, out, copies):
    """Writes all captures `copies` times, the k-th time k days later; returns (packets, bytes)."""
    count = 0
    with open(out, "wb") as file:
        file.write(HEADER.pack(0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for copy in range(copies):
            for path in captures:
                for seconds, rest in packets_of(path):
                    file.write(struct.pack("<I", (seconds + copy * DAY_S) & 0xFFFFFFFF) + rest)
                    count += 1
    return count, os.path.getsize(out)


def run(command):
    """Wall seconds and peak memory in MB; the command must succeed."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    message = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed: {message.decode(errors='replace')[-500:]}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weir", required=True)
    parser.add_argument("--json")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", default="1")
    parser.add_argument("captures", nargs="+")
    options = parser.parse_args()
    pin = ["taskset", "-c", options.cpu]
    folder = tempfile.mkdtemp(prefix="weir-perf-")
    try:
        results = measure(options, pin, folder)
    finally:
        shutil.rmtree(folder)
    for row in results:
        goal = "" if row["goal"] is None else f"  goal {row['goal']:g}"
        print(f"{row['name']:<46} {row['value']:12.3f} {row['unit']}{goal}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"results": results}, file, indent=1)


def measure(options, pin, folder):
    small, large = f"{folder}/small.pcap", f"{folder}/large.pcap"
    packets, size = join(options.captures, small, 1)
    large_packets, _ = join(options.captures, large, COPIES)
    print(f"{packets} packets, {size / 1e6:.1f} MB; ten times that: {large_packets}", file=sys.stderr)

    def extract(capture, form, jobs="1"):
        out = f"{folder}/out.{form}"
        return pin + [options.weir, "extract", "-j", jobs, "--codes", "--format", form, "--in", capture, "--out", out]

    tools = {"csv": extract(small, "csv"), "npy": extract(small, "npy")}
    if shutil.which("tshark"):
        tools["tshark"] = pin + ["tshark", "-n", "-q", "-z", "conv,tcp", "-r", small]
    if shutil.which("ndpiReader"):
        tools["ndpiReader"] = pin + ["ndpiReader", "-q", "-i", small]
    wall = {name: [] for name in tools}
    cpu = {name: [] for name in tools}
    for _ in range(options.rounds):
        for name, command in tools.items():
            seconds, work, _ = run(command)
            wall[name].append(seconds)
            cpu[name].append(work)

    def row(name, value, unit, goal=None, higher=True):
        return {"name": name, "value": value, "unit": unit, "goal": goal, "higher_is_better": higher}

    results = []
    for form in ("csv", "npy"):
        seconds = statistics.median(cpu[form])
        results.append(row(f"extract.{form}.packets", packets / seconds / 1e6, "Mpps a CPU"))
        results.append(row(f"extract.{form}.bytes", size / seconds / 1e6, "MB/s a CPU"))
        for other in ("tshark", "ndpiReader"):
            if other in tools:
                for what, times in (("wall", wall), ("cpu", cpu)):
                    ratio = statistics.median(a / b for a, b in zip(times[other], times[form]))
                    results.append(row(f"extract.{form}.times_{other}_{what}", ratio, "x"))
    _, _, before = run(extract(small, "npy"))
    _, _, after = run(extract(large, "npy"))
    results.append(row("extract.memory.small", before, "MB", higher=False))
    results.append(row("extract.memory.tenfold", after, "MB", higher=False))
    results.append(row("extract.memory.growth", after / before, "x", 1.1, False))
    return results


if __name__ == "__main__":
    main()
