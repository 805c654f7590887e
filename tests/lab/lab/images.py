# SPDX-License-Identifier: LGPL-2.1-or-later
"""Initial RAM disks, written without root: for dom0 (Xen's tools, xstack) and for the guests (busybox and a few modules)."""
import lzma
import os
import platform
import re
import shlex
import stat
import struct
import subprocess
from pathlib import Path

from .util import TARGET, LabError, say, sh


class Cpio:
    """A newc archive in the making."""

    def __init__(self):
        self.entries = {}

    def folder(self, path):
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            self.entries.setdefault("/".join(parts[:depth]), (stat.S_IFDIR | 0o755, b"", 0))

    def file(self, path, data, mode=0o755):
        if isinstance(data, Path):
            data = data.read_bytes()
        elif isinstance(data, str):
            data = data.encode()
        path = path.strip("/")
        if "/" in path:
            self.folder(path.rsplit("/", 1)[0])
        self.entries[path] = (stat.S_IFREG | mode, data, 0)

    def link(self, path, target):
        path = path.strip("/")
        if "/" in path:
            self.folder(path.rsplit("/", 1)[0])
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode(), 0)

    def device(self, path, major, minor):
        self.folder(path.rsplit("/", 1)[0])
        self.entries[path.strip("/")] = (stat.S_IFCHR | 0o600, b"", major << 8 | minor)

    def write(self, file):
        with open(file, "wb") as out:
            for number, (path, (mode, data, device)) in enumerate(sorted(self.entries.items()), 1):
                self._entry(out, number, path, mode, data, device)
            self._entry(out, 0, "TRAILER!!!", 0, b"", 0)
            out.write(bytes(-out.tell() % 512))

    @staticmethod
    def _entry(out, number, path, mode, data, device):
        name = path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, device >> 8, device & 0xff, len(name), 0)
        out.write(b"070701" + b"".join(b"%08X" % f for f in fields) + name)
        out.write(bytes(-out.tell() % 4))
        out.write(data)
        out.write(bytes(-out.tell() % 4))


def needed(file):
    text = subprocess.run(["readelf", "-d", str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return re.findall(r"NEEDED.*\[(.*)\]", text)


def unpacked(path):
    """The contents of a file that may be compressed (modules, kernels)."""
    data = path.read_bytes()
    if data[:6] == b"\xfd7zXZ\0":
        return lzma.decompress(data)
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def add_modules(cpio, modules, names, extra=()):
    """The named modules and what they need, and /modules/order with the order to load them in.

    What a module needs stands in the module itself, so depmod is not asked."""
    files = {re.sub(r"\.ko(\.\w+)?$", "", p.name).replace("-", "_"): p for p in modules.rglob("*.ko*") if p.is_file()}
    order = []

    def add(name):
        name = name.replace("-", "_")
        if name in order or name not in files:  # what is not there is built in
            return
        data = unpacked(files[name])
        found = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in (found.group(1).decode().split(",") if found and found.group(1) else []):
            add(other)
        order.append(name)
        cpio.file(f"modules/{name}.ko", data, 0o644)

    for name in names:
        add(name)
    cpio.file("modules/order", "".join(f"{n}.ko\n" for n in order), 0o644)
    for file in extra:
        add_extra = unpacked(file)
        cpio.file(f"modules/{file.name}", add_extra, 0o644)


def skeleton(cpio):
    for folder in ("proc", "sys", "dev", "run", "tmp", "mnt", "root", "bin", "sbin", "etc", "var/log/xen", "var/lib/xen"):
        cpio.folder(folder)
    cpio.device("dev/console", 5, 1)
    cpio.device("dev/null", 1, 3)


def busybox(root):
    for path in ("bin/busybox", "usr/bin/busybox"):
        if (root / path).exists():
            return root / path
    raise LabError(f"no busybox in {root}")


MACHINES = {"armhf": "armv7l", "arm64": "aarch64", "amd64": "x86_64"}
TRIPLETS = {"armhf": "arm-linux-gnueabihf", "arm64": "aarch64-linux-gnu", "amd64": "x86_64-linux-gnu"}
LOADERS = {"armhf": "lib/ld-linux-armhf.so.3", "arm64": "lib/ld-linux-aarch64.so.1", "amd64": "lib64/ld-linux-x86-64.so.2"}
DOM0_MODULES = ["xen-evtchn", "xen-privcmd", "xen-gntdev", "xen-gntalloc", "xenfs", "9p"]
SHARE_MODULES = {"virtio": ["virtio_mmio", "virtio_pci", "9pnet_virtio"], "network": ["realtek", "dwmac_sun8i", "9pnet_fd"]}


def dom0(out, root, arch, xen, modules, files, programs, export=None):
    """files: {path in dom0: host file}; programs: host files (ELF, of this architecture) that go to /bin; export: the folder that the lab
    serves by network (boards.py); None: QEMU shares it by virtio."""
    cpio, triplet = Cpio(), TRIPLETS[arch]
    skeleton(cpio)
    cpio.file("bin/busybox", busybox(root))
    folders = [root / f for f in (f"lib/{triplet}", f"usr/lib/{triplet}", f"usr/lib/xen-{xen}/lib/{triplet}", f"usr/lib/xen-{xen}/lib",
                                  "lib", "usr/lib")]
    todo, have = [], set()
    tools = root / f"usr/lib/xen-{xen}/bin"
    for tool in sorted(tools.iterdir()):
        if not tool.is_file() or tool.name in ("oxenstored", "pygrub", "convert-legacy-stream", "init-xenstore-domain"):
            continue
        cpio.file(f"usr/lib/xen-{xen}/bin/{tool.name}", tool.resolve())
        todo.append(tool)
    for tool in (root / "usr/bin").glob("xenstore*"):
        cpio.file(f"bin/{tool.name}", tool.resolve())
        todo.append(tool)
    for program in programs:
        cpio.file(f"bin/{program.name}", program)
        todo.append(program)

    # What a program built here needs beyond dom0's own packages may come from here: same release, same architecture.
    here = [Path(f"/usr/lib/{triplet}"), Path(f"/lib/{triplet}")] if platform.machine() == MACHINES[arch] else []

    def library(name):
        for folder in folders + here:
            if (folder / name).exists():
                return (folder / name).resolve()
        return None

    # Nothing names these, and they are loaded all the same: libgcc_s by pthread_cancel, Xen's libraries by dlopen.
    queue = ["libgcc_s.so.1", "libxenctrl.so.4.17", f"libxenctrl.so.{xen}", "libxenforeignmemory.so.1", "libxentoolcore.so.1", "libxenstore.so.4"]
    todo += [f for p, f in files.items() if not p.startswith("domu/")]
    queue += [n for f in todo for n in needed(f)]
    while queue:
        name = queue.pop()
        if name in have or name == Path(LOADERS[arch]).name:
            continue
        have.add(name)
        file = library(name)
        if file is None:
            if not name.startswith("libxenctrl"):
                say(f"dom0 image: no library {name}")
            continue
        cpio.file(f"usr/lib/{triplet}/{name}", file)
        queue += needed(file)
    loader = next((root / p for p in (LOADERS[arch], "usr/" + LOADERS[arch]) if (root / p).exists()), None)
    if loader is None:
        raise LabError(f"no {LOADERS[arch]} in {root}")
    cpio.file(LOADERS[arch], loader.resolve())
    add_modules(cpio, modules, DOM0_MODULES + SHARE_MODULES["network" if export else "virtio"])
    cpio.file("etc/xen/xl.conf", 'autoballoon="off"\n', 0o644)
    cpio.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644)
    cpio.file("etc/lab", f"XEN={xen}\nTRIPLET={triplet}\nEXPORT={shlex.quote(str(export or ''))}\n", 0o644)
    cpio.file("init", TARGET / "dom0-init.sh")
    for path, file in files.items():
        cpio.file(path, file)
    cpio.write(out)


def domu(out, box, modules, names, extra=()):
    cpio = Cpio()
    skeleton(cpio)
    cpio.file("bin/busybox", box)
    add_modules(cpio, modules, names, extra)
    cpio.file("init", TARGET / "domu-init.sh")
    cpio.write(out)


def plain_kernel(image, out):
    """The ELF inside an x86 bzImage (xl in dom0 takes 20 s to unpack it); any other image as it is."""
    data = image.read_bytes()
    if data[0x202:0x206] != b"HdrS"[::1] and data[0x202:0x206] != b"HdrS":
        return image
    setup = data[0x1f1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    begin = (setup + 1) * 512 + offset
    payload = data[begin:begin + length]
    if payload[:6] == b"\xfd7zXZ\0":
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        plain = stream.decompress(payload)
    elif payload[:4] == b"\x28\xb5\x2f\xfd":
        done = subprocess.run(["zstd", "-dcq"], input=payload, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        plain = done.stdout
    else:
        return image
    if plain[:4] != b"\x7fELF":
        return image
    out.write_bytes(plain)
    return out


def deb_files(deb, scratch):
    """Programs of xstack's own package, by their path in it."""
    folder = scratch / ("deb-" + deb.name)
    folder.mkdir(parents=True, exist_ok=True)
    sh(["dpkg", "-x", deb, folder])
    return {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file() and not p.is_symlink() and os.access(p, os.X_OK)}


