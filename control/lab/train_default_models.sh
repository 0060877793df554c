#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Rebuilds the default models: labels, features, training, evaluation, signed bundles.
# Usage: train_default_models.sh BUILD_DIR KEY_FILE [OUT_DIR]
#   BUILD_DIR  where weir and weirlab were built
#   KEY_FILE   secret key (weirlab keygen NAME makes NAME.key and NAME.pub)
#   OUT_DIR    default config/models; tables and reports go to $WEIR_WORK, default BUILD_DIR/models
# A model a slot, for every packet, and qos-accurate, which also reads payloads, for decision points. Nothing that was
# tried for anomaly, with payloads or larger, ranks sources never seen better than its small network: it has no other.
# WEIR_CORPUS names the labelled corpus; MODEL_VERSION the bundles' version (default 1); ABLATIONS=1 also trains with one
# thing changed at a time, PERTURB=1 judges the models on perturbed captures, COMPARE=1 beside others, all for the cards;
# REUSE=1 takes the tables that an earlier run left in WEIR_WORK; CARDS=DIR writes the model cards DIR/MODEL.md.
set -euo pipefail

if [ $# -lt 2 ]; then
    sed -n '3,13s/^# //p' "$0" >&2
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

reused() { [ "${REUSE:-0}" = 1 ] && [ -f "$1" ]; }

# Generated traffic beside the corpus: trained on, never part of a figure. Writes $work/$1.generated.csv. $1 the slot,
# $2 packets of a capture, $3 benign sessions a second, the rest one argument a capture: the names of its scenarios, which
# are groups of their own; without names all scenarios, as one group.
generate_for() {
    local slot=$1 packets=$2 rate=$3 index=0 chosen name seed
    local -a captures=()
    shift 3
    reused "$work/$slot.generated.csv" && return
    : >"$work/$slot.generated.labels.csv"
    for chosen in "$@"; do
        index=$((index + 1))
        for seed in 1 2 3 4 5 6; do
            local intensity=1 more=()
            case $seed in
                2) intensity=0.2 more=(--jitter 0.5) ;;
                3) intensity=5 ;;
                4) more=(--lying-ports --ipv6-share 0) ;;
                5) intensity=0.05 more=(--jitter 1 --padding 200 --slow 4) ;;
                6) intensity=20 more=(--ipv6-share 0) ;;
            esac
            [ -n "$chosen" ] || more+=(--group "generated/mixed-$seed")
            for name in $chosen; do more+=(--scenario "$name"); done
            captures+=("$slot.generated-$index-$seed.pcap")
            "$weirlab" generate --out "$work/${captures[-1]}" --labels "$work/labels.one" --slot "$slot" \
                --seed "$seed" --seconds 90 --packets "$packets" --benign-flows-per-second "$rate" \
                --attack-share 0.15 --intensity "$intensity" "${more[@]}" >/dev/null
            if [ ${#captures[@]} = 1 ]; then cat "$work/labels.one"; else tail -n +2 "$work/labels.one"; fi \
                >>"$work/$slot.generated.labels.csv"
        done
    done
    (cd "$work" && "$weir" extract --codes --labels "$slot.generated.labels.csv" --out "$slot.generated.csv" \
        --in "${captures[@]}" && rm -f "${captures[@]}" labels.one)
}

# One slot's labels and features.
extract_slot() {
    local slot=$1
    reused "$work/$slot.features.csv" && return
    "$weirlab" labels --corpus "$corpus" --slot "$slot" --out "$work/$slot.labels.csv"
    (cd "$corpus" && find attacks benign -name '*.pcap' | LC_ALL=C sort) >"$work/captures.txt"
    (cd "$corpus" && xargs "$weir" extract --codes --labels "$work/$slot.labels.csv" --out "$work/$slot.features.csv" --in <"$work/captures.txt")
}

# One model: $1 its name, which begins with its slot's, $2 what it is, the rest what training is told.
train_model() {
    local model=$1 slot=${1%%-*} description=$2 name=$1
    shift 2
    [ "$model" != "$slot" ] || name=$slot-default
    printf '%s\n' "$@" >"$work/$model.options.txt" # compare.py trains with them too
    [ "$model" = qos-accurate ] || set -- "${generated[@]}" "$@"
    "$weirlab" train --slot "$slot" --name "$name" --description "$description" --features "$work/$slot.features.csv" --key "$key" --out "$out/$model.weir" \
        --model-version "$version" --revision "$revision" --json "$work/$model.held_out.json" \
        --html "$work/$model.held_out.html" "$@" | tee "$work/$model.train.txt"
}

# One thing changed: $1 the model, $2 what (for the card), the rest what training is told. Figures go to a file of its own.
ablation() {
    local model=$1 slot=${1%%-*} name=$2 file
    shift 2
    [ "${ABLATIONS:-0}" = 1 ] || return 0
    ablations=$((${ablations:-0} + 1))
    file=$work/$model.ablation-$ablations.json
    "$weirlab" train --slot "$slot" --features "$work/$slot.features.csv" --key "$key" --out "$work/ablation.weir" \
        --revision "$revision" --json "$file" "$@" >/dev/null
    printf '%s\t%s\n' "$name" "$file" >>"$work/$model.ablations.txt"
}

# The corpus as its initiators could have sent it, judged by all models.
perturb_models() {
    local slot kind capture model
    [ "${PERTURB:-0}" = 1 ] || return 0
    for kind in padding delay dummies ttl window; do
        rm -rf "$work/perturbed"
        while read -r capture; do
            "$weirlab" perturb --kind "$kind" --out "$work/perturbed/$(dirname "$capture")" --in "$corpus/$capture" \
                >/dev/null 2>&1 || rm -f "$work/perturbed/$capture" # not Ethernet, or cut short: left out
        done <"$work/captures.txt"
        for slot in anomaly qos; do
            (cd "$work/perturbed" && find attacks benign -name '*.pcap' | LC_ALL=C sort |
                xargs "$weir" extract --codes --labels "$work/$slot.labels.csv" --out "$work/$slot.$kind.csv" --in)
        done
    done
    rm -rf "$work/perturbed"
    for model in anomaly qos qos-accurate; do
        slot=${model%%-*}
        "$weirlab" evaluate --features "$work/$slot.features.csv" --model "$out/$model.weir" --revision "$revision" \
            --json "$work/$model.perturbed.json" --perturb "padding=$work/$slot.padding.csv" \
            --perturb "delay=$work/$slot.delay.csv" --perturb "dummies=$work/$slot.dummies.csv" \
            --perturb "ttl=$work/$slot.ttl.csv" --perturb "window=$work/$slot.window.csv" >"$work/$model.perturbed.txt"
    done
    rm -f "$work"/{anomaly,qos}.{padding,delay,dummies,ttl,window}.csv
}

rm -f "$work"/*.ablations.txt "$work"/*.perturbed.json "$work"/*.compare.*
generated=(--also-train "$work/anomaly.generated.csv")
generate_for anomaly 80000 8 "" # mixed: all scenarios at once
extract_slot anomaly
# Six seeds, one kept by validation inside the training rows; no figure of held-out flows chooses seed or epoch.
fast=(--family mlp --hidden "32,16" --epochs 8 --no-early-stop --candidates 6 --max-inputs 32 --max-flows 1000 --folds 5)
train_model anomaly "Attack classes of flows, for every packet; trained on public captures and generated traffic" "${fast[@]}"
ablation anomaly "without generated traffic" "${fast[@]}"
marks=(packet_ttl packet_tcp_window '*first_window' is_ipv6 packet_dscp)
ablation anomaly "with what marks capture points offered: TTL, windows, IPv6, DSCP" "${fast[@]}" "${generated[@]}" \
    "${marks[@]/#/--include-feature=}"
ablation anomaly "without host aggregates" "${fast[@]}" "${generated[@]}" --exclude-feature 'init_*' --exclude-feature 'resp_*'
ablation anomaly "without times of the flow" "${fast[@]}" "${generated[@]}" --exclude-feature '*_us' --exclude-feature 'gap_*'

# One capture a scenario, of the classes that the corpus has. Ports are offered here: a service class is what a port
# says until the packets say otherwise; the captures of seed 4 lie about theirs.
generated=(--also-train "$work/qos.generated.csv")
mapfile -t services < <("$weirlab" generate --list | awk '$2 == "benign" && $3 != "broadcast_video" {print $1}')
generate_for qos 6000 4 "${services[@]}"
extract_slot qos
port=--include-feature=responder_port
fast=(--depth 4 --learning-rate 0.25 --trees 60 --bins 16 --max-inputs 24 --max-flows 400 --folds 10)
train_model qos "RFC 4594 service classes of flows, for every packet; trained on public captures and generated traffic" \
    "${fast[@]}" "$port"
ablation qos "without generated traffic" "${fast[@]}" "$port"
ablation qos "without the port" "${fast[@]}" "${generated[@]}"
ablation qos "without host aggregates" "${fast[@]}" "$port" "${generated[@]}" --exclude-feature 'init_*' --exclude-feature 'resp_*'
ablation qos "held-out ports lie (each flow has another's)" "${fast[@]}" "${generated[@]}" "$port" \
    --shuffle-held-out responder_port
ablation qos "the port alone, as a rule" "${fast[@]}" "${generated[@]}" "$port" --only-feature responder_port
ablation qos "the port alone, and held-out ports lie" "${fast[@]}" "${generated[@]}" "$port" --only-feature responder_port \
    --shuffle-held-out responder_port
# Of payloads only what they are for: among what was tried, what validation inside the training rows preferred, as it
# preferred to train without generated traffic (models/front.md).
accurate=(--depth 4 --learning-rate 0.15 --trees 150 --max-inputs 40 --max-flows 400 --folds 10 "$port")
purpose=("--include-feature=payload_*purpose")
train_model qos-accurate "RFC 4594 service classes of flows, payloads read, for decision points; trained on public captures" \
    "${accurate[@]}" "${purpose[@]}"
ablation qos-accurate "without payload" "${accurate[@]}"
ablation qos-accurate "with generated traffic" "${accurate[@]}" "${purpose[@]}" "${generated[@]}"
ablation qos-accurate "all of the payload group but bytes and first kinds" "${accurate[@]}" "--include-feature=payload_*" \
    "--exclude-feature=payload_*byte_*" "--exclude-feature=payload_*first_kind"
ablation qos-accurate "held-out ports lie (each flow has another's)" "${accurate[@]}" "${purpose[@]}" \
    --shuffle-held-out responder_port
perturb_models
if [ "${COMPARE:-0}" = 1 ]; then
    python3 "$source_root/control/lab/compare.py" "$build" "$work" "$corpus"
fi
if [ -n "${CARDS:-}" ]; then
    for model in anomaly qos qos-accurate; do
        python3 "$source_root/control/lab/model_card.py" "$model" "$work" "$CARDS/$model.md"
    done
fi
echo "held-out figures: $work/MODEL.train.txt and MODEL.held_out.json; bundles: $out"
