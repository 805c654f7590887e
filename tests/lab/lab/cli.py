# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boots real Xen under QEMU, lets guests die in different ways, runs xstack in dom0 and holds its traces against what the guests
printed of themselves."""
import argparse
import signal
import sys
import time
from pathlib import Path

from . import report, scenario
from .guests import GUESTS, MACHINES
from .machine import Dom0
from .util import SCRATCH, LabError, say


def arguments(argv):
    parser = argparse.ArgumentParser(prog="tests/lab/run", description=__doc__)
    parser.add_argument("machines", nargs="*", metavar="MACHINE", help="what to boot: " + ", ".join(MACHINES) + "; or the name of a guest")
    parser.add_argument("--guests", metavar="NAME,...", help="only these guests, or ways to die")
    parser.add_argument("--xen", metavar="RELEASE", help="in place of the machines named, those of the same architecture with this Xen (4.17, 4.20)")
    parser.add_argument("--cpu", help="another CPU for QEMU")
    parser.add_argument("--deb", type=Path, metavar="FILE", help="xstack's package for the machine's architecture; {arch} in it is replaced")
    parser.add_argument("--xstack", type=Path, metavar="FILE", help="or the program itself (static but for libc); {arch} in it is replaced")
    parser.add_argument("--host-xstack", type=Path, metavar="FILE", help="a program for this machine, to replay the captures; orangepi boots by its `boards boot`")
    parser.add_argument("--signals", type=int, default=100, metavar="N", help="interrupt xstack N times on one running guest of each kind (100); 0: not at all")
    parser.add_argument("--cores", type=Path, metavar="FOLDER", help="keep a core and the console of each guest there")
    parser.add_argument("--dumps", type=Path, metavar="FOLDER", help="write each guest with `xstack dump` as well, hold those against its trace, and keep them there")
    parser.add_argument("--vmlinux", type=Path, metavar="FOLDER", help="attach gdb-multiarch to each stopped Linux guest whose vmlinux-RELEASE is below FOLDER")
    parser.add_argument("--keys", action="store_true", help="type Xen's debug keys d, q and 0 on its console while each guest runs and when it has stopped, and keep what it prints")
    parser.add_argument("--failed-cores", type=Path, metavar="FOLDER", help="the same of those guests whose trace was wrong")
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help="no QEMU: judge --host-xstack on the cores that --cores kept in FOLDER")
    parser.add_argument("--patience", type=float, default=1, metavar="X", help="wait X times as long for everything, on a busy machine")
    parser.add_argument("--keep", action="store_true", help="leave the machine running at the end, until a key is pressed")
    parser.add_argument("--list", action="store_true", help="say which guests there are")
    return parser.parse_args(argv)


def chosen(options):
    """{machine: its guests}, in the order of the table."""
    wanted = set(options.guests.split(",")) if options.guests else None
    names = options.machines
    if not names:
        names = [m.name for m in MACHINES.values() if not m.board or options.host_xstack]
        for name in MACHINES.keys() - names:
            say(f"{name}: left out, it needs --host-xstack")
    picked = {}
    for name in names:
        if name in GUESTS:
            picked.setdefault(GUESTS[name].machine, []).append(GUESTS[name])
            continue
        if name not in MACHINES:
            raise LabError(f"no machine and no guest {name}; see --list")
        machines = [name] if not options.xen else \
            [m.name for m in MACHINES.values() if m.arch == MACHINES[name].arch and m.xen == options.xen]
        for machine in machines:
            guests = [g for g in GUESTS.values() if g.machine == machine and (not wanted or wanted & {g.name, g.way})]
            if guests and machine not in picked:
                picked[machine] = guests
    if not picked:
        raise LabError("nothing chosen; see --list")
    return picked


def run_machine(machine, guests, options):
    """Results of all guests; each gets a second chance, and so does the machine."""
    folder = SCRATCH / "results" / machine.name
    folder.mkdir(parents=True, exist_ok=True)
    results, tries = {}, dict.fromkeys((g.name for g in guests), 0)
    file = {key: Path(str(value).replace("{arch}", machine.arch)) if value else None for key, value in (("deb", options.deb), ("xstack", options.xstack))}
    for value in file.values():
        if value and not value.exists():
            raise LabError(f"no file {value}")
    # One running guest of each kind: the one in user mode, or the first that does not end by itself.
    interrupted = {}
    for guest in sorted((g for g in guests if g.end != "crashed"), key=lambda g: g.way != "user"):
        interrupted.setdefault((guest.kind, guest.kernel.arch), guest.name)
    interrupted = set(interrupted.values())
    while any(n < 2 and name not in results for name, n in tries.items()):
        todo = [g for g in guests if g.name not in results and tries[g.name] < 2]
        dom0 = Dom0(machine, todo, SCRATCH / "run" / machine.name, file["xstack"], file["deb"], options.patience, options.host_xstack)
        dom0.build()
        booted = False
        try:
            with dom0:
                booted = True
                while todo:
                    guest = todo.pop(0)
                    tries[guest.name] += 1
                    signals = options.signals if guest.name in interrupted else 0
                    start = time.monotonic()
                    try:
                        result = scenario.play(dom0, guest, folder, options, signals)
                    except LabError as error:
                        say(f"{guest.name}: {error}")
                        if dom0.process.poll() is not None:
                            break
                        if tries[guest.name] < 2:
                            todo.insert(0, guest)
                        continue
                    result.figures["guest"] = {"seconds": time.monotonic() - start}
                    results[guest.name] = result
                    report.write(list(results.values()), folder)  # what is known is kept, whatever happens to the machine
                    say(f"{guest.name}: " + ("no xstack given" if not dom0.has_xstack else "agrees" if result.right else "DISAGREES"))
                if options.keep and sys.stdin.isatty():
                    input(f"{machine.name} is still up; commands go through {dom0.share}/cmd (see README). Enter ends it. ")
        except LabError as error:
            say(str(error))
            if not booted:
                for guest in todo:
                    tries[guest.name] += 1
    for guest in guests:
        results.setdefault(guest.name, scenario.Result(guest.name, skipped="it did not get there in two tries"))
    return [results[g.name] for g in guests]


def replay(options):
    """Results for each NAME.core.zst (or NAME.xcap) with its NAME.console.log in the folder."""
    if not options.host_xstack:
        raise LabError("--replay needs --host-xstack")
    wanted = set(options.guests.split(",")) if options.guests else None
    results = []
    for name, guest in GUESTS.items():
        files = [options.replay / (name + suffix) for suffix in (".core.zst", ".xcap") if (options.replay / (name + suffix)).exists()]
        if files and (not wanted or wanted & {name, guest.way}) and (not options.machines or {name, guest.machine} & set(options.machines)):
            say(f"{name}: replaying")
            log = (options.replay / (name + ".console.log")).read_text(errors="replace")
            results.append(scenario.replay(guest, files[0], log, options.host_xstack, SCRATCH / "results" / "replay"))
    return results


def main(argv):
    options = arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the machine must not outlive the lab
    if options.list:
        for guest in GUESTS.values():
            machine = MACHINES[guest.machine]
            print(f"{guest.name:26} {guest.machine:10} Xen {machine.xen}  {guest.kernel.suite} {guest.kernel.flavour} {guest.kind or ''}  {guest.way}, {guest.end}")
        return 0
    everything = []
    try:
        if options.replay:
            everything = replay(options)
        for name, guests in ({} if options.replay else chosen(options)).items():
            machine = MACHINES[name]
            if options.cpu:
                machine = machine.__class__(**{**machine.__dict__, "cpu": options.cpu})
            everything += run_machine(machine, guests, options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    print(report.write(everything, SCRATCH / "results"))
    if any(r.skipped for r in everything):
        return 2
    return 0 if all(r.right for r in everything) else 1
