// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"

namespace xstack {

/// An ARM EHABI index (.ARM.exidx / .ARM.unwind_idx) in guest memory: `count` sorted 8-byte entries at `index`.
struct EhabiTable {
  GuestVirt index;
  std::uint32_t count = 0;
  GuestVirt text_begin;  ///< the code it describes: [text_begin, text_end)
  GuestVirt text_end;
  std::string module;  ///< empty for the kernel proper
};

/// How `struct orc_entry`'s bits and register numbers are laid out; they changed in 4.18, 6.3, 6.4 and 7.1 or so.
struct OrcLayout {
  enum class Types : std::uint8_t {
    call0_end_bit10,       ///< 4.14..6.2: type 8-9 (0 CALL, 1 REGS, 2 REGS_PARTIAL/IRET), end bit 10 (from 4.18)
    call0_signal10_end11,  ///< 6.3: type 8-9, signal 10, end 11
    call2_type3_signal11,  ///< 6.4+: type 8-10 (0 UNDEFINED 1 END 2 CALL 3 REGS 4 REGS_PARTIAL), signal 11
  };
  enum class Registers : std::uint8_t {
    sp5,  ///< up to 6.12 at least: PREV_SP 1, DX 2, DI 3, BP 4, SP 5, R10 6, R13 7, BP_INDIRECT 8, SP_INDIRECT 9
    sp3,  ///< 7.1 or so on: AX 1, DX 2, SP 3, BP 4, DI 5, R10 6, R13 7, PREV_SP 8, SP_INDIRECT 9, BP_INDIRECT 10
  };
  Types types = Types::call0_end_bit10;
  Registers registers = Registers::sp5;
  bool indirect_offset_before = false;  ///< up to 5.11: SP_INDIRECT is [sp+off]; later [sp]+off
  bool no_end_flag = false;             ///< 4.14..4.17: no entry has the end bit, an undefined base is the end
};

/// x86 ORC tables in guest memory: `count` sorted s32 at `ip` (self-relative) beside `count` 6-byte entries at
/// `entries`.
struct OrcTable {
  GuestVirt ip;
  GuestVirt entries;
  std::uint32_t count = 0;
  GuestVirt text_begin;
  GuestVirt text_end;
  std::string module;
  /// Addresses of the entries sample_index(0), sample_index(1), ..., ascending: with them a lookup reads a page or two
  /// of `ip`. Empty: none were taken.
  std::vector<std::uint64_t> samples;

  /// Which entry sample `i` is of. Requires i < samples.size() <= count.
  [[nodiscard]] std::uint32_t sample_index(std::size_t i) const {
    return static_cast<std::uint32_t>(std::uint64_t{count} * i / samples.size());
  }
};

/// Every unwind table of a guest. Empty when the guest has none (arm64, frame-pointer kernels) or none was found.
struct UnwindTables {
  std::vector<EhabiTable> ehabi;
  std::vector<OrcTable> orc;
  OrcLayout orc_layout;
};

}  // namespace xstack
