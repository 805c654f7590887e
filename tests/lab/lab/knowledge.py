# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds what `xstack tasks`, `modules` and `info` say against what the guest printed of itself (target/domu-init.sh, `truth`).

The guest printed that shortly before it died, not at that very moment, so a task may have moved on since: its stack, or its state,
is another one then. That is counted apart. It is no excuse for a trace that breaks off, and not for many tasks.

- The processes that print the truth are gone by then. Kernel workers come and go.
- /proc/PID/stack leaves out the scheduler's own functions; xstack shows them."""
import re
from dataclasses import dataclass, field

from .compare import Verdict, bare, number

STACK_PLACE = re.compile(r"(?:\[<[0-9a-fx]+>\] )?(?:\? )?([\w.$]+)\+(0x[0-9a-f]+)/(0x[0-9a-f]+)(?: \[([\w-]+)[^]]*\])?$")
# Functions of the section .sched.text, as far as they are seen.
SCHEDULER = re.compile(r"^(__switch_to(_asm)?|context_switch|(__|io_|preempt_)*schedule(_\w+)?|do_nanosleep|_*(mutex|rwsem|down|rt_mutex)_?\w*|"
                       r"wait_for_\w+|__wait_for_common|_*wait_on_\w+|out_of_line_wait_on_\w+|bit_wait\w*|usleep_range\w*|yield\w*|"
                       r"percpu_\w+|.*cond_resched\w*)(\.\w+)*$")
PRINTERS = ("sed", "grep", "cat")


@dataclass
class Truth:
    """What a guest printed of itself."""
    release: str | None = None
    command_line: str | None = None
    uptime: float | None = None
    memory_kib: int | None = None
    cpus: int | None = None
    tasks: dict = field(default_factory=dict)      # tid: (comm, state, parent)
    stacks: dict = field(default_factory=dict)     # tid: ["symbol+0x1/0x2", ...], for those that have one
    modules: dict = field(default_factory=dict)    # name: (size, address)
    whole: bool = False


def truth(text):
    found = Truth()
    for line in text.splitlines():
        line = line.rstrip()
        if line.startswith("LAB: end of truth"):
            found.whole = True
        elif match := re.match(r"@(\w+) (.*)", line):
            kind, rest = match.groups()
            if kind == "release":
                found.release = rest
            elif kind == "cmdline":
                found.command_line = rest
            elif kind == "uptime":
                found.uptime = float(rest.split()[0])
            elif kind == "memory":
                found.memory_kib = int(rest)
            elif kind == "cpus":
                found.cpus = int(rest)
            elif kind == "stat" and (task := re.match(r"(\d+) \((.*)\) (\S) (\d+) ", rest)):
                found.tasks[int(task[1])] = (task[2], task[3], int(task[4]))
            elif kind == "module" and (module := re.match(r"(\S+) (\d+) \d+ \S+ \S+ (0x[0-9a-f]+)", rest)):
                found.modules[module[1]] = (int(module[2]), int(module[3], 16))
        elif (match := re.match(r"/proc/\d+/task/(\d+)/stack:(.*)", line)) and (place := STACK_PLACE.match(match[2])):
            found.stacks.setdefault(int(match[1]), []).append(f"{place[1]}+{place[2]}/{place[3]}" + (f" [{place[4]}]" if place[4] else ""))
    return found


def comm_agrees(task, comm):
    """/proc adds to the name of a worker what it works at, and cuts no name of a kernel thread."""
    ours = task.get("comm") or ""
    return ours == comm[:15] or (task.get("kernel_thread") and (comm.startswith(ours) or ours.split("-")[0] == comm.split("-")[0]))


def tasks(report, known):
    """[Verdict of the tasks, Verdict of their stacks]"""
    listed, stacks = Verdict("tasks", "/proc/PID/stat"), Verdict("stacks", "/proc/PID/stack")
    ours = {t["pid"]: t for t in report.get("tasks", []) if not t.get("idle")}
    newest = max(known.tasks, default=0)
    for tid, (comm, state, parent) in known.tasks.items():
        task = ours.get(tid)
        if task is None:
            passing = comm in PRINTERS or comm.startswith("kworker/")
            if passing:
                listed.beyond += 1
            else:
                listed.missing.append(f"{tid} ({comm})")
        elif not comm_agrees(task, comm) and comm not in PRINTERS and comm not in ("init", "sh"):
            listed.wrong.append(f"{tid}: {task.get('comm')}, the guest says {comm}")
        elif task.get("ppid") is not None and task["ppid"] != parent:
            listed.wrong.append(f"{tid} ({comm}): parent {task['ppid']}, the guest says {parent}")
        else:
            listed.agree += 1
            listed.above += task.get("state") != state
    listed.wrong += [f"{pid} ({t.get('comm')}): the guest has none" for pid, t in ours.items() if pid not in known.tasks and pid <= newest]
    judge_stacks(stacks, ours, known)
    return [listed, stacks]


def judge_stacks(verdict, ours, known):
    for tid, want in known.stacks.items():
        task = ours.get(tid)
        if task is None or "vcpu" in task or known.tasks.get(tid, ("",))[0] in PRINTERS:
            continue
        got = [f"{f.get('symbol', '?')}+{number(f.get('offset') or 0):#x}/{number(f.get('size') or 0):#x}" +
               (f" [{f['module']}]" if f.get("module") else "") for f in task.get("frames", []) if not f.get("inlined")]
        rest = [f for f in got if not SCHEDULER.match(f.split("+")[0])]
        if rest == [f for f in want if not SCHEDULER.match(f.split("+")[0])]:
            verdict.agree += 1
        elif task.get("ended") in ("user mode", "end of stack") and rest and rest[-1] == want[-1]:
            verdict.above += 1  # it moved on
        else:
            verdict.wrong.append(f"{tid} ({task.get('comm')}): {got} {task.get('ended', '')}, the guest says {want}")
    if verdict.above > max(8, len(known.stacks) // 5):
        verdict.wrong.append(f"{verdict.above} of {len(known.stacks)} stacks differ: too many to have moved on")


def modules(report, known):
    verdict = Verdict("modules", "/proc/modules")
    ours = {m["name"]: m for m in report.get("modules", [])}
    for name, (size, address) in known.modules.items():
        module = ours.get(name)
        if module is None:
            verdict.missing.append(name)
        elif number(module.get("address")) != address or (module.get("size") or 0) + (module.get("init_size") or 0) != size:
            verdict.wrong.append(f"{name}: {module.get('size')} bytes at {module.get('address')}, the guest says {size} at {address:#x}")
        else:
            verdict.agree += 1
    verdict.wrong += [f"{name}: the guest has none" for name in ours if name not in known.modules]
    return verdict


def panic_message(console_text):
    found = re.search(r"(?<!end )(Kernel panic - not syncing: .*)", console_text)
    return found[1].rstrip() if found else None


def info(report, known, guest, console_text):
    """Release, command line, memory, CPUs, uptime, and what it died of."""
    verdict = Verdict("info", "the guest")
    about = report.get("guest", {})
    system, crash = about.get("system") or {}, about.get("crash")

    def hold(what, right, said, truth_):
        if said is None:
            verdict.missing.append(what)
        elif right:
            verdict.agree += 1
        else:
            verdict.wrong.append(f"{what}: {said}, the guest says {truth_}")

    os_ = about.get("os")
    hold("release", os_ == f"Linux {known.release}", os_, known.release)
    line = system.get("command_line")
    hold("command line", (line or "").strip() == (known.command_line or "").strip(), line, known.command_line)
    memory = system.get("memory_kib")
    hold("memory", memory and (known.memory_kib or 0) <= memory <= guest.memory * 1024 * 1.02, memory, f"{known.memory_kib} KiB free for use")
    vcpus = report.get("vcpus")
    hold("CPUs", vcpus and len(vcpus) == known.cpus, vcpus and len(vcpus), known.cpus)
    stamps = [float(m) for m in re.findall(r"^\[ *(\d+\.\d+)\] ", console_text, re.M)]
    uptime = system.get("uptime_ns")
    # It is the time of the last record in the log, which the guest may have outlived by any time when it last told its own.
    last = max(stamps or [0])
    hold("uptime", uptime and last <= uptime / 1e9 <= max(last, known.uptime or 0) + 1800, uptime and uptime / 1e9, last)
    message = panic_message(console_text)
    if message:
        hold("panic", crash and crash.get("message") == message, crash and crash.get("message"), message)
        place, task = died_in(console_text)
        if place:
            hold("function", crash and bare(crash.get("function")) == place, crash and crash.get("function"), place)
        if task:
            hold("task", crash and (crash.get("comm"), crash.get("pid")) == task, crash and (crash.get("comm"), crash.get("pid")), task)
    elif crash and crash.get("kind") == "panic":
        verdict.wrong.append(f"crash: {crash.get('summary')}, the guest did not panic")
    return verdict


# The function that called panic, by the message: what a person would name.
BLAME = {"sysrq triggered crash": "sysrq_handle_crash", "Software Watchdog Timer expired": "softdog_fire"}


def died_in(console_text):
    """(function, (comm, pid)) of the panic, each None when the console does not say."""
    at = re.search(r"(?<!end )Kernel panic - not syncing: (.*)", console_text)
    head = re.search(r"CPU: \d+ (?:UID: \d+ )?PID: (\d+) Comm: (\S+)", console_text[at.start():])
    return BLAME.get(at[1].strip()), (head[2], int(head[1])) if head else None

