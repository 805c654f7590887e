// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/endian.h"

namespace xstack::arm32 {

/// Second word of an index entry whose function cannot be unwound (EHABI, IHI 0038, section 5).
inline constexpr std::uint32_t kExidxCantUnwind = 1;

/// Where a word's low 31 bits point: a signed offset from the word itself, in the 32-bit address space.
[[nodiscard]] constexpr GuestVirt prel31_target(GuestVirt at, std::uint32_t word) {
  return GuestVirt((at.value + static_cast<std::uint64_t>(sign_extend(word, 31))) & 0xffffffff);
}

}  // namespace xstack::arm32
