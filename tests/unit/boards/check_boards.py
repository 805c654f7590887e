#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds every board file against its schema, and what `xstack boards` prints against its own: check_boards.py
SCHEMAS BOARDS XSTACK.

Exit status 77 (skipped) without python3-jsonschema."""
import glob
import json
import os
import subprocess
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    print("python3-jsonschema (draft 2020-12) is not installed")
    sys.exit(77)

schemas, boards, xstack = sys.argv[1:]
bad = []


def validator(name):
    with open(os.path.join(schemas, name), encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def check(where, schema, value):
    bad.extend(f"{where}: {'/'.join(map(str, e.absolute_path))}: {e.message}" for e in schema.iter_errors(value))


def printed(*arguments):
    environment = dict(os.environ, XDG_CONFIG_HOME="/nonexistent")
    command = [xstack, "boards", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.returncode}: {done.stderr.decode()}")
    return json.loads(done.stdout)


files = sorted(glob.glob(os.path.join(boards, "*.json")))
profile, shown, boot = (validator(f"xstack-{name}-1.json") for name in ("board", "boards", "boot"))
for path in files:
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    check(path, profile, content)
    # The schema must refuse what the loader refuses.
    for key in list(content["facts"])[:1]:
        for broken in ({"value": 1.5, "source": "x"}, {"value": "x"}, {"absent": "x", "source": "x"}):
            if profile.is_valid({**content, "facts": {key: broken}}):
                bad.append(f"{path}: the schema takes {key}: {broken}")
    if content["kind"] == "board":
        name = content["name"]
        check(name, shown, printed("show", name))
        check(name, boot, printed("boot", name, "--xen", "xen", "--dom0", "zImage", "--initrd", "initrd.gz"))
check("boards", shown, printed())
print("\n".join(bad) if bad else f"{len(files)} files and what is printed of them agree with the schemas")
sys.exit(1 if bad else 0)
