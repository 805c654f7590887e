// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace xstack {

/// Which registers belong together on the screen.
enum class RegisterGroup : std::uint8_t {
  general,  ///< the current mode's view: what unwinding starts from
  banked,   ///< another mode's copy (arm32 lr_irq, arm64 SP_EL0, ...)
  status,   ///< CPSR, PSTATE, RFLAGS, saved SPSRs, segment selectors
  system,   ///< SCTLR, TTBRs, CR0..CR4, segment bases, debug registers
};

/// One register as data: the one source for decoding, printing, JSON and DWARF numbers.
struct RegisterInfo {
  const char* name;  ///< lower case, the architecture's own: "r0", "lr_irq", "x29", "rip", "ttbr0"
  unsigned bits;     ///< width as printed: 32 or 64 (16 for x86 selectors)
  RegisterGroup group;
  const char* bank =
      nullptr;     ///< for banked ones, the mode it belongs to ("IRQ", "EL0"): the printer marks the current bank
  int dwarf = -1;  ///< DWARF register number, or -1
};

/// Position in an architecture's register table (ArchOps::registers).
using RegisterIndex = std::uint8_t;

/// The most registers any architecture's table holds.
inline constexpr std::size_t kMaxRegisters = 96;

/// Register values with a 'known' bit each. An unknown register has no value: it is never zero, never printed as one.
class RegisterFile {
 public:
  void set(RegisterIndex index, std::uint64_t value) {
    values_.at(index) = value;
    known_.set(index);
  }
  void forget(RegisterIndex index) { known_.reset(index); }
  [[nodiscard]] bool known(RegisterIndex index) const { return known_.test(index); }
  [[nodiscard]] std::optional<std::uint64_t> get(RegisterIndex index) const {
    return known_.test(index) ? std::optional(values_[index]) : std::nullopt;
  }
  friend bool operator==(const RegisterFile&, const RegisterFile&) = default;

 private:
  std::array<std::uint64_t, kMaxRegisters> values_{};
  std::bitset<kMaxRegisters> known_;
};

}  // namespace xstack
