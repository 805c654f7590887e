// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arch/arm64/pt_regs.h"

#include <span>

#include "arch/arm64/registers.h"
#include "base/endian.h"

namespace xstack::arm64 {

namespace {

constexpr std::size_t kSpOffset = 248;
constexpr std::size_t kPcOffset = 256;
constexpr std::size_t kPstateOffset = 264;
constexpr std::size_t kRead = 272;

/// sizeof(struct pt_regs): 288 up to 4.13, then 320, 336 (5.10 to 6.12), 320 again. More room for what will come.
constexpr std::uint64_t kLeastSize = 288;
constexpr std::uint64_t kMostSize = 384;

constexpr std::uint64_t kTypePtRegs = 2;  // FRAME_META_TYPE_PT_REGS, asm/stacktrace/frame.h, 6.13; FINAL is 1

/// Bits that no saved PSTATE has: above SS/SSBS/... lie BTYPE, ALLINT, TCO, DIT, UAO, PAN, ...; 63:35 are reserved.
constexpr std::uint64_t kPstateReserved = ~std::uint64_t{0} << 35;

bool kernel_address(std::uint64_t address) {
  return (address >> 55 & 1) != 0;
}

std::uint64_t stackframe_offset(GuestVirt record) {
  return record.value % 16 == 8 ? 296 : 304;
}

/// An exception taken on the stack that was in use leaves SP just above the saved registers.
bool sp_just_above(const PtRegs& regs) {
  const std::uint64_t above = regs.sp - regs.at.value;
  return above >= kLeastSize && above <= kMostSize && above % 16 == 0;
}

}  // namespace

RegisterFile PtRegs::registers() const {
  RegisterFile file;
  for (RegisterIndex i = 0; i <= kLr; ++i) {
    file.set(i, x[i]);
  }
  file.set(kSp, sp);
  file.set(kPc, pc);
  return file;
}

bool PtRegs::from_user() const {
  return is_user_pstate(pstate) && (pstate & kPstateReserved) == 0 && pc != 0 && !kernel_address(pc);
}

bool PtRegs::from_kernel() const {
  const std::uint64_t mode = pstate & kPstateModeMask;
  return (mode == kModeEl1h || mode == kModeEl1t || mode == 0x9) && (pstate & kPstateReserved) == 0;  // 9: EL2h, VHE
}

std::optional<PtRegs> read_pt_regs(VirtMemory& memory, GuestVirt at) {
  std::array<std::byte, kRead> bytes{};
  if (!memory.read(at, bytes)) {
    return std::nullopt;
  }
  PtRegs regs;
  regs.at = at;
  for (std::size_t i = 0; i < regs.x.size(); ++i) {
    regs.x[i] = load_le<std::uint64_t>(bytes.data() + i * 8);
  }
  regs.sp = load_le<std::uint64_t>(bytes.data() + kSpOffset);
  regs.pc = load_le<std::uint64_t>(bytes.data() + kPcOffset);
  regs.pstate = load_le<std::uint64_t>(bytes.data() + kPstateOffset);
  return regs;
}

EntryRecord classify_record(VirtMemory& memory, GuestVirt record, std::uint64_t fp, std::uint64_t lr) {
  using enum EntryRecord::Kind;
  const auto regs = read_pt_regs(memory, record - stackframe_offset(record));
  if (fp == 0 && lr == 0) {
    const auto type = memory.read_value<std::uint64_t>(record + 16);
    if (type && *type == kTypePtRegs && regs && regs->from_kernel()) {
      return {exception, regs};
    }
    // Type 1, or a kernel that knows no types: the last record either way.
    return regs && regs->from_user() ? EntryRecord{user, regs} : EntryRecord{final, {}};
  }
  if (regs && regs->pc == lr && regs->x[kFp] == fp && regs->from_kernel()) {
    return {exception, regs};
  }
  if (kernel_address(lr) && lr % 16 == 0) {
    const auto below = read_pt_regs(memory, GuestVirt(lr));
    if (below && below->x[kFp] == fp && below->from_kernel() && sp_just_above(*below)) {
      return {exception, below};
    }
    // An interrupt of user mode: x29 was cleared on entry.
    if (below && fp == 0 && below->from_user() && lr % 4096 >= 4096 - kMostSize) {
      return {user, below};
    }
  }
  return {};
}

std::optional<PtRegs> find_pt_regs_below(VirtMemory& memory, std::uint64_t fp) {
  constexpr std::uint64_t kLooked = 4096;
  if (!kernel_address(fp) || fp < kLooked) {
    return std::nullopt;
  }
  for (std::uint64_t at = (fp & ~std::uint64_t{15}) - kLeastSize; at > fp - kLooked; at -= 16) {
    // x29's place alone first: it is wrong nearly everywhere.
    const auto saved_fp = memory.read_value<std::uint64_t>(GuestVirt(at + kFp * 8));
    if (!saved_fp) {
      return std::nullopt;
    }
    if (*saved_fp != fp) {
      continue;
    }
    const auto regs = read_pt_regs(memory, GuestVirt(at));
    if (regs && regs->from_kernel() && kernel_address(regs->pc) && sp_just_above(*regs) && regs->sp <= fp) {
      return regs;
    }
  }
  return std::nullopt;
}

}  // namespace xstack::arm64
