// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>

#include "tools/report.h"

namespace xstack::test {

/// A small architecture table of a 32-bit ARM kind: banks, an unknown register, system registers.
inline const ArchOps& small_arm32() {
  static constexpr std::array kRegisters = {
      RegisterInfo{"r0", 32, RegisterGroup::general},
      RegisterInfo{"r1", 32, RegisterGroup::general},
      RegisterInfo{"sp", 32, RegisterGroup::general},
      RegisterInfo{"lr", 32, RegisterGroup::general},
      RegisterInfo{"pc", 32, RegisterGroup::general},
      RegisterInfo{"cpsr", 32, RegisterGroup::status},
      RegisterInfo{"sp_usr", 32, RegisterGroup::banked, "USR"},
      RegisterInfo{"sp_svc", 32, RegisterGroup::banked, "SVC"},
      RegisterInfo{"spsr_svc", 32, RegisterGroup::status, "SVC"},
      RegisterInfo{"lr_fiq", 32, RegisterGroup::banked, "FIQ"},
      RegisterInfo{"r8_fiq", 32, RegisterGroup::banked, "FIQ"},
      RegisterInfo{"ttbr1", 64, RegisterGroup::system},
  };
  static const ArchOps kOps{
      .id = ArchId::arm32, .name = "arm32", .word_size = 4, .registers = kRegisters, .pc = 4, .sp = 2, .lr = 3};
  return kOps;
}

/// A crashed two-vCPU guest with something in every field that printers show.
inline Report sample_report() {
  Report report;
  auto& guest = report.guest;
  guest.identity.source = "live";
  guest.identity.name = "domU";
  guest.identity.domid = 3;
  guest.identity.uuid = "6a1ef0c4-0d1b-4b63-9d4e-0123456789ab";
  guest.identity.type = GuestType::arm;
  guest.identity.state = DomainState{RunState::crashed, 3U, false};
  guest.identity.xen_version = "4.17.5";
  guest.arch = ArchId::arm32;
  guest.arch_why = "the processor mode is SVC";
  guest.os = "Linux 6.1.0-50-armmp-lpae";
  guest.banner = "Linux version 6.1.0-50-armmp-lpae";
  guest.build_id = "0123456789abcdef";
  guest.kaslr_offset = 0;
  guest.kernel_start = GuestVirt(0xc0000000);
  guest.symbols = {"kallsyms", "System.map:/boot/map"};
  guest.module_count = 12;

  VcpuReport vcpu;
  vcpu.id = 0;
  CpuState cpu;
  cpu.arch = &small_arm32();
  cpu.mode = "SVC";
  cpu.current_bank = "SVC";
  for (RegisterIndex i = 0; i < 9; ++i) {
    cpu.regs.set(i, 0x1000U + i);
  }
  cpu.regs.set(4, 0xc03a1b2c);
  cpu.regs.set(2, 0xf0819e58);
  cpu.regs.set(10, 0x88);
  cpu.regs.set(11, 0x40207000);
  vcpu.cpu = cpu;
  vcpu.task_pid = 1;
  vcpu.task_comm = "init";
  const auto frame = [](std::uint64_t pc, std::uint64_t sp, FoundBy found_by, const char* name) {
    NamedFrame f;
    f.pc = GuestVirt(pc);
    f.sp = GuestVirt(sp);
    f.found_by = found_by;
    f.symbol = name;
    f.offset = 0x14;
    f.size = 0x1c;
    return f;
  };
  vcpu.frames = {frame(0xc03a1b2c, 0xf0819e58, FoundBy::registers, "sysrq_handle_crash"),
                 frame(0xbf001004, 0xf0819e60, FoundBy::ehabi, "softdog_fire"),
                 frame(0xc03a1c00, 0xf0819e70, FoundBy::scan, "__handle_sysrq"),
                 frame(0xc0100040, 0xf0819fa8, FoundBy::exception, "")};
  vcpu.frames[0].stack = "irq";
  vcpu.frames[0].file = "drivers/tty/sysrq.c";
  vcpu.frames[0].line = 154;
  vcpu.frames[1].module = "softdog";
  vcpu.frames[3].symbol.reset();
  vcpu.frames[3].size.reset();
  vcpu.end = TraceEnd{EndReason::user_mode, "", UserContext{GuestVirt(0xb6f1a2c4), GuestVirt(0xbe9f0c10)}};
  StackDump stack;
  stack.from = GuestVirt(0xf0819e58);
  stack.word_size = 4;
  for (std::uint64_t i = 0; i < 10; ++i) {
    stack.words.push_back(0x64636261 + i);
  }
  stack.names = {{1, "panic", 0x10, 0x20, std::nullopt}};
  stack.ended = "0xf0819e80: not mapped by the guest";
  vcpu.stack = stack;
  vcpu.warnings = {"lr_fiq is never reported by a 32-bit Xen"};
  report.vcpus.push_back(vcpu);

  VcpuReport absent;
  absent.id = 1;
  absent.presence = VcpuPresence::never_up;
  absent.absent_why = "Xen has no registers for it";
  absent.end = TraceEnd{EndReason::no_registers, "", {}};
  report.vcpus.push_back(absent);
  report.capture = {.pause_us = 812, .pages = 23, .walk_pages = 9};
  return report;
}

}  // namespace xstack::test
