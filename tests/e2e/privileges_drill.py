#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A gateway on raw sockets in a network namespace of its own, started by root: gives root up and goes on working.

privileges_drill.py --weir PROGRAM --bundles PROGRAM --proto control.proto

Exit code 0: all held; 1: something did not; 77: skipped, and why.
"""
import os
import pwd
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import independent_client as client

USER = "nobody"
PORTS = "ports: [{name: a, device: 'net_af_packet0,iface=wa'}, {name: b, device: 'net_af_packet1,iface=wb'}]"
WIRES = " && ".join([f"ip link add {w} type veth peer name {p} && ip link set {w} up && ip link set {p} up"
                     for w, p in (("wa", "pa"), ("wb", "pb"))])
# One broadcast frame of an unknown kind, again and again, from the far end of the wire.
SEND = ("import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('pa', 0)); "
        "[s.send(b'\\xff' * 6 + b'\\x02' + bytes(5) + b'\\x88\\xb5' + bytes(50)) for _ in range(10)]")


def status_lines(pid):
    """Of every thread: {name: value} of its status."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text("utf-8").splitlines()
        yield dict(line.split(":\t", 1) for line in lines if ":\t" in line)


class OwnGateway(unittest.TestCase):
    """Each test has a gateway and a folder of its own. `pb` and `pb_grpc` are given by who runs the tests."""

    pb = pb_grpc = None

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="weir-privileges-")
        self.folder = self.dir.name
        os.chmod(self.folder, 0o755)
        client.prepare(self.folder)
        os.chmod(f"{self.folder}/keys/operator.pub", 0o644)
        self.gateway = client.Gateway(self.folder)
        self.process = self.channel = None

    def tearDown(self):
        if self.channel:
            self.channel.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        self.dir.cleanup()

    def configure(self, run_as, ports=None):
        path = Path(f"{self.folder}/weir.yaml")
        text = path.read_text("utf-8").replace("max_bundle_mb: 1}", f"max_bundle_mb: 1, run_as: '{run_as}'}}")
        if ports:
            text = "\n".join(ports if line.startswith("ports:") else line for line in text.splitlines()) + "\n"
        path.write_text(text, "utf-8")

    def start(self, *before):
        self.gateway.wait_for_cpu()
        log = open(f"{self.folder}/weir.log", "ab")  # the child's, until it ends
        with log:
            self.process = subprocess.Popen(
                [*before, client.ARGUMENTS.weir, "run", "-c", f"{self.folder}/weir.yaml"], stdout=log, stderr=log)
        self.gateway.process = self.process
        self.channel = client.connect(self.gateway)
        self.stub = self.pb_grpc.ControlStub(self.channel)
        deadline = time.monotonic() + 60
        while "forwarding on" not in self.log():
            self.assertIsNone(self.process.poll(), self.log())
            self.assertLess(time.monotonic(), deadline, self.log())
            time.sleep(0.05)

    def log(self):
        return Path(f"{self.folder}/weir.log").read_text("utf-8")

    def push_and_activate(self, version):
        client.push(self.stub, self.pb, Path(f"{self.folder}/v{version}.weir").read_bytes(), activate=True)

    def packets_flow(self):
        """Sends from the far end until both ways of the gateway have counted."""
        deadline = time.monotonic() + 60
        while True:
            client.run("nsenter", "-t", str(self.process.pid), "-n", "/usr/bin/python3", "-c", SEND)
            status = self.stub.GetStatus(self.pb.GetStatusRequest(), timeout=60)
            if status.rx_packets >= 20 and status.tx_packets >= 20:
                break
            self.assertLess(time.monotonic(), deadline, "no packet passes")


class Privileges(OwnGateway):
    """What becomes of root."""

    def test_root_is_given_up_and_the_gateway_goes_on(self):
        self.configure(USER, PORTS)
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.start("unshare", "--net", "sh", "-c", f"{WIRES} && exec \"$@\"", "sh")
        uid = str(pwd.getpwnam(USER).pw_uid)
        threads = list(status_lines(self.process.pid))
        self.assertGreater(len(threads), 5)
        for thread in threads:
            self.assertEqual(set(thread["Uid"].split()), {uid}, thread["Name"])
            for capability in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(thread[capability], 16), 0, f"{thread['Name']}: {capability}")
            self.assertEqual(thread["NoNewPrivs"], "1", thread["Name"])
        limits = Path(f"/proc/{self.process.pid}/limits").read_text("utf-8")
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        # Memory that is not dumpable belongs to root, whoever the process is.
        self.assertEqual(os.stat(f"/proc/{self.process.pid}/mem").st_uid, 0)
        # Packets flow, and models can be changed, stored and audited.
        self.packets_flow()
        self.push_and_activate(7)
        for path in [Path(f"{self.folder}/state"), *Path(f"{self.folder}/state").rglob("*")]:
            self.assertEqual(str(os.lstat(path).st_uid), uid, path)
            if path.is_file():
                self.assertEqual(os.lstat(path).st_mode & 0o007, 0, f"{path}: others may read it")
        self.process.terminate()
        self.assertEqual(self.process.wait(60), 0, self.log())
        self.assertIn("packets in", self.log())
        self.assertNotIn("NOT CONSERVED", self.log())
        # The state it left is there for the next.
        self.channel.close()
        self.start("unshare", "--net", "sh", "-c", f"{WIRES} && exec \"$@\"", "sh")
        slots = self.stub.GetStatus(self.pb.GetStatusRequest(), timeout=60).slots
        self.assertEqual([s.active.version for s in slots if s.HasField("active")], [7])

    def test_without_root_it_stays_who_it_is(self):
        self.configure("daemon")
        for path in (self.folder, f"{self.folder}/state"):
            shutil.chown(path, USER)
        self.start("setpriv", f"--reuid={USER}", "--clear-groups")
        self.assertIn("stays who it is", self.log())
        self.push_and_activate(7)
        self.process.terminate()
        self.assertEqual(self.process.wait(60), 0, self.log())

    def refused(self, run_as, word):
        self.configure(run_as)
        self.gateway.wait_for_cpu()
        done = subprocess.run(
            [client.ARGUMENTS.weir, "run", "-c", f"{self.folder}/weir.yaml"],
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(word, done.stderr)
        self.assertIn("control.run_as", done.stderr)

    def test_no_such_user(self):
        self.refused("weir-no-such-user", "there is no such user")

    def test_root_is_no_user_to_become(self):
        self.refused("root", "is root")


if __name__ == "__main__":
    _, rest = client.options(__doc__).parse_known_args(namespace=client.ARGUMENTS)
    client.need_grpc()
    if os.geteuid() != 0:
        client.skip("not root")
    if not all(shutil.which(program) for program in ("unshare", "nsenter", "setpriv", "ip")):
        client.skip("no unshare, nsenter, setpriv or ip")
    if subprocess.run(["unshare", "--net", "true"], check=False).returncode != 0:
        client.skip("no namespaces of one's own here")
    if not os.access(client.ARGUMENTS.weir, os.X_OK):
        client.skip("no program")
    with tempfile.TemporaryDirectory() as modules:
        OwnGateway.pb, OwnGateway.pb_grpc = client.stubs(modules)
        unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
