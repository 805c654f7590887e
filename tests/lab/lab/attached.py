# SPDX-License-Identifier: LGPL-2.1-or-later
"""gdb-multiarch here, attached to `xstack gdb` of a stopped guest in dom0: it must show the frames that xstack shows.

dom0 has no network that leads here, so packets go through the shared folder: what gdb says in files 0, 1, 2, ..., which a
loop in dom0 feeds to xstack, and what xstack answers in one file that grows."""
import json
import select
import shutil
import socket
import subprocess
import threading
import time

from . import gdb
from .util import LabError, need

SECONDS = 300  # for all of gdb's questions, before patience


def vmlinux_of(folder, release):
    """The kernel's vmlinux with its debug information below `folder` (Debian: linux-image-RELEASE-dbg), or None."""
    return next(folder.rglob(f"vmlinux-{release}"), None)


class Line:
    """Packets between a socket here and a program in dom0."""

    def __init__(self, dom0, command):
        self.dom0 = dom0
        self.folder = dom0.share / "out/gdb"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        there = "/r/out/gdb"
        dom0.run(f"(i=0; while [ ! -e {there}/end ]; do if [ -e {there}/$i ]; then cat {there}/$i; i=$((i+1)); else usleep 10000; fi; done"
                 f" | {command} >{there}/answers 2>{there}/errors; echo $? >{there}/status) >/dev/null 2>&1 &", check=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.over = False
        self.thread.start()

    def carry(self):
        # gdb reads the kernel's debug information before it connects: half a minute and more on a busy machine.
        while not select.select([self.listener], [], [], 0.2)[0]:
            if self.over:
                return
        there, _ = self.listener.accept()
        answers, number, done = self.folder / "answers", 0, 0
        with there:
            while not self.over:
                if select.select([there], [], [], 0.01)[0]:
                    try:
                        data = there.recv(1 << 16)
                    except OSError:
                        return
                    if not data:
                        return
                    (self.folder / "next").write_bytes(data)
                    (self.folder / "next").rename(self.folder / str(number))
                    number += 1
                if answers.exists() and answers.stat().st_size > done:
                    with open(answers, "rb") as file:
                        file.seek(done)
                        data = file.read()
                    done += len(data)
                    try:
                        there.sendall(data)
                    except OSError:
                        return

    def close(self):
        """(exit status, standard error) of the program in dom0."""
        self.over = True
        (self.folder / "end").touch()
        self.thread.join()
        self.listener.close()
        self.dom0.wait((self.folder / "status").exists, 60, "end of xstack gdb")
        time.sleep(0.2)  # the file is there before its one line is
        return int((self.folder / "status").read_text()), (self.folder / "errors").read_text(errors="replace")


def attach(look, folder):
    """Judges gdb's registers and frames by xstack's own of the stopped guest."""
    need(("gdb-multiarch", "gdb-multiarch"))
    dom0, guest, result = look.dom0, look.guest, look.result
    report = json.loads((look.folder / "stopped.json").read_text())
    release = report["guest"]["os"].split()[1]
    vmlinux = vmlinux_of(folder, release)
    if vmlinux is None:
        result.notes.append(f"gdb attached: not tried, no vmlinux-{release}")
        return
    names = {"arm32": ("pc", "sp"), "arm64": ("pc", "sp"), "x86_64": ("rip", "rsp")}[report["guest"]["arch"]]
    vcpus = {v["id"]: v for v in report["vcpus"] if "registers" in v}
    before = look.paused()
    line = Line(dom0, f"xstack gdb --port - {guest.name}")
    started = time.monotonic()
    try:
        registers, frames, why = gdb.ask(vmlinux, f"target remote 127.0.0.1:{line.port}", vcpus, "detach",
                                         bits=32 if report["guest"]["arch"] == "arm32" else 64, seconds=SECONDS * dom0.patience)
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{guest.name}: gdb did not end in {late.timeout:.0f} s") from None
    finally:
        status, errors = line.close()
    if status or why:
        result.faults.append(f"gdb attached: exit status {status}: {errors.strip()[-200:]} {why[-300:]}")
    if look.paused() != before:
        result.faults.append("gdb attached: the domain's state changed")
    found = wanted = others = 0
    for vcpu, known in vcpus.items():
        place = tuple(int(known["registers"][n], 16) for n in names)
        if registers.get(vcpu) != place:
            result.faults.append(f"gdb attached: vCPU {vcpu} is at {registers.get(vcpu)}, not at {place}")
        # A call that was inlined has no address of its own in either trace.
        own = [int(f["pc"], 16) for f in known.get("frames", []) if not f.get("inlined")]
        got = frames.get(vcpu, [])
        rest, missing = got, []
        for address in own:
            if address in rest:
                rest = rest[rest.index(address) + 1:]
                found += 1
            else:
                missing.append(address)
        wanted += len(own)
        others += sum(address not in own for address in got)
        if missing:
            result.notes.append(f"gdb attached: vCPU {vcpu}: not in gdb's trace: {' '.join(map(hex, missing))}")
    (look.folder / "gdb.json").write_text(json.dumps({v: [hex(a) for a in f] for v, f in frames.items()}, indent=1) + "\n")
    result.notes.append(f"gdb attached: {found} of {wanted} frames of xstack's in gdb's traces, {others} others there; {time.monotonic() - started:.0f} s")
