#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client that shares no code with Weir drives a real gateway: python3-grpcio and the shipped control.proto alone.

independent_client.py --weir PROGRAM --bundles PROGRAM --proto control.proto

Exit code 0: all held; 1: something did not; 77: skipped, and why.
"""
import argparse
import fcntl
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SKIPPED = 77
ARGUMENTS = argparse.Namespace()
SERVICE = "weir.control.v1.Control"
SLOT = "anomaly"

CONFIG = """\
eal: {{hugepages: off, memory_mb: 128, main_lcore: 0}}
workers: {{lcores: [{worker}], flow_table: {{capacity: 4096}}}}
ports: [{{name: a, device: 'net_null0,no-rx=1'}}, {{name: b, device: 'net_null1,no-rx=1'}}]
pairs: [[a, b]]
slots:
  {slot}: {{model: none}}
control: {{socket: {dir}/c.sock, keyring: {dir}/keys, state_dir: {dir}/state, max_bundle_mb: 1}}
metrics: {{listen: ''}}
"""


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def need_grpc():
    """Imports what Debian's packages bring, or skips."""
    global grpc
    try:
        import google.protobuf  # noqa: F401 (the stubs need it)
        import grpc
    except ImportError as missing:
        skip(f"{missing} (packages python3-grpcio, python3-protobuf)")


def options(doc):
    """A parser of what every program here is given; to be parsed into ARGUMENTS."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("weir", "bundles", "proto"):
        parser.add_argument(f"--{name}", required=True)
    return parser


def run(*command):
    """A program that must succeed; its output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def stubs(folder):
    """Python modules of the .proto, made by Debian's protoc and grpc_python_plugin."""
    proto = Path(ARGUMENTS.proto)
    plugin = run("sh", "-c", "command -v grpc_python_plugin").strip()
    run("protoc", f"--proto_path={proto.parent}", f"--python_out={folder}", f"--grpc_python_out={folder}",
        f"--plugin=protoc-gen-grpc_python={plugin}", proto.name)
    sys.path.insert(0, folder)
    name = proto.stem
    return importlib.import_module(f"{name}_pb2"), importlib.import_module(f"{name}_pb2_grpc")


def prepare(folder):
    """What a gateway's folder holds before its start: keys, room for its state, and bundles to push."""
    for name in ("keys", "state"):
        os.mkdir(f"{folder}/{name}")
    run(ARGUMENTS.bundles, folder)
    os.link(f"{folder}/operator.pub", f"{folder}/keys/operator.pub")


def push(stub, pb, data, chunk=1 << 20, **header):
    """Pushes a bundle in pieces of `chunk` bytes; the reply."""
    def messages():
        yield pb.PushModelRequest(header=pb.PushHeader(size_bytes=len(data), **header))
        for at in range(0, len(data), chunk):
            yield pb.PushModelRequest(chunk=data[at:at + chunk])
    return stub.PushModel(messages(), timeout=60)


class Gateway:
    """weir run on ports without packets, its files in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = f"{folder}/c.sock"
        self.worker = max(os.sched_getaffinity(0))
        Path(f"{folder}/weir.yaml").write_text(CONFIG.format(dir=folder, slot=SLOT, worker=self.worker), "utf-8")
        self.log = Path(f"{folder}/weir.log")
        self.process = None

    def wait_for_cpu(self):
        """Until no other gateway, such as that of another clone's tests, has the worker's CPU; two minutes at most."""
        try:
            lock = open(f"/run/lock/weir-lcore-{self.worker}", "a", encoding="utf-8")
        except OSError:
            return  # then gateways do not look, either
        with lock:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except OSError:
                    time.sleep(0.1)

    def start(self):
        self.wait_for_cpu()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [ARGUMENTS.weir, "run", "-c", f"{self.folder}/weir.yaml"], stdout=log, stderr=log)

    def stop(self):
        """Asks it to end; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process = None


def connect(gateway):
    """A channel to the gateway, once it answers; fails with the gateway's log if it does not come up."""
    deadline = time.monotonic() + 60
    while True:
        channel = grpc.insecure_channel(
            f"unix:{gateway.socket}", options=[("grpc.use_local_subchannel_pool", 1)])
        try:
            channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=60)
            return channel
        except grpc.RpcError as error:
            channel.close()
            if (error.code() != grpc.StatusCode.UNAVAILABLE or gateway.process.poll() is not None
                    or time.monotonic() > deadline):
                raise RuntimeError(f"{error}\n" + gateway.log.read_text("utf-8")[-4000:]) from None
            time.sleep(0.05)  # it is starting


class IndependentClient(unittest.TestCase):
    """In the order of a model's life; one gateway for all."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="weir-client-")
        folder = cls.dir.name
        cls.pb, cls.pb_grpc = stubs(folder)
        prepare(folder)
        cls.bundles = {version: Path(f"{folder}/v{version}.weir").read_bytes() for version in (7, 8)}
        cls.gateway = Gateway(folder)
        cls.gateway.start()
        cls.connect()

    @classmethod
    def connect(cls):
        cls.channel = connect(cls.gateway)
        cls.stub = cls.pb_grpc.ControlStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.gateway.stop()
        cls.dir.cleanup()

    def push(self, data, **header):
        return push(self.stub, self.pb, data, chunk=1000, **header)

    def active(self):
        """name@version of the slot, by GetStatus; "" for none."""
        for slot in self.stub.GetStatus(self.pb.GetStatusRequest(), timeout=60).slots:
            if slot.name == SLOT and slot.HasField("active"):
                return f"{slot.active.name}@{slot.active.version}"
        return ""

    def listed(self):
        reply = self.stub.ListModels(self.pb.ListModelsRequest(slot=SLOT), timeout=60)
        return [(m.name, m.version, self.pb.ModelStage.Name(m.stage)) for m in reply.models if m.name == "drill"]

    def refused(self, code, word, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        self.assertIn(word, caught.exception.details())

    def test_1_push(self):
        self.assertEqual(self.active(), "")
        reply = self.push(self.bundles[7], slot=SLOT)
        self.assertEqual((reply.model.name, reply.model.version, reply.already_stored), ("drill", 7, False))
        self.assertEqual(reply.model.size_bytes, len(self.bundles[7]))
        self.assertTrue(self.push(self.bundles[7]).already_stored)
        self.assertEqual(self.listed(), [("drill", 7, "MODEL_STAGE_VERIFIED")])
        self.assertEqual(self.active(), "", "a push alone changes nothing that workers do")

    def test_2_refusals_change_nothing(self):
        flipped = bytearray(self.bundles[8])
        flipped[len(flipped) // 2] ^= 1
        before = self.listed()
        code = grpc.StatusCode
        self.refused(code.INVALID_ARGUMENT, "signature", lambda: self.push(bytes(flipped), activate=True))
        self.refused(code.INVALID_ARGUMENT, "manifest.slot", lambda: self.push(self.bundles[8], slot="other"))
        self.refused(code.RESOURCE_EXHAUSTED, "max_bundle_mb", lambda: self.push(bytes(2 << 20)))
        self.refused(code.NOT_FOUND, "use one of 7", lambda: self.stub.ActivateModel(
            self.pb.ActivateModelRequest(slot=SLOT, name="drill", version=99), timeout=60))
        self.refused(code.FAILED_PRECONDITION, "no model was active before", lambda: self.stub.RollbackModel(
            self.pb.RollbackModelRequest(slot=SLOT), timeout=60))
        self.assertEqual(self.listed(), before)
        self.assertEqual(self.active(), "")

    def test_3_activate_and_roll_back(self):
        request = self.pb.ActivateModelRequest(slot=SLOT, name="drill")
        first = self.stub.ActivateModel(request, timeout=60)
        self.assertFalse(first.HasField("from"))
        self.assertEqual(self.active(), "drill@7")
        self.push(self.bundles[8], activate=True)
        self.assertEqual(self.active(), "drill@8")
        back = self.stub.RollbackModel(self.pb.RollbackModelRequest(slot=SLOT), timeout=60)
        self.assertEqual(back.to.version, 7)
        self.assertGreater(back.generation, first.generation)
        self.assertEqual(self.active(), "drill@7")
        self.assertEqual(
            self.listed(), [("drill", 8, "MODEL_STAGE_RETIRED"), ("drill", 7, "MODEL_STAGE_ACTIVE")])

    def stage(self, stage, version=8, **more):
        return self.stub.StageModel(self.pb.StageModelRequest(
            slot=SLOT, name="drill", version=version, stage=stage, **more), timeout=60)

    def trials(self):
        """(version, stage, share) of the slot's models on trial, by GetStatus."""
        slot = self.stub.GetStatus(self.pb.GetStatusRequest(), timeout=60).slots[0]
        return [(t.model.version, self.pb.ModelStage.Name(t.model.stage), t.model.canary_permyriad)
                for t in slot.trials]

    def test_3a_shadow_canary_active_rollback(self):
        moved = self.stage(self.pb.MODEL_STAGE_SHADOW)
        self.assertEqual((moved.to.version, moved.to.stage), (8, self.pb.MODEL_STAGE_SHADOW))
        self.assertEqual(self.trials(), [(8, "MODEL_STAGE_SHADOW", 0)])
        self.assertEqual(self.active(), "drill@7", "a shadow acts on nothing")
        self.stage(self.pb.MODEL_STAGE_CANARY, canary_permyriad=500)
        self.stage(self.pb.MODEL_STAGE_CANARY, canary_permyriad=2500)
        self.assertEqual(self.trials(), [(8, "MODEL_STAGE_CANARY", 2500)])
        self.refused(grpc.StatusCode.FAILED_PRECONDITION, "on trial", lambda: self.stub.RemoveModel(
            self.pb.RemoveModelRequest(slot=SLOT, name="drill", version=8), timeout=60))
        ended = self.stub.RollbackModel(self.pb.RollbackModelRequest(slot=SLOT), timeout=60)
        self.assertEqual((getattr(ended, "from").version, ended.to.version), (8, 7))
        self.assertEqual(self.trials(), [])
        self.stage(self.pb.MODEL_STAGE_CANARY, canary_permyriad=500)
        self.stage(self.pb.MODEL_STAGE_ACTIVE)
        self.assertEqual((self.active(), self.trials()), ("drill@8", []))
        self.stub.RollbackModel(self.pb.RollbackModelRequest(slot=SLOT), timeout=60)
        self.assertEqual(self.active(), "drill@7")

    def test_3b_policy(self):
        rule = self.pb.Rule(slot=SLOT, class_name="scan", action="mark", dscp=8, min_confidence=0.5)
        dry = self.stub.SetPolicy(self.pb.SetPolicyRequest(rule=rule, dry_run=True), timeout=60)
        self.assertFalse(dry.applied)
        self.assertEqual(len(self.stub.GetPolicy(self.pb.GetPolicyRequest(), timeout=60).rules), 0)
        self.assertTrue(self.stub.SetPolicy(self.pb.SetPolicyRequest(rule=rule), timeout=60).applied)
        rules = self.stub.GetPolicy(self.pb.GetPolicyRequest(slot=SLOT), timeout=60).rules
        self.assertEqual([(r.class_name, r.action, r.dscp, r.overridden) for r in rules], [("scan", "mark", 8, True)])
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, "use one of", lambda: self.stub.SetPolicy(
            self.pb.SetPolicyRequest(rule=self.pb.Rule(slot=SLOT, class_name="skan", action="drop")), timeout=60))
        who = self.stub.WhoAmI(self.pb.WhoAmIRequest(), timeout=60)
        self.assertEqual((who.role, who.via), ("admin", "socket"))

    def test_4_status(self):
        status = self.stub.GetStatus(self.pb.GetStatusRequest(), timeout=60)
        self.assertEqual(status.pid, self.gateway.process.pid)
        self.assertEqual([p.name for p in status.ports], ["a", "b"])
        self.assertEqual(len(status.workers), 1)
        self.assertEqual(status.rx_packets, status.tx_packets + status.dropped_packets)
        watch = self.stub.WatchStatus(self.pb.WatchStatusRequest(interval_ms=100), timeout=60)
        seen = [next(watch), next(watch)]
        watch.cancel()
        self.assertGreater(seen[1].monotonic_seconds, seen[0].monotonic_seconds)
        ports = self.stub.ListPorts(self.pb.ListPortsRequest(), timeout=60).ports
        self.assertEqual([p.peer for p in ports], ["b", "a"])

    def test_5_standard_services(self):
        """Health and reflection, by wire format: no stubs of theirs are needed for one field."""
        service = SERVICE.encode()
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(check(b"\x0a" + bytes([len(service)]) + service, timeout=60), b"\x08\x01")
        reflect = self.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        self.assertIn(service, next(reflect(iter([b"\x3a\x01*"]), timeout=60)))

    def test_6_who_did_it(self):
        audit = Path(f"{self.dir.name}/state/audit.log").read_text("utf-8")
        self.assertIn(f'"pid":{os.getpid()}', audit, "the kernel's word, not the client's")
        self.assertEqual(os.stat(self.gateway.socket).st_mode & 0o777, 0o660)

    def test_7_a_restart_remembers(self):
        self.channel.close()
        self.assertEqual(self.gateway.stop(), 0, self.gateway.log.read_text("utf-8"))
        self.assertFalse(os.path.exists(self.gateway.socket))
        self.gateway.start()
        self.connect()
        self.assertEqual(self.active(), "drill@7")
        self.assertEqual(len(self.listed()), 2)


def main():
    options(__doc__).parse_args(namespace=ARGUMENTS)
    for program in ("protoc", "grpc_python_plugin"):
        if subprocess.run(["sh", "-c", f"command -v {program}"], stdout=subprocess.DEVNULL, check=False).returncode:
            skip(f"no {program} (packages protobuf-compiler, protobuf-compiler-grpc)")
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, failfast=True).run(
        unittest.defaultTestLoader.loadTestsFromTestCase(IndependentClient))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    need_grpc()
    sys.exit(main())
