#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kills a real gateway with SIGKILL at random moments of lifecycle calls, under traffic, and looks at what comes up.

kill_drill.py --weir PROGRAM --bundles PROGRAM --proto control.proto [--kills N] [--seed N]

After each kill the gateway must start by itself, with the state of the last call it answered, or with all that the one
call under way would have led to, and nothing else. What that would have been is found out: another gateway is given the
state from before the call, and is asked the same.
Exit code 0: all held; 1: something did not; 77: skipped, and why.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import independent_client as client

SLOT = client.SLOT


class Drill:
    """One gateway at a time: the one that is killed, or the one that tells what a call leads to."""

    def __init__(self, folder, arguments, pb, pb_grpc):
        self.folder, self.pb, self.pb_grpc = folder, pb, pb_grpc
        self.random = random.Random(arguments.seed)
        self.gateway = self.prepare(folder)
        reference = f"{folder}/reference"
        os.mkdir(reference)
        os.symlink(f"{folder}/keys", f"{reference}/keys")
        self.reference = self.prepare(reference)
        self.stub = self.channel = None

    @staticmethod
    def prepare(folder):
        gateway = client.Gateway(folder)
        config = Path(f"{folder}/weir.yaml")  # packets come as fast as they are taken
        config.write_text(config.read_text("utf-8").replace(",no-rx=1", ""), "utf-8")
        return gateway

    def start(self, gateway=None):
        gateway = gateway or self.gateway
        gateway.start()
        self.channel = client.connect(gateway)
        self.stub = self.pb_grpc.ControlStub(self.channel)

    def stop(self, gateway):
        self.channel.close()
        assert gateway.stop() == 0, gateway.log.read_text("utf-8")[-4000:]

    def state(self):
        """(active version, each version's stage and share) of the slot."""
        models = self.stub.ListModels(self.pb.ListModelsRequest(slot=SLOT), timeout=60).models
        stages = {m.version: (m.stage, m.canary_permyriad) for m in models}
        active = [m.version for m in models if m.stage == self.pb.MODEL_STAGE_ACTIVE]
        status = self.stub.GetStatus(self.pb.GetStatusRequest(), timeout=60)
        running = [s.active.version for s in status.slots if s.HasField("active")]
        assert active == running, f"listed {active}, running {running}"
        assert status.rx_packets == 0 or status.rx_packets >= status.tx_packets
        return (active[0] if active else 0, tuple(sorted(stages.items())))

    def draw(self):
        """One random step of a model's life: a request."""
        pb, version = self.pb, self.random.choice((7, 8))
        stage = self.random.choice((
            pb.MODEL_STAGE_VERIFIED, pb.MODEL_STAGE_SHADOW, pb.MODEL_STAGE_CANARY, pb.MODEL_STAGE_ACTIVE, None, None))
        if stage is None:
            return pb.RollbackModelRequest(slot=SLOT)
        return pb.StageModelRequest(
            slot=SLOT, name="drill", version=version, stage=stage, canary_permyriad=self.random.randint(1, 10000))

    def call(self, request):
        """Asks it. A refusal is an answer, too: nothing changed."""
        ask = (self.stub.RollbackModel if isinstance(request, self.pb.RollbackModelRequest) else self.stub.StageModel)
        try:
            ask(request, timeout=60)
        except client.grpc.RpcError as error:
            if error.code() not in (client.grpc.StatusCode.FAILED_PRECONDITION,
                                    client.grpc.StatusCode.INVALID_ARGUMENT,
                                    client.grpc.StatusCode.RESOURCE_EXHAUSTED):
                raise

    def keep_state(self):
        """What a restart would find now. Nothing is written meanwhile: the one client waits."""
        shutil.rmtree(f"{self.folder}/kept", ignore_errors=True)
        shutil.copytree(f"{self.folder}/state", f"{self.folder}/kept")

    def led_to(self, request):
        """The state after `request` from the kept one; the killed gateway must not run."""
        shutil.rmtree(f"{self.folder}/reference/state", ignore_errors=True)
        shutil.copytree(f"{self.folder}/kept", f"{self.folder}/reference/state")
        self.start(self.reference)
        self.call(request)
        state = self.state()
        self.stop(self.reference)
        return state

    def until_killed(self):
        """Calls until the kill comes: how many, the last state seen, the call after it, and whether it was answered."""
        before, request, answered, calls = self.state(), None, False, 0
        timer = threading.Timer(self.random.uniform(0.0, 0.4), self.gateway.process.kill)
        try:
            self.keep_state()
            timer.start()
            while True:
                request, answered = self.draw(), False
                calls += 1
                self.call(request)
                answered = True
                before = self.state()
                request = None
                self.keep_state()
        except client.grpc.RpcError as error:
            gone = (client.grpc.StatusCode.UNAVAILABLE, client.grpc.StatusCode.CANCELLED,
                    client.grpc.StatusCode.UNKNOWN)
            assert error.code() in gone, f"{error.code()}: {error.details()}"
        timer.join()
        self.gateway.process.wait(60)
        self.gateway.process = None
        self.channel.close()
        return calls, before, request, answered

    def kill_once(self):
        """How many calls, and what came up: "answered" or "under way"."""
        calls, before, request, answered = self.until_killed()
        self.start()
        after = self.state()
        if request is None or (after == before and not answered):
            assert after == before, f"no call was under way, but {before} became {after}"
            return calls, "answered"
        self.stop(self.gateway)
        outcome = self.led_to(request)
        self.start()
        assert self.state() == after, "a restart in peace changed the state"
        assert after == outcome, f"{request} (answered: {answered}) of {before} leads to {outcome}, not to {after}"
        return calls, "answered" if answered else "under way"


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
        total, came_up = 0, {"answered": 0, "under way": 0}
        for kill in range(arguments.kills):
            try:
                calls, which = drill.kill_once()
            except AssertionError as error:
                raise AssertionError(f"kill {kill} of seed {arguments.seed}: {error}") from error
            total += calls
            came_up[which] += 1
        audit = subprocess.run(
            [str(Path(arguments.weir).parent.parent / "ctl/weirctl"), "audit", "verify", f"{folder}/state/audit.log"],
            capture_output=True, text=True, check=False)
        print(f"{arguments.kills} kills, {total} calls: {came_up['answered']} came up as last answered, "
              f"{came_up['under way']} with all of the call that was under way")
        print(audit.stdout.strip() or audit.stderr.strip())
        drill.gateway.stop()
        return audit.returncode


if __name__ == "__main__":
    client.need_grpc()
    sys.exit(main())
