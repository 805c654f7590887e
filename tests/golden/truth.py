#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The trace of a capture, held against what the guest itself printed when it died.

    truth.py CASE -- XSTACK

CASE is a folder with one capture and console.log, the guest's console from its last words on. The judge is the lab's
(tests/lab/lab/compare.py): every frame of the guest's own backtraces must be in the trace of that CPU, in order, with the
same symbol and offset, and no frame may be wrong that is not marked as a guess. Where the lab's table knows more about a
guest of this name (the functions of an idle CPU, a vCPU in user mode), that is judged as well. A case whose guest printed
nothing, and of which the table knows nothing, is skipped (77)."""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

from lab import compare, console, guests  # noqa: E402


def verdicts_of(case, report, log):
    said = console.backtraces(log)
    known = guests.GUESTS if isinstance(guests.GUESTS, dict) else {g.name: g for g in guests.GUESTS}
    if case.name in known:
        return compare.judge(report, known[case.name], said)
    vcpus = {v["id"]: v for v in report["vcpus"]}
    missing = [cpu for cpu in said if cpu not in vcpus]
    if missing:
        sys.exit(f"the guest spoke of CPUs {missing}, which the report does not have")
    return [compare.against_console(vcpus[cpu], backtrace) for cpu, backtrace in sorted(said.items())]


def main():
    if sys.argv.count("--") != 1 or sys.argv.index("--") != 2:
        sys.exit(__doc__)
    case, xstack = pathlib.Path(sys.argv[1]), sys.argv[3:]
    capture = next(p for p in sorted(case.iterdir()) if p.name.startswith("capture"))
    done = subprocess.run([*xstack, "--json", "--debug-dir=none", "--core", str(capture)], stdout=subprocess.PIPE, check=False)
    verdicts = verdicts_of(case, json.loads(done.stdout), (case / "console.log").read_text(errors="replace"))
    judged = [v for v in verdicts if v.judge != "nothing known"]
    if not judged:
        print("nothing is known of this guest but its dump")
        return 77
    for v in judged:
        print(f"vCPU {v.vcpu}, by {v.judge}: {v.agree} agree, {len(v.missing)} missing {v.missing}, {len(v.wrong)} wrong {v.wrong}")
    return 0 if all(v.right for v in judged) else 1


sys.exit(main())
