#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a shipped model's card from what its recipe left: model_card.py MODEL WORK_DIR CARD.md

MODEL is a slot or SLOT-accurate. WORK_DIR holds SLOT.labels.csv, SLOT.generated.labels.csv, MODEL.held_out.json,
MODEL.train.txt and, where they ran, MODEL.ablations.txt, MODEL.perturbed.json, and SLOT.compare.json of compare.py.
Figures are copied, never typed.
"""
import csv
import json
import re
import sys
from collections import Counter, defaultdict

USE = {
    "anomaly": """Names an attack class for a flow, or `benign`; the score is the probability of "not benign". Meant for alarms and for a
human or a policy with a rate limit behind them; not for dropping traffic by itself. Floods, scans and reflection are what it
knows: their mark is in what hosts do. An attack that is one ordinary connection (malware's HTTPS, an exploit, an injected query)
looks like one to these features, which never read payload.""",
    "qos": """Names the RFC 4594 service class of a flow for marking. Meant for marking within a network whose own markings are not
trusted; not for billing and not for refusing traffic. The responder's port is one input: see the ablations for what happens when it
lies.""",
}
PAYLOAD_USE = """Names the RFC 4594 service class of a flow for marking, and reads payloads for it: features of the group `payload`, which is
off unless configured; of that group only what payloads are for. Meant for decision points (packets 1, 2, 4, 8, …), where its cost is paid a few times a flow; not for billing
and not for refusing traffic."""
WHY = {
    "anomaly": """- **Few sources.** Most attack classes come from two to six sources. One source held out is a fold's whole class: a model that
  has seen one telescope's backscatter, say, must know it from generated traffic alone.
- **Classes that are one connection.** `malware_c2`, `web_attack`, `exploit`, `bruteforce` and `slow_http` differ from ordinary
  connections by content or intent; without payload, host aggregates are all there is. Most are not found.
- **One class for another.** Floods and scans are told apart by how many ports and hosts are asked. A SYN flood that walks the
  victim's ports (doriguzzi's slice of CIC-DDoS2019) is a scan by that mark, and reflected UDP a flood: without the source port,
  which is one capture's, nothing tells them apart. An alarm is raised all the same.
- **Top of the ranking.** At FPR 1e-3 one benign flow in a thousand, a dozen here, sets the threshold; the interval beside the figure says what that means.
- **One draw of several.** Networks of equal recipe and other seeds differ. Of six seeds the one is kept that does best on sources held
  out within the training rows, for every fold anew, so that no figure above chose it; [front.md](front.md) has what single seeds give.""",
    "qos": """- **Few sources.** Five sources of signaling and six of conferencing, most of them one application's capture each: held out, an
  application that was never seen has to be recognised by its kind.
- **Small flows.** Most flows have fewer than eight packets: a stream's first request looks like any request.
- **Labels by application, not by behaviour.** A thumbnail fetched from a video service is labelled as streaming, a VPN's TLS
  handshake as high-throughput data; RFC 4594 has no other place for them.
- **No payload, no names.** DPI reads server names and protocol headers; these features do not.""",
}


def read_labels(path):
    flows = Counter()
    sources = defaultdict(set)
    by_source = Counter()
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["label"]:
                flows[row["label"]] += 1
                sources[row["label"]].add(row["group"])
                by_source[row["group"]] += 1
    return flows, sources, by_source


def figure(value):
    return "–" if value is None else f"{value:.4f}"


def headline(slot, figures, out):
    prefix = f"models.{slot}.held_out.whole_flow."
    rows = [("accuracy", "accuracy", None), ("macro_f1", "macro F1", None)]
    if slot == "anomaly":
        rows = [("roc_auc", "ROC AUC", 0.98), ("pr_auc", "PR AUC", None), ("tpr_at_fpr_1e2", "TPR at FPR 1e-2", None),
                ("tpr_at_fpr_1e3", "TPR at FPR 1e-3", 0.90), ("tpr_at_fpr_1e4", "TPR at FPR 1e-4", None),
                ("false_alarm_rate", "benign flows over a threshold", None)] + rows
    else:
        rows[1] = ("macro_f1", "macro F1", 0.90)
    rows.append(("calibration_error", "calibration error", None))
    out.append("| whole flows | held out | 95 % by resampling sources | goal |\n|---|---:|---|---|")
    hourly = f"models.{slot}.held_out.false_alarms.per_hour"
    if hourly in figures:
        out.append(f"| false alarms an hour of traffic, at any decision point | {figures[hourly]:.1f} |  |  |")
    for key, name, goal in rows:
        value = figures.get(prefix + key)
        low, high = figures.get(prefix + key + ".low"), figures.get(prefix + key + ".high")
        spread = f"{low:.4f} … {high:.4f}" if low is not None else ""
        verdict = "" if goal is None else f"{goal}: {'met' if value >= goal else 'not met'}"
        out.append(f"| {name} | {figure(value)} | {spread} | {verdict} |")


def perturbed(model, slot, work, out):
    """What `evaluate --perturb` left, if it ran."""
    try:
        with open(f"{work}/{model}.perturbed.json", encoding="utf-8") as file:
            found = {row["name"]: row["value"] for row in json.load(file)["results"]}
    except FileNotFoundError:
        return
    kinds = {"padding": "up to 256 bytes added to messages", "delay": "50 ms between packets, in the mean",
             "dummies": "30 % more messages", "ttl": "another TTL", "window": "another TCP window"}
    keys = [("right_class", "right class")]
    if slot == "anomaly":
        keys += [("alarms", "over a threshold"), ("roc_auc", "ROC AUC"), ("tpr_at_fpr_1e3", "TPR at FPR 1e-3")]
    out += ["## Perturbed", "", "The corpus as " + ("attackers" if slot == "anomaly" else "initiators") + " could have sent it"
            " (`weirlab perturb`: only what the initiator controls), judged by the shipped bundle, which was trained on the flows"
            " as they were: how far verdicts move, not how good they are. Before → after, over the "
            + ("attacks' " if slot == "anomaly" else "") + "flows that both tables hold. Neither TTL nor window is an input: what these"
            " rows move is by rewriting captures alone.", "",
            "| changed | " + " | ".join(title for _, title in keys) + " |", "|---|" + "---:|" * len(keys)]
    for kind, text in kinds.items():
        name = next((n[:-len("before.right_class")] for n in found if n.endswith(f"perturbed.{kind}.before.right_class")), None)
        if name:
            out.append(f"| {kind}: {text} | " + " | ".join(
                f"{figure(found.get(name + 'before.' + key))} → {figure(found.get(name + 'after.' + key))}" for key, _ in keys) + " |")
    out.append("")


def beside(slot, work, out):
    """What compare.py left, if it ran."""
    try:
        with open(f"{work}/{slot}.compare.json", encoding="utf-8") as file:
            figures = {row["name"]: row["value"] for row in json.load(file)["results"]}
        with open(f"{work}/{slot}.compare.txt", encoding="utf-8") as file:
            titles = [line.rstrip("\n").split("\t") for line in file]
    except FileNotFoundError:
        return
    keys = ["accuracy", "macro_f1"] + (["roc_auc", "tpr_at_fpr_1e3"] if slot == "anomaly" else [])
    out += ["## Beside others", "", "On the same held-out flows, each judged by what saw nothing of its source"
            " (`control/lab/compare.py` says how each is made).", "",
            "| | accuracy | macro F1 |" + (" ROC AUC | TPR at FPR 1e-3 |" if slot == "anomaly" else ""),
            "|---|---:|---:|" + ("---:|---:|" if slot == "anomaly" else "")]
    for name, title in titles:
        out.append(f"| {title} | " + " | ".join(figure(figures.get(f"models.{slot}.compare.{name}.{k}")) for k in keys) + " |")
    out.append("")


def write(model, work, target):
    slot = model.split("-")[0]
    with open(f"{work}/{model}.held_out.json", encoding="utf-8") as file:
        document = json.load(file)
    figures = {row["name"]: row["value"] for row in document["results"]}
    flows, sources, by_source = read_labels(f"{work}/{slot}.labels.csv")
    # The accurate model is trained without generated traffic.
    made = read_labels(f"{work}/{slot}.generated.labels.csv")[0] if model == slot else Counter()
    with open(f"{work}/{model}.train.txt", encoding="utf-8") as file:
        train = file.read()
    prefix = f"models.{slot}.held_out."
    title = f"Default model of slot `{slot}`" if model == slot else f"Accurate model of slot `{slot}`, for decision points"
    out = [f"# {title}", "",
           "<!-- Made by control/lab/model_card.py from what the recipe wrote; do not edit. -->", "", USE[slot] if model == slot else PAYLOAD_USE, "",
           f"Bundle: `config/models/{model}.weir`, signed by the key of `config/models/weir-default.pub`. Recipe, from the corpus to"
           " bundle and card: `WEIR_CORPUS=DIR ABLATIONS=1 PERTURB=1 COMPARE=1 CARDS=docs/models bash control/lab/train_default_models.sh"
           " build/release KEY`; the same figures with a key of the moment, and what both models cost: `./dev bench models --json"
           " FILE`. Why these sizes: [front.md](front.md).", "",
           "## Figures", "",
           "Every flow is judged by a model that saw nothing of its source (cross-validation by source, see"
           " [labels.md](labels.md)); generated traffic is in no figure.", ""]
    headline(slot, figures, out)
    out += ["", "| packets seen | accuracy | macro F1 |" + (" ROC AUC | TPR at FPR 1e-3 |" if slot == "anomaly" else ""),
            "|---:|---:|---:|" + ("---:|---:|" if slot == "anomaly" else "")]
    for n in (1, 2, 4, 8, 16, 32, 64):
        keys = ["accuracy", "macro_f1"] + (["roc_auc", "tpr_at_fpr_1e3"] if slot == "anomaly" else [])
        out.append(f"| {n} | " + " | ".join(figure(figures.get(f"{prefix}packets_{n}.{k}")) for k in keys) + " |")
    out += ["", "## Classes", "", "| class | flows | sources | generated flows beside | precision | recall | F1 |",
            "|---|---:|---:|---:|---:|---:|---:|"]
    for name in [k[len(prefix + "class."):-3] for k in figures if k.startswith(prefix + "class.") and k.endswith(".f1")]:
        part = [figure(figures.get(f"{prefix}class.{name}.{k}")) for k in ("precision", "recall", "f1")]
        out.append(f"| `{name}` | {flows[name]} | {len(sources[name])} | {made[name]} | " + " | ".join(part) + " |")
    out += ["", "Flows are those of the labels; one that ended and began anew, or that timed out, is judged each time.", "",
            "## Where it falls short, and why", "", WHY[slot] if model == slot else "\n".join(
                line for line in WHY[slot].splitlines() if not line.startswith("- **No payload")), ""]
    try:
        with open(f"{work}/{model}.ablations.txt", encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file if line.strip()]
        out += ["## Ablations", "", "The same training and held-out figures, with one thing changed.", "",
                "| changed | accuracy | macro F1 |" + (" ROC AUC | TPR at FPR 1e-3 |" if slot == "anomaly" else ""),
                "|---|---:|---:|" + ("---:|---:|" if slot == "anomaly" else "")]
        for name, path in rows:
            with open(path, encoding="utf-8") as file:
                other = {row["name"]: row["value"] for row in json.load(file)["results"]}
            keys = ["accuracy", "macro_f1"] + (["roc_auc", "tpr_at_fpr_1e3"] if slot == "anomaly" else [])
            out.append(f"| {name} | " + " | ".join(figure(other.get(f"{prefix}whole_flow.{k}")) for k in keys) + " |")
        out.append("")
    except FileNotFoundError:
        pass
    perturbed(model, slot, work, out)
    beside(slot, work, out)
    out += ["## Model", ""] + [line for line in train.splitlines() if re.match(r"\d+ trees on|layers of|temperature|held-out flows, unc|inputs:", line)]
    out = [re.sub(r"; held-out log loss by round:.*", ".", line) for line in out]
    out += ["", "## Data by source", "", "Licences and citations are those of the corpus's own page.", "",
            "| class | source | flows | recall |" + (" over a threshold |" if slot == "anomaly" else ""),
            "|---|---|---:|---:|" + ("---:|" if slot == "anomaly" else "")]
    counts = Counter()
    with open(f"{work}/{slot}.labels.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            counts[(row["label"], row["group"])] += 1
    small = defaultdict(list)
    for (label, group), n in sorted(counts.items(), key=lambda kv: (list(flows).index(kv[0][0]) if kv[0][0] else -1, -kv[1], kv[0][1])):
        if not label:
            continue
        name = f"{prefix}source.{group}.{label}."
        if n < 20 and label in ("benign", "standard"):
            small[label].append((group, n))
            continue
        row = f"| `{label}` | {group} | {n} | {figure(figures.get(name + 'recall'))} |"
        out.append(row + (f" {figure(figures.get(name + 'alarms'))} |" if slot == "anomaly" else ""))
    for label, rest in small.items():
        out.append(f"| `{label}` | {len(rest)} sources of fewer than 20 flows | {sum(n for _, n in rest)} | |" + (" |" if slot == "anomaly" else ""))
    with open(target, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1].split("-")[0] not in USE:
        sys.exit(__doc__)
    write(*sys.argv[1:])
