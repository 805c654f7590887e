// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/error.h"
#include "guest/guest.h"

namespace xstack::x86 {

/// `sizeof(struct vcpu_guest_context)` on x86-64, and of its compat form for a 32-bit PV guest (public/arch-x86/xen.h,
/// public/foreign/x86_32.h). An HVM guest of either width gets the 64-bit one.
inline constexpr std::size_t kContextSize64 = 5168;
inline constexpr std::size_t kContextSize32 = 2800;

/// A context's members that xstack uses, whichever layout they came from. General registers in the order of R64.
struct Context {
  bool compat = false;  ///< came from the 32-bit layout
  std::uint64_t flags = 0;
  std::array<std::uint64_t, 16> general{};
  std::uint64_t rip = 0;
  std::uint64_t rflags = 0;
  std::uint16_t cs = 0, ss = 0, ds = 0, es = 0, fs = 0, gs = 0;
  std::array<std::uint64_t, 8> ctrlreg{};
  std::array<std::uint64_t, 8> debugreg{};
  std::uint64_t fs_base = 0, gs_base_kernel = 0, gs_base_user = 0;  ///< 64-bit layout only

  /// VGCF_in_kernel: what tells kernel from user mode in a PV guest, whose kernel runs in ring 3 (or 1).
  [[nodiscard]] bool in_kernel() const { return (flags & (1U << 2)) != 0; }
};

/// What only Xen's HVM save record knows (struct hvm_hw_cpu, public/arch-x86/hvm/save.h).
struct HvmRecord {
  std::uint64_t cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0, efer = 0;
  std::uint64_t fs_base = 0, gs_base = 0, shadow_gs = 0;
  std::uint64_t lstar = 0, idtr_base = 0, gdtr_base = 0, tr_base = 0;
  std::uint32_t cs_attributes = 0, ss_attributes = 0;  ///< descriptor bits 55:52 and 47:40, packed

  [[nodiscard]] unsigned cpl() const { return (ss_attributes >> 5) & 3; }
  [[nodiscard]] bool long_mode() const { return (efer & (1U << 10)) != 0; }
  [[nodiscard]] bool code_is_64bit() const { return (cs_attributes & (1U << 9)) != 0; }
  [[nodiscard]] bool code_is_32bit() const { return (cs_attributes & (1U << 10)) != 0; }
};

/// Takes a context apart. The layout is told by its size; a buffer of the larger size that holds the compat layout (a
/// toolstack that always reads the largest form) is recognised for PV guests. Errors: bad_format.
[[nodiscard]] Result<Context> parse_context(GuestType type, std::span<const std::byte> bytes);

/// The same members out of Xen's HVM save record, when that is all there is: it has the bases of segments as they are
/// and not which of the two GS bases is the kernel's, so that these are left at 0. Errors: bad_format.
[[nodiscard]] Result<Context> context_of_hvm_record(std::span<const std::byte> bytes);

/// Nothing when there is no record or it is shorter than it was in any release of Xen.
[[nodiscard]] std::optional<HvmRecord> parse_hvm_record(std::span<const std::byte> bytes);

}  // namespace xstack::x86
