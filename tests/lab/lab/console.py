# SPDX-License-Identifier: LGPL-2.1-or-later
"""The backtraces that a Linux guest prints on its console itself: the truth that traces are held against."""
import re
from dataclasses import dataclass, field


@dataclass
class Frame:
    symbol: str
    offset: int
    size: int
    module: str | None = None

    def __str__(self):
        return f"{self.symbol}+{self.offset:#x}/{self.size:#x}" + (f" [{self.module}]" if self.module else "")


@dataclass
class Backtrace:
    cpu: int
    frames: list = field(default_factory=list)
    frame_pointers: bool = False   # arm32 without EHABI


PLACE = r"(?P<symbol>[\w.$]+)\+(?P<offset>0x[0-9a-f]+)/(?P<size>0x[0-9a-f]+)(?: \[(?P<module>[\w-]+)[^]]*\])?"
STAMP = re.compile(r"^\s*\[\s*\d+\.\d+\]\s?")
CPU = re.compile(r"^CPU: (\d+) (?:UID: \d+ )?PID: \d+")
FORMS = (
    re.compile(r"^\s*[\w.$]+(?: \[[\w-]+\])? from " + PLACE + r"$"),                       # arm32, EHABI
    re.compile(r"^\[<[0-9a-f]+>\] \([^)]*\) from \[<[0-9a-f]+>\] \(" + PLACE + r"\)$"),    # arm32, frame pointers
    re.compile(r"^\s+" + PLACE + r"(?: \([A-Z]+\))?$"),                                     # arm64 (since 6.13 with where from), x86
    re.compile(r"^\s*RIP: (?:0010|e030):" + PLACE + r"$"),                                 # x86, interrupted (the second is PV)
)
# Printers of the backtrace: no longer on the stack when somebody else looks.
PRINTERS = {"unwind_backtrace", "dump_backtrace", "show_stack", "dump_stack_lvl", "dump_stack", "show_regs", "__dump_stack", "dump_backtrace.part.0"}


def backtraces(text):
    """{CPU: its first backtrace from the panic on, or of all when there was none; from the frame that called the printers on}.

    The first: panic itself may provoke warnings, with backtraces of their own."""
    panic = re.search(r"(?<!end )Kernel panic - not syncing", text)
    text = text[panic.start() if panic else 0:]
    found, block, begun = {}, None, False
    for line in text.splitlines():
        line = STAMP.sub("", line.rstrip())
        head = CPU.match(line)
        if head:
            block, begun = Backtrace(int(head.group(1))), False
            continue
        if block is None:
            continue
        if line.startswith("---[ end") or line.startswith("Kernel Offset"):
            block = None
            continue
        if re.match(r"\s*Call [Tt]race:", line) or "unwind_backtrace from" in line or "(dump_backtrace) from" in line:
            begun = True
            found.setdefault(block.cpu, block)
        if not begun:
            continue
        for form in FORMS:
            match = form.match(line)
            if match:
                block.frames.append(Frame(match["symbol"], int(match["offset"], 16), int(match["size"], 16), match["module"]))
                block.frame_pointers |= form is FORMS[1]
                break
    for block in found.values():
        while block.frames and block.frames[0].symbol in PRINTERS:
            block.frames.pop(0)
    return {cpu: block for cpu, block in found.items() if block.frames}
