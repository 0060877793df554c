#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Is this tree faster than a base revision? Runs the packet path's benchmark of both alternately and says what differs.

Runs come in pairs, base and this, the order within a pair changing from one to the next, so that both see the machine's
moods alike. Of each row the medians and the median of the pairs' ratios are told, and how probable so lopsided a set of
ratios is if nothing has changed: the signed-rank test of Wilcoxon on their logarithms, exact. With many rows some fall
below any limit by chance; the limit is therefore divided by the number of rows (Bonferroni).
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys


def signed_rank_p(differences):
    """Two-sided exact p of Wilcoxon's signed-rank test; zeros are left out, ties share their mean rank."""
    kept = sorted((d for d in differences if d != 0), key=abs)
    if not kept:
        return 1.0
    doubled = []  # ranks times two, so that shared ones are whole
    at = 0
    while at < len(kept):
        end = at
        while end < len(kept) and math.isclose(abs(kept[end]), abs(kept[at]), rel_tol=1e-12):
            end += 1
        doubled += [at + end + 1] * (end - at)
        at = end
    plus = sum(rank for rank, d in zip(doubled, kept) if d > 0)
    counts = {0: 1}  # how many of the sign patterns give each sum
    for rank in doubled:
        grown = dict(counts)
        for total, ways in counts.items():
            grown[total + rank] = grown.get(total + rank, 0) + ways
        counts = grown
    whole = sum(doubled)
    extreme = min(plus, whole - plus)
    tail = sum(ways for total, ways in counts.items() if total <= extreme)
    return min(1.0, 2 * tail / 2 ** len(kept))


def compare(base, this):
    """Rows of both, by name: lists of values by run, in pairs. Returns [(name, base median, this median, ratio, p)]."""
    out = []
    for name, values in this.items():
        pairs = [(b, t) for b, t in zip(base.get(name, []), values) if b > 0 and t > 0]
        if len(pairs) < 2:
            continue
        ratios = [t / b for b, t in pairs]
        out.append((
            name,
            statistics.median(b for b, _ in pairs),
            statistics.median(t for _, t in pairs),
            statistics.median(ratios),
            signed_rank_p([math.log(r) for r in ratios])))
    return out


def run(program, options):
    """One run's rows: name → (value, unit)."""
    done = subprocess.run([program, '--child', *options], capture_output=True, text=True, timeout=600, check=False)
    rows = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[0] == 'row':
            rows[words[1]] = (float(words[2]), words[3])
    if done.returncode != 0 or not rows:
        sys.exit(f'compare: {program} failed with {done.returncode}:\n{done.stderr}')
    return rows


def verdict(ratio, p, rows, level):
    if p * rows > level:
        return 'not significant'
    return 'faster' if ratio < 1 else 'slower'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--base', required=True, type=pathlib.Path, help='bench_path of the base revision')
    parser.add_argument('--this', required=True, type=pathlib.Path, help='bench_path of this tree')
    parser.add_argument('--pairs', type=int, default=12, help='pairs of runs (default 12; fewer than 8 show little)')
    parser.add_argument('--level', type=float, default=0.05, help='of significance, over all rows (default 0.05)')
    parser.add_argument('--stages', action='store_true', help='compare the time of each stage, too')
    parser.add_argument('--json', type=pathlib.Path, help='write the ratios in the common result form')
    parser.add_argument('options', nargs='*', help='after --: options of bench_path, such as --flows 1048576 --huge')
    arguments = parser.parse_args()
    if arguments.pairs < 2:
        parser.error('--pairs: use 2 or more')
    if any(o in ('--json', '--markdown', '--only', '--latency') for o in arguments.options):
        parser.error('options after --: only those of a lane, see bench_path --help')
    sides = {'base': {}, 'this': {}}
    programs = {'base': str(arguments.base), 'this': str(arguments.this)}
    for pair in range(arguments.pairs):
        order = ('base', 'this') if pair % 2 == 0 else ('this', 'base')
        for side in order:
            for name, (value, unit) in run(programs[side], arguments.options).items():
                if unit == 'ns' and (arguments.stages or '.stage_' not in name):
                    sides[side].setdefault(name, []).append(value)
        print(f'pair {pair + 1} of {arguments.pairs}', file=sys.stderr)
    table = compare(sides['base'], sides['this'])
    if not table:
        sys.exit('compare: the two have no row in common')
    width = max(len(name) for name, *_ in table)
    print(f'{"":{width}}  {"base ns":>9}  {"this ns":>9}  {"ratio":>6}  {"p":>8}')
    results = []
    for name, before, after, ratio, p in table:
        print(f'{name:{width}}  {before:9.2f}  {after:9.2f}  {ratio:6.3f}  {p:8.5f}  '
              f'{verdict(ratio, p, len(table), arguments.level)}')
        results.append({'name': f'compare.{name}', 'value': ratio, 'unit': 'x', 'goal': None, 'higher_is_better': False})
    if arguments.json:
        arguments.json.write_text(json.dumps({'results': results}, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
