#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Rebuilds the default models: labels, features, training, evaluation, signed bundles.
# Usage: train_default_models.sh BUILD_DIR KEY_FILE [OUT_DIR]
#   BUILD_DIR  where weir and weirlab were built
#   KEY_FILE   secret key (weirlab keygen NAME makes NAME.key and NAME.pub)
#   OUT_DIR    default config/models; tables and reports go to $WEIR_WORK, default BUILD_DIR/models
# WEIR_CORPUS names the labelled corpus; MODEL_VERSION the bundles' version (default 1).
set -euo pipefail

if [ $# -lt 2 ]; then
    sed -n '4,8s/^# //p' "$0" >&2
    exit 2
fi
source_root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
key=$2
out=${3:-$source_root/config/models}
corpus=${WEIR_CORPUS:?names the labelled corpus}
work=${WEIR_WORK:-$build/models}
version=${MODEL_VERSION:-1}
weir=$build/control/app/weir
weirlab=$build/control/lab/weirlab
revision=$(git -C "$source_root" rev-parse --short HEAD 2>/dev/null || echo unknown)
mkdir -p "$work" "$out"

if [ ! -f "$corpus/labels.csv" ]; then
    echo "no labels.csv in $corpus: set WEIR_CORPUS to a labelled corpus" >&2
    exit 2
fi

# One slot: $1 its name, the rest what training is told.
train_slot() {
    local slot=$1
    shift
    "$weirlab" labels --corpus "$corpus" --slot "$slot" --out "$work/$slot.labels.csv"
    (cd "$corpus" && find attacks benign -name '*.pcap' | LC_ALL=C sort) >"$work/captures.txt"
    (cd "$corpus" && xargs "$weir" extract --labels "$work/$slot.labels.csv" --out "$work/$slot.features.csv" --in <"$work/captures.txt")
    "$weirlab" train --slot "$slot" --features "$work/$slot.features.csv" --key "$key" --out "$out/$slot.weir" \
        --model-version "$version" --revision "$revision" --json "$work/$slot.held_out.json" "$@" | tee "$work/$slot.train.txt"
    "$weirlab" evaluate --features "$work/$slot.features.csv" --model "$out/$slot.weir" \
        --revision "$revision" --json "$work/$slot.fit.json" >"$work/$slot.fit.txt"
}

train_slot anomaly --description "Attack classes of flows; trained on public captures"
train_slot qos --description "RFC 4594 service classes of flows; trained on public captures"
echo "held-out figures: $work/{anomaly,qos}.train.txt and .held_out.json; bundles: $out"
