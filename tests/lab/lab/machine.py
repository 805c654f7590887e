# SPDX-License-Identifier: LGPL-2.1-or-later
"""One QEMU with Xen and a dom0 that does what it is told through a shared folder."""
import fcntl
import gzip
import os
import shutil
import subprocess
import time
from pathlib import Path

from . import boards, builds, images, packages
from .guests import Machine
from .util import SCRATCH, LabError, need, say

XEN_TOOLS = ["xenstore-utils", "busybox-static"]
QEMU = {"armhf": ("qemu-system-arm", "qemu-system-arm"), "arm64": ("qemu-system-aarch64", "qemu-system-arm"),
        "amd64": ("qemu-system-x86_64", "qemu-system-x86")}


LOG_ALL = "loglvl=all guest_loglvl=all"


class Timeout(LabError):
    pass


def xen_root(suite, arch, xen, flavour):
    return packages.root("xen", suite, arch, [f"xen-hypervisor-{xen}-{arch}", f"xen-utils-{xen}", *XEN_TOOLS, f"linux-image-{flavour}"])


def kernel_of(kernel):
    """(version, image, modules) of a guest's kernel."""
    for machine in (("bookworm", "armhf", "4.17", "armmp-lpae"), ("bookworm", "arm64", "4.17", "arm64"), ("trixie", "arm64", "4.20", "arm64"),
                    ("bookworm", "amd64", "4.17", "amd64")):
        if machine[:2] + machine[3:] == (kernel.suite, kernel.arch, kernel.flavour):
            return packages.kernel(xen_root(*machine), kernel.flavour)
    root = packages.root(kernel.flavour, kernel.suite, kernel.arch, [f"linux-image-{kernel.flavour}"], depends=False)
    return packages.kernel(root, kernel.flavour)


class Run:
    """The results of a command in dom0."""

    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds


class Dom0:
    """A booted machine. Use as a context manager: it is gone at the end, whatever happens."""

    def __init__(self, machine: Machine, guests, work: Path, xstack=None, deb=None, patience=1, host_xstack=None):
        self.machine, self.guests, self.work = machine, guests, work
        self.xstack, self.deb, self.host_xstack = xstack, deb, host_xstack
        self.share, self.serial = work / "share", work / "serial.log"
        self.number, self.patience = 0, patience
        self.has_xstack = bool(xstack or deb)
        self.process = None
        need(QEMU[machine.arch], ("readelf", "binutils"), ("zstd", "zstd"), ("flock", "util-linux"))
        if machine.board:
            boards.need_tools()

    # -- what goes into it

    def build(self):
        m = self.machine
        root = xen_root(m.suite, m.arch, m.xen, m.flavour)
        version, self.kernel, modules = packages.kernel(root, m.flavour)
        self.work.parent.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.work.with_name(self.work.name + ".lock"), "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LabError(f"another lab uses {self.work}") from None
        shutil.rmtree(self.work, ignore_errors=True)
        for folder in ("cmd", "console", "out"):
            (self.share / folder).mkdir(parents=True)
        files = {}
        for guest in self.guests:
            kernel = guest.kernel
            name = guest.files
            if f"domu/{name}.image" in files:
                continue
            if kernel.suite == "bare":
                files[f"domu/{name}.image"], files[f"domu/{name}.elf"] = builds.bare(kernel.arch, kernel.flavour)
                continue
            release, image, guest_modules = kernel_of(kernel)
            if guest.image:
                files[f"domu/{name}.image"] = builds.VARIANTS[guest.image](image, self.work / f"{name}.image", kernel.arch)
                continue
            box = images.busybox(xen_root(*next((x.suite, x.arch, x.xen, x.flavour) for x in self.all_machines() if x.arch == kernel.arch)))
            disk = self.work / f"{name}.cpio"
            wants_module = any(g.kernel == kernel and g.way == "spin" for g in self.guests)
            extra = [builds.labmod(kernel.suite, kernel.arch, release)] if wants_module else []
            images.domu(disk, box, guest_modules, ["softdog", "dummy", "loop"], extra)
            files[f"domu/{name}.image"] = images.plain_kernel(image, self.work / f"{name}.image")
            files[f"domu/{name}.cpio"] = disk
        programs = [builds.labctl(m.arch)]
        if self.deb:
            files.update(images.deb_files(self.deb, self.work))
        if self.xstack:
            files["bin/xstack"] = self.xstack
        self.initrd = self.work / "dom0.cpio"
        images.dom0(self.initrd, root, m.arch, m.xen, modules, files, programs, self.share.resolve() if m.board else None)
        self.xen = root / f"boot/xen-{m.xen}-{m.arch}"
        if m.arch == "amd64":
            self.xen = self.work / "xen"
            self.xen.write_bytes(gzip.decompress((root / f"boot/xen-{m.xen}-amd64.gz").read_bytes()))
        if m.board:
            self.card = self.work / "sd.img"
            self.write_card(root / f"usr/lib/linux-image-{version}")

    def write_card(self, trees):
        """The SD card of a board: it boots by the script that xstack prints, word for word."""
        m = self.machine
        if not self.host_xstack:
            raise LabError(f"{m.name} boots by the script that `xstack boards boot` prints: --host-xstack must name a program")
        folder = self.work / "card"
        folder.mkdir()
        files = {"xen": self.xen, "dom0": self.kernel, "initrd": self.initrd, "dtb": trees / boards.BOARDS[m.board].model}
        for key, file in files.items():
            files[key] = Path(shutil.copy(file, folder))
        # One CPU for Xen, or dom0 is never woken again once a guest runs.
        script = boards.boot_script(self.host_xstack, m.board, files, m.dom0_memory, f"dom0_max_vcpus=1 maxcpus=1 {LOG_ALL}", "panic=5")
        boards.sd_card(self.card, folder, script, m.board)

    @staticmethod
    def all_machines():
        from .guests import MACHINES
        return MACHINES.values()

    # -- the machine

    def command(self):
        m = self.machine
        share = ["-fsdev", f"local,id=share,path={self.share},security_model=none"]
        common = ["-display", "none", "-monitor", "none", "-nodefaults", "-no-reboot", "-chardev", "stdio,id=xen,signal=off", "-serial", "chardev:xen"]
        qemu = QEMU[m.arch][0]
        if m.arch == "amd64":
            return [qemu, "-accel", "tcg,thread=multi", "-machine", "pc", "-cpu", m.cpu, "-smp", "2", "-m", "4096", *common,
                    "-kernel", self.xen, "-append",
                    f"console=com1 com1=115200,8n1 {LOG_ALL} conring_size=1M dom0_mem={m.dom0_memory}M,max:{m.dom0_memory}M dom0_max_vcpus=1",
                    "-initrd", f"{self.kernel} console=hvc0 panic=5 loglevel=6,{self.initrd}", *share,
                    "-device", "virtio-9p-pci,fsdev=share,mount_tag=share"]
        if m.board:
            return [qemu, *common, *boards.qemu_options(m.board, self.card, self.share.resolve())]
        arm32 = m.arch == "armhf"
        # 32-bit: one CPU, or dom0 is never woken again once a guest runs; no high memory, or dom0 hangs while it looks at PCI.
        board = ["-machine", "virt,virtualization=on,gic-version=2,highmem=off", "-smp", "1", "-accel", "tcg,thread=single"] if arm32 else \
            ["-machine", "virt,virtualization=on,gic-version=3", "-smp", str(m.cpus),
             "-accel", f"tcg,thread={'single' if m.cpus == 1 else 'multi'},tb-size=512"]
        kernel, initrd = ("0x50000000", "0x52000000") if arm32 else ("0x49000000", "0x4e000000")  # above QEMU's device tree
        return [qemu, *board, "-cpu", m.cpu, "-m", "2G", *common, "-kernel", self.xen, "-append",
                f"console=dtuart dtuart=/pl011@9000000 dom0_mem={m.dom0_memory}M dom0_max_vcpus={1 if arm32 else m.cpus} {LOG_ALL}",
                "-device", f"guest-loader,addr={kernel},kernel={self.kernel},bootargs=console=hvc0 panic=5 nokaslr",
                "-device", f"guest-loader,addr={initrd},initrd={self.initrd}",
                "-global", "virtio-mmio.force-legacy=false", *share, "-device", "virtio-9p-device,fsdev=share,mount_tag=share"]

    def __enter__(self):
        argv = [str(a) for a in self.command()]
        lock = os.environ.get("XSTACK_LAB_LOCK")  # machines that run more than one lab: one QEMU at a time
        if lock:
            argv = ["flock", lock, *argv]
        (self.work / "command").write_text("\n".join(argv) + "\n")
        with open(self.serial, "wb") as serial, open(self.work / "qemu.log", "wb") as errors:
            self.process = subprocess.Popen(argv, bufsize=0, stdin=subprocess.PIPE, stdout=serial, stderr=errors, start_new_session=True)
        say(f"{self.machine.name}: QEMU started (process {self.process.pid})")
        try:
            self.wait(lambda: self.serial.stat().st_size, 3600, "QEMU to be allowed to start")
            self.wait(lambda: (self.share / "ready").exists(), 300, "dom0")
        except BaseException:
            self.__exit__()
            raise
        say(f"{self.machine.name}: dom0 is up")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            (self.share / "cmd/off").touch()
            end = time.monotonic() + 60
            while self.process.poll() is None and time.monotonic() < end and not self.halted():
                time.sleep(0.2)
            if self.process.poll() is None:
                os.killpg(self.process.pid, 9)
                self.process.wait()
        self.process.stdin.close()
        self.lock.close()
        return False

    def halted(self):
        """Xen has no more to do, but the machine has no way to be switched off (U-Boot's PSCI of a board)."""
        return b"Hardware Dom0 halted: halting machine" in self.serial.read_bytes()[-2000:]

    def type(self, keys):
        """On the serial line, which is Xen's console; Xen hands what is typed to dom0 until it is told otherwise (see keys.py)."""
        try:
            self.process.stdin.write(keys)
        except BrokenPipeError:
            raise LabError(f"{self.machine.name}: QEMU has ended; see {self.serial}") from None

    def wait(self, done, seconds, what):
        end = time.monotonic() + seconds * self.patience
        while not done():
            if self.process.poll() is not None:
                raise LabError(f"{self.machine.name}: QEMU ended while waiting for {what}; see {self.serial}")
            if time.monotonic() > end:
                raise Timeout(f"{self.machine.name}: no {what} within {seconds} s; see {self.serial}")
            time.sleep(0.2)

    def run(self, script, seconds=120, check=False):
        """Run a shell script in dom0."""
        self.number += 1
        base = self.share / "cmd" / str(self.number)
        base.with_suffix(".sh").write_text(script + "\n")
        base.with_suffix(".go").touch()
        start = time.monotonic()
        self.wait(base.with_suffix(".rc").exists, seconds, f"end of: {script.splitlines()[0][:80]}")
        out, err = (base.with_suffix(s).read_text(errors="replace") for s in (".out", ".err"))
        run = Run(int(base.with_suffix(".rc").read_text()), out, err, time.monotonic() - start)
        if check and run.status:
            raise LabError(f"{self.machine.name}: {script.splitlines()[0]}: exit status {run.status}: {(err or out)[-500:]}")
        return run

    # -- guests

    def console(self, guest):
        file = self.share / "console" / f"guest-{guest.name}.log"
        return file.read_text(errors="replace").replace("\r", "") if file.exists() else ""

    def create(self, guest):
        kernel = guest.kernel
        name = guest.files
        x86 = self.machine.arch == "amd64"
        config = [f'name="{guest.name}"', f'kernel="/domu/{name}.image"', f"memory={guest.memory}", "vcpus=2",
                  'on_crash="preserve"', 'on_reboot="preserve"', 'on_poweroff="preserve"']
        if self.machine.pinned:
            config.append('cpus=["0", "1"]')
        if guest.early:
            config += ['extra="console=hvc0"']
        elif kernel.suite != "bare":
            config += [f'ramdisk="/domu/{name}.cpio"',
                       f'extra="console=hvc0 {"earlyprintk=xen " if x86 else ""}rdinit=/init lab={guest.way} {guest.extra}"']
        if guest.kind:
            config.append(f'type="{guest.kind}"')
        text = "\n".join(config)
        run = self.run(f"cat > /tmp/{guest.name}.cfg <<'E'\n{text}\nE\nxl create {'-p ' if guest.early else ''}/tmp/{guest.name}.cfg", 300)
        if run.status:
            raise LabError(f"xl create {guest.name}: exit status {run.status}: {run.out[-500:]}{run.err[-500:]}")

    def domid(self, guest):
        return int(self.run(f"xl domid {guest.name}", check=True).out)

    def state(self, guest):
        """The six letters of xl list."""
        lines = self.run(f"xl list {guest.name}", check=True).out.splitlines()
        return lines[-1].split()[4]

    def destroy(self, guest):
        self.run(f"xl destroy {guest.name}")
