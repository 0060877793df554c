#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""All figures that train_default_models.sh left, as one file in the common result form: collect_figures.py WORK_DIR OUT.json

Of each model the held-out figures with their goals, and how far perturbed traffic moves it; of each slot the comparison.
Figures of SLOT-accurate are named models.SLOT-accurate.…
"""
import glob
import json
import os
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def collect(work):
    merged = {"results": []}
    for path in sorted(glob.glob(os.path.join(work, "*.held_out.json"))):
        model = os.path.basename(path)[:-len(".held_out.json")]
        slot = model.split("-")[0]
        document = read(path)
        rows = document.pop("results")
        merged.update(document)
        moved = os.path.join(work, f"{model}.perturbed.json")
        if os.path.exists(moved):  # its other figures are of flows that the model was trained on
            rows += [row for row in read(moved)["results"] if ".perturbed." in row["name"]]
        for row in rows:
            row["name"] = row["name"].replace(f"models.{slot}.", f"models.{model}.", 1)
        merged["results"] += rows
    for path in sorted(glob.glob(os.path.join(work, "*.compare.json"))):
        merged["results"] += read(path)["results"]
    return merged


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    merged = collect(sys.argv[1])
    if not merged["results"]:
        sys.exit(f"collect_figures: no figures in {sys.argv[1]}: run train_default_models.sh first")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(merged, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
