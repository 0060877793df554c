#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Attacks by the programs that attackers use, across a live gateway, with benign transfers beside them. Root. Everything
happens in network namespaces of its own, which are removed at the end.

    perf/attacks.py --weir build/release/control/app/weir --weirctl build/release/control/ctl/weirctl [--json FILE]

An attacker (10.30.0.66) and a client (10.30.0.1) share a switch before the gateway; the server (10.30.0.2) is behind it.
Beside each attack the client downloads at 20 Mb/s (iperf3) and fetches a page again and again (curl). Three policies: none;
floods, scans and amplification of the default model dropped from confidence 0.9 on; and those with a limit of 20 new flows a second and source.
Told are the time to the first verdict about the attacker, the share of the attacker's packets that did not reach the
server, the client's goodput to that without an attack under the same policy, and its fetches that failed.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TAG = f"atk{os.getpid() % 10000}"
ATTACKER, CLIENT, SWITCH, GATEWAY, SERVER = (TAG + end for end in "acwgs")
TARGET, ENEMY = "10.30.0.2", "10.30.0.66"
SECONDS = 6  # an attack lasts, and what runs beside it
PORTS = "7,9,13,21,22,23,25,53,80,110,139,143,443,445,993,995,3306,3389,5900,8080"

CONFIG = """
eal: {{hugepages: off}}
workers: {{lcores: [1]}}
ports:
  - {{name: lan, device: "net_af_packet0,iface=wa"}}
  - {{name: wan, device: "net_af_packet1,iface=wb"}}
pairs: [[lan, wan]]
control: {{socket: {dir}/s.sock, state_dir: {dir}/state, keyring: {dir}/keys}}
metrics: {{listen: ""}}
{policy}
"""
# A SYN flood of random sources is what the default model also calls amplification: what a victim sends back looks alike.
DROP = "slots: {anomaly: {rules: {" + ", ".join(
    f"{name}: {{action: drop, min_confidence: 0.9}}" for name in ("flood", "scan", "amplification")) + "}}, qos: {}}\n"
LIMIT = "policy: {new_flows: {per_source_per_s: 20, burst: 40}}\n"
POLICIES = {"none": "", "models": DROP, "models and limit": DROP + LIMIT}

# name: (program, command in the attacker's namespace)
ATTACKS = {
    "nmap SYN scan": ("nmap", f"nmap -n -Pn -sS -T4 --max-retries 1 -p1-3000 {TARGET}"),
    "nmap connect scan": ("nmap", f"nmap -n -Pn -sT -T4 --max-retries 1 -p1-3000 {TARGET}"),
    "nmap UDP scan": ("nmap", f"nmap -n -Pn -sU -T4 --max-retries 0 -p1-1000 {TARGET}"),
    "nmap slow scan": ("nmap", f"nmap -n -Pn -sS --scan-delay 250ms --max-retries 0 -p{PORTS} {TARGET}"),
    "hping3 SYN flood": ("hping3", f"hping3 -q -S -p 80 -i u250 {TARGET}"),
    "hping3 UDP flood": ("hping3", f"hping3 -q --udp -p 53 -d 64 -i u250 {TARGET}"),
    "hping3 ICMP flood": ("hping3", f"hping3 -q --icmp -i u250 {TARGET}"),
    "slowhttptest headers": ("slowhttptest", f"slowhttptest -H -c 200 -r 50 -i 2 -l {SECONDS} -u http://{TARGET}:8000/"),
    "medusa on SSH": ("medusa", f"medusa -h {TARGET} -u root -P {{dir}}/words -M ssh -t 4"),
    "dns2tcp tunnel": ("dns2tcpc", f"sh -c '(while sleep 0.02; do echo {'x' * 200}; done) | dns2tcpc -z t.example -r sink -l - {TARGET}'"),
}


def run(command, check=True):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(f"attacks: '{command}': {done.stderr.strip() or done.stdout.strip()}")
    return done


def start(space, command, **options):
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    return subprocess.Popen(f"exec ip netns exec {space} {command}", shell=True, stdin=subprocess.DEVNULL,
                            start_new_session=True, **options)


def stop(process, number=signal.SIGTERM):
    """Ends a process that we started, and what it started."""
    if process.poll() is None:
        os.killpg(process.pid, number)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def build():
    for name in (ATTACKER, CLIENT, SWITCH, GATEWAY, SERVER):
        run(f"ip netns add {name} && ip -n {name} link set lo up")
    run(f"ip -n {ATTACKER} link add eth0 type veth peer name a netns {SWITCH}")
    run(f"ip -n {CLIENT} link add eth0 type veth peer name c netns {SWITCH}")
    run(f"ip -n {SWITCH} link add g type veth peer name wa netns {GATEWAY}")
    run(f"ip -n {SERVER} link add eth0 type veth peer name wb netns {GATEWAY}")
    run(f"ip -n {SWITCH} link add br0 type bridge && ip -n {SWITCH} link set br0 up")
    for name, link in ((ATTACKER, "eth0"), (CLIENT, "eth0"), (SWITCH, "a"), (SWITCH, "c"), (SWITCH, "g"),
                       (GATEWAY, "wa"), (GATEWAY, "wb"), (SERVER, "eth0")):
        run(f"ip netns exec {name} sysctl -qw net.ipv6.conf.{link}.disable_ipv6=1")
        run(f"ip netns exec {name} ethtool -K {link} rx off tx off sg off tso off gso off gro off", False)
        run(f"ip -n {name} link set dev {link} up")
        if name == SWITCH:
            run(f"ip -n {SWITCH} link set dev {link} master br0")
    for name, address in ((ATTACKER, ENEMY), (CLIENT, "10.30.0.1"), (SERVER, TARGET)):
        run(f"ip -n {name} addr add {address}/24 dev eth0")


def remove():
    for name in (ATTACKER, CLIENT, SWITCH, GATEWAY, SERVER):
        run(f"ip netns del {name}", False)


def sent_by_attacker():
    return json.loads(run(f"ip -n {ATTACKER} -s -j link show eth0").stdout)[0]["stats64"]["tx"]["packets"]


class Services:
    """What the server offers: HTTP, iperf3, SSH, and the far end of a tunnel."""

    def __init__(self, folder):
        pathlib.Path(folder, "web").mkdir()
        pathlib.Path(folder, "web", "index.html").write_text("x" * 20000)
        pathlib.Path(folder, "dns2tcpd").write_text(
            f"listen = {TARGET}\nport = 53\nuser = nobody\nchroot = /tmp\ndomain = t.example\n"
            "resources = sink:127.0.0.1:9\n")
        pathlib.Path(folder, "sink.py").write_text(
            "import socketserver\n"
            "class Sink(socketserver.BaseRequestHandler):\n"
            "    def handle(self):\n"
            "        while self.request.recv(65536):\n"
            "            pass\n"
            "socketserver.ThreadingTCPServer(('127.0.0.1', 9), Sink).serve_forever()\n")
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd asks for it
        run(f"ssh-keygen -q -t ed25519 -N '' -f {folder}/host", False)
        self.processes = [
            start(SERVER, f"/usr/bin/python3 -m http.server 8000 --bind 0.0.0.0 --directory {folder}/web"),
            start(SERVER, "iperf3 -s"),
            start(SERVER, f"/usr/sbin/sshd -D -h {folder}/host -o PidFile=none -o UsePAM=no -o MaxStartups=100"),
            start(SERVER, f"/usr/bin/python3 {folder}/sink.py"),
            start(SERVER, f"dns2tcpd -F -f {folder}/dns2tcpd")]

    def close(self):
        for process in self.processes:
            stop(process)


def benign(seconds):
    """Goodput in Mb/s of a download, and fetches: tried, failed."""
    download = start(CLIENT, f"iperf3 -c {TARGET} -R -b 20M -t {seconds} -J", stdout=subprocess.PIPE, text=True)
    tried = failed = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tried += 1
        failed += run(f"ip netns exec {CLIENT} curl -sf -m 4 -o /dev/null http://{TARGET}:8000/", False).returncode != 0
        time.sleep(0.2)
    try:
        result = json.loads(download.communicate(timeout=30)[0])
    except (ValueError, subprocess.TimeoutExpired):
        stop(download)
        result = {}
    return result.get("end", {}).get("sum_received", {}).get("bits_per_second", 0) / 1e6, tried, failed


def attack(weirctl, folder, command):
    """Seconds to the first verdict that names the attacker and is not benign, packets sent and stopped, and benign()."""
    first, named = [], collections.Counter()
    tail = subprocess.Popen([weirctl, "--socket", f"{folder}/s.sock", "--json", "tail", "--slot", "anomaly"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def watch():
        for line in tail.stdout:
            for one in json.loads(line).get("verdicts", []) if ENEMY in line else []:
                name = one.get("class_name", one.get("className", "benign"))
                if one.get("slot") == "anomaly" and name != "benign":
                    first.append(time.monotonic())
                    named[name] += 1

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    counter = start(SERVER, f"tcpdump -n -i eth0 -w /dev/null 'src host {ENEMY} and ip'",
                    stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    before, began = sent_by_attacker(), time.monotonic()
    attacker = start(ATTACKER, command.format(dir=folder)) if command else None
    goodput = benign(SECONDS)
    if attacker:
        stop(attacker, signal.SIGINT)
    sent = sent_by_attacker() - before
    time.sleep(0.5)
    counter.send_signal(signal.SIGINT)
    got = re.search(r"(\d+) packets received by filter", counter.communicate(timeout=10)[1])
    tail.terminate()
    tail.wait(10)
    arrived = int(got[1]) if got else 0
    watcher.join(10)
    return {"named": dict(named), "detected_s": round(first[0] - began, 2) if first else None, "sent": sent,
            "stopped": max(0.0, 1 - arrived / sent) if sent else 0.0,
            "goodput": goodput[0], "tried": goodput[1], "failed": goodput[2]}


def under(policy, args, folder, names):
    config = pathlib.Path(folder, "weir.yaml")
    config.write_text(CONFIG.format(dir=folder, policy=POLICIES[policy]))
    results = {}
    for name in ["nothing", *names]:
        with open(pathlib.Path(folder, "log"), "w+") as log:
            gateway = start(GATEWAY, f"{args.weir} run -c {config}", stdout=log, stderr=log)
            for _ in range(100):
                if run(f"ip netns exec {CLIENT} ping -c1 -W1 {TARGET}", False).returncode == 0:
                    break
                if gateway.poll() is not None:
                    sys.exit("attacks: weir does not run:\n" + pathlib.Path(folder, "log").read_text())
                time.sleep(0.1)
            try:
                results[name] = attack(args.weirctl, folder, ATTACKS[name][1] if name in ATTACKS else "")
            finally:
                stop(gateway)
        one = results[name]
        one["ratio"] = one["goodput"] / results["nothing"]["goodput"] if results["nothing"]["goodput"] else 0
        when = f"{one['detected_s']:5.2f} s" if one["detected_s"] is not None else "never  "
        print(f"  {name:22} sent {one['sent']:6}  detected {when}  stopped {100 * one['stopped']:5.1f} %  goodput "
              f"{one['ratio']:.3f}  fetches failed {one['failed']} of {one['tried']}  "
              f"{', '.join(f'{n} {c}' for n, c in sorted(one['named'].items(), key=lambda item: -item[1])[:3])}", flush=True)
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/release/control/app/weir", help="the gateway")
    parser.add_argument("--weirctl", default="build/release/control/ctl/weirctl", help="its client")
    parser.add_argument("--only", nargs="*", help="attacks whose names hold one of these words")
    parser.add_argument("--policies", nargs="*", choices=POLICIES, default=list(POLICIES))
    parser.add_argument("--json", help="also write the results here")
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("attacks: skipped: needs root, for network namespaces")
        return
    for need in ("iperf3", "curl", "tcpdump", "ip", "ethtool"):
        if shutil.which(need) is None:
            print(f"attacks: skipped: no {need}")
            return
    args.weir, args.weirctl = os.path.abspath(args.weir), os.path.abspath(args.weirctl)
    names = [name for name in ATTACKS if not args.only or any(word in name for word in args.only)]
    for name in [name for name in names if shutil.which(ATTACKS[name][0]) is None]:
        print(f"{name}: skipped: no {ATTACKS[name][0]}")
        names.remove(name)
    rows = []
    with tempfile.TemporaryDirectory(prefix="weir-attacks-") as folder:
        os.chmod(folder, 0o755)
        pathlib.Path(folder, "keys").mkdir()
        pathlib.Path(folder, "words").write_text("\n".join(f"wrong{n}" for n in range(500)) + "\n")
        services = None
        try:
            build()
            services = Services(folder)
            for policy in args.policies:
                print(f"policy: {policy}", flush=True)
                for name, one in under(policy, args, folder, names).items():
                    key = f"attacks.{policy.replace(' ', '_')}.{name.replace(' ', '_')}"
                    rows += [{"name": f"{key}.stopped", "value": one["stopped"], "unit": "x", "goal": None,
                              "higher_is_better": True},
                             {"name": f"{key}.goodput", "value": one["ratio"], "unit": "x", "goal": 0.98,
                              "higher_is_better": True},
                             {"name": f"{key}.fetches_failed", "value": one["failed"], "unit": "1", "goal": 0,
                              "higher_is_better": False}]
        finally:
            if services:
                services.close()
            remove()
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"results": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
