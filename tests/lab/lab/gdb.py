# SPDX-License-Identifier: LGPL-2.1-or-later
"""What gdb-multiarch says of a guest: registers and backtraces of its vCPUs, asked in one batch run."""
import re
import subprocess

# A frame that is the caller of an inlined call has no address in gdb's trace, and shares the place of the call.
SETTINGS = ("set pagination off", "set confirm off", "set height 0", "set width 0", "set backtrace past-main on", "set backtrace limit 64",
            "set print frame-arguments none", "set remotetimeout 60")


def command(vmlinux, opening, vcpus, closing, slide=0):
    """The words of the command. `opening`: gdb's command that reaches the guest; thread N+1 is vCPU N. `slide`: bytes, where gdb must be told of KASLR."""
    script = [*SETTINGS, f"symbol-file {f'-o {slide:#x} ' if slide else ''}{vmlinux}", opening, "info threads"]
    for vcpu in vcpus:
        script += [f"echo @thread {vcpu}\\n", f"thread {vcpu + 1}", "printf \"@registers %#lx %#lx\\n\", (unsigned long)$pc, (unsigned long)$sp", "bt"]
    return ["gdb-multiarch", "-batch", "-nx", *(word for line in [*script, closing] for word in ("-ex", line))]


def parse(text, bits):
    """({vCPU: (pc, sp)}, {vCPU: its pc and return addresses}); both empty when gdb did not get as far as the registers."""
    registers, frames = {}, {}
    vcpu, mask = None, (1 << bits) - 1
    for line in text.splitlines():
        if line.startswith("@thread "):
            vcpu = int(line.split()[1])
        elif line.startswith("@registers "):
            frames[vcpu] = []  # the trace is what comes now
            registers[vcpu] = tuple(int(word, 0) & mask for word in line.split()[1:3])
        elif vcpu in frames and line.startswith("#0 "):
            frames[vcpu].append(registers[vcpu][0])
        elif vcpu in frames and (match := re.match(r"#\d+ +0x([0-9a-f]+) in ", line)):
            frames[vcpu].append(int(match[1], 16))
    return registers, frames


def ask(*words, bits, seconds, **more):
    """(registers, frames, why): `why` is gdb's last line when it could not open the guest."""
    done = subprocess.run(command(*words, **more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", timeout=seconds, check=False)
    registers, frames = parse(done.stdout, bits)
    return registers, frames, "" if registers else " ".join((done.stderr or done.stdout).strip().splitlines()[-1:])
