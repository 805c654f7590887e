#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's own judge, judged: it must find the guests' backtraces, and it must not pass a wrong trace. Needs no QEMU."""
import copy
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lab import compare, console, knowledge  # noqa: E402
from lab.guests import GUESTS  # noqa: E402

ARM32 = """\
[    6.527286] CPU: 1 PID: 96 Comm: dd Not tainted 6.1.0-50-armmp-lpae #1  Debian 6.1.176-1
[    6.527923]  unwind_backtrace from show_stack+0x18/0x1c
[    6.528426]  show_stack from dump_stack_lvl+0x40/0x4c
[    6.528505]  dump_stack_lvl from panic+0x110/0x370
[    6.528615]  panic from softdog_fire+0x68/0x104 [softdog]
[    6.528973]  softdog_fire [softdog] from __hrtimer_run_queues+0x18c/0x2b4
[    6.529591]  call_with_stack from __irq_svc+0x84/0x94
[    6.529685] Exception stack(0xc8955e80 to 0xc8955ec8)
[    6.529798] 5e80: b6992d30 000002d0 00000000 befff000 00001000 00587000 0027a000 00279000
[    6.530009]  __irq_svc from vfs_read+0x10c/0x2b0
[    6.530263]  ksys_read from ret_fast_syscall+0x0/0x1c
[    6.531068] CPU0: stopping
[    6.531110] CPU: 0 PID: 0 Comm: swapper/0 Not tainted 6.1.0-50-armmp-lpae #1  Debian 6.1.176-1
[    6.531135]  unwind_backtrace from show_stack+0x18/0x1c
[    6.531171]  dump_stack_lvl from do_handle_IPI+0x2d8/0x310
[    6.531248]  generic_handle_arch_irq from __irq_svc+0x74/0x94
[    6.531291]  __irq_svc from arch_cpu_idle+0x40/0x44
[    6.531313]  default_idle_call from do_idle+0xd0/0x148
[    6.531326]  do_idle from cpu_startup_entry+0x30/0x34
[    6.531338]  cpu_startup_entry from rest_init+0xb0/0xb4
[    6.531350]  rest_init from arch_post_acpi_subsys_init+0x0/0x18
[    6.547032] ---[ end Kernel panic - not syncing: Software Watchdog Timer expired ]---
"""

ARM32_FRAME_POINTERS = """\
[    9.003] CPU: 1 PID: 1 Comm: init Not tainted 5.10.0-32-armmp #1 Debian 5.10.223-1
[    9.003] [<c0d1091c>] (dump_backtrace) from [<c0d10ca0>] (show_stack+0x20/0x24)
[    9.003] [<c0d14cb8>] (dump_stack) from [<c0d116f0>] (panic+0x134/0x364)
[    9.003] [<c0d115bc>] (panic) from [<c09b1234>] (sysrq_reset_seq_param_set+0x0/0x94)
[    9.003]  r3:00000000 r2:00000000
[    9.004] [<c09b1a4c>] (__handle_sysrq) from [<c09b1e58>] (write_sysrq_trigger+0x68/0x78)
[    9.005] [<c0d1c200>] (rest_init) from [<c1200c98>] (arch_call_rest_init+0x18/0x1c)
[    9.005] [<c1200cfc>] (start_kernel) from [<00000000>] (0x0)
"""

ARM64 = """\
[    4.4] CPU: 1 PID: 96 Comm: dd Not tainted 6.1.0-50-arm64 #1  Debian 6.1.176-1
[    4.4] Hardware name: XENVM-4.17 (DT)
[    4.4] Call trace:
[    4.4]  dump_backtrace+0xe4/0x140
[    4.4]  show_stack+0x20/0x30
[    4.4]  dump_stack+0x18/0x34
[    4.4]  panic+0x184/0x364
[    4.4]  softdog_fire+0x80/0xfc [softdog]
[    4.4]  el1h_64_irq+0x64/0x68
[    4.4]  __arch_clear_user+0x10/0x70
[    4.4]  vfs_read+0xcc/0x2d0
[    4.4] SMP: stopping secondary CPUs
[    4.4] Kernel Offset: disabled
"""

X86 = """\
[    1.0] CPU: 1 PID: 1 Comm: swapper/0 Not tainted
[    1.0] Call Trace:
[    1.0]  dump_stack_lvl+0x44/0x5c
[    1.0]  earlier_warning+0x1/0x2
[   20.7] Kernel panic - not syncing: sysrq triggered crash
[   20.7] CPU: 1 UID: 0 PID: 1 Comm: init Not tainted 6.1.0-50-amd64 #1  Debian 6.1.176-1
[   20.7] Call Trace:
[   20.7]  <TASK>
[   20.7]  dump_stack_lvl+0x44/0x5c
[   20.7]  panic+0x118/0x2f4
[   20.7]  ? _printk+0x68/0x6f
[   20.7]  sysrq_handle_crash+0x16/0x20
[   20.7]  __handle_sysrq.cold+0x44/0x11c
[   20.7] RIP: e030:clear_user_rep_good+0xe/0x30
[   20.7] Code: 41 00
[   20.7] RIP: 0033:0x47b7a0
[   20.7]  </TASK>
[   20.8] WARNING: CPU: 1 PID: 1 at kernel/smp.c:912 smp_call_function_many_cond+0x2bf/0x310
[   20.8] CPU: 1 PID: 1 Comm: init Not tainted 6.1.0-50-amd64 #1  Debian 6.1.176-1
[   20.8] Call Trace:
[   20.8]  smp_call_function+0x28/0x40
[   20.7] Kernel Offset: disabled
"""


def frames(text, cpu):
    return [str(f) for f in console.backtraces(text)[cpu].frames]


def trace(vcpu, backtrace, top=()):
    """What a right xstack would print: the guest's frames, under newer ones."""
    made = [{"pc": "0x1", "symbol": s, "offset": "0x4", "size": "0x40", "module": None, "found_by": "registers"} for s in top]
    for f in backtrace.frames:
        made.append({"pc": "0x1", "symbol": f.symbol, "offset": hex(f.offset), "size": hex(f.size), "module": f.module, "found_by": "ehabi"})
    return {"id": vcpu, "frames": made, "ended": "user mode"}


class Console(unittest.TestCase):
    def test_arm32(self):
        self.assertEqual(frames(ARM32, 1), ["panic+0x110/0x370", "softdog_fire+0x68/0x104 [softdog]", "__hrtimer_run_queues+0x18c/0x2b4",
                                            "__irq_svc+0x84/0x94", "vfs_read+0x10c/0x2b0", "ret_fast_syscall+0x0/0x1c"])
        self.assertEqual(frames(ARM32, 0)[0], "do_handle_IPI+0x2d8/0x310")
        self.assertEqual(frames(ARM32, 0)[-1], "arch_post_acpi_subsys_init+0x0/0x18")

    def test_arm32_frame_pointers(self):
        self.assertEqual(frames(ARM32_FRAME_POINTERS, 1), ["panic+0x134/0x364", "sysrq_reset_seq_param_set+0x0/0x94",
                                                           "write_sysrq_trigger+0x68/0x78", "arch_call_rest_init+0x18/0x1c"])

    def test_arm64(self):
        self.assertEqual(frames(ARM64, 1), ["panic+0x184/0x364", "softdog_fire+0x80/0xfc [softdog]", "el1h_64_irq+0x64/0x68",
                                            "__arch_clear_user+0x10/0x70", "vfs_read+0xcc/0x2d0"])

    def test_x86(self):
        self.assertEqual(frames(X86, 1), ["panic+0x118/0x2f4", "sysrq_handle_crash+0x16/0x20", "__handle_sysrq.cold+0x44/0x11c",
                                          "clear_user_rep_good+0xe/0x30"])


class Judge(unittest.TestCase):
    def setUp(self):
        self.truth = console.backtraces(ARM32)[1]
        self.vcpu = trace(1, self.truth, top=("arch_timer_read_counter_long", "__timer_delay"))

    def verdict(self, vcpu=None, truth=None):
        return compare.against_console(vcpu or self.vcpu, truth or self.truth)

    def test_right(self):
        verdict = self.verdict()
        self.assertTrue(verdict.right, verdict)
        self.assertEqual((verdict.agree, verdict.above), (6, 2))

    def test_first_frame_only_by_name(self):
        self.vcpu["frames"][2]["offset"] = "0x368"
        self.assertTrue(self.verdict().right)

    def test_missing(self):
        del self.vcpu["frames"][4]
        self.assertEqual(self.verdict().missing, ["__hrtimer_run_queues+0x18c/0x2b4"])

    def test_cut_short(self):
        del self.vcpu["frames"][5:]
        self.assertEqual(len(self.verdict().missing), 3)

    def test_wrong_between(self):
        self.vcpu["frames"].insert(5, {"symbol": "handle_mm_fault", "offset": "0xdb", "size": "0x200", "found_by": "ehabi"})
        self.assertEqual(self.verdict().wrong, ["handle_mm_fault+0xdb/0x200 (ehabi)"])

    def test_a_guess_is_not_wrong(self):
        self.vcpu["frames"].insert(5, {"symbol": "handle_mm_fault", "offset": "0xdb", "size": "0x200", "found_by": "scan"})
        self.assertEqual((self.verdict().right, self.verdict().guesses), (True, 1))

    def test_a_guess_is_not_right(self):
        self.vcpu["frames"][4]["found_by"] = "scan"
        verdict = self.verdict()
        self.assertEqual((verdict.missing, verdict.wrong), (["__hrtimer_run_queues+0x18c/0x2b4 (only guessed)"], []))

    def test_wrong_at_the_end(self):
        self.vcpu["frames"].append({"symbol": "start_kernel", "offset": "0x1", "size": "0x200", "found_by": "ehabi"})
        self.assertFalse(self.verdict().right)

    def test_wrong_offset(self):
        self.vcpu["frames"][3]["offset"] = "0x6c"
        self.assertEqual((len(self.verdict().missing), len(self.verdict().wrong)), (1, 1))

    def test_wrong_module(self):
        self.vcpu["frames"][3]["module"] = None
        self.assertFalse(self.verdict().right)

    def test_order(self):
        f = self.vcpu["frames"]
        f[5], f[6] = f[6], f[5]
        self.assertFalse(self.verdict().right)

    def test_inlined_frames_are_extra(self):
        inlined = copy.deepcopy(self.vcpu["frames"][4])
        inlined.update(symbol="__run_hrtimer", inlined=True)
        self.vcpu["frames"].insert(4, inlined)
        self.assertTrue(self.verdict().right)

    def test_noreturn(self):
        """The guest names the function after the one that called and never got its answer."""
        truth = console.backtraces(ARM32)[0]
        vcpu = trace(0, truth)
        vcpu["frames"][-1].update(symbol="arch_call_rest_init", offset="0x18", size="0x18")
        vcpu["frames"].append({"symbol": "start_kernel", "offset": "0x584", "size": "0x5d0", "found_by": "ehabi"})
        verdict = self.verdict(vcpu, truth)
        self.assertTrue(verdict.right, verdict)
        self.assertEqual(verdict.beyond, 1)
        vcpu["frames"][-2].update(offset="0x10")  # a name before it is not enough: the address must be the same
        self.assertFalse(self.verdict(vcpu, truth).right)

    def test_no_trace_at_all(self):
        self.assertEqual(len(self.verdict({"id": 1, "frames": []}).missing), 6)

    def test_a_leaf_that_the_guest_leaves_out(self):
        truth = console.backtraces(ARM64)[1]
        vcpu = trace(1, truth)
        vcpu["frames"][3]["found_by"] = "exception"
        vcpu["frames"].insert(4, {"symbol": "read_zero", "offset": "0x20", "size": "0x80", "found_by": "link-register"})
        self.assertTrue(self.verdict(vcpu, truth).right)
        vcpu["frames"][4]["symbol"] = "vfs_read"  # the link register of a function that has its frame already
        self.assertFalse(self.verdict(vcpu, truth).right)

    def test_doing(self):
        guest = GUESTS["arm32-6.1-lpae-decompressor"]
        right = {"vcpus": [{"id": 0, "doing": {"what": "in the decompressor", "how": "its bytes"}},
                           {"id": 1, "doing": {"what": "secondary CPU never started", "how": "Xen"}}],
                 "guest": {"doing": {"what": "in the decompressor", "how": "its bytes"}}}
        self.assertTrue(all(v.right for v in compare.judge(right, guest, {})))
        for change in (lambda r: r["vcpus"][0].pop("doing"), lambda r: r["vcpus"][1]["doing"].update(what="idle"),
                       lambda r: r["guest"].clear(), lambda r: r["vcpus"].pop()):
            wrong = copy.deepcopy(right)
            change(wrong)
            self.assertFalse(all(v.right for v in compare.judge(wrong, guest, {})))

    def test_user_mode(self):
        guest = GUESTS["arm64-6.1-user"]
        idle = [{"symbol": s, "offset": "0x4", "size": "0x40", "found_by": "frame"} for s in guest.known[0]]
        report = {"vcpus": [{"id": 0, "frames": idle, "ended": "end of stack"},
                            {"id": 1, "frames": [{"pc": "0x4000", "found_by": "registers"}], "ended": "user mode", "user": {"pc": "0x4000", "sp": "0x1"}}]}
        report["vcpus"][1]["doing"] = {"what": "in user mode", "how": "the mode is USR"}
        self.assertTrue(all(v.right for v in compare.judge(report, guest, {})))
        del idle[1]
        self.assertFalse(all(v.right for v in compare.judge(report, guest, {})))

    def test_absent_vcpu(self):
        verdicts = compare.judge({"vcpus": []}, GUESTS["arm64-6.1-sysrq"], {})
        self.assertFalse(any(v.right for v in verdicts))



class Log(unittest.TestCase):
    CONSOLE = "LAB: ready\n[    0.000000] Booting Linux \n[    1.500000] a device\n[    2.000000] Kernel panic - not syncing: x\n"

    def test_agrees(self):
        log = "[    0.000000] Booting Linux\n[    1.000000] below the level\n[    1.500000] a device\n[    2.000000] Kernel panic - not syncing: x\n"
        verdict = compare.log_verdict(log, self.CONSOLE)
        self.assertTrue(verdict.right)
        self.assertEqual((verdict.agree, verdict.above), (3, 1))

    def test_missing_or_out_of_order(self):
        verdict = compare.log_verdict("[    1.500000] a device\n[    0.000000] Booting Linux\n", self.CONSOLE)
        self.assertEqual(verdict.missing, ["[    1.500000] a device", "[    2.000000] Kernel panic - not syncing: x"])


KNOWS = """\
@release 6.1.0-50-arm64
@cmdline console=hvc0 rdinit=/init lab=softdog 
@memory 100000
@cpus 2
/proc/1/task/1/stack:[<0>] do_wait+0x174/0x32c
/proc/1/task/1/stack:[<0>] el0t_64_sync+0x18c/0x190
/proc/32/task/32/stack:[<0>] ksm_scan_thread+0x98/0xf0
/proc/32/task/32/stack:[<0>] ret_from_fork+0x10/0x20
@stat 1 (init) S 0 1 1 0 -1
@stat 9 (kworker/0:1-events) I 2 0 0 0 -1
@stat 32 (ksmd) S 2 0 0 0 -1
@stat 60 (sed) R 1 1 1 0 -1
@module softdog 16384 0 - Live 0xffff800000d15000
@uptime 3.10 5.00
LAB: end of truth
[    4.700000] Kernel panic - not syncing: Software Watchdog Timer expired
[    4.700100] CPU: 1 PID: 61 Comm: dd Not tainted 6.1.0-50-arm64 #1
[    4.700500] ---[ end Kernel panic - not syncing: Software Watchdog Timer expired ]---
"""


class Knowledge(unittest.TestCase):
    def setUp(self):
        self.known = knowledge.truth(KNOWS)

        def frame(symbol, offset, size):
            return {"symbol": symbol, "offset": hex(offset), "size": hex(size), "module": None}

        self.tasks = {"tasks": [
            {"pid": 1, "ppid": 0, "comm": "init", "state": "S", "ended": "user mode",
             "frames": [frame("__switch_to", 0xe8, 0x120), frame("schedule", 0x58, 0xf0), frame("do_wait", 0x174, 0x32c), frame("el0t_64_sync", 0x18c, 0x190)]},
            {"pid": 9, "ppid": 2, "comm": "kworker/0:1", "state": "I", "kernel_thread": True},
            {"pid": 32, "ppid": 2, "comm": "ksmd", "state": "S", "kernel_thread": True, "ended": "end of stack",
             "frames": [frame("__switch_to", 0xe8, 0x120), frame("ksm_scan_thread", 0x98, 0xf0), frame("ret_from_fork", 0x10, 0x20)]},
            {"pid": 61, "ppid": 1, "comm": "dd", "state": "R", "vcpu": 1},
        ]}
        self.info = {"guest": {"os": "Linux 6.1.0-50-arm64",
                               "system": {"command_line": "console=hvc0 rdinit=/init lab=softdog ", "memory_kib": 131072, "uptime_ns": 4707180656},
                               "crash": {"kind": "panic", "message": "Kernel panic - not syncing: Software Watchdog Timer expired",
                                         "function": "softdog_fire", "pid": 61, "comm": "dd"}},
                     "vcpus": [{}, {}]}

    def judge(self):
        return knowledge.tasks(self.tasks, self.known)

    def test_what_is_right_agrees(self):
        self.assertTrue(self.known.whole)
        listed, stacks = self.judge()
        self.assertTrue(listed.right and stacks.right, listed.wrong + stacks.wrong)
        self.assertEqual((listed.agree, listed.beyond, stacks.agree), (3, 1, 2))

    def test_a_task_that_is_not_found(self):
        del self.tasks["tasks"][2]
        self.assertEqual(self.judge()[0].missing, ["32 (ksmd)"])

    def test_a_task_that_never_was(self):
        self.tasks["tasks"].append({"pid": 33, "ppid": 2, "comm": "ghost"})
        self.assertEqual(len(self.judge()[0].wrong), 1)

    def test_a_wrong_name_and_a_wrong_parent(self):
        self.tasks["tasks"][2]["comm"] = "ksmx"
        self.assertEqual(len(self.judge()[0].wrong), 1)
        self.tasks["tasks"][2].update(comm="ksmd", ppid=1)
        self.assertEqual(len(self.judge()[0].wrong), 1)

    def test_a_stack_may_have_moved_on_but_not_break_off(self):
        frames = self.tasks["tasks"][0]["frames"]
        frames[2] = {"symbol": "hrtimer_nanosleep", "offset": "0x90", "size": "0x180"}
        self.assertEqual((self.judge()[1].above, self.judge()[1].wrong), (1, []))
        del frames[3]
        self.assertEqual(len(self.judge()[1].wrong), 1)

    def test_many_stacks_cannot_have_moved_on(self):
        for pid in range(100, 150):
            self.known.tasks[pid] = ("t", "S", 2)
            self.known.stacks[pid] = ["a+0x1/0x2", "ret_from_fork+0x10/0x20"]
            self.tasks["tasks"].append({"pid": pid, "ppid": 2, "comm": "t", "ended": "end of stack",
                                        "frames": [{"symbol": "ret_from_fork", "offset": "0x10", "size": "0x20"}]})
        self.assertEqual(len(self.judge()[1].wrong), 1)

    def test_modules(self):
        module = {"name": "softdog", "address": "0xffff800000d15000", "size": 16384, "init_size": 0}
        self.assertTrue(knowledge.modules({"modules": [module]}, self.known).right)
        self.assertEqual(knowledge.modules({"modules": []}, self.known).missing, ["softdog"])
        for change in ({"size": 4096}, {"address": "0xffff800000d16000"}):
            self.assertFalse(knowledge.modules({"modules": [{**module, **change}]}, self.known).right)
        self.assertFalse(knowledge.modules({"modules": [module, {"name": "ghost"}]}, self.known).right)

    def facts(self):
        return knowledge.info(self.info, self.known, GUESTS["arm64-6.1-softdog"], KNOWS)

    def test_info(self):
        self.assertEqual((self.facts().agree, self.facts().right), (8, True), self.facts().wrong)
        self.info["guest"]["crash"]["function"] = "panic"
        self.info["guest"]["os"] = "Linux 6.1"
        self.assertEqual(len(self.facts().wrong), 2)
        self.info["guest"]["crash"] = None
        del self.info["guest"]["system"]["memory_kib"]
        self.assertEqual(len(self.facts().missing), 4)


if __name__ == "__main__":
    unittest.main()
