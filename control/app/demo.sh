#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The demo: a gateway between two network namespaces, real programs across it, a model swapped under them.
# Usage: demo.sh BUILD_DIR [CAPTURE]. With a capture, or without root, the same worker replays a file instead.
set -euo pipefail

build=$1
capture=${2:-}
weir=$build/control/app/weir
weirctl=$build/control/ctl/weirctl
weirlab=$build/control/lab/weirlab
source_root=$(cd "$(dirname "$0")/../.." && pwd)

work=$(mktemp -d /tmp/weir-demo-XXXXXX)
chmod 755 "$work"
tag=weirdemo$$
children=()

cleanup() {
    local status=$?
    for pid in "${children[@]:-}"; do
        if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi
    done
    wait 2>/dev/null || true
    for ns in c g s; do
        ip netns del "$tag$ns" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}
trap cleanup EXIT INT TERM

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

replay_story() {
    local file=$1
    say "Replaying $file through the worker (time from the capture, both default models)"
    "$weir" replay --in "$file" --verdicts "$work/verdicts.jsonl" --out "$work/marked.pcap"
    say "Three of its flows, as --verdicts writes them"
    head -n 3 "$work/verdicts.jsonl"
    say "The same again, byte for byte"
    "$weir" replay --in "$file" --verdicts "$work/again.jsonl" --burst 7 >/dev/null
    if cmp -s "$work/verdicts.jsonl" "$work/again.jsonl"; then
        echo "verdicts equal with bursts of 64 and of 7 packets"
    else
        echo "verdicts differ" >&2
        exit 1
    fi
}

if [ -n "$capture" ]; then
    replay_story "$capture"
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Not root: no network namespaces. Generating a capture instead."
    "$weirlab" generate --out "$work/generated.pcap" --seed 1 --seconds 8
    replay_story "$work/generated.pcap"
    exit 0
fi

# ---- the wire: client (10.99.0.1) -- gateway -- server (10.99.0.2) --------------------------------------------------

say "Two hosts, and a gateway between them"
plain_link() { # Frames leave as a wire carries them: checksummed, not larger than the MTU.
    ip netns exec "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
    ip netns exec "$1" ethtool -K "$2" tx off rx off tso off gso off gro off >/dev/null
    ip -n "$1" link set "$2" up
}
for ns in c g s; do
    ip netns add "$tag$ns"
    ip -n "$tag$ns" link set lo up
done
ip -n "${tag}c" link add eth0 type veth peer name wa netns "${tag}g"
ip -n "${tag}s" link add eth0 type veth peer name wb netns "${tag}g"
plain_link "${tag}c" eth0
plain_link "${tag}s" eth0
plain_link "${tag}g" wa
plain_link "${tag}g" wb
ip -n "${tag}c" addr add 10.99.0.1/24 dev eth0
ip -n "${tag}s" addr add 10.99.0.2/24 dev eth0
# Arrays, not functions: what starts in the background is then the program itself, by its own pid.
client=(ip netns exec "${tag}c" taskset -c 0)
server=(ip netns exec "${tag}s" taskset -c 0)
gateway=(ip netns exec "${tag}g")
ctl() { "$weirctl" --socket "$work/control.sock" "$@"; }
metric_lines() { "${gateway[@]}" curl -s --max-time 5 http://127.0.0.1:9464/metrics; }

mkdir -p "$work/keys" "$work/state" "$work/www"
(cd "$work" && "$weirlab" keygen operator >/dev/null && cp operator.pub keys/)
cat >"$work/weir.yaml" <<YAML
eal: {hugepages: auto, memory_mb: 256, main_lcore: 0}
workers: {lcores: [1], flow_table: {capacity: 65536}}
ports:
  - {name: lan, device: "net_af_packet_wa,iface=wa"}
  - {name: wan, device: "net_af_packet_wb,iface=wb"}
pairs: [[lan, wan]]
control: {socket: $work/control.sock, keyring: $work/keys, state_dir: $work/state}
metrics: {listen: "127.0.0.1:9464"}
YAML
"$weir" check -q -c "$work/weir.yaml"
"${gateway[@]}" "$weir" run -c "$work/weir.yaml" >"$work/weir.out" 2>"$work/weir.log" &
gateway_pid=$!
children+=("$gateway_pid")
up=no
for _ in $(seq 1 100); do
    if "${client[@]}" ping -c 1 -W 1 10.99.0.2 >/dev/null 2>&1; then
        up=yes
        break
    fi
    kill -0 "$gateway_pid" 2>/dev/null || break
    sleep 0.1
done
if [ "$up" != yes ]; then
    cat "$work/weir.log" >&2
    exit 1
fi
echo "client 10.99.0.1 -- wa [weir] wb -- server 10.99.0.2: up"

# ---- traffic --------------------------------------------------------------------------------------------------------

head -c 20000000 /dev/urandom >"$work/www/file.bin"
"${server[@]}" python3 -m http.server 8000 --bind 10.99.0.2 --directory "$work/www" >/dev/null 2>&1 &
children+=("$!")
"${server[@]}" iperf3 -s -B 10.99.0.2 >/dev/null 2>&1 &
children+=("$!")
until "${client[@]}" curl -s -o /dev/null --max-time 2 -r 0-0 http://10.99.0.2:8000/file.bin; do sleep 0.1; done

# Runs each argument as a command at the same time; shows the live table of two seconds amid them.
watch_traffic() {
    local pids=() pid command
    for command in "$@"; do
        $command &
        pids+=("$!")
        children+=("$!")
    done
    ctl top --once --interval 2
    for pid in "${pids[@]}"; do wait "$pid" || true; done
}

say "Ordinary traffic: a download, a ping, a telephone-like stream"
download() { exec "${client[@]}" curl -s --limit-rate 8M -o "$work/got.bin" http://10.99.0.2:8000/file.bin; }
pings() { exec "${client[@]}" ping -c 100 -i 0.03 -q 10.99.0.2 >/dev/null; }
telephone() { exec "${client[@]}" iperf3 -c 10.99.0.2 -u -b 64k -l 160 -t 3 >/dev/null; }
watch_traffic download pings telephone
cmp "$work/www/file.bin" "$work/got.bin"
echo "20 MB fetched with curl, identical; 100 pings; 3 s of 160-byte UDP packets at 64 kb/s"

say "Hostile traffic: a port scan and a SYN flood"
scan() { exec "${client[@]}" nmap -n -Pn -sS --max-retries 1 --max-rate 600 -p 1-2000 10.99.0.2 >"$work/nmap.txt"; }
flood() { exec "${client[@]}" hping3 -q -S -p 8000 -i u800 -c 4000 10.99.0.2 >/dev/null 2>&1; }
watch_traffic scan flood
echo "2000 ports probed with nmap, 4000 SYNs with hping3"

say "A model pushed and swapped in, under a stream of 200 packets a second"
"$weirlab" sign "$source_root/config/models/qos.weir" --key "$work/operator.key" \
    --name operator-qos --version 2 --out "$work/next.weir" >/dev/null
"${client[@]}" ping -i 0.005 -c 1000 -q 10.99.0.2 >"$work/ping.txt" &
ping_pid=$!
children+=("$ping_pid")
ctl models push "$work/next.weir" --slot qos
for _ in 1 2 3 4 5; do
    ctl models activate qos operator-qos 2 >/dev/null
    ctl models rollback qos >/dev/null
done
ctl models activate qos operator-qos 2
wait "$ping_pid" || true
loss=$(sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p' "$work/ping.txt")
echo "loss at the swaps: ${loss}% of 1000 pings across 11 swaps"
ctl models list

# ---- the end --------------------------------------------------------------------------------------------------------

say "Metrics: http://127.0.0.1:9464/metrics (in the gateway's namespace); three of its lines"
metric_lines >"$work/metrics.txt"
{
    grep -m 1 '^weir_rx_packets_total' "$work/metrics.txt"
    grep '^weir_verdicts_total' "$work/metrics.txt" | grep -m 1 'class="scan"' || true
    grep -m 1 '^weir_model_swaps_total' "$work/metrics.txt"
} || true

say "SIGTERM: drained, and every packet accounted for"
kill -TERM "$gateway_pid"
status=0
wait "$gateway_pid" || status=$?
cat "$work/weir.out"
if [ "$status" -ne 0 ] || [ "$loss" != 0 ]; then
    echo "demo failed: exit status $status, loss ${loss}%" >&2
    cat "$work/weir.log" >&2
    exit 1
fi
