// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/saved_registers.h"

#include <fmt/format.h>

#include <array>
#include <span>
#include <string_view>

namespace xstack {
namespace {

constexpr std::uint64_t kMaxStack = 65536;  // with KASAN or 64 KiB pages stacks are larger than TaskLayout says

/// What is saved, in the order of the words in memory.
std::span<const char* const> saved_words(ArchId arch) {
  static constexpr std::array kArm32{"r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "sp", "pc"};
  static constexpr std::array kArm64{"x19", "x20", "x21", "x22", "x23", "x24", "x25",
                                     "x26", "x27", "x28", "x29", "sp",  "pc"};
  static constexpr std::array kX86_64{"r15", "r14", "r13", "r12", "rbx", "rbp", "rip"};
  static constexpr std::array kX86_32{"esi", "edi", "ebx", "ebp", "eip"};
  switch (arch) {
    case ArchId::arm32:
      return kArm32;
    case ArchId::arm64:
      return kArm64;
    case ArchId::x86_64:
      return kX86_64;
    case ArchId::x86_32:
      break;
  }
  return kX86_32;
}

std::optional<RegisterIndex> index_of(const ArchOps& arch, std::string_view name) {
  for (std::size_t i = 0; i < arch.registers.size(); ++i) {
    if (name == arch.registers[i].name) {
      return static_cast<RegisterIndex>(i);
    }
  }
  return std::nullopt;
}

tl::unexpected<std::string> unreadable(const Fault& fault) {
  return tl::unexpected(
      fmt::format("its saved registers could not be read: {:#x}: {}", fault.address, describe(fault)));
}

}  // namespace

tl::expected<Frame, std::string> saved_frame(VirtMemory& memory, const TaskLayout& layout, const ArchOps& arch,
                                             CodeInfo& code, const KernelTask& task) {
  if (layout.saved_kind == TaskLayout::Saved::unknown) {
    return tl::unexpected<std::string>("where the registers of tasks that do not run are saved is not known");
  }
  if (task.stack.value == 0) {
    return tl::unexpected<std::string>("its stack is gone");
  }
  const unsigned w = arch.word_size;
  const auto words = saved_words(arch.id);
  GuestVirt at = task.at + layout.saved;
  Frame frame;
  frame.exact = false;
  if (layout.saved_kind == TaskLayout::Saved::on_stack) {
    at = task.stack + layout.saved;
  } else if (layout.saved_kind == TaskLayout::Saved::pointer) {
    const auto sp = memory.read_word(at, w);
    if (!sp) {
      return unreadable(sp.error());
    }
    at = GuestVirt(*sp);
    // 32-bit kernels save the flags first from 4.20 or so on; then the return address is a word further.
    if (arch.id == ArchId::x86_32) {
      const auto pc = memory.read_word(at + words.size() * w, w);
      at += pc && code.is_code(GuestVirt(*pc)).value_or(false) ? w : 0;
    }
    frame.regs.set(arch.sp, (at + words.size() * w).value);
  }
  for (const char* name : words) {
    const auto value = memory.read_word(at, w);
    if (!value) {
      return unreadable(value.error());
    }
    if (const auto index = index_of(arch, name)) {
      frame.regs.set(*index, *value);
    }
    at += w;
  }
  const auto pc = frame.regs.get(arch.pc);
  const auto sp = frame.regs.get(arch.sp);
  if (!pc || !sp || *sp - task.stack.value > kMaxStack) {
    return tl::unexpected<std::string>("its saved stack pointer is not on its stack");
  }
  frame.pc = GuestVirt(arch.id == ArchId::arm32 ? *pc & ~std::uint64_t{1} : *pc);
  frame.sp = GuestVirt(*sp);
  return frame;
}

}  // namespace xstack
