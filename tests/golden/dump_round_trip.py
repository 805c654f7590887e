#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A dump of a guest gives the trace that the guest gives.

    dump_round_trip.py [--pipe] CAPTURE -- XSTACK

Writes CAPTURE's guest as an ELF core, plain and compressed, and compares the JSON of both with the capture's own. Only
where the memory came from may differ. With --pipe: through a pipe the core is the same, and goes on where an earlier run broke off.
"""
import json
import pathlib
import subprocess
import sys
import tempfile


def report(xstack, core):
    done = subprocess.run([*xstack, "--json", "--debug-dir=none", "--core", str(core)], stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{core}: exit status {done.returncode}")
    found = json.loads(done.stdout)
    for key in ("source", "hypervisor_log", "no_hypervisor_log"):  # a dump has no place for what Xen said
        found["guest"].pop(key, None)
    found.pop("capture", None)
    return found


def through_a_pipe(xstack, capture, file):
    whole = file.read_bytes()
    for skip in (0, 1, len(whole) // 2, len(whole) + 1):
        done = subprocess.run([*xstack, "dump", "--core", capture, "-o", "-", "--skip", str(skip)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        if done.stdout != whole[skip:]:
            sys.exit(f"--skip {skip}: not the rest of the file")
        if (done.returncode in (0, 1)) != (skip <= len(whole)):
            sys.exit(f"--skip {skip} of {len(whole)}: exit status {done.returncode}")
    done = subprocess.run([*xstack, "dump", "--core", capture, "-o", str(file), "--skip", "1"], stderr=subprocess.PIPE, check=False)
    if done.returncode != 2:
        sys.exit(f"--skip into a file: exit status {done.returncode}")


def main():
    pipe = sys.argv[1:2] == ["--pipe"]
    capture, dashes, *xstack = sys.argv[2 if pipe else 1:]
    if dashes != "--" or not xstack:
        sys.exit(__doc__)
    expected = report(xstack, capture)
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("guest.elf", "guest.elf.zst"):
            path = pathlib.Path(scratch, name)
            done = subprocess.run([*xstack, "dump", "--core", capture, "-o", str(path)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=False)
            if done.returncode not in (0, 1) or not path.exists():
                sys.exit(f"dump: exit status {done.returncode}: {done.stderr.decode(errors='replace')}")
            if report(xstack, path) != expected:
                sys.exit(f"{name}: another trace than {capture}")
        if pipe:
            through_a_pipe(xstack, capture, pathlib.Path(scratch, "guest.elf"))


main()
