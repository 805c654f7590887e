#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cuts kernel configurations down to what is looked at: cut.py OUT=CONFIG... (see README.md)."""
import glob
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.join(here, "..", "..", "..")
names = set()
for path in [os.path.join(root, "kconfig", "rules.cpp")] + glob.glob(os.path.join(root, "boards", "*.json")):
    with open(path, encoding="utf-8") as file:
        text = file.read()
        names |= set(re.findall(r'"([A-Z][A-Z0-9_]+)"', text))
        names |= set(re.findall(r"CONFIG_([A-Z0-9_]+)", text))
names |= {"ARM", "ARM64", "X86", "X86_64"}
for argument in sys.argv[1:]:
    out, path = argument.split("=", 1)
    kept = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file):
            found = re.match(r"(?:# )?CONFIG_(\w+)(?:=| is not set)", line)
            if (number < 4 and line.startswith("#")) or (found and found[1] in names):
                kept.append(line)
    with open(os.path.join(here, out), "w", encoding="utf-8") as file:
        file.writelines(kept)
