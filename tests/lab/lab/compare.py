# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds a trace of xstack's against what the guest printed of itself, frame by frame.

The first frame of the guest's own backtrace (panic, lab_inner, do_handle_IPI) called the printer then and spins now, so only its
name must agree; from its caller on every frame must be there, in order, with the same symbol, offset, size and module.

- A return address that follows a noreturn call is the first byte after the function: the guest names the next function
  (sysrq_reset_seq_param_set+0x0), xstack the one that called. The same address under the right name agrees.
- A guest that mislabels its last frame stopped there for that reason: what xstack has beyond it is not judged by the guest's text.
- Frames above the first one (delay loops, an interrupt in them) are newer than the guest's text and are counted, not judged.
- Where frame pointers lead (arm64, arm32's older kernels), the guest's own text leaves out what an interrupt met in a function that has
  no frame: directly after an exception entry the interrupted function (arm32), and after that the one that only the link register
  names, are not judged, unless the same place comes again as the next frame.
- A frame found by a scan is a guess that says so: it is not wrong, but a frame that is only guessed is not found either."""
import re
from dataclasses import dataclass, field

EXCEPTION_ENTRY = re.compile(r"^(__(irq|dabt|pabt|und|fiq)_(svc|usr)|el[01][ht]_(64|32)_\w+)$")

SYSRQ = ("panic", "sysrq_handle_crash", "__handle_sysrq", "write_sysrq_trigger", "proc_reg_write", "vfs_write", "ksys_write")
# What a CPU that a panic stopped may have been doing: mostly nothing, sometimes a kernel thread's work.
STOPPED = (("do_idle", "cpu_startup_entry"), ("kthread", "ret_from_fork"))


@dataclass
class Verdict:
    vcpu: int | str                # or what else was judged: "log"
    judge: str = ""                # console, table, user mode, or why nothing was judged
    agree: int = 0
    missing: list = field(default_factory=list)
    wrong: list = field(default_factory=list)
    above: int = 0                 # frames newer than the guest's own text
    beyond: int = 0                # frames past a mislabelled end of the guest's own text
    guesses: int = 0
    expected: list = field(default_factory=list)
    got: list = field(default_factory=list)
    ended: str = ""
    where: str = ""                # live, stopped, capture, core

    @property
    def right(self):
        return not self.missing and not self.wrong


def number(text):
    return int(text, 16) if isinstance(text, str) else text


def show(frame):
    place = frame.get("symbol") or frame.get("pc", "?")
    if frame.get("symbol") and frame.get("offset") is not None:
        place += f"+{number(frame['offset']):#x}"
        if frame.get("size") is not None:
            place += f"/{number(frame['size']):#x}"
    if frame.get("module"):
        place += f" [{frame['module']}]"
    return f"{place} ({frame.get('found_by', '?')})"


def same(frame, truth):
    if frame.get("symbol") == truth.symbol:
        return number(frame.get("offset")) == truth.offset and (frame.get("module") or None) == truth.module and \
            (frame.get("size") is None or not truth.size or number(frame["size"]) == truth.size)
    return mislabelled(frame, truth)


def mislabelled(frame, truth):
    """The guest's name is that of the function after the one that made the call."""
    offset, size = number(frame.get("offset")), number(frame.get("size"))
    return truth.offset == 0 and offset is not None and size is not None and offset >= size > 0


def real_frames(vcpu):
    return [f for f in vcpu.get("frames", []) if not f.get("inlined") and f.get("found_by") != "inline"]


def align(frames, truth):
    """Longest common subsequence: pairs (index in frames, index in truth)."""
    rows, columns = len(frames), len(truth)
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        for j in range(columns - 1, -1, -1):
            best[i][j] = best[i + 1][j + 1] + 1 if same(frames[i], truth[j]) else max(best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < rows and j < columns:
        if same(frames[i], truth[j]):
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def against_console(vcpu, backtrace):
    verdict = Verdict(vcpu["id"], "console", expected=[str(f) for f in backtrace.frames], got=[show(f) for f in vcpu.get("frames", [])],
                      ended=vcpu.get("ended", ""))
    frames = real_frames(vcpu)
    verdict.guesses = sum(f.get("found_by") == "scan" for f in frames)
    pivot, rest = backtrace.frames[0], backtrace.frames[1:]
    start = next((i for i, f in enumerate(frames) if f.get("symbol") == pivot.symbol), None)
    if start is None:
        verdict.missing = [str(f) for f in backtrace.frames]
        verdict.wrong = [show(f) for f in frames if f.get("found_by") not in ("scan", "registers")]
        return verdict
    verdict.above = start
    verdict.agree = 1
    below = [f for f in frames[start + 1:] if f.get("found_by") != "scan"]
    if frames[start].get("found_by") == "scan":
        verdict.agree = 0
        verdict.missing.append(f"{pivot} (only guessed)")
    pairs = align(below, rest)
    verdict.agree += len(pairs)
    matched, there = {i for i, _ in pairs}, {j for _, j in pairs}
    guesses = [f for f in frames[start + 1:] if f.get("found_by") == "scan"]
    verdict.missing += [f"{f} (only guessed)" if any(same(g, f) for g in guesses) else str(f) for j, f in enumerate(rest) if j not in there]
    last = max(matched, default=-1)
    # The guest's unwinder went astray at an end like "sysrq_reset_seq_param_set+0x0"; ours need not.
    stops_early = bool(pairs) and pairs[-1][1] == len(rest) - 1 and mislabelled(below[last], rest[-1])
    for i, frame in enumerate(below):
        before = below[i - 1] if i else {}
        after = below[i + 1] if i + 1 < len(below) else {}
        left_out = after.get("symbol") != frame.get("symbol") and (
            frame.get("found_by") == "exception" and backtrace.frame_pointers and EXCEPTION_ENTRY.match(before.get("symbol") or "")
            or frame.get("found_by") == "link-register" and before.get("found_by") == "exception")
        if i in matched:
            pass
        elif i > last and stops_early:
            verdict.beyond += 1
        elif left_out:
            verdict.above += 1
        else:
            verdict.wrong.append(show(frame))
    return verdict


LOG_LINE = re.compile(r"\[ *\d+\.\d{6}\] .*")


def log_verdict(log, console_text):
    """`xstack dmesg` against the guest's console: every line that the kernel printed there must be in its log, in this order.
    The log has more: what is below the console's level."""
    verdict = Verdict("log", "console")
    lines = [line.rstrip() for line in log.splitlines()]
    at = 0
    for line in (line.rstrip() for line in console_text.splitlines()):
        if not LOG_LINE.fullmatch(line):
            continue
        try:
            at = lines.index(line, at) + 1
            verdict.agree += 1
        except ValueError:
            verdict.missing.append(line)
    verdict.above = len(lines) - verdict.agree
    return verdict


def bare(symbol):
    return re.sub(r"\.(cold|isra|constprop|part|llvm)\b.*", "", symbol or "")


def against_table(vcpu, functions, whole=False):
    """The guest printed nothing of this vCPU; the table knows functions that must be in its trace, in this order, and no others when
    it knows the `whole`."""
    verdict = Verdict(vcpu["id"], "table", expected=list(functions), got=[show(f) for f in vcpu.get("frames", [])], ended=vcpu.get("ended", ""))
    frames = real_frames(vcpu)
    verdict.guesses = sum(f.get("found_by") == "scan" for f in frames)
    at = 0
    for function in functions:
        for i in range(at, len(frames)):
            if bare(frames[i].get("symbol")) == function and frames[i].get("found_by") != "scan":
                verdict.agree += 1
                at = i + 1
                break
        else:
            verdict.missing.append(function)
    if whole:
        verdict.wrong = [show(f) for f in frames if f.get("found_by") != "scan" and f.get("symbol") not in functions]
        if verdict.ended != "end of stack":
            verdict.missing.append(f"an end at the end of the stack, not: {verdict.ended}")
    return verdict


def user_mode(vcpu):
    verdict = Verdict(vcpu["id"], "user mode", got=[show(f) for f in vcpu.get("frames", [])], ended=vcpu.get("ended", ""))
    frames = real_frames(vcpu)
    if "user" in verdict.ended and vcpu.get("user", {}).get("pc"):
        verdict.agree = 1
    else:
        verdict.missing.append("an end in user mode, with the user's pc")
    verdict.wrong = [show(f) for f in frames if f.get("symbol") and f.get("found_by") != "scan"]
    return verdict


def doing(report, guest):
    """[Verdict] for what xstack says that the guest and its vCPUs are doing, where the table knows it."""
    said = {v["id"]: v.get("doing", {}) for v in report.get("vcpus", [])}
    said["guest"] = report.get("guest", {}).get("doing", {})
    verdicts = []
    for who, what in guest.doing.items():
        if "crash" not in report.get("guest", {}):
            what = what.split(": ")[0] if "panic" in what else what  # a capture without the log has no message
        found = said.get(who, {})
        text = found.get("what", "") + (": " + found["detail"] if "detail" in found else "")
        verdict = Verdict(f"{who}, doing", "table", expected=[what], got=[f"{text} ({found.get('how', '')})"])
        good = re.search(what, text) if what else not text
        (verdict.missing if not good else []).append(f"{what!r}, not {text!r}")
        verdict.agree = int(bool(good))
        verdicts.append(verdict)
    return verdicts


def judge(report, guest, console):
    """[Verdict] for the vCPUs of a report (parsed JSON) that anything is known of."""
    verdicts = []
    dies = guest.way in ("sysrq", "softdog", "softdog-user", "softdog-idle")
    vcpus = {v["id"]: v for v in report.get("vcpus", [])}
    for number_ in range(2):
        vcpu = vcpus.get(number_)
        if guest.early and number_ not in guest.known:
            continue  # nothing is known of its trace
        if guest.whole and number_ not in guest.known:
            if vcpu and vcpu.get("frames"):
                verdicts.append(Verdict(number_, "never up", wrong=[show(f) for f in vcpu["frames"]]))
            continue
        if vcpu is None:
            verdicts.append(Verdict(number_, "absent", missing=["the whole vCPU"]))
            continue
        backtrace = console.get(number_)
        known = guest.known.get(number_)
        if guest.modes.get(number_) == "user":
            verdicts.append(user_mode(vcpu))
            continue
        if backtrace:
            verdicts.append(against_console(vcpu, backtrace))
            if guest.way == "sysrq" and backtrace.frames[0].symbol == "panic":  # arm32's own words end early: the table goes on
                verdicts[-1].missing += [f"{m} (by the table)" for m in against_table(vcpu, SYSRQ).missing]
        elif known or dies:
            verdicts.append(min((against_table(vcpu, functions, guest.whole) for functions in ([known] if known else STOPPED)), key=lambda v: len(v.missing)))
        else:
            verdicts.append(Verdict(number_, "nothing known", got=[show(f) for f in vcpu.get("frames", [])], ended=vcpu.get("ended", "")))
    return verdicts + doing(report, guest)
