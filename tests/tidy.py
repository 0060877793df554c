#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs clang-tidy over the sources below the given folders, in parallel, as compile_commands.json compiles them.

A file that was clean is not checked again while it, the headers of the repository that it includes and .clang-tidy are
the same; the memory of that is BUILD/tidy-clean.json.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys

INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.M)
# The commands are GCC's.
CLANG_ARGS = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-ignored-optimization-argument"]


def digest(path, root, seen):
    """Folds `path` and what it includes from the repository into the dictionary `seen`."""
    if path in seen:
        return
    with open(path, "rb") as file:
        text = file.read()
    seen[path] = hashlib.sha256(text).hexdigest()
    for name in INCLUDE.findall(text):
        for base in (root, os.path.dirname(path)):
            included = os.path.normpath(os.path.join(base, name.decode()))
            if os.path.isfile(included):
                digest(included, root, seen)
                break


def fingerprint(path, command, root):
    seen = {}
    digest(path, root, seen)
    digest(os.path.join(root, ".clang-tidy"), root, seen)
    return hashlib.sha256(json.dumps([sorted(seen.items()), command]).encode()).hexdigest()


def check(path, build):
    run = subprocess.run(
        ["clang-tidy", "--quiet", "-p", build, *CLANG_ARGS, path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    said = run.stdout.strip()
    if run.returncode != 0 and not said:
        said = run.stderr.strip()
    return path, run.returncode == 0, said


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("folders", nargs="+")
    arguments = parser.parse_args()
    root = os.getcwd()
    with open(os.path.join(arguments.build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    wanted = {}
    for entry in commands:
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        relative = os.path.relpath(path, root)
        if relative.split(os.sep)[0] in arguments.folders and relative.endswith(".cpp"):
            wanted[path] = fingerprint(path, entry["command"], root)
    memory_path = os.path.join(arguments.build, "tidy-clean.json")
    try:
        with open(memory_path, encoding="utf-8") as file:
            clean = json.load(file)
    except (FileNotFoundError, ValueError):
        clean = {}
    todo = [path for path in sorted(wanted) if clean.get(path) != wanted[path]]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for path, good, said in pool.map(lambda path: check(path, arguments.build), todo):
            if good:
                clean[path] = wanted[path]
            else:
                bad += 1
                print(said, flush=True)
    with open(memory_path, "w", encoding="utf-8") as file:
        json.dump(clean, file)
    print(f"clang-tidy: {len(wanted)} files, {len(todo)} checked, {bad} with findings", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
