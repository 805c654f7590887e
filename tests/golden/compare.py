#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole outputs of xstack, compared with what is committed.

    compare.py [--update] CASE... -- XSTACK

A case is a folder with one capture (capture, or capture.SUFFIX), expected.txt and expected.json. The text and the JSON
that XSTACK prints for the capture must be these files to the byte, and the exit status must agree with the report's
`partial`. --update writes the files instead: read the difference before you commit it.

A file `commands` in the case names more commands, one a line with its options; what each prints for the capture is in
expected.COMMAND.txt and expected.COMMAND.json, options included in the name. They run in the case's folder.
"""
import difflib
import json
import pathlib
import subprocess
import sys

FORMATS = (("txt", []), ("json", ["--json"]))


def outputs_of(case):
    """(file, options) of everything that is compared."""
    commands = case / "commands"
    for line in ["", *(commands.read_text().splitlines() if commands.exists() else [])]:
        words = line.split()
        name = "-".join("".join(c for c in word if c.isalnum()) for word in words)
        for suffix, options in FORMATS:
            yield ".".join(part for part in ("expected", name, suffix) if part), [*words, *options]


def capture_of(case):
    found = sorted(p for p in case.iterdir() if p.name == "capture" or p.name.startswith("capture."))
    if len(found) != 1:
        sys.exit(f"{case}: one file named capture or capture.SUFFIX is needed, there are {len(found)}")
    return found[0]


def run(xstack, capture, options):
    # The debug files of this machine are no part of what is compared; some commands know neither option.
    plain = options[:1] not in (["dmesg"], ["modules"], ["info"])
    fixed = ["--color=never", "--debug-dir=none"] if plain else []
    done = subprocess.run([*xstack, *options, *fixed, "--core", capture.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, cwd=capture.parent)
    if done.returncode not in (0, 1):
        sys.exit(f"{capture}: exit status {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.returncode, done.stdout


def check(xstack, case, update):
    capture = capture_of(case)
    good = True
    for name, options in outputs_of(case):
        status, printed = run(xstack, capture, options)
        if "--json" in options and "dmesg" not in options and json.loads(printed)["partial"] != (status == 1):
            print(f"{case.name}: {name}: the exit status is {status}, but partial is {json.loads(printed)['partial']}")
            good = False
        expected = case / name
        before = expected.read_bytes() if expected.exists() else b""
        if printed == before:
            continue
        good = False
        lines = [text.decode(errors="backslashreplace").splitlines() for text in (before, printed)]
        print("\n".join(difflib.unified_diff(*lines, f"{case.name}/{name}", "what xstack prints", lineterm="")))
        if update:
            expected.write_bytes(printed)
    return good or update


def main():
    arguments = sys.argv[1:]
    if "--" not in arguments:
        sys.exit(__doc__)
    cut = arguments.index("--")
    cases, xstack = arguments[:cut], arguments[cut + 1:]
    update = "--update" in cases
    results = [check(xstack, pathlib.Path(case), update) for case in cases if case != "--update"]
    return 0 if all(results) else 1


sys.exit(main())
