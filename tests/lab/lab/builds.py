# SPDX-License-Identifier: LGPL-2.1-or-later
"""The small programs that the lab brings along: labctl (dom0), labmod.ko (guests), and a guest that is no Linux."""
import shutil

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
