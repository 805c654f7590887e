# SPDX-License-Identifier: LGPL-2.1-or-later
"""A board that boots as a real one does: an SD card with Debian's U-Boot, Xen, dom0, and the boot script that xstack prints."""
import getpass
import shlex
import subprocess
from dataclasses import dataclass

from . import packages
from .util import LabError, need, say, sh

MIB = 1 << 20
SERVER = "10.0.2.100", 564  # where dom0 finds the shared folder: an address of QEMU's own network, no port of this machine


@dataclass(frozen=True)
class Board:
    """A board that both QEMU and xstack know, by the same name."""
    model: str       # in the kernel's folder of device trees
    uboot: str       # in Debian's u-boot-sunxi; the board itself or one with the same SoC
    options: tuple   # QEMU's


BOARDS = {
    # bookworm's U-Boot has no build for the PC; the Plus has the same SoC, and Xen is given the device tree of the PC.
    "orangepi-pc": Board("sun8i-h3-orangepi-pc.dtb", "orangepi_plus", ("-machine", "orangepi-pc", "-m", "1G")),
}


def need_tools():
    need(("mkimage", "u-boot-tools"), ("/usr/sbin/sfdisk", "fdisk"), ("/usr/sbin/mkfs.ext4", "e2fsprogs"), ("/usr/sbin/diod", "diod"))


def boot_script(xstack, name, files, dom0_memory, xen_arguments, dom0_arguments):
    """What `xstack boards boot` says to U-Boot. files: {"xen", "dom0", "initrd", "dtb"}: here, with the names that they have on the card."""
    argv = [xstack, "boards", "boot", name, *(word for key in ("xen", "dom0", "initrd", "dtb") for word in ("--" + key, files[key])),
            "--dom0-mem", f"{dom0_memory}M", "--xen-bootargs", xen_arguments, "--bootargs", dom0_arguments]
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise LabError(f"xstack boards boot {name}: exit status {done.returncode}: {done.stderr[-500:]}")
    for line in done.stderr.splitlines():
        say(f"{name}: {line}")
    return done.stdout


def sd_card(out, folder, script, name):
    """A card with U-Boot in front of its first partition, which holds the folder's files and the script; written without root."""
    root = packages.root("uboot", "bookworm", "armhf", ["u-boot-sunxi"], depends=False)
    uboot = (root / "usr/lib/u-boot" / BOARDS[name].uboot / "u-boot-sunxi-with-spl.bin").read_bytes()
    if 8192 + len(uboot) > MIB:
        raise LabError("U-Boot does not fit in front of the first partition")
    command = out.with_name("boot.cmd")
    command.write_text(script)
    sh(["mkimage", "-A", "arm", "-T", "script", "-C", "none", "-d", command, folder / "boot.scr"])
    size = 64 * MIB  # QEMU wants a power of two
    while size < 1.2 * sum(f.stat().st_size for f in folder.iterdir()) + 8 * MIB:
        size *= 2
    with open(out, "wb") as card:
        card.truncate(size)
    sh(["/usr/sbin/sfdisk", "--quiet", out], input="label: dos\nstart=2048, type=83, bootable\n")
    sh(["/usr/sbin/mkfs.ext4", "-q", "-d", folder, "-E", f"offset={MIB}", out, f"{size // 1024 - 1024}k"])
    with open(out, "r+b") as card:
        card.seek(8192)  # where the SoC's boot ROM looks
        card.write(uboot)


def qemu_options(name, card, share):
    """The board with its card, and a network on which dom0 finds nothing but the folder: each connection gets a server of its own, which
    talks to QEMU through its standard input and writes as the user who runs the lab."""
    server = shlex.join(["/usr/sbin/diod", "-f", "-n", "-S", "-U", getpass.getuser(), "-c", "/dev/null", "-L", str(share.parent / "diod.log"),
                         "-r", "0", "-w", "1", "-e", str(share)])
    network = f"user,restrict=on,guestfwd=tcp:{SERVER[0]}:{SERVER[1]}-cmd:" + server.replace(",", ",,")
    return [*BOARDS[name].options, "-drive", f"file={card},if=sd,format=raw", "-nic", network]
