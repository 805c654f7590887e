#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The facts of compiled device trees that board profiles are held against: extract.py OUT=DTB SOURCE... (see README.md).

For each pair of arguments OUT=DTB and SOURCE (a line that says where the file is from) OUT is written: a line for each
property, as PATH PROPERTY VALUE."""
import os
import re
import struct
import sys

WANTED = (
    (r"/", r"model|compatible|#(address|size)-cells"),
    (r"/aliases", r"serial0"),
    (r"/chosen", r"stdout-path|#(address|size)-cells"),
    (r"/cpus/cpu@\w+", r"device_type|compatible"),
    (r"/soc", r"compatible|#(address|size)-cells"),
    (r"/soc/serial@1c28000", r"compatible|reg|reg-shift|reg-io-width|interrupts|status"),
    (r"/soc/interrupt-controller@1c81000", r"compatible|reg"),
    (r"/memory(@\w+)?", r"device_type|reg"),
    (r"/reserved-memory(/.*)?", r"#(address|size)-cells|reg"),
)


def properties(blob):
    """(path, property, bytes) in the order of the file: Devicetree Specification 0.4, chapter 5."""
    magic, _, structs, strings = struct.unpack_from(">4I", blob)
    if magic != 0xd00dfeed:
        sys.exit("no device tree")
    at, path = structs, []
    while True:
        token, = struct.unpack_from(">I", blob, at)
        at += 4
        if token == 1:
            end = blob.index(b"\0", at)
            path.append(blob[at:end].decode())
            at = (end + 4) & ~3
        elif token == 2:
            path.pop()
        elif token == 3:
            length, name = struct.unpack_from(">2I", blob, at)
            name = blob[strings + name:blob.index(b"\0", strings + name)].decode()
            yield "/" + "/".join(path[1:]), name, blob[at + 8:at + 8 + length]
            at += 8 + (length + 3 & ~3)
        elif token == 9:
            return


def shown(value):
    parts = value[:-1].split(b"\0")
    if value.endswith(b"\0") and all(re.fullmatch(rb"[ -~]+", part) for part in parts):
        return " ".join('"%s"' % part.decode() for part in parts)
    return "<%s>" % " ".join("%#x" % cell for cell, in struct.iter_unpack(">I", value))


def main():
    arguments = sys.argv[1:]
    for pair, source in zip(arguments[::2], arguments[1::2]):
        out, dtb = pair.split("=", 1)
        with open(dtb, "rb") as file:
            blob = file.read()
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), out), "w", encoding="utf-8") as file:
            file.write(f"# {source}\n")
            for path, name, value in properties(blob):
                if any(re.fullmatch(p, path) and re.fullmatch(n, name) for p, n in WANTED):
                    file.write(f"{path} {name} {shown(value)}\n")


main()
