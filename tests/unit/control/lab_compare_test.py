# SPDX-License-Identifier: BSD-3-Clause
"""The comparison's own arithmetic: ranks, macro F1, the port rule, and that nothing is judged by its own source."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../control/lab"))
sys.dont_write_bytecode = True
import compare  # noqa: E402


def flow(label, group, port, index=0):
    return compare.Flow(("f.pcap", "6", "a", str(index), "b", port, "0"), label, group, ("6", port))


class Compare(unittest.TestCase):
    def test_auc_counts_ties_half_and_tpr_needs_more_than_any_benign(self):
        area, tpr = compare.auc([0.9, 0.5, 0.5, 0.1], [True, True, False, False])
        self.assertAlmostEqual(area, (1 + 1 + 0.5 + 1) / 4)
        self.assertEqual(tpr, 0.5)
        self.assertNotEqual(*compare.auc([0.5], [True]))  # not a number: one side is empty

    def test_macro_f1_is_over_the_classes_with_flows(self):
        flows = [flow("a", "g", "1"), flow("a", "g", "1"), flow("b", "g", "1")]
        found = compare.figures(flows, ["a", "b", "b"])
        self.assertAlmostEqual(found["accuracy"], 2 / 3)
        self.assertAlmostEqual(found["macro_f1"], (2 / 3 + 2 / 3) / 2)

    def test_the_port_rule_asks_other_sources_alone(self):
        flows = [flow("oam", "one", "161"), flow("oam", "two", "161"), flow("telephony", "one", "5004")]
        verdicts, _ = compare.port_rule(flows, [f.port for f in flows], "standard")
        self.assertEqual(verdicts, ["oam", "oam", "standard"])
        verdicts, _ = compare.port_rule(flows, [("6", "5004"), ("6", "5004"), ("6", "161")], "standard")
        self.assertEqual(verdicts, ["standard", "telephony", "oam"])

    def test_a_flow_is_read_once_and_unlabelled_ones_not_at_all(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "t.csv")
            with open(path, "w", encoding="utf-8") as file:
                file.write("file,src,sport,dst,dport,proto,first_ts,label,group,x_code\n"
                           "f.pcap,a,1,b,53,17,0,benign,g,1\nf.pcap,a,1,b,53,17,0,benign,g,2\n"
                           "f.pcap,a,2,b,53,17,0,,g,1\nf.pcap,a,1,b,53,17,9,scan,g,1\n")
            flows = compare.read_flows(path)
        self.assertEqual([(f.label, f.port) for f in flows], [("benign", ("17", "53")), ("scan", ("17", "53"))])


if __name__ == "__main__":
    unittest.main()
