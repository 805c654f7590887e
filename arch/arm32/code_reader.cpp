// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm32/code_reader.h"

#include "arch/arm32/entry.h"
#include "base/endian.h"

namespace xstack::arm32 {
namespace {

std::optional<std::uint32_t> word_at(VirtMemory& memory, std::uint32_t at) {
  const auto word = memory.read_value<std::uint32_t>(GuestVirt(at));
  return word ? std::optional(*word) : std::nullopt;
}

std::optional<CallSite> thumb_call_before(VirtMemory& memory, std::uint32_t ret) {
  const auto first = memory.read_value<std::uint16_t>(GuestVirt(ret - 4));
  const auto second = memory.read_value<std::uint16_t>(GuestVirt(ret - 2));
  if (!second) {
    return std::nullopt;
  }
  if ((*second & 0xff87) == 0x4780) {  // blx reg
    return CallSite{};
  }
  if (first && (*first & 0xf800) == 0xf000 && (*second & 0xd000) == 0xd000) {  // bl
    const std::uint32_t s = *first >> 10 & 1;
    const std::uint32_t i1 = ~((*second >> 13 & 1) ^ s) & 1;
    const std::uint32_t i2 = ~((*second >> 11 & 1) ^ s) & 1;
    const std::uint32_t offset = s << 24 | i1 << 23 | i2 << 22 | (*first & 0x3ffU) << 12 | (*second & 0x7ffU) << 1;
    return CallSite{GuestVirt(static_cast<std::uint32_t>(ret + static_cast<std::uint64_t>(sign_extend(offset, 25))))};
  }
  if (first && (*first & 0xf800) == 0xf000 && (*second & 0xd001) == 0xc000) {  // blx to ARM code
    return CallSite{};
  }
  return std::nullopt;
}

}  // namespace

std::uint32_t branch_target(std::uint32_t at, std::uint32_t insn) {
  return static_cast<std::uint32_t>(at + 8 + static_cast<std::uint64_t>(sign_extend(insn & 0xffffff, 24) * 4));
}

std::optional<CallSite> call_before(VirtMemory& memory, std::uint32_t ret) {
  if ((ret & 1) != 0) {
    return thumb_call_before(memory, ret & ~1U);
  }
  if ((ret & 3) != 0 || ret < 8) {
    return std::nullopt;
  }
  const auto insn = word_at(memory, ret - 4);
  if (!insn) {
    return std::nullopt;
  }
  if ((*insn & 0xfe000000) == 0xfa000000) {  // blx to Thumb code
    return CallSite{};
  }
  if ((*insn & 0x0f000000) == 0x0b000000 && *insn >> 28 != 0xf) {
    return CallSite{GuestVirt(branch_target(ret - 4, *insn))};
  }
  if ((*insn & 0x0ffffff0) == 0x012fff30) {
    return CallSite{};
  }
  const auto before = word_at(memory, ret - 8);
  if (before == 0xe1a0e00fU) {  // mov lr, pc
    return CallSite{};
  }
  return std::nullopt;
}

bool leads_to(VirtMemory& memory, std::uint32_t ret, GuestVirt pc) {
  constexpr std::uint64_t kReach = 1024;
  const auto site = (ret & 1) == 0 ? call_before(memory, ret) : std::nullopt;
  if (!site || !site->target || *site->target > pc || pc - *site->target >= kReach) {
    return false;
  }
  for (GuestVirt at = *site->target; at < pc; at += 4) {
    const auto insn = word_at(memory, static_cast<std::uint32_t>(at.value));
    const bool returns = insn && (*insn == 0xe12fff1e                      // bx lr
                                  || *insn == 0xe1a0f00e                   // mov pc, lr
                                  || (*insn & 0xffff8000) == 0xe8bd8000);  // pop {..., pc}
    if (!insn || returns) {
      return false;
    }
  }
  return true;
}

ReturnAddress judge_return(VirtMemory& memory, CodeInfo& code, std::uint32_t address) {
  const GuestVirt pc(address & ~1U);
  if (pc.value < 0x1000) {
    return ReturnAddress::no;
  }
  if (call_before(memory, address) && code.is_code(pc - 1) != std::optional(false)) {
    return ReturnAddress::call;
  }
  if (code.is_code(pc) != std::optional(true)) {
    return ReturnAddress::no;
  }
  const auto function = code.function_at(pc);
  if (function && (function->start == pc || is_entry_function(function->name))) {
    return ReturnAddress::by_hand;
  }
  return ReturnAddress::no;
}

}  // namespace xstack::arm32
