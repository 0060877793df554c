#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The systemd unit: read by systemd's own tools, and its sandbox put around a gateway, as far as that needs no systemd.

unit_drill.py --weir PROGRAM --bundles PROGRAM --proto control.proto --unit weir.service

A gateway on raw sockets in a network namespace runs within the unit's system-call filter, address families, capability
bounding set, limits, mask and read-only file system, and does all that a gateway does. Here a call that the unit forbids
ends the process: none is needed. Exit code 0: all held; 1: something did not; 77: skipped, and why.
"""
import ctypes
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import independent_client as client
from privileges_drill import PORTS, USER, WIRES, OwnGateway, status_lines

SECCOMP_MODE_FILTER, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 2, 22, 38
ALLOW, KILL = 0x7FFF0000, 0x80000000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # of classic BPF
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17, "AF_XDP": 44}
# As ProtectSystem=strict has it: all but what is mounted on its own.
READ_ONLY = "mount --make-rprivate / && mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro /"


def settings(path):
    """{key: [values]} of the unit."""
    out = {}
    for key, value in re.findall(r"^([A-Za-z]+)=(.*)$", Path(path).read_text("utf-8"), re.MULTILINE):
        out.setdefault(key, []).append(value)
    return out


def members(name):
    """System calls of a systemd set, or the one that is named."""
    if not name.startswith("@"):
        return {name}
    lines = client.run("systemd-analyze", "syscall-filter", "--no-pager", name).splitlines()[1:]
    return set().union(*(members(word) for word in map(str.strip, lines) if word and not word.startswith("#")))


def allowed_calls(filters):
    """As systemd.exec(5) has it: what the lists add and take away, in their order."""
    calls = members("@default")
    for value in filters:
        listed = set().union(*(members(name) for name in value.lstrip("~").split()))
        calls = calls - listed if value.startswith("~") else calls | listed
    return calls


def filter_program(calls, families):
    """Classic BPF that ends the process at any other call, and at sockets of other families."""
    text = client.run("sh", "-c", "echo '#include <asm/unistd.h>' | cc -E -dM -")
    known = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)\n", text)}
    code = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, ARCHITECTURES[os.uname().machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    for name in sorted(calls & known.keys() - {"socket"}):
        code += [(EQUAL, 0, 1, known[name]), (RETURN, 0, 0, ALLOW)]
    code += [(EQUAL, 1, 0, known["socket"]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 16)]
    for family in families:
        code += [(EQUAL, 0, 1, FAMILIES[family]), (RETURN, 0, 0, ALLOW)]
    code.append((RETURN, 0, 0, KILL))
    return b"".join(struct.pack("HBBI", *one) for one in code)


def confine(unit, command):
    """This process becomes `command`, with what the unit leaves it."""
    service = settings(unit)
    code = filter_program(allowed_calls(service["SystemCallFilter"]), service["RestrictAddressFamilies"][0].split())
    os.umask(int(service["UMask"][0], 8))
    resource.setrlimit(resource.RLIMIT_CORE, (int(service["LimitCORE"][0]),) * 2)
    instructions = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HP", len(code) // 8, ctypes.addressof(instructions)))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, first, second in ((PR_SET_NO_NEW_PRIVS, 1, 0),
                                  (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))):
        if libc.prctl(option, ctypes.c_ulong(first), ctypes.c_ulong(second), ctypes.c_ulong(0), ctypes.c_ulong(0)):
            sys.exit(f"prctl {option}: {os.strerror(ctypes.get_errno())}")
    os.execvp(command[0], command)


class Unit(OwnGateway):
    """What the unit says, and what it does."""

    unit = ""

    def bounding(self):
        """The unit's capabilities, as setpriv takes them."""
        names = settings(self.unit)["CapabilityBoundingSet"][0].lower().split()
        return ",".join(["-all", *(f"+{name.removeprefix('cap_')}" for name in names)])

    def within(self):
        """What comes before a command to run it in the sandbox, files but the test's own read-only."""
        return ["unshare", "--net", "--mount", "sh", "-c", f"{WIRES} && {READ_ONLY} && exec \"$@\"", self.folder,
                "setpriv", f"--bounding-set={self.bounding()}", sys.executable, __file__, "--confined", self.unit]

    def test_systemd_reads_it_without_a_complaint(self):
        text = Path(self.unit).read_text("utf-8").replace("/usr/bin/weir", os.path.abspath(client.ARGUMENTS.weir))
        copy = Path(f"{self.folder}/weir.service")
        copy.write_text(text, "utf-8")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual((done.returncode, [line for line in done.stderr.splitlines() if "weir" in line]), (0, []))

    def test_systemd_finds_it_hardened(self):
        done = subprocess.run(
            ["systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=50", self.unit],
            capture_output=True, text=True, timeout=60, check=False)
        print(done.stdout.strip().splitlines()[-1])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_gateway_lives_within_it(self):
        if b"__asan_init" in Path(client.ARGUMENTS.weir).read_bytes():
            self.skipTest("skipped: a sanitizer's runtime needs calls that Weir does not")
        self.configure(USER, PORTS)
        self.start(*self.within())
        bounds = {thread["CapBnd"] for thread in status_lines(self.process.pid)}
        decoded = client.run("capsh", f"--decode={bounds.pop()}").strip().split("=")[1]
        self.assertEqual(bounds, set())
        self.assertEqual(set(decoded.upper().split(",")), set(settings(self.unit)["CapabilityBoundingSet"][0].split()))
        for thread in status_lines(self.process.pid):
            self.assertEqual((thread["Seccomp"], thread["NoNewPrivs"]), ("2", "1"), thread["Name"])
        pb, model = self.pb, {"slot": client.SLOT, "name": "drill", "version": 8}
        self.packets_flow()
        self.push_and_activate(7)
        client.push(self.stub, pb, Path(f"{self.folder}/v8.weir").read_bytes())
        for stage in (pb.MODEL_STAGE_SHADOW, pb.MODEL_STAGE_CANARY, pb.MODEL_STAGE_ACTIVE):
            self.stub.StageModel(pb.StageModelRequest(stage=stage, canary_permyriad=500, **model), timeout=60)
        self.stub.RollbackModel(pb.RollbackModelRequest(slot=client.SLOT), timeout=60)
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while '"action":"reload"' not in Path(f"{self.folder}/state/audit.log").read_text("utf-8"):
            self.assertLess(time.monotonic(), deadline, self.log())
            time.sleep(0.05)
        self.packets_flow()
        self.process.terminate()
        self.assertEqual(self.process.wait(60), 0, self.log())
        self.assertNotIn("NOT CONSERVED", self.log())

    def confined(self, code):
        """The exit status of a line of Python in the sandbox; `syscall` is at hand."""
        line = f"import ctypes, socket; syscall = ctypes.CDLL(None).syscall; {code}"
        return subprocess.run([*self.within(), sys.executable, "-c", line], capture_output=True, timeout=120,
                              check=False).returncode

    def test_what_it_forbids_is_forbidden(self):
        self.assertEqual(self.confined("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"), 0)
        self.assertEqual(self.confined("socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)"), -signal.SIGSYS)
        machine = {"x86_64": {"ptrace": 101, "mount": 165, "reboot": 169, "init_module": 175, "clock_settime": 227},
                   "aarch64": {"ptrace": 117, "mount": 40, "reboot": 142, "init_module": 105, "clock_settime": 112}}
        for name, number in machine[os.uname().machine].items():
            self.assertEqual(self.confined(f"syscall({number}, 0, 0, 0, 0, 0)"), -signal.SIGSYS, name)
        self.assertEqual(self.confined("open('/etc/weir-was-here', 'w')"), 1, "read-only")


def main():
    parser = client.options(__doc__)
    parser.add_argument("--unit", required=True)
    _, rest = parser.parse_known_args(namespace=client.ARGUMENTS)
    client.need_grpc()
    if os.geteuid() != 0:
        client.skip("not root")
    for tool in ("systemd-analyze", "unshare", "nsenter", "setpriv", "capsh", "ip", "cc"):
        if not shutil.which(tool):
            client.skip(f"no {tool}")
    if subprocess.run(["unshare", "--net", "--mount", "true"], check=False).returncode != 0:
        client.skip("no namespaces of one's own here")
    if os.uname().machine not in ARCHITECTURES:
        client.skip(f"system calls of {os.uname().machine} are not known")
    Unit.unit = os.path.abspath(client.ARGUMENTS.unit)
    with tempfile.TemporaryDirectory() as modules:
        OwnGateway.pb, OwnGateway.pb_grpc = client.stubs(modules)
        unittest.main(argv=[sys.argv[0], *rest, "Unit"], verbosity=2)


if __name__ == "__main__":
    if len(sys.argv) > 3 and sys.argv[1] == "--confined":
        confine(sys.argv[2], sys.argv[3:])
    main()
