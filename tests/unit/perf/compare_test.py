#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of perf/compare.py: the test's p against counting every pattern of signs, and what is said of known programs."""
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / 'perf'))
import compare  # noqa: E402


def counted(differences):
    """The same p, by trying all patterns of signs."""
    kept = [d for d in differences if d != 0]
    ranks = [
        (sum(abs(o) < abs(d) for o in kept) + sum(abs(o) <= abs(d) for o in kept) + 1) / 2 for d in kept]
    plus = sum(r for r, d in zip(ranks, kept) if d > 0)
    extreme = min(plus, sum(ranks) - plus)
    hits = sum(
        sum(r for r, sign in zip(ranks, signs) if sign) <= extreme + 1e-9
        for signs in itertools.product((False, True), repeat=len(kept)))
    return min(1.0, 2 * hits / 2 ** len(kept))


class SignedRank(unittest.TestCase):
    def test_equals_counting(self):
        rng = random.Random(1)
        for size in range(1, 11):
            for _ in range(20):
                values = [rng.choice((-3, -2, -1, 0, 1, 2, 3, 4)) for _ in range(size)]
                expected = counted(values) if any(values) else 1.0
                self.assertAlmostEqual(compare.signed_rank_p(values), expected, msg=values)

    def test_one_sided_differences(self):
        self.assertEqual(compare.signed_rank_p([1, 2, 3, 4, 5, 6, 7, 8]), 2 / 256)


class Program(unittest.TestCase):
    """Stand-ins for bench_path: their rows are known."""

    def run_with(self, base, this, *options):
        with tempfile.TemporaryDirectory() as folder:
            for name, body in (('base', base), ('this', this)):
                path = pathlib.Path(folder, name)
                path.write_text('#!/bin/sh\n' + body, encoding='utf-8')
                path.chmod(0o755)
            result = pathlib.Path(folder, 'out.json')
            done = subprocess.run(
                [sys.executable, ROOT / 'perf/compare.py', '--base', f'{folder}/base', '--this', f'{folder}/this',
                 '--json', result, *options],
                capture_output=True, text=True, timeout=60, check=False)
            return done, json.loads(result.read_text(encoding='utf-8')) if result.exists() else None

    def test_tells_faster_and_its_ratio(self):
        done, rows = self.run_with(
            'echo row mlp.ns 200 ns; echo row mlp 5 Mpps', 'echo row mlp.ns 150 ns; echo row mlp 6.7 Mpps', '--pairs', '8')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r'mlp\.ns +200\.00 +150\.00 +0\.750 +0\.00781  faster')
        self.assertEqual([r['name'] for r in rows['results']], ['compare.mlp.ns'])

    def test_two_pairs_show_nothing(self):
        done, _ = self.run_with('echo row mlp.ns 200 ns', 'echo row mlp.ns 100 ns', '--pairs', '2')
        self.assertIn('not significant', done.stdout)

    def test_a_failing_program_is_named(self):
        done, rows = self.run_with('echo no memory >&2; exit 1', 'echo row mlp.ns 1 ns', '--pairs', '2')
        self.assertEqual(done.returncode, 1)
        self.assertIn('no memory', done.stderr)
        self.assertIsNone(rows)

    def test_options_that_are_no_lanes_are_refused(self):
        done, _ = self.run_with('true', 'true', '--', '--latency')
        self.assertEqual(done.returncode, 2)


if __name__ == '__main__':
    unittest.main()
