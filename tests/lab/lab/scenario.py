# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is done to each guest: created, waited for, settled in a state that no longer changes, and looked at by xstack on the way."""
import json
import os
import re
import struct
import subprocess
import time
from dataclasses import dataclass, field

from . import attached, builds, compare, console, corefile, dumps, keys, knowledge, watched
from .util import LabError, say

# Seconds until a guest is up, and until it has died once it is up. Emulation on a busy machine is slow, so these are long;
# patterns on the console end the wait.
BOOT, DEATH = 300, 120
DIES = ("sysrq", "softdog", "softdog-user", "softdog-idle")
PAUSED = 8


@dataclass
class Result:
    """All that was learnt of one guest."""
    guest: str
    verdicts: list = field(default_factory=list)
    knowledge: list = field(default_factory=list)  # verdicts of tasks, modules and info, each with its `where`
    faults: list = field(default_factory=list)     # anything else that xstack did wrong
    figures: dict = field(default_factory=dict)    # seconds, memory, pages, pause
    notes: list = field(default_factory=list)
    skipped: str = ""                              # why the guest could not be looked at; the lab's fault, not xstack's

    @property
    def right(self):
        return not self.skipped and not self.faults and all(v.right for v in self.verdicts + self.knowledge)


def wait_console(dom0, guest, pattern, seconds):
    dom0.wait(lambda: re.search(pattern, dom0.console(guest)), seconds, f"{pattern!r} on the console of {guest.name}")


def contexts(dom0, domid, vcpus=2):
    """{vCPU: raw context}; a vCPU that was never brought up is absent."""
    out = dom0.run(f"labctl ctx {domid} {vcpus}", check=True).out
    return {int(v): bytes.fromhex(raw) for v, raw in re.findall(r"^vcpu (\d+) ([0-9a-f]{100,})$", out, re.M)}


def mode(arch, kind, raw):
    """user or kernel, from a raw context."""
    if arch == "amd64":
        flags, = struct.unpack_from("<Q", raw, 512)
        selector, = struct.unpack_from("<H", raw, 656)
        return "kernel" if (flags & 4 if kind == "pv" else not selector & 3) else "user"
    status, = struct.unpack_from("<Q", raw, 264)
    if arch == "armhf":
        return "user" if status & 0x1F == 0x10 else "kernel"
    return "user" if not status & 0x0C else "kernel"


def program_counter(arch, raw):
    """From a raw context."""
    return struct.unpack_from("<Q", raw, 648 if arch == "amd64" else 256)[0]


def bare_symbols(guest):
    """Options for a guest that has no names of its own."""
    return ["-s", builds.bare(guest.kernel.arch, guest.kernel.flavour)[1]] if guest.kernel.suite == "bare" else []


def settle(dom0, guest):
    """Wait until the guest has done what it was made for; returns its domid."""
    domid = dom0.domid(guest)
    if guest.way == "entry":
        return domid
    if guest.way == "decompressor":
        return settle_in_decompressor(dom0, guest, domid)
    if guest.way in ("bare", "early"):
        if guest.way == "early":
            dom0.run(f"xl unpause {guest.name}", check=True)
        return settle_bare(dom0, guest, domid)
    wait_console(dom0, guest, r"LAB: ready|Kernel panic", BOOT)
    if "LAB: ready" not in dom0.console(guest):
        raise LabError(f"{guest.name} died before its time; see {dom0.share}/console/guest-{guest.name}.log")
    if guest.way in DIES:
        wait_console(dom0, guest, r"Kernel panic - not syncing", DEATH)
        if guest.end == "crashed":
            end = time.monotonic() + DEATH * dom0.patience
            while "c" not in dom0.state(guest):
                if time.monotonic() > end:
                    raise LabError(f"{guest.name} does not crash")
        else:
            wait_console(dom0, guest, r"end Kernel panic", DEATH)
    elif guest.way == "spin":
        wait_console(dom0, guest, r"lab_thread", DEATH)
    if guest.way not in DIES:
        wait_console(dom0, guest, r"LAB: end of truth", DEATH)
    if guest.way in ("spin", "idle"):
        wait_console(dom0, guest, r"LAB: still alive", DEATH)
    return domid


def settle_bare(dom0, guest, domid):
    """A guest that prints nothing: it has crashed, or stays within a few instructions."""
    def stopped():
        if guest.end == "crashed":
            return "c" in dom0.state(guest)
        places = []
        for _ in range(4):
            raw = contexts(dom0, domid)
            places.append(program_counter(guest.kernel.arch, raw[0]) if 0 in raw else None)
            time.sleep(0.3)
        return None not in places and max(places) - min(places) < 64

    dom0.wait(stopped, DEATH, f"{guest.name} to come to its end")
    return domid


def settle_in_decompressor(dom0, guest, domid):
    """Runs it for a short while and stops it where addresses are still physical."""
    start = program_counter(guest.kernel.arch, contexts(dom0, domid)[0])
    for _ in range(20):
        dom0.run(f"xl unpause {guest.name}; usleep 700000; xl pause {guest.name}", check=True)
        pc = program_counter(guest.kernel.arch, contexts(dom0, domid)[0])
        if pc >= 0x80000000:
            raise LabError(f"{guest.name}: the kernel runs already, at {pc:#x}")
        if abs(pc - start) > 0x1000:
            return domid
    raise LabError(f"{guest.name}: it does not leave its first instructions")


def freeze(dom0, guest, domid):
    """Stop the guest for good, in the modes that the table asks for."""
    if guest.end == "crashed" or guest.way in ("entry", "decompressor"):
        return
    for _ in range(30):
        if guest.way not in DIES + ("early",):
            time.sleep(1)
        dom0.run(f"xl pause {guest.name}", check=True)
        if not guest.modes:
            break
        raw = contexts(dom0, domid)
        wanted = {v: "kernel" if m == "idle" else m for v, m in guest.modes.items()}
        if all(v in raw and mode(guest.kernel.arch, guest.kind, raw[v]) == m for v, m in wanted.items()):
            break
        dom0.run(f"xl unpause {guest.name}", check=True)
    else:
        raise LabError(f"{guest.name}: its vCPUs were never all in the modes {guest.modes}")
    if guest.end == "crash":
        dom0.run(f"labctl crash {domid}; xl unpause {guest.name}; true", check=True)
        if "c" not in dom0.state(guest):
            raise LabError(f"{guest.name}: SHUTDOWN_crash did not crash it")


def keep_core(dom0, guest, domid, folder):
    """NAME.core.zst and NAME.console.log in folder."""
    out = dom0.share / "out"
    folder.mkdir(parents=True, exist_ok=True)
    if guest.kind == "pv":  # not straight into the shared folder: pages of another domain cannot be handed to its file system
        run = dom0.run(f"set -e; xl dump-core {guest.name} /tmp/core; cp /tmp/core /r/out/{guest.name}.core; rm /tmp/core", 900, check=True)
        core = out / f"{guest.name}.core"
        corefile.compress(core, folder / f"{guest.name}.core.zst")
        core.unlink()
        what = f"{run.seconds:.0f} s"
    else:
        prefix = out / guest.name
        run = dom0.run(f"labctl dump {domid} 2 /r/out/{guest.name}", 900, check=True)
        corefile.assemble(prefix, guest.kernel.arch, dom0.machine.xen, folder / f"{guest.name}.core.zst")
        for suffix in (".ctx", ".pfn", ".pages"):
            prefix.with_name(prefix.name + suffix).unlink()
        what = f"{run.seconds:.0f} s; " + run.out.splitlines()[-1]
    log = folder / f".{guest.name}.console.log"
    log.write_text(dom0.console(guest))
    os.replace(log, folder / f"{guest.name}.console.log")
    say(f"{guest.name}: core kept ({what})")
    return folder / f"{guest.name}.core.zst"


class Looker:
    """Runs xstack in dom0 on one guest and remembers what was wrong."""

    def __init__(self, dom0, guest, domid, result, results):
        self.dom0, self.guest, self.domid, self.result = dom0, guest, domid, result
        self.folder = results / guest.name
        self.folder.mkdir(parents=True, exist_ok=True)
        # What is no Linux has no names of its own.
        bare = guest.kernel.suite == "bare"
        self.linux = not bare and not guest.early
        self.file = f"-s /domu/{guest.files}.elf " if bare else ""

    def paused(self):
        flags = int(self.dom0.run(f"labctl state {self.domid}", check=True).out)
        if flags < 0:
            raise LabError(f"{self.guest.name} is gone")
        return bool(flags & PAUSED)

    def timed(self, label, command, out, seconds=300):
        """Runs a command; its output goes to a file, its time and peak memory to the figures."""
        run = self.dom0.run(f"labctl time /tmp/time {command} >/r/out/o 2>/r/out/e; s=$?; cat /tmp/time; exit $s", seconds)
        text = (self.dom0.share / "out/o").read_text(errors="replace")
        error = (self.dom0.share / "out/e").read_text(errors="replace")
        (self.folder / out).write_text(text)
        if error:
            (self.folder / (out + ".err")).write_text(error)
        found = re.match(r"(\d+) (\d+) (\d+)", run.out)
        if found:
            self.result.figures[label] = {"status": int(found[1]), "seconds": int(found[2]) / 1e6, "kib": int(found[3])}
        return run.status, text, error

    def report(self, label):
        """xstack --json, and everything that must be true of it whatever the guest; None when there is none."""
        before = self.paused()
        status, text, error = self.timed(label, f"xstack --json {self.file}{self.guest.name}", f"{label}.json")
        if self.paused() != before:
            self.result.faults.append(f"{label}: the domain was {'paused' if before else 'running'} and is not any more")
        if status not in (0, 1):
            self.result.faults.append(f"{label}: exit status {status}: {error.strip()[-300:]}")
        try:
            report = json.loads(text)
        except ValueError as why:
            self.result.faults.append(f"{label}: not JSON: {why}")
            return None
        self.result.figures[label].update({k: report.get("capture", {}).get(k) for k in ("pause_us", "pages", "walk_pages")})
        if status == 1:
            self.result.notes.append(f"{label}: exit status 1: {error.strip()[-300:] or report.get('warnings')}")
        return report

    def alive(self):
        """Before the guest is stopped by the lab: it must go on as it was."""
        report = self.report("live")
        self.heads(1)
        self.know("live")
        return report

    def know(self, where):
        """What xstack says of tasks, modules and the guest itself, in dom0; and that the domain goes on as it was."""
        if not self.linux:
            return
        before = self.paused()
        console_text = self.dom0.console(self.guest)  # a guest that runs may say more while it is looked at

        def ask(command):
            label = f"{command}, {where}"
            status, text, error = self.timed(label, f"xstack {command} --json {self.guest.name}", f"{command}-{where}.json")
            if status not in (0, 1):
                self.result.faults.append(f"{label}: exit status {status}: {error.strip()[-300:]}")
            elif status:
                self.result.notes.append(f"{label}: exit status {status}: {error.strip()[-300:]}")
            return text

        texts = {command: ask(command) for command in ("tasks", "modules", "info")}
        status, log, error = self.timed(f"dmesg, {where}", f"xstack dmesg {self.guest.name}", f"dmesg-{where}.txt")
        if status:
            self.result.faults.append(f"dmesg, {where}: exit status {status}: {error.strip()[-300:]}")
        if self.paused() != before:
            self.result.faults.append(f"{where}: the domain was {'paused' if before else 'running'} and is not any more")
        judge_knowledge(self.result, self.guest, where, console_text, log, texts)

    def interrupt(self, count):
        """xstack is sent signals at random moments of its run; afterwards the domain must be as it was."""
        longest = int(self.result.figures.get("live", {}).get("seconds", 1) * 1.1e6)
        for name, number, times in (("SIGINT", 2, count), ("SIGTERM", 15, count // 5), ("SIGHUP", 1, count // 5), ("SIGPIPE", 13, count // 5)):
            times = max(1, times)
            run = self.dom0.run(f"labctl interrupt {self.domid} {times} {longest} {number} xstack {self.guest.name}", 60 + 4 * times * (1 + longest // 10**6))
            self.result.notes.append(f"{name} {times} times within {longest / 1e6:.1f} s: {run.out.strip()}")
            if run.status:
                self.result.faults.append(f"{name} {times} times: {run.out.strip()}{run.err.strip()}")

    def heads(self, count):
        """A reader that goes away after the first line."""
        before = self.paused()
        run = self.dom0.run(f"for i in $(seq {count}); do xstack {self.guest.name} 2>&1 | head -1; labctl state {self.domid}; done >/tmp/heads; "
                            f"grep -c '^[0-9]*$' /tmp/heads", 60 + 60 * count)
        states = [int(line) for line in self.dom0.run("grep '^[0-9-]*$' /tmp/heads").out.split()]
        changed = sum(bool(state & PAUSED) != before for state in states)
        self.result.notes.append(f"| head -1, {len(states)} times: paused state changed {changed} times")
        if changed or len(states) != count:
            self.result.faults.append(f"xstack | head -1: {run.out.strip()} answers of {count}, the domain's state changed {changed} times")

    def refusals(self):
        """What xstack must say no to: in one line, with the documented exit status."""
        for what, command, statuses in (("no such domain", "xstack no-such-domain", (3,)), ("domain 0", "xstack 0", (2, 3)),
                                        ("not root", f"labctl as 65534 xstack {self.guest.name}", (3,))):
            run = self.dom0.run(f"{command} >/dev/null")
            said = run.err.strip()
            self.result.notes.append(f"{what}: exit status {run.status}: {said}")
            if run.status not in statuses or len(said.splitlines()) != 1:
                self.result.faults.append(f"{command}: exit status {run.status}, says {said!r}")

    def vanish(self):
        """The domain goes while xstack looks at it: an answer that was complete before, or one line and exit status 3."""
        delay = int(self.result.figures.get("text", {}).get("seconds", 0.4) * 0.4e6)
        run = self.dom0.run(f"xstack {self.guest.name} >/dev/null & p=$!; usleep {delay}; xl destroy {self.guest.name} >/dev/null 2>&1; wait $p")
        said = run.err.strip()
        self.result.notes.append(f"destroyed while xstack looked: exit status {run.status}: {said}")
        if run.status not in (0, 1, 3) or (run.status == 3 and len(said.splitlines()) != 1):
            self.result.faults.append(f"destroyed while xstack looked: exit status {run.status}, says {said!r}")

    def stopped(self, truth, host_xstack):
        """The guest does not change any more: this is the trace that is judged."""
        report = self.report("stopped")
        if report is None:
            return
        self.result.verdicts = compare.judge(report, self.guest, truth)
        self.timed("text", f"xstack {self.file}{self.guest.name}", "trace.txt")
        self.with_board(report)
        self.capture(truth, host_xstack)
        self.know("stopped")

    def with_board(self, report):
        """On a board that xstack knows, --board must change nothing in the trace: a guest's memory says it all."""
        board = self.dom0.machine.board
        if not board:
            return
        status, text, error = self.timed("board", f"xstack --json --board {board} {self.file}{self.guest.name}", "board.json")
        try:
            same = json.loads(text).get("vcpus") == report["vcpus"]
        except ValueError as why:
            self.result.faults.append(f"--board {board}: exit status {status}: {error.strip()[-300:] or why}")
            return
        self.result.notes.append(f"--board {board}: exit status {status}; " + ("the same registers, stacks and traces" if same else "another answer"))
        if not same:
            self.result.faults.append(f"--board {board}: not the answer without it; see board.json and stopped.json")

    def capture(self, truth, host_xstack):
        name = f"{self.guest.name}.xcap"
        status, _, error = self.timed("capture", f"xstack capture {self.file}{self.guest.name} -o /r/out/{name}", "capture.txt")
        file = self.dom0.share / "out" / name
        if status not in (0, 1) or not file.exists():
            self.result.faults.append(f"capture: exit status {status}: {error.strip()[-300:]}")
            return
        if status:
            self.result.notes.append(f"capture: exit status 1: {error.strip()[-300:]}")
        self.result.figures["capture"]["bytes"] = file.stat().st_size
        os.replace(file, self.folder / name)
        if not host_xstack:
            return
        symbols = bare_symbols(self.guest)
        done = subprocess.run([host_xstack, "--json", *symbols, "--core", self.folder / name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        (self.folder / "replay.json").write_text(done.stdout)
        try:
            replay = compare.judge(json.loads(done.stdout), self.guest, truth)
        except ValueError:
            self.result.faults.append(f"replay of the capture: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
            return
        for live, again in zip(self.result.verdicts, replay):
            if live.got != again.got:
                self.result.faults.append(f"replay of the capture: vCPU {live.vcpu} differs: {len(live.got)} frames live, {len(again.got)} from the capture")
        if self.linux:
            know_offline(self.result, self.guest, "capture", self.folder / name, self.dom0.console(self.guest), host_xstack, ("modules", "info"))

    def xenctx(self):
        """The peer, in the same run. Its symbols are dom0's, so only where guest and dom0 run the same kernel."""
        machine = self.dom0.machine
        if (self.guest.kernel.suite, self.guest.kernel.flavour) != (machine.suite, machine.flavour):
            return
        if not (self.dom0.share / "syms").exists():
            self.dom0.run("echo 0 >/proc/sys/kernel/kptr_restrict; grep -v ']$' /proc/kallsyms >/tmp/syms; touch /r/syms")
        self.timed("xenctx", f"xenctx -C -a -s /tmp/syms {self.domid}", "xenctx.txt")


def judge_knowledge(result, guest, where, console_text, log, texts):
    """texts: {command: its JSON}; log: the text of `xstack dmesg`, or None."""
    known = knowledge.truth(console_text)
    if not known.whole:
        result.notes.append(f"{where}: the guest did not print what it knows to the end")
        return
    verdicts = []
    try:
        reports = {command: json.loads(text) for command, text in texts.items()}
    except ValueError as why:
        result.faults.append(f"{where}: not JSON: {why}")
        return
    if "modules" in reports:
        verdicts.append(knowledge.modules(reports["modules"], known))
    if "tasks" in reports:
        verdicts += knowledge.tasks(reports["tasks"], known)
        result.figures.setdefault(f"tasks, {where}", {}).update(pause_us=reports["tasks"].get("capture", {}).get("pause_us"),
                                                              tasks=len(reports["tasks"].get("tasks", [])))
    if log is not None:
        verdicts.append(compare.log_verdict(log, console_text))
    if "info" in reports:
        verdicts.append(knowledge.info(reports["info"], known, guest, console_text))
    for verdict in verdicts:
        verdict.where = where
    result.knowledge += verdicts


def know_offline(result, guest, where, core, console_text, program, commands):
    """The same here, of a dump or a capture."""
    def ask(*words):
        done = subprocess.run([program, *words, "--core", core], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        if done.returncode not in (0, 1):
            result.faults.append(f"{words[0]}, {where}: exit status {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    judge_knowledge(result, guest, where, console_text, ask("dmesg"), {command: ask(command, "--json") for command in commands})


def replay(guest, core, log, program, results):
    """The trace of a kept core, judged like that of the domain."""
    result = Result(guest.name)
    folder = results / guest.name
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    symbols = bare_symbols(guest)
    done = subprocess.run([program, "--json", *symbols, "--core", core], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    result.figures["stopped"] = {"seconds": time.monotonic() - start}
    (folder / "replay.json").write_text(done.stdout)
    if done.returncode not in (0, 1):
        result.faults.append(f"exit status {done.returncode}: {done.stderr.strip()[-300:]}")
    try:
        result.verdicts = compare.judge(json.loads(done.stdout), guest, console.backtraces(log))
    except ValueError as why:
        result.faults.append(f"not JSON: {why}")
    if guest.kernel.suite != "bare" and not guest.early:
        know_offline(result, guest, "core", core, log, program, ("tasks", "modules", "info"))
    return result


def play(dom0, guest, results, options, signals):
    """One guest from creation to destruction. Raises LabError when the guest itself does not do what it should."""
    result, cores, host_xstack = Result(guest.name), options.cores, options.host_xstack
    say(f"{guest.name}: creating")
    dom0.create(guest)
    try:
        watchers = watched.Watchers(dom0, guest) if dom0.has_xstack and guest.way in DIES else None
        domid = settle(dom0, guest)
        if watchers:
            watchers.judge(result)
        truth = console.backtraces(dom0.console(guest))
        look = Looker(dom0, guest, domid, result, results) if dom0.has_xstack else None
        if options.keys and guest.end != "crashed" and guest.way not in ("entry", "decompressor"):
            keys.keep(dom0, guest, domid, results / guest.name, "running")
        if look and guest.end != "crashed":
            report = look.alive()
            if report and guest.way in DIES + ("spin", "bare"):  # these stacks do not change while the guest runs
                for verdict in compare.judge(report, guest, truth):
                    if not verdict.right:
                        result.faults.append(f"live, vCPU {verdict.vcpu}: missing {verdict.missing}, wrong {verdict.wrong}")
            if signals:
                look.interrupt(signals)
                look.heads(max(1, signals // 10))
                look.refusals()
        freeze(dom0, guest, domid)
        if look:
            look.stopped(truth, host_xstack)
            if look.linux and (look.folder / "stopped.json").exists():
                if options.dumps:
                    dumps.take(look, host_xstack, options.dumps)
                    dumps.debug(look)
                if options.vmlinux:
                    attached.attach(look, options.vmlinux)
            if signals:
                look.interrupt(max(1, signals // 10))
            look.xenctx()
            (look.folder / "console.log").write_text(dom0.console(guest))
        if options.keys:
            keys.keep(dom0, guest, domid, results / guest.name, "stopped")
        if options.failed_cores and not result.right:
            cores = options.failed_cores
        if cores and guest.kind == "pv" and guest.way in ("entry", "early"):
            say(f"{guest.name}: no core: xl wants a table of frames that the guest has not made yet")
        elif cores:
            core = keep_core(dom0, guest, domid, cores)
            if look and look.linux and host_xstack:
                know_offline(result, guest, "core", core, dom0.console(guest), host_xstack, ("tasks", "modules", "info"))
        if look and look.linux and options.dumps and host_xstack and guest.kind and guest.way == "idle":
            saved = dumps.save(look, host_xstack)
            if saved:
                know_offline(result, guest, "xl save", saved, dom0.console(guest), host_xstack, ("tasks", "modules", "info"))
                saved.unlink()
        elif look and signals:
            look.vanish()
    finally:
        dom0.destroy(guest)
    return result
