#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The default models beside others on the same held-out flows: compare.py BUILD_DIR WORK_DIR CORPUS [SLOT...]

WORK_DIR is what train_default_models.sh left there. Writes WORK_DIR/SLOT.compare.json in the common result form
and SLOT.compare.txt with its rows' titles, which model_card.py turns into the card's table. Every flow is judged by what saw nothing of its source:
  default      the shipped recipe's held-out figures, and those of the accurate model beside it, if there is one
  float        XGBoost in float on the same features: more and deeper trees than a gateway would run, all inputs
  autoencoder  (anomaly) trained on benign flows' incremental statistics alone, as Kitsune's (Mirsky et al., NDSS 2018)
  port rule    the class that most flows to that port and protocol have at other sources
  nDPI         (qos) ndpiReader's protocol names, each taken for the class that most flows so named have: to its advantage
and, with ports that lie (each flow has another's), the port rule and the default.
"""
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict

FLOAT = {"anomaly": ["--depth", "6", "--learning-rate", "0.2", "--trees", "150", "--max-flows", "1000", "--folds", "5"],
         "qos": ["--depth", "6", "--learning-rate", "0.15", "--trees", "300", "--max-flows", "400", "--folds", "10",
                 "--include-feature", "responder_port"]}
FLOAT_SIZE = ["--max-inputs", "256", "--bins", "256"]
MARKS = ["packet_ttl", "packet_tcp_window", "*first_window", "is_ipv6", "packet_dscp", "initiator_port", "responder_port"]
METRICS = ("accuracy", "macro_f1", "roc_auc", "tpr_at_fpr_1e3")


class Flow:
    __slots__ = ("key", "label", "group", "port")

    def __init__(self, key, label, group, port):
        self.key, self.label, self.group, self.port = key, label, group, port


def read_flows(path):
    """Flows of a feature table: (file, 5-tuple) with label, source and the responder's (protocol, port)."""
    flows = {}
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        at = {name: i for i, name in enumerate(next(reader))}
        names = ("file", "proto", "src", "sport", "dst", "dport", "first_ts")
        columns = [at[name] for name in names]
        label, group = at["label"], at["group"]
        for row in reader:
            if row[label]:
                key = tuple(row[i] for i in columns)
                if key not in flows:
                    flows[key] = Flow(key, row[label], row[group], (key[1], key[5]))
    return list(flows.values())


def auc(scores, positive):
    """Area under the ROC curve by ranks, ties half; and the share caught while at most 1 in 1000 others alarm."""
    order = sorted(zip(scores, positive))
    n_pos = sum(positive)
    n_neg = len(order) - n_pos
    if not n_pos or not n_neg:
        return math.nan, math.nan
    rank = i = 0
    total = 0.0
    while i < len(order):
        j = i
        while j < len(order) and order[j][0] == order[i][0]:
            j += 1
        total += (rank + (j - i + 1) / 2) * sum(p for _, p in order[i:j])
        rank += j - i
        i = j
    negative = sorted((s for s, p in order if not p), reverse=True)
    threshold = negative[int(n_neg * 1e-3)]
    caught = sum(1 for s, p in order if p and s > threshold)
    return (total - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg), caught / n_pos


def figures(flows, verdicts, scores=None):
    """Accuracy, macro F1 over classes that have flows, and with scores AUC and TPR at FPR 1e-3 of "not benign"."""
    truth = [flow.label for flow in flows]
    total, hits, said = Counter(truth), Counter(), Counter(verdicts)
    for t, v in zip(truth, verdicts):
        hits[t] += t == v
    f1 = [2 * hits[c] / (total[c] + said[c]) for c in total]
    out = {"accuracy": sum(hits.values()) / len(flows), "macro_f1": sum(f1) / len(f1)}
    if scores is not None:
        out["roc_auc"], out["tpr_at_fpr_1e3"] = auc(scores, [t != "benign" for t in truth])
    return out


def port_rule(flows, ports, fallback):
    """Verdict and attack share of each flow, by the other sources' flows to the port that it seems to have."""
    everywhere, of_source = defaultdict(Counter), defaultdict(Counter)
    for flow in flows:
        everywhere[flow.port][flow.label] += 1
        of_source[(flow.group, flow.port)][flow.label] += 1
    verdicts, scores = [], []
    for flow, port in zip(flows, ports):
        others = everywhere[port] - of_source[(flow.group, port)]
        n = sum(others.values())
        verdicts.append(others.most_common(1)[0][0] if n else fallback)
        scores.append(1 - others["benign"] / n if n else 0.5)
    return verdicts, scores


def ndpi_names(corpus, files):
    """Protocol name of each flow that ndpiReader lists: {(file, proto, endpoint pair): name}."""
    names = {}
    paths = {name: os.path.join(folder, name) for folder, _, found in os.walk(corpus) for name in found}
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "flows.csv")
        for name in files:
            done = subprocess.run(["ndpiReader", "-q", "-i", paths[name], "-C", out],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            if done.returncode != 0 or not os.path.exists(out):
                print(f"compare: ndpiReader cannot read {name}: its flows count as unnamed", file=sys.stderr)
                continue
            with open(out, encoding="utf-8", errors="replace", newline="") as file:
                for row in csv.DictReader(file):
                    ends = frozenset([(row["src_ip"], row["src_port"]), (row["dst_ip"], row["dst_port"])])
                    names[(name, row["protocol"], ends)] = row["ndpi_proto"]
            os.unlink(out)
    return names


def by_ndpi(flows, corpus, fallback):
    names = ndpi_names(corpus, sorted({flow.key[0] for flow in flows}))
    named = []
    for flow in flows:
        file, proto, src, sport, dst, dport, _ = flow.key
        named.append(names.get((file, proto, frozenset([(src, sport), (dst, dport)]))))
    classes = defaultdict(Counter)
    for flow, name in zip(flows, named):
        classes[name][flow.label] += 1
    return [classes[name].most_common(1)[0][0] if name else fallback for name in named]


class Trainer:
    """Runs `weirlab train` and reads its held-out figures."""

    def __init__(self, build, work, slot, folder):
        self.weirlab = os.path.join(build, "control/lab/weirlab")
        self.work, self.slot, self.folder = work, slot, folder
        subprocess.run([self.weirlab, "keygen", os.path.join(folder, "key")], check=True, stdout=subprocess.DEVNULL)

    def __call__(self, *options, generated=True):
        report = os.path.join(self.folder, "held_out.json")
        more = os.path.join(self.work, f"{self.slot}.generated.csv")
        command = [self.weirlab, "train", "--slot", self.slot, "--key", os.path.join(self.folder, "key.key"),
                   "--out", os.path.join(self.folder, "model.weir"), "--json", report,
                   "--features", os.path.join(self.work, f"{self.slot}.features.csv"), *options]
        if generated and os.path.exists(more):
            command += ["--also-train", more]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return held_out(report, self.slot)


def recipe(work, model):
    """What the recipe told `weirlab train` for a model."""
    with open(os.path.join(work, f"{model}.options.txt"), encoding="utf-8") as file:
        return file.read().splitlines()


def held_out(path, slot):
    prefix = f"models.{slot}.held_out.whole_flow."
    with open(path, encoding="utf-8") as file:
        rows = {row["name"]: row["value"] for row in json.load(file)["results"]}
    return {name: rows[prefix + name] for name in METRICS if prefix + name in rows}


def compare(build, work, corpus, slot):
    """Yields (name, title, figures), what is cheap to make first."""
    flows = read_flows(os.path.join(work, f"{slot}.features.csv"))
    fallback = "benign" if slot == "anomaly" else "standard"
    half = len(flows) // 2
    lying = [flows[(i + half) % len(flows)].port for i in range(len(flows))]
    yield "default", "the default model", held_out(os.path.join(work, f"{slot}.held_out.json"), slot)
    if os.path.exists(os.path.join(work, f"{slot}-accurate.held_out.json")):
        yield ("accurate", "the accurate model, which reads payloads",
               held_out(os.path.join(work, f"{slot}-accurate.held_out.json"), slot))
    for name, title, ports in (("port_rule", "port rule", [flow.port for flow in flows]),
                               ("port_rule_lying_ports", "port rule, held-out ports lie", lying)):
        verdicts, scores = port_rule(flows, ports, fallback)
        yield name, title, figures(flows, verdicts, scores if slot == "anomaly" else None)
    if slot == "qos":
        yield "ndpi", "nDPI's names, mapped to its advantage", figures(flows, by_ndpi(flows, corpus, fallback))
    with tempfile.TemporaryDirectory() as folder:
        train = Trainer(build, work, slot, folder)
        if slot == "anomaly":
            yield ("autoencoder", "autoencoder on benign flows' incremental statistics (attack or not)",
                   train("--family", "autoencoder", "--folds", "5", "--max-flows", "4000", "--max-inputs", "100",
                         *[f"--only-feature={name}" for name in statistics(work, slot)], generated=False))
        else:
            yield ("default_lying_ports", "the default's recipe, held-out ports lie",
                   train(*recipe(work, slot), "--shuffle-held-out", "responder_port"))
            # The default of the other slot has none of them.
            yield ("without_marks", "the default's recipe without TTL, windows, DSCP, IPv6 and ports",
                   train(*[o for o in recipe(work, slot) if "responder_port" not in o],
                         *[f"--exclude-feature={mark}" for mark in MARKS]))
        yield "float", "XGBoost in float: all inputs, more trees", train(*FLOAT[slot], *FLOAT_SIZE)
        if os.path.exists(os.path.join(work, f"{slot}-accurate.options.txt")):
            payload = [o for o in recipe(work, f"{slot}-accurate") if "payload" in o]
            yield ("float_payload", "XGBoost in float, payloads read: all inputs, more trees",
                   train(*FLOAT[slot], *FLOAT_SIZE, *payload, generated=False))  # as the accurate model is


def statistics(work, slot):
    """The table's features that are running statistics of hosts, lengths and gaps."""
    with open(os.path.join(work, f"{slot}.features.csv"), encoding="utf-8", newline="") as file:
        names = [name[:-5] for name in next(csv.reader(file)) if name.endswith("_code")]
    return [name for name in names if name.startswith(("init_", "resp_", "gap_")) or "_mean" in name or "_stddev" in name
            or "_rate" in name]


def save(work, slot, rows):
    """Both files anew: what ran stays if the rest does not."""
    results = [{"name": f"models.{slot}.compare.{name}.{metric}", "value": value, "unit": "1", "goal": None,
                "higher_is_better": True} for name, _, found in rows for metric, value in found.items()
               if not math.isnan(value)]
    with open(os.path.join(work, f"{slot}.compare.json"), "w", encoding="utf-8") as file:
        json.dump({"results": results}, file, indent=1)
        file.write("\n")
    with open(os.path.join(work, f"{slot}.compare.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{name}\t{title}\n" for name, title, _ in rows)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    build, work, corpus = sys.argv[1:4]
    for slot in sys.argv[4:] or list(FLOAT):
        if slot not in FLOAT:
            sys.exit(f"compare: no slot '{slot}'; there are anomaly and qos")
        rows = []
        for name, title, found in compare(build, work, corpus, slot):
            rows.append((name, title, found))
            save(work, slot, rows)
            print(f"{slot}: {title}: " + ", ".join(f"{metric} {value:.4f}" for metric, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
