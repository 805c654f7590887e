// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/prstatus.h"

#include <cstring>
#include <span>
#include <string_view>

#include "arch/find_register.h"

namespace xstack {
namespace {

/// struct elf_prstatus of one architecture: where the process number and the registers are, and which registers those
/// are (elf_gregset_t: arch/*/include/uapi/asm/ptrace.h, arch/x86/include/asm/user_64.h and user_32.h). An empty name
/// is a member that no vCPU register stands for (orig_rax).
struct Layout {
  std::size_t size;
  std::size_t pid;
  std::size_t registers;
  std::size_t width;
  std::span<const char* const> names;
};

constexpr const char* kArm32[] = {"r0", "r1",  "r2",  "r3",  "r4", "r5", "r6", "r7",   "r8",
                                  "r9", "r10", "r11", "r12", "sp", "lr", "pc", "cpsr", ""};
constexpr const char* kArm64[] = {"x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",    "x10", "x11",
                                  "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",   "x22", "x23",
                                  "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp",  "pc",  "pstate"};
constexpr const char* kX86_64[] = {"r15",
                                   "r14",
                                   "r13",
                                   "r12",
                                   "rbp",
                                   "rbx",
                                   "r11",
                                   "r10",
                                   "r9",
                                   "r8",
                                   "rax",
                                   "rcx",
                                   "rdx",
                                   "rsi",
                                   "rdi",
                                   "",
                                   "rip",
                                   "cs",
                                   "rflags",
                                   "rsp",
                                   "ss",
                                   "fs_base",
                                   "gs_base_kernel",
                                   "ds",
                                   "es",
                                   "fs",
                                   "gs"};
constexpr const char* kX86_32[] = {"ebx", "ecx", "edx", "esi", "edi", "ebp",    "eax", "ds", "es",
                                   "fs",  "gs",  "",    "eip", "cs",  "eflags", "esp", "ss"};

constexpr Layout kLayoutArm32{148, 24, 72, 4, kArm32};
constexpr Layout kLayoutArm64{392, 32, 112, 8, kArm64};
constexpr Layout kLayoutX86_64{336, 32, 112, 8, kX86_64};
constexpr Layout kLayoutX86_32{144, 24, 72, 4, kX86_32};

const Layout& layout_of(ArchId id) {
  switch (id) {
    case ArchId::arm32:
      return kLayoutArm32;
    case ArchId::arm64:
      return kLayoutArm64;
    case ArchId::x86_32:
      return kLayoutX86_32;
    case ArchId::x86_64:
      break;
  }
  return kLayoutX86_64;
}

std::uint64_t value_of(const CpuState& cpu, std::string_view name) {
  if (name == "gs_base_kernel" && cpu.user) {
    name = "gs_base_user";  // the one in use is swapped in on the way into the kernel
  }
  const auto index = find_register(*cpu.arch, name);
  return index ? cpu.regs.get(*index).value_or(0) : 0;
}

}  // namespace

std::vector<std::byte> prstatus_note(const CpuState& cpu, std::uint32_t thread) {
  const Layout& layout = layout_of(cpu.arch->id);
  std::vector<std::byte> note(layout.size);
  std::memcpy(note.data() + layout.pid, &thread, sizeof thread);
  std::size_t at = layout.registers;
  for (const char* name : layout.names) {
    const std::uint64_t value = *name == '\0' ? 0 : value_of(cpu, name);
    std::memcpy(note.data() + at, &value, layout.width);  // little-endian: the low bytes come first
    at += layout.width;
  }
  return note;
}

}  // namespace xstack
