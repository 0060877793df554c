#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients that mean no good, while a gateway forwards as fast as it can: operators are served and memory is bounded.

hostile_drill.py --weir PROGRAM --bundles PROGRAM --proto control.proto [--seconds S] [--rounds N]

Beside 1,000 half-open connections, pushes that announce 2 GB, or that announce little and send on, come without end.
Prints what the worker forwards in peace and under attack, in windows of S seconds that take turns; no result hangs on it.
Exit code 0: all held; 1: something did not; 77: skipped, and why.
"""
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import independent_client as client

HALF_OPEN = 1000
TWO_GB = 2 << 30
CHUNK = bytes(1 << 20)
MAX_GROWTH_MB = 192
# Where the gateway has an address sanitizer, what is freed waits in its quarantine, of 256 MB unless told otherwise.
QUARANTINE = "quarantine_size_mb=16"


class Attack:
    """Half-open connections and a pusher; the latter while `on`."""

    def __init__(self, gateway, pb, pb_grpc):
        self.gateway, self.pb, self.pb_grpc = gateway, pb, pb_grpc
        self.half, self.announced, self.sent, self.refusals = [], 0, 0, {}
        self.on = False
        self.thread = None

    def connect_half(self):
        """Connections that say nothing, and some that begin a greeting and stop."""
        for i in range(HALF_OPEN):
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            one.settimeout(10)
            try:
                one.connect(self.gateway.socket)
                if i % 2:
                    one.send(b"PRI * HTTP/2.0\r\n")
            except OSError:  # refused: also an answer
                pass
            self.half.append(one)

    def push(self, announced):
        """One push of 2 GB; True if all of it was taken."""
        def messages():
            yield self.pb.PushModelRequest(header=self.pb.PushHeader(size_bytes=announced))
            for _ in range(TWO_GB // len(CHUNK)):
                if not self.on:
                    return
                self.sent += len(CHUNK)
                yield self.pb.PushModelRequest(chunk=CHUNK)
        self.announced += TWO_GB
        try:
            self.stub.PushModel(messages(), timeout=60)
        except client.grpc.RpcError as error:
            self.refusals[error.code().name] = self.refusals.get(error.code().name, 0) + 1
            return False
        return True

    def run(self):
        channel = client.connect(self.gateway)
        self.stub = self.pb_grpc.ControlStub(channel)
        while self.on:
            for announced in (TWO_GB, 1000):
                assert not self.push(announced), "a push of 2 GB was taken"
        channel.close()

    def start(self):
        self.on = True
        self.connect_half()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def stop(self):
        self.on = False
        self.thread.join()
        for one in self.half:
            one.close()
        self.half = []


def resident_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("utf-8")).group(1)) / 1024


class Drill:
    """One gateway, one operator."""

    def __init__(self, folder, pb, pb_grpc):
        self.pb = pb
        self.bundles = {v: Path(f"{folder}/v{v}.weir").read_bytes() for v in (7, 8)}
        self.gateway = client.Gateway(folder)
        config = Path(f"{folder}/weir.yaml")  # packets come as fast as they are taken
        config.write_text(config.read_text("utf-8").replace(",no-rx=1", ""), "utf-8")
        self.gateway.start()
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the worker's CPU is the worker's
        self.stub = pb_grpc.ControlStub(client.connect(self.gateway))
        self.peak = 0.0

    def received(self):
        self.peak = max(self.peak, resident_mb(self.gateway.process.pid))
        status = self.stub.GetStatus(self.pb.GetStatusRequest(), timeout=60)
        return status.rx_packets, time.monotonic()

    def rate(self, seconds):
        """Million packets a second over a window."""
        (before, begin) = self.received()
        time.sleep(seconds)  # a measurement, not a synchronisation
        (after, end) = self.received()
        return (after - before) / (end - begin) / 1e6

    def operate(self, version):
        """What an operator does: push, try, promote, look."""
        pb = self.pb
        client.push(self.stub, pb, self.bundles[version], slot=client.SLOT)
        for stage in (pb.MODEL_STAGE_SHADOW, pb.MODEL_STAGE_ACTIVE):
            self.stub.StageModel(pb.StageModelRequest(
                slot=client.SLOT, name="drill", version=version, stage=stage), timeout=60)
        models = self.stub.ListModels(pb.ListModelsRequest(slot=client.SLOT), timeout=60).models
        assert [m.version for m in models if m.stage == pb.MODEL_STAGE_ACTIVE] == [version]


def main():
    parser = client.options(__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args(namespace=client.ARGUMENTS)
    with tempfile.TemporaryDirectory(prefix="weir-hostile-") as folder:
        pb, pb_grpc = client.stubs(folder)
        client.prepare(folder)
        drill = Drill(folder, pb, pb_grpc)
        attack = Attack(drill.gateway, pb, pb_grpc)
        try:
            drill.operate(7)
            drill.rate(arguments.seconds)  # warm
            drill.peak, at_rest = 0.0, resident_mb(drill.gateway.process.pid)
            peace, war = [], []
            for _ in range(arguments.rounds):
                peace.append(drill.rate(arguments.seconds))
                attack.start()
                war.append(drill.rate(arguments.seconds))
                drill.operate(8)
                drill.stub.RollbackModel(pb.RollbackModelRequest(slot=client.SLOT), timeout=60)
                attack.stop()
            peak = drill.peak
        finally:
            if attack.thread and attack.thread.is_alive():
                attack.stop()
            code = drill.gateway.stop()
        log = drill.gateway.log.read_text("utf-8")
    print("in peace", ", ".join(f"{rate:.2f}" for rate in peace), "Mpkt/s; under attack",
          ", ".join(f"{rate:.2f}" for rate in war), f"Mpkt/s; mean {sum(war) / sum(peace):.3f} of it")
    print(f"{HALF_OPEN} half-open connections; pushes announced {attack.announced / 1e9:.0f} GB and sent "
          f"{attack.sent / 1e9:.2f} GB, refused {attack.refusals}")
    print(f"resident memory {at_rest:.0f} MB, {peak:.0f} MB at most")
    assert code == 0, f"exit {code}: {log[-4000:]}"
    assert "NOT CONSERVED" not in log
    assert attack.refusals, "no push was refused"
    assert peak - at_rest < MAX_GROWTH_MB, f"memory grew from {at_rest:.0f} to {peak:.0f} MB"
    return 0


if __name__ == "__main__":
    client.need_grpc()
    os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), QUARANTINE)))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.exit(main())
