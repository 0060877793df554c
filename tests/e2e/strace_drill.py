#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a worker at work asks of the kernel, as strace sees it: nothing.

strace_drill.py --weir PROGRAM --bundles PROGRAM --proto control.proto [--seconds S]

A gateway forwards packets that never end, each scored by a model, while strace is attached to its worker's thread. The
thread is then stopped at system calls only, so those that it makes are all there are.
Exit code 0: it made none; 1: it made some, or scored no packet meanwhile; 77: skipped, and why.
"""
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import independent_client as client

SKIPPED = 77


def worker_thread(pid):
    """The thread of the only worker, as DPDK names it."""
    found = [task.name for task in Path(f"/proc/{pid}/task").iterdir()
             if (task / "comm").read_text("utf-8").startswith("rte-worker")]
    assert len(found) == 1, f"{len(found)} worker threads"
    return found[0]


def write_capture(path):
    """256 UDP packets of as many flows, for net_pcap to hand out without end."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for flow in range(256):
            udp = struct.pack("!HHHH", 1024 + flow, 5353, 26, 0) + bytes(18)
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), flow, 0, 64, 17, 0,
                             bytes([10, 0, 0, flow]), bytes([10, 0, 1, 1]))
            frame = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]) + ip + udp
            out.write(struct.pack("<IIII", 0, flow, len(frame), len(frame)) + frame)


class Strace:
    """strace attached to one thread."""

    def __init__(self, thread, report):
        self.report = report
        self.process = subprocess.Popen(
            ["strace", "-p", thread, "-o", report], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if "attached" not in line:
            self.process.wait(60)
            print(f"skipped: strace may not attach here: {line.strip()}")
            sys.exit(SKIPPED)

    def calls(self):
        """Detaches; what the thread called."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        lines = Path(self.report).read_text("utf-8").splitlines()
        return [line for line in lines if re.match(r"\w+\(", line)]


def scored(stub, pb):
    """Rows that the slot has scored."""
    return sum(slot.scored for slot in stub.GetStatus(pb.GetStatusRequest(), timeout=60).slots)


def main():
    parser = client.options(__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    arguments = parser.parse_args(namespace=client.ARGUMENTS)
    if shutil.which("strace") is None:
        print("skipped: no strace")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="weir-strace-") as folder:
        pb, pb_grpc = client.stubs(folder)
        client.prepare(folder)
        gateway = client.Gateway(folder)
        write_capture(f"{folder}/flows.pcap")
        config = Path(f"{folder}/weir.yaml")  # packets come as fast as they are taken
        device = f"net_pcap0,rx_pcap={folder}/flows.pcap,infinite_rx=1"
        text = config.read_text("utf-8").replace("net_null0,no-rx=1", device)
        text = text.replace("workers: {", "workers: {overload: {enabled: false}, ")  # or nothing would be scored
        config.write_text(text.replace("{model: none}", "{model: none, score: every_packet}"), "utf-8")
        gateway.start()
        try:
            stub = pb_grpc.ControlStub(client.connect(gateway))
            client.push(stub, pb, Path(f"{folder}/v7.weir").read_bytes(), slot=client.SLOT)
            stub.StageModel(pb.StageModelRequest(
                slot=client.SLOT, name="drill", version=7, stage=pb.MODEL_STAGE_ACTIVE), timeout=60)
            deadline = time.monotonic() + 60
            first = scored(stub, pb)
            while scored(stub, pb) == first and time.monotonic() < deadline:
                time.sleep(0.05)
            strace = Strace(worker_thread(gateway.process.pid), f"{folder}/calls")
            before = scored(stub, pb)
            time.sleep(arguments.seconds)  # a measurement, not a synchronisation
            after = scored(stub, pb)
            calls = strace.calls()
        finally:
            code = gateway.stop()
        log = gateway.log.read_text("utf-8")
    print(f"{after - before} packets scored, {len(calls)} system calls of the worker")
    assert after > before, "the worker scored nothing"
    assert not calls, "\n".join(calls[:20])
    assert code == 0, f"exit {code}: {log[-4000:]}"
    return 0


if __name__ == "__main__":
    client.need_grpc()
    sys.exit(main())
