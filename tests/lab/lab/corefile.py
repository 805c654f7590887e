# SPDX-License-Identifier: LGPL-2.1-or-later
"""A dump in the format of xl dump-core from what labctl dump wrote (on ARM xl dump-core itself writes no memory)."""
import os
import struct
import subprocess

MACHINE = {"armhf": 40, "arm64": 183, "amd64": 62}
MAGIC_HVM = 0xF00FEBEE


def note(kind, desc):
    return struct.pack("<III", 4, len(desc), kind) + b"Xen\0" + desc


def assemble(prefix, arch, xen, out, vcpus=2):
    """prefix.ctx, .pfn, .pages -> out (ELF, compressed by zstd)."""
    contexts = open(f"{prefix}.ctx", "rb").read()
    pfns = open(f"{prefix}.pfn", "rb").read()
    count = len(pfns) // 8
    size = len(contexts) // vcpus
    major, minor = (int(n) for n in xen.split("."))
    version = struct.pack("<QQ", major, minor).ljust(1272, b"\0") + struct.pack("<Q", 4096)
    notes = note(0x2000000, b"") + note(0x2000001, struct.pack("<QQQQ", MAGIC_HVM, vcpus, count, 4096)) + note(0x2000002, version) + note(0x2000003, struct.pack("<Q", 1))
    names = b"\0.shstrtab\0.note.Xen\0.xen_prstatus\0.xen_pages\0.xen_pfn\0"

    def name(text):
        return names.index(b"\0" + text + b"\0") + 1

    note_at = 64 + 6 * 64
    status_at = note_at + len(notes)
    pages_at = (status_at + len(contexts) + 4095) & ~4095
    pfn_at = pages_at + count * 4096
    names_at = pfn_at + len(pfns)
    sections = [
        (0, 0, 0, 0, 0, 0),
        (name(b".shstrtab"), 3, names_at, len(names), 0, 0),
        (name(b".note.Xen"), 7, note_at, len(notes), 0, 0),
        (name(b".xen_prstatus"), 1, status_at, len(contexts), 8, size),
        (name(b".xen_pages"), 1, pages_at, count * 4096, 4096, 4096),
        (name(b".xen_pfn"), 1, pfn_at, len(pfns), 8, 8),
    ]
    head = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    head += struct.pack("<HHIQQQIHHHHHH", 4, MACHINE[arch], 1, 0, 0, 64, 0, 64, 56, 0, 64, len(sections), 1)
    table = b"".join(struct.pack("<IIQQQQIIQQ", n, t, 0, 0, at, length, 0, 0, align, entry) for n, t, at, length, align, entry in sections)
    part = f"{out}.part"
    with open(part, "wb") as file:
        packer = subprocess.Popen(["zstd", "-q", "-3", "--long=27", "-c"], stdin=subprocess.PIPE, stdout=file)
        pipe = packer.stdin
        pipe.write(head + table + notes + contexts)
        pipe.write(bytes(pages_at - status_at - len(contexts)))
        with open(f"{prefix}.pages", "rb") as pages:
            while block := pages.read(1 << 20):
                pipe.write(block)
        pipe.write(pfns + names)
        pipe.close()
        if packer.wait():
            raise OSError("zstd failed")
    os.replace(part, out)


def compress(core, out):
    part = f"{out}.part"
    subprocess.run(["zstd", "-q", "-f", "-3", "--long=27", "-o", part, core], check=True)
    os.replace(part, out)
