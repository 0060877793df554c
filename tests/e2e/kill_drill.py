#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kills a real gateway with SIGKILL at random moments of lifecycle calls, under traffic, and looks at what comes up.

kill_drill.py --weir PROGRAM --bundles PROGRAM --proto control.proto [--kills N] [--seed N]

After each kill the gateway must start by itself, with the state of the last call it answered or of the one under way.
Exit code 0: all held; 1: something did not; 77: skipped, and why.
"""
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import independent_client as client

SLOT = client.SLOT


class Drill:
    """One folder, one gateway at a time."""

    def __init__(self, folder, arguments, pb, pb_grpc):
        self.folder, self.pb, self.pb_grpc = folder, pb, pb_grpc
        self.random = random.Random(arguments.seed)
        self.gateway = client.Gateway(folder)
        config = Path(f"{folder}/weir.yaml")  # packets come as fast as they are taken
        config.write_text(config.read_text("utf-8").replace(",no-rx=1", ""), "utf-8")
        self.stub = self.channel = None
        self.answered = None  # the state after the last call that was answered
        self.under_way = None  # the call that was not

    def start(self):
        self.gateway.start()
        self.channel = client.connect(self.gateway)
        self.stub = self.pb_grpc.ControlStub(self.channel)

    def state(self):
        """(active version, {version: stage and share}) of the slot."""
        models = self.stub.ListModels(self.pb.ListModelsRequest(slot=SLOT), timeout=60).models
        stages = {m.version: (m.stage, m.canary_permyriad) for m in models}
        active = [m.version for m in models if m.stage == self.pb.MODEL_STAGE_ACTIVE]
        status = self.stub.GetStatus(self.pb.GetStatusRequest(), timeout=60)
        running = [s.active.version for s in status.slots if s.HasField("active")]
        assert active == running, f"listed {active}, running {running}"
        assert status.rx_packets == 0 or status.rx_packets >= status.tx_packets
        return (active[0] if active else 0, tuple(sorted(stages.items())))

    def call(self):
        """One random step of a model's life; True if the gateway answered it with OK."""
        pb, version = self.pb, self.random.choice((7, 8))
        stage = self.random.choice((
            pb.MODEL_STAGE_VERIFIED, pb.MODEL_STAGE_SHADOW, pb.MODEL_STAGE_CANARY, pb.MODEL_STAGE_ACTIVE, None, None))
        try:
            if stage is None:
                self.stub.RollbackModel(pb.RollbackModelRequest(slot=SLOT), timeout=60)
            else:
                self.stub.StageModel(pb.StageModelRequest(
                    slot=SLOT, name="drill", version=version, stage=stage,
                    canary_permyriad=self.random.randint(1, 10000)), timeout=60)
            return True
        except client.grpc.RpcError as error:
            if error.code() in (client.grpc.StatusCode.FAILED_PRECONDITION, client.grpc.StatusCode.INVALID_ARGUMENT,
                                client.grpc.StatusCode.RESOURCE_EXHAUSTED):
                return False  # refused: nothing changed
            raise

    def kill_once(self):
        """Calls until the kill comes; then what came up must be a state that a call led to."""
        known = [self.state()]
        timer = threading.Timer(self.random.uniform(0.0, 0.4), self.gateway.process.kill)
        timer.start()
        calls = 0
        try:
            while True:
                calls += 1
                if self.call():
                    known.append(self.state())
                    known = known[-1:]
        except client.grpc.RpcError:
            pass
        timer.join()
        self.gateway.process.wait(60)
        self.gateway.process = None
        self.channel.close()
        self.start()
        return calls, known[-1], self.state()


def main():
    parser = client.options(__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(namespace=client.ARGUMENTS)
    with tempfile.TemporaryDirectory(prefix="weir-kill-") as folder:
        pb, pb_grpc = client.stubs(folder)
        client.prepare(folder)
        drill = Drill(folder, arguments, pb, pb_grpc)
        drill.start()
        for version in (7, 8):
            client.push(drill.stub, pb, Path(f"{folder}/v{version}.weir").read_bytes())
        same = ahead = total = 0
        for kill in range(arguments.kills):
            calls, before, after = drill.kill_once()
            total += calls
            if after == before:
                same += 1
                continue
            # A step that was under way: at most each model's stage and the active one moved, all still consistent.
            assert dict(after[1]).keys() == dict(before[1]).keys(), f"kill {kill}: {before} became {after}"
            ahead += 1
        audit = subprocess.run(
            [str(Path(arguments.weir).parent.parent / "ctl/weirctl"), "audit", "verify", f"{folder}/state/audit.log"],
            capture_output=True, text=True, check=False)
        print(f"{arguments.kills} kills, {total} calls: {same} came up as last answered, {ahead} one call ahead")
        print(audit.stdout.strip() or audit.stderr.strip())
        drill.gateway.stop()
        return audit.returncode


if __name__ == "__main__":
    client.need_grpc()
    sys.exit(main())
