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

# Generated traffic beside the corpus: trained on, never part of a figure. $1 the slot; writes $work/$1.generated.csv.
generate_for() {
    local slot=$1 seed names=() scenarios=()
    if [ "$slot" = qos ]; then # benign traffic of the classes that the corpus has
        mapfile -t names < <("$weirlab" generate --list |
            awk '$2 == "benign" && $3 != "broadcast_video" {print $1}')
        for name in "${names[@]}"; do scenarios+=(--scenario "$name"); done
    fi
    : >"$work/$slot.generated.labels.csv"
    for seed in 1 2 3 4 5 6; do
        local intensity=1 more=()
        case $seed in
            2) intensity=0.2 more=(--jitter 0.5) ;;
            3) intensity=5 ;;
            4) more=(--lying-ports --ipv6-share 0) ;;
            5) intensity=0.05 more=(--jitter 1 --padding 200 --slow 4) ;;
            6) intensity=20 more=(--ipv6-share 0) ;;
        esac
        "$weirlab" generate --out "$work/$slot.generated-$seed.pcap" --labels "$work/labels.one" --slot "$slot" \
            --seed "$seed" --seconds 90 --packets 80000 --benign-flows-per-second 8 --attack-share 0.15 \
            --intensity "$intensity" "${more[@]}" "${scenarios[@]}" >/dev/null
        if [ "$seed" = 1 ]; then cat "$work/labels.one"; else tail -n +2 "$work/labels.one"; fi \
            >>"$work/$slot.generated.labels.csv"
    done
    (cd "$work" && "$weir" extract --labels "$slot.generated.labels.csv" --out "$slot.generated.csv" \
        --in "$slot".generated-?.pcap)
    rm -f "$work/$slot".generated-?.pcap "$work/labels.one"
}

# One slot: $1 its name, the rest what training is told.
train_slot() {
    local slot=$1
    shift
    "$weirlab" labels --corpus "$corpus" --slot "$slot" --out "$work/$slot.labels.csv"
    (cd "$corpus" && find attacks benign -name '*.pcap' | LC_ALL=C sort) >"$work/captures.txt"
    (cd "$corpus" && xargs "$weir" extract --labels "$work/$slot.labels.csv" --out "$work/$slot.features.csv" --in <"$work/captures.txt")
    generate_for "$slot"
    "$weirlab" train --slot "$slot" --features "$work/$slot.features.csv" --also-train "$work/$slot.generated.csv" --key "$key" --out "$out/$slot.weir" \
        --model-version "$version" --revision "$revision" --json "$work/$slot.held_out.json" "$@" | tee "$work/$slot.train.txt"
    "$weirlab" evaluate --features "$work/$slot.features.csv" --model "$out/$slot.weir" \
        --revision "$revision" --json "$work/$slot.fit.json" >"$work/$slot.fit.txt"
}

train_slot anomaly --description "Attack classes of flows; trained on public captures"
train_slot qos --description "RFC 4594 service classes of flows; trained on public captures"
echo "held-out figures: $work/{anomaly,qos}.train.txt and .held_out.json; bundles: $out"
