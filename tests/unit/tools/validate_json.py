#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Validates what a command prints against a JSON Schema: validate_json.py SCHEMA COMMAND [ARGUMENT]...

Exit status 77 (skipped) without python3-jsonschema."""
import json
import subprocess
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    print("python3-jsonschema (draft 2020-12) is not installed")
    sys.exit(77)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    printed = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, check=False).stdout
    errors = list(Draft202012Validator(schema).iter_errors(json.loads(printed)))
    for error in errors:
        print("/".join(map(str, error.absolute_path)), error.message)
    return 1 if errors else 0


sys.exit(main())
