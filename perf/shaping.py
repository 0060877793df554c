#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A voice stream beside bulk TCP across a 20 Mb/s bottleneck, with and without Weir's shaping, beside the kernel's own
queues. Root. Everything happens in three network namespaces of its own, which are removed at the end.

    perf/shaping.py --weir build/release/control/app/weir [--seconds 10] [--rounds 3] [--json FILE]

Client and server are joined through a gateway namespace by veth pairs without offloads. The client sends RTP-like UDP
(160 bytes of payload each 20 ms) and eight bulk TCP flows (iperf3) to the server. Nobody marks anything. The bottleneck
is the gateway's link to the server: tc's HTB at 20 Mb/s with one of the kernel's queues, or Weir's shaper at 19.5 Mb/s
before that same HTB. One-way delay is the receiver's clock minus the sender's: both are CLOCK_MONOTONIC of one host.
"""
import argparse
import json
import os
import pathlib
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

RATE_KBPS = 20000
FIRST = 16  # packets of the stream until its class is known, and what waits in its queue then
TAG = f"shp{os.getpid() % 10000}"
CLIENT, GATEWAY, SERVER = (TAG + end for end in "cgs")
HONEST = {"rtp": 16384, "bulk": 5201}
LYING = {"rtp": 443, "bulk": 5060}

CONFIG = """
eal: {{hugepages: off}}
workers: {{lcores: [1]}}
ports:
  - {{name: lan, device: "net_af_packet0,iface=wa,qdisc_bypass=0"}}
  - {{name: wan, device: "net_af_packet1,iface=wb,qdisc_bypass=0"}}
pairs: [[lan, wan]]
control: {{socket: {dir}/s.sock, state_dir: {dir}/state, keyring: {dir}/keys}}
metrics: {{listen: "127.0.0.1:9464"}}
{shaping}
"""
SHAPING = """
shaping:
  ports: [{port: wan, rate_kbps: 19500, burst_bytes: 12000}]
  queues:
    - {name: voice, classes: [telephony, signaling], max_share: 0.4}
    - {name: interactive, classes: [multimedia_conferencing, realtime_interactive], max_share: 0.6}
    - {name: data, weight: 8, otherwise: true}
    - {name: bulk, weight: 1, classes: [low_priority_data, high_throughput_data]}
  queue_packets: 256
"""
RED = "  red: {min_packets: 20, max_packets: 80, one_in: 10}\n"


def run(command, check=True):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(f"shaping: '{command}': {done.stderr.strip() or done.stdout.strip()}")
    return done


def build():
    for name in (CLIENT, GATEWAY, SERVER):
        run(f"ip netns add {name} && ip -n {name} link set lo up")
    run(f"ip -n {CLIENT} link add eth0 type veth peer name wa netns {GATEWAY}")
    run(f"ip -n {SERVER} link add eth0 type veth peer name wb netns {GATEWAY}")
    for name, link in ((CLIENT, "eth0"), (GATEWAY, "wa"), (GATEWAY, "wb"), (SERVER, "eth0")):
        run(f"ip netns exec {name} sysctl -qw net.ipv6.conf.{link}.disable_ipv6=1")
        run(f"ip netns exec {name} ethtool -K {link} rx off tx off sg off tso off gso off gro off", False)
        run(f"ip -n {name} link set {link} up")
    run(f"ip -n {CLIENT} addr add 10.20.0.1/24 dev eth0 && ip -n {SERVER} addr add 10.20.0.2/24 dev eth0")


def remove():
    for name in (CLIENT, GATEWAY, SERVER):
        run(f"ip netns del {name}", False)


def bottleneck(queue):
    """The link's rate in the kernel, with `queue` behind it. False if this kernel has no such queue."""
    run(f"ip netns exec {GATEWAY} tc qdisc del dev wb root", False)
    tc = f"ip netns exec {GATEWAY} tc"
    run(f"{tc} qdisc add dev wb root handle 1: htb default 1")
    run(f"{tc} class add dev wb parent 1: classid 1:1 htb rate {RATE_KBPS}kbit burst 6k cburst 6k overhead 24")
    return run(f"{tc} qdisc add dev wb parent 1:1 handle 10: {queue}", False).returncode == 0


class Forwarder:
    """Weir between wa and wb, shaping or not."""

    def __init__(self, weir, shaping):
        self.dir = tempfile.mkdtemp(prefix="weir-shaping-")
        pathlib.Path(self.dir, "keys").mkdir()
        config = pathlib.Path(self.dir, "weir.yaml")
        config.write_text(CONFIG.format(dir=self.dir, shaping=shaping))
        self.log = open(pathlib.Path(self.dir, "log"), "w+")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", GATEWAY, weir, "run", "-c", str(config)], stdout=self.log, stderr=self.log)
        for _ in range(200):
            if run(f"ip netns exec {CLIENT} ping -c1 -W1 10.20.0.2", False).returncode == 0:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.close()
        sys.exit("shaping: weir does not forward:\n" + self.output())

    def output(self):
        self.log.flush()
        return pathlib.Path(self.dir, "log").read_text()

    def queues(self):
        text = run(f"ip netns exec {GATEWAY} curl -s http://127.0.0.1:9464/metrics").stdout
        wanted = ("weir_shaper_packets_total{", "weir_shaper_dropped_packets_total{")
        return [line for line in text.splitlines() if line.startswith(wanted) and not line.endswith(" 0")]

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


# ---- the two ends, each a process of its own in its namespace ----------------------------------------------------------


def receive(port, seconds):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("10.20.0.2", port))
    sock.settimeout(0.5)
    delays, end = [], time.monotonic() + seconds + 6
    print("ready", flush=True)
    while time.monotonic() < end:
        try:
            data = sock.recv(2048)
        except TimeoutError:
            continue
        delays.append((time.monotonic_ns() - struct.unpack_from("!Q", data, 12)[0]) / 1e6)
    print(json.dumps(delays))


def send(port, seconds):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(("10.20.0.2", port))
    start = time.monotonic()
    for n in range(int(seconds * 50)):
        time.sleep(max(0.0, start + n * 0.02 - time.monotonic()))
        rtp = struct.pack("!BBHII", 0x80, 0, n & 0xFFFF, n * 160, 0x57454952)
        sock.send(rtp + struct.pack("!Q", time.monotonic_ns()) + bytes(152))
    print(int(seconds * 50))


def measure(ports, seconds):
    """Delays in ms of the packets that came, packets lost, and the bulk flows' goodput in Mb/s."""
    me = os.path.abspath(__file__)
    server = subprocess.Popen(
        ["ip", "netns", "exec", SERVER, "iperf3", "-s", "-1", "-p", str(ports["bulk"])],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    receiver = subprocess.Popen(
        ["ip", "netns", "exec", SERVER, sys.executable, me, "--receive", str(ports["rtp"]), "--seconds", str(seconds)],
        stdout=subprocess.PIPE, text=True)
    receiver.stdout.readline()
    bulk = subprocess.Popen(
        ["ip", "netns", "exec", CLIENT, "iperf3", "-c", "10.20.0.2", "-p", str(ports["bulk"]), "-P", "8",
         "-t", str(seconds + 2), "-J"], stdout=subprocess.PIPE, text=True)
    time.sleep(2)  # the queues fill
    sender = subprocess.run(
        ["ip", "netns", "exec", CLIENT, sys.executable, me, "--send", str(ports["rtp"]), "--seconds", str(seconds)],
        capture_output=True, text=True, check=False)
    if sender.returncode != 0:
        sys.exit("shaping: the sender failed: " + sender.stderr)
    sent = int(sender.stdout)
    result = json.loads(bulk.communicate(timeout=60)[0])
    delays = json.loads(receiver.communicate(timeout=60)[0])
    server.terminate()
    server.wait(10)
    goodput = result.get("end", {}).get("sum_received", {}).get("bits_per_second", 0) / 1e6
    return delays, sent - len(delays), sent, goodput


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def cases(weir):
    yield "kernel pfifo", "pfifo limit 1000", None
    yield "kernel fq_codel", "fq_codel", None
    yield "weir, not shaping", "pfifo limit 1000", ""
    yield "weir, shaping", "pfifo limit 1000", SHAPING
    yield "weir, shaping with RED and ECN", "pfifo limit 1000", SHAPING + RED


def bridge():
    """The gateway as a plain bridge, for the kernel's cases."""
    run(f"ip -n {GATEWAY} link add br0 type bridge && ip -n {GATEWAY} link set br0 up")
    run(f"ip -n {GATEWAY} link set wa master br0 && ip -n {GATEWAY} link set wb master br0")


def one(weir, name, queue, shaping, ports, seconds):
    build()
    try:
        if not bottleneck(queue):
            print(f"  {name:32} not in this kernel", flush=True)
            return None
        forwarder = None
        if shaping is None:
            bridge()
        else:
            forwarder = Forwarder(weir, shaping)
        delays, lost, sent, goodput = measure(ports, seconds)
        if forwarder:
            if os.environ.get("SHAPING_QUEUES"):
                print("\n".join("    " + line for line in forwarder.queues()))
            forwarder.close()
        return {"p50": quantile(delays, 0.5), "p99": quantile(delays, 0.99),
                "later_p99": quantile(delays[FIRST:], 0.99), "loss": 100 * lost / sent,
                "goodput": goodput}
    finally:
        remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/release/control/app/weir", help="the program")
    parser.add_argument("--seconds", type=int, default=10, help="length of the voice stream")
    parser.add_argument("--rounds", type=int, default=3, help="times that every case is run, in turn")
    parser.add_argument("--json", help="also write the results here")
    parser.add_argument("--receive", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--send", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.receive:
        return receive(args.receive, args.seconds)
    if args.send:
        return send(args.send, args.seconds)
    if os.geteuid() != 0:
        sys.exit("shaping: needs root, for network namespaces")
    weir = os.path.abspath(args.weir)
    rows, results = {}, []
    for label, ports in (("honest ports", HONEST), ("lying ports: bulk on 5060, RTP on 443", LYING)):
        for n in range(args.rounds):
            print(f"{label}, round {n + 1} of {args.rounds}", flush=True)
            for name, queue, shaping in cases(weir):
                got = one(weir, name, queue, shaping, ports, args.seconds)
                if got:
                    rows.setdefault((label, name), []).append(got)
                    print(f"  {name:32} RTP p50 {got['p50']:7.1f} ms  p99 {got['p99']:7.1f} ms, later {got['later_p99']:7.1f} ms  lost {got['loss']:5.2f} %"
                          f"  bulk {got['goodput']:5.1f} Mb/s", flush=True)
    print(f"\nmedians of {args.rounds} rounds")
    for (label, name), got in rows.items():
        middle = {key: statistics.median(row[key] for row in got) for key in got[0]}
        print(f"  {label.split(':')[0]:13} {name:32} RTP p50 {middle['p50']:7.1f} ms  p99 {middle['p99']:7.1f} ms, later {middle['later_p99']:7.1f} ms  "
              f"lost {middle['loss']:5.2f} %  bulk {middle['goodput']:5.1f} Mb/s")
        key = f"shaping.{label.split()[0]}.{name.replace(', ', '_').replace(' ', '_')}"
        for what, unit in (("p50", "ms"), ("p99", "ms"), ("later_p99", "ms"), ("loss", "%"), ("goodput", "Mb/s")):
            results.append({"name": f"{key}.{what}", "value": round(middle[what], 3), "unit": unit,
                            "higher_is_better": what == "goodput"})
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"results": results}, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
