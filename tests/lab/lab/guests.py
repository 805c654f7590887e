# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of guests, and of the machines that they run on. This is the place to add one."""
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Kernel:
    """A Debian kernel: its release, architecture and flavour."""
    suite: str
    arch: str
    flavour: str


@dataclass(frozen=True)
class Machine:
    """One QEMU with one Xen: all its guests die in the same boot, one after the other."""
    name: str
    arch: str
    suite: str
    xen: str
    flavour: str
    cpu: str
    dom0_memory: int = 768
    cpus: int = 2
    pinned: bool = False        # each vCPU of a guest stays on a CPU of its own
    board: str = ""             # a board as xstack and QEMU name it, which boots from an SD card; none: QEMU starts Xen itself


@dataclass(frozen=True)
class Guest:
    name: str
    machine: str
    kernel: Kernel
    way: str                    # to die, or not: see target/domu-init.sh
    kind: str = ""              # x86: pv or pvh
    extra: str = ""             # more for the guest's command line
    memory: int = 128
    end: str = "paused"         # how the lab leaves it: paused, crash (SHUTDOWN_crash from dom0), crashed (by itself), running
    vcpu: int | None = None     # the vCPU whose console backtrace is the truth; None: the one that panicked
    known: dict = field(default_factory=dict)   # vCPU: functions that its trace must have, in this order
    whole: bool = False         # those are all functions of the trace, and no other vCPU is there
    modes: dict = field(default_factory=dict)   # vCPU: the mode it must be in before the lab looks ("user", "idle")
    image: str = ""             # what was done to the kernel's image: see lab/builds.py, VARIANTS
    doing: dict = field(default_factory=dict)   # vCPU, or "guest": how xstack's words on what it is doing must begin; "": none

    @property
    def early(self):
        """It never gets so far that it speaks: no console, no tasks, no log."""
        return self.way in EARLY

    @property
    def files(self):
        """The first part of the names of its files in dom0."""
        return "-".join(p for p in (self.kernel.suite, self.kernel.arch, self.kernel.flavour, self.image) if p)


# Ways to die before a word: never started; stopped in the decompressor; left to come to its end.
EARLY = ("entry", "decompressor", "early")

LPAE, ARMMP = Kernel("bookworm", "armhf", "armmp-lpae"), Kernel("bookworm", "armhf", "armmp")
ARMMP_510 = Kernel("bullseye", "armhf", "armmp")
ARM64, ARM64_612 = Kernel("bookworm", "arm64", "arm64"), Kernel("trixie", "arm64", "arm64")
BARE = {(arch, mmu): Kernel("bare", arch, mmu) for arch in ("armhf", "arm64") for mmu in ("off", "on")}  # no Linux: target/bare
ARM64_16K = Kernel("trixie", "arm64", "arm64-16k")
AMD64 = Kernel("bookworm", "amd64", "amd64")

MACHINES = {m.name: m for m in (
    Machine("armhf", "armhf", "bookworm", "4.17", "armmp-lpae", "cortex-a15", 512),
    Machine("orangepi", "armhf", "bookworm", "4.17", "armmp-lpae", "cortex-a7", 512, cpus=1, board="orangepi-pc"),
    Machine("arm64", "arm64", "bookworm", "4.17", "arm64", "cortex-a57"),
    # Pinned: two 32-bit vCPUs that take turns on a CPU lose registers in QEMU 7.2, and few guests come up.
    Machine("arm64-32bit", "arm64", "bookworm", "4.17", "arm64", "cortex-a57", pinned=True),
    Machine("arm64-max", "arm64", "bookworm", "4.17", "arm64", "max"),
    Machine("arm64-4.20", "arm64", "trixie", "4.20", "arm64", "max", 896),
    Machine("amd64", "amd64", "bookworm", "4.17", "amd64", "EPYC,+svm,+npt,-monitor,-smap,-rdtscp,-avx,-avx2,-xsave", 1536),
)}

IDLE = ("do_idle", "cpu_startup_entry")
BOOT_IDLE = IDLE + ("rest_init", "start_kernel")
READ = ("vfs_read", "ksys_read")
BARE_STACK = ("bare_stop", "bare_inner", "bare_middle", "bare_outer", "bare_main", "bare_upper")
NEVER = "^secondary CPU never started$"
FRESH = {0: "^not started yet: at the entry point given by the domain builder", 1: NEVER, "guest": "^not started yet"}
UNPACKING = {0: "^in the decompressor$", 1: NEVER, "guest": "^in the decompressor$"}
# __fixup_pv_table: a distance from the link address that is no multiple of 2 MiB cannot be patched into the code.
DEADLOOP = {0: r"^spinning in a loop that does nothing, with interrupts masked", 1: NEVER}
NOWHERE = {0: "^in an exception vector, taking the same exception again$", 1: NEVER}
LAB = ("lab_inner", "lab_middle", "lab_outer", "lab_thread", "kthread")


def _doing(way):
    """What any guest of these ways is doing when it has come to its end."""
    end = r"^(spinning |stopped )?in panic\(\): "
    return {"sysrq": {"guest": end + "sysrq triggered crash$"}, "softdog": {"guest": end + "Software Watchdog Timer expired$"},
            "user": {1: "^in user mode$"}, "idle": {0: "^idle$", 1: "^idle$", "guest": "^idle$"}}.get(way, {})


def _arm32(prefix, kernel, headers):
    ways = [
        Guest(f"{prefix}-sysrq", "armhf", kernel, "sysrq"),
        Guest(f"{prefix}-softdog", "armhf", kernel, "softdog"),
        Guest(f"{prefix}-softdog-user", "armhf", kernel, "softdog-user"),
        Guest(f"{prefix}-user", "armhf", kernel, "user", known={0: BOOT_IDLE}, modes={1: "user"}),
        Guest(f"{prefix}-idle", "armhf", kernel, "idle", known={0: BOOT_IDLE, 1: IDLE}, modes={0: "idle", 1: "idle"}),
        Guest(f"{prefix}-read", "armhf", kernel, "read", end="crash", known={0: BOOT_IDLE, 1: READ}, modes={1: "kernel"}),
    ]
    if headers:
        ways.append(Guest(f"{prefix}-spin", "armhf", kernel, "spin", end="crash", known={0: BOOT_IDLE, 1: LAB}))
    return ways


def _arm64(prefix, machine, kernel, headers=True, memory=128, extra=""):
    common = dict(memory=memory, extra=extra)
    ways = [
        Guest(f"{prefix}-sysrq", machine, kernel, "sysrq", **common),
        Guest(f"{prefix}-softdog", machine, kernel, "softdog", **common),
        Guest(f"{prefix}-softdog-user", machine, kernel, "softdog-user", **common),
        Guest(f"{prefix}-user", machine, kernel, "user", known={0: BOOT_IDLE}, modes={1: "user"}, **common),
        Guest(f"{prefix}-idle", machine, kernel, "idle", known={0: BOOT_IDLE, 1: IDLE}, modes={0: "idle", 1: "idle"}, **common),
        Guest(f"{prefix}-read", machine, kernel, "read", end="crash", known={0: BOOT_IDLE, 1: READ}, modes={1: "kernel"}, **common),
    ]
    if headers:
        ways.append(Guest(f"{prefix}-spin", machine, kernel, "spin", end="crash", known={0: BOOT_IDLE, 1: LAB}, **common))
    return ways


def _bare(prefix, machine, arch):
    common = dict(memory=32, whole=True)
    return [
        Guest(f"{prefix}-bare", machine, BARE[arch, "off"], "bare", known={0: BARE_STACK}, **common),
        Guest(f"{prefix}-bare-mmu", machine, BARE[arch, "on"], "bare", end="crashed", known={0: ("bare_hypercall_shutdown", *BARE_STACK)}, **common),
    ]


def _early(prefix, machine, kernel, **kinds):
    """{name: what Guest takes}"""
    return [Guest(f"{prefix}-{name}", machine, kernel, **{"memory": 128, **what}) for name, what in kinds.items()]


def _x86(kind):
    common = dict(kind=kind, memory=256)
    return [
        Guest(f"{kind}-sysrq", "amd64", AMD64, "sysrq", end="crashed", **common),
        Guest(f"{kind}-softdog", "amd64", AMD64, "softdog", end="crashed", **common),
        Guest(f"{kind}-softdog-user", "amd64", AMD64, "softdog-user", end="crashed", **common),
        Guest(f"{kind}-user", "amd64", AMD64, "user", known={0: BOOT_IDLE}, modes={1: "user"}, **common),
        Guest(f"{kind}-idle", "amd64", AMD64, "idle", known={0: BOOT_IDLE, 1: IDLE}, modes={0: "idle", 1: "idle"}, **common),
        Guest(f"{kind}-spin", "amd64", AMD64, "spin", end="crash", known={0: BOOT_IDLE, 1: LAB}, **common),
    ]


GUESTS = {g.name: replace(g, doing=g.doing or _doing(g.way)) for g in (
    *_arm32("arm32-6.1-lpae", LPAE, headers=True),
    *_arm32("arm32-6.1-short", ARMMP, headers=True),
    *_arm32("arm32-5.10", ARMMP_510, headers=False),
    *_bare("arm32", "armhf", "armhf"),
    *_early("arm32-6.1-lpae", "armhf", LPAE, entry=dict(way="entry", doing=FRESH), decompressor=dict(way="decompressor", doing=UNPACKING),
            little=dict(way="early", memory=16, doing=NOWHERE), misplaced=dict(way="early", image="misplaced", doing=DEADLOOP),
            raw=dict(way="entry", image="raw", doing=FRESH)),
    *_early("arm32-6.1-short", "armhf", ARMMP, decompressor=dict(way="decompressor", doing=UNPACKING),
            misplaced=dict(way="early", image="misplaced", doing=DEADLOOP)),
    Guest("orangepi-sysrq", "orangepi", LPAE, "sysrq", end="crash"),
    Guest("orangepi-softdog", "orangepi", LPAE, "softdog"),
    Guest("orangepi-softdog-user", "orangepi", LPAE, "softdog-user"),
    Guest("orangepi-user", "orangepi", LPAE, "user", known={0: BOOT_IDLE}, modes={1: "user"}),
    Guest("orangepi-spin", "orangepi", LPAE, "spin", end="crash", known={0: BOOT_IDLE, 1: LAB}),
    Guest("orangepi-short-sysrq", "orangepi", ARMMP, "sysrq"),
    Guest("orangepi-short-user", "orangepi", ARMMP, "user", known={0: BOOT_IDLE}, modes={1: "user"}),
    *_arm64("arm64-6.1", "arm64", ARM64),
    *_bare("arm64", "arm64", "arm64"),
    *_early("arm64-6.1", "arm64", ARM64, entry=dict(way="entry", doing=FRESH),
            little=dict(way="early", memory=40, doing={"guest": r"^(spinning )?in panic\(\): System is deadlocked on memory"}),
            misplaced=dict(way="early", image="misplaced", doing={"guest": r"^(spinning )?in panic\(\): kernel stack overflow"}),
            hangs=dict(way="early", image="hangs", known={0: ("primary_entry",)},
                       doing={0: r"^spinning at one instruction, a branch to itself, with interrupts masked: MMU off at the kernel entry", 1: NEVER})),
    Guest("arm64-32bit-sysrq", "arm64-32bit", LPAE, "sysrq"),
    Guest("arm64-32bit-softdog", "arm64-32bit", LPAE, "softdog"),
    Guest("arm64-32bit-bare", "arm64-32bit", BARE["armhf", "on"], "bare", end="crashed", memory=32, whole=True,
          known={0: ("bare_hypercall_shutdown", *BARE_STACK)}),
    Guest("arm64-32bit-user", "arm64-32bit", LPAE, "user", known={0: BOOT_IDLE}, modes={1: "user"}),
    Guest("arm64-32bit-spin", "arm64-32bit", LPAE, "spin", end="crash", known={0: BOOT_IDLE, 1: LAB}),
    *_arm64("arm64-6.1-kaslr", "arm64-max", ARM64),
    *_arm64("arm64-6.12", "arm64-4.20", ARM64_612, headers=False, memory=192),
    *_arm64("arm64-6.12-16k", "arm64-4.20", ARM64_16K, headers=False, memory=256),
    *_x86("pv"),
    *_x86("pvh"),
    # A builder of Xen's puts an x86 kernel where its ELF headers say: it cannot be misplaced.
    *_early("pv", "amd64", AMD64, entry=dict(way="entry", kind="pv", doing=FRESH, known={0: ("startup_xen",)}),
            hangs=dict(way="early", kind="pv", image="hangs", known={0: ("startup_xen",)},
                       doing={0: r"^spinning at one instruction, a branch to itself: in startup_xen\+0x0$", 1: NEVER})),
    *_early("pvh", "amd64", AMD64, entry=dict(way="entry", kind="pvh", doing=FRESH, known={0: ("pvh_start_xen",)}),
            hangs=dict(way="early", kind="pvh", image="hangs", known={0: ("pvh_start_xen",)},
                       doing={0: r"^spinning at one instruction, a branch to itself, with interrupts masked: paging off at the kernel entry", 1: NEVER})),
)}
