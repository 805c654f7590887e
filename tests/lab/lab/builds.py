# SPDX-License-Identifier: LGPL-2.1-or-later
"""The small programs that the lab brings along: labctl (dom0), labmod.ko (guests), a guest that is no Linux, and kernels that were
done something to, so that they die early."""
import lzma
import shutil
import struct
import zlib

from . import packages
from .util import SCRATCH, TARGET, LabError, need, say, sh

CROSS = {"amd64": "x86_64-linux-gnu-", "arm64": "aarch64-linux-gnu-", "armhf": "arm-linux-gnueabihf-"}
KERNEL_ARCH = {"amd64": "x86", "arm64": "arm64", "armhf": "arm"}


def compiler(arch):
    package = {"amd64": "gcc-x86-64-linux-gnu", "arm64": "gcc-aarch64-linux-gnu", "armhf": "gcc-arm-linux-gnueabihf"}[arch]
    if sh(["dpkg", "--print-architecture"]).strip() == arch:
        package = "gcc"
    libc = [] if package == "gcc" else [(f"/usr/{CROSS[arch][:-1]}/include/stdio.h", f"libc6-dev-{arch}-cross")]
    need((CROSS[arch] + "gcc", package), *libc)
    return CROSS[arch] + "gcc"


def labctl(arch):
    out = SCRATCH / "build" / arch / "labctl"
    source = TARGET / "labctl.c"
    if out.exists() and out.stat().st_mtime > source.stat().st_mtime:
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    sh([compiler(arch), "-O2", "-Wall", "-Wextra", "-o", out, source, "-ldl"])
    return out


def labmod(suite, arch, version):
    """labmod.ko for a kernel of the release that this machine runs (another release's tools do not run here)."""
    folder = SCRATCH / "build" / arch / f"labmod-{version}"
    module, source = folder / "labmod.ko", TARGET / "labmod.c"
    if module.exists() and module.stat().st_mtime > source.stat().st_mtime:
        return module
    compiler(arch)
    need(("make", "make"))
    say(f"labmod.ko for {version}")
    flavour = version.split("-", 2)[2]
    headers = packages.root(f"headers-{flavour}", suite, arch, [f"linux-headers-{version}"])
    host = sh(["dpkg", "--print-architecture"]).strip()
    if host != arch:  # modpost and its kin must run here
        name = next(p.name for p in (headers / "usr/lib").glob("linux-kbuild-*"))
        tools = packages.root("kbuild", suite, host, [name])
        shutil.rmtree(headers / "usr/lib" / name)
        shutil.copytree(tools / "usr/lib" / name, headers / "usr/lib" / name, symlinks=True)
        (headers / "usr/lib" / name / ".from-host").touch()
    tree = headers / "usr/src" / f"linux-headers-{version}"
    makefile = tree / "Makefile"
    makefile.write_text(makefile.read_text().replace("include /usr/src/", f"include {headers}/usr/src/"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(source, folder)
    (folder / "Makefile").write_text("obj-m := labmod.o\n")
    sh(["make", "-s", "-C", tree, f"M={folder}", f"ARCH={KERNEL_ARCH[arch]}", f"CROSS_COMPILE={CROSS[arch]}", "modules"])
    if not module.exists():
        raise LabError("labmod.ko was not built")
    return module


BARE_BASE = {("arm64", "off"): "0x40080000", ("arm64", "on"): "0xffff000040080000",
             ("armhf", "off"): "0x40008000", ("armhf", "on"): "0xc0008000"}
BARE_FLAGS = {
    "arm64": ["-mcmodel=small", "-mgeneral-regs-only"],
    # Once with frame records of the APCS, once with GCC's own frame pointers.
    ("armhf", "off"): ["-marm", "-march=armv7-a", "-mfloat-abi=soft", "-mapcs-frame"],
    ("armhf", "on"): ["-marm", "-march=armv7-a", "-mfloat-abi=soft"],
}


def bare(arch, mmu):
    """(image to boot, ELF file for -s) of a guest that is no Linux: with its MMU "off" it spins, with it "on" it crashes."""
    folder = SCRATCH / "build" / arch / f"bare-{mmu}"
    elf, image, sources = folder / "bare.elf", folder / "bare.image", TARGET / "bare"
    if image.exists() and image.stat().st_mtime > max(p.stat().st_mtime for p in [*sources.iterdir(), TARGET.parent / "lab/builds.py"]):
        return image, elf
    folder.mkdir(parents=True, exist_ok=True)
    cc = compiler(arch)
    name = {"arm64": "arm64", "armhf": "arm32"}[arch]
    sh([cc, "-O1", "-g", "-Wall", "-Wextra", "-ffreestanding", "-fno-omit-frame-pointer", "-fno-pic", "-fno-stack-protector", "-fno-unwind-tables",
        "-fno-asynchronous-unwind-tables", "-nostdlib", "-static", "-no-pie", *BARE_FLAGS.get((arch, mmu), BARE_FLAGS.get(arch, [])),
        *(["-DBARE_MMU", "-DBARE_CRASH"] if mmu == "on" else []), f"-Wl,--defsym=BASE={BARE_BASE[arch, mmu]}", "-Wl,-T," + str(sources / "bare.ld"),
        "-Wl,--no-warn-rwx-segments", "-o", elf, sources / f"start-{name}.S", sources / "bare.c"])
    sh([CROSS[arch] + "objcopy", "-O", "binary", elf, image])
    return image, elf


def unpacked_arm32(image):
    """The kernel inside a zImage, as it is in memory once it was decompressed."""
    data = image.read_bytes()
    for magic, decompress in ((b"\xfd7zXZ\0", lambda b: lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(b)),
                              (b"\x1f\x8b\x08", lambda b: zlib.decompressobj(31).decompress(b))):
        at = data.find(magic)
        while at >= 0:
            try:
                plain = decompress(data[at:])
            except (lzma.LZMAError, zlib.error):
                plain = b""
            if len(plain) > len(data):
                return plain
            at = data.find(magic, at + 1)
    raise LabError(f"{image}: no compressed kernel was found in it")


def raw_arm32(image, out, address):
    """A kernel without its decompressor, to lie at `address`: the header of a zImage, which is all that xl asks for, goes on at the
    kernel behind it. xl loads such an image 32 KiB behind the beginning of memory, whatever its header says."""
    kernel = unpacked_arm32(image)
    room = address - 0x40008000
    front = bytearray(struct.pack("<I", 0xE1A00000) * (room // 4))  # mov r0, r0
    struct.pack_into("<IIII", front, 0x24, 0x016F2818, 0, room + len(kernel), 0x04030201)
    struct.pack_into("<I", front, 0x20, 0xEA000000 | (room - 0x20 - 8) // 4)  # b to the kernel
    out.write_bytes(bytes(front) + kernel)
    return out


def raw(image, out, arch):
    return raw_arm32(image, out, 0x40208000)


def misplaced(image, out, arch):
    """A kernel that is loaded where it cannot run: 1 MiB off on arm32, where 2 MiB is the least, and 4 KiB off on arm64."""
    if arch == "armhf":
        return raw_arm32(image, out, 0x40308000)
    data = bytearray(image.read_bytes())
    struct.pack_into("<Q", data, 8, 0x1000)  # text_offset
    out.write_bytes(data)
    return out


def elf_entries(data):
    """File offsets of where Xen enters a kernel, by its notes: XEN_ELFNOTE_ENTRY (PV) and XEN_ELFNOTE_PHYS32_ENTRY (PVH)."""
    offset, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", data, offset + i * size) for i in range(count)]
    places = []
    for kind, _, at, _, _, length, _, _ in headers:
        end = at + length
        while kind == 4 and at + 12 <= end:
            name, desc, what = struct.unpack_from("<III", data, at)
            value_at = at + 12 + (name + 3) // 4 * 4
            if data[at + 12:at + 16] == b"Xen\0" and what in (1, 18):
                value, = struct.unpack_from("<Q" if desc >= 8 else "<I", data, value_at)
                for load, _, begin, virtual, physical, filled, _, _ in headers:
                    base = virtual if what == 1 else physical
                    if load == 1 and base <= value < base + filled:
                        places.append(begin + value - base)
            at = value_at + (desc + 3) // 4 * 4
    return places


def hangs(image, out, arch):
    """A kernel whose first instruction is a branch to itself: on arm64 the first one behind the header's, on x86 where Xen enters it."""
    if arch == "amd64":
        from .images import plain_kernel
        data = bytearray(plain_kernel(image, out).read_bytes())
        for at in elf_entries(data):
            data[at:at + 2] = b"\xeb\xfe"
        out.write_bytes(data)
        return out
    data = bytearray(image.read_bytes())
    for at in (0, 4):  # "MZ" or the branch itself, and the branch behind "MZ"
        word, = struct.unpack_from("<I", data, at)
        if word >> 26 == 5:
            struct.pack_into("<I", data, at + (word & 0x3FFFFFF) * 4, 0x14000000)
            out.write_bytes(data)
            return out
    raise LabError(f"{image}: no branch in its header")


VARIANTS = {"raw": raw, "misplaced": misplaced, "hangs": hangs}
