// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "arch/arch.h"
#include "base/address.h"

namespace xstack {

/// A piece of machine code in the guest.
struct CodePiece {
  GuestVirt at;
  std::span<const std::byte> bytes;
};

/// The pages in [begin, end) that instructions in `code` name: where the variables are that a function uses, in a
/// kernel whose symbol table has functions alone. Every address that the bytes could form is taken, so there may be
/// some that the code does not use, and it is for the caller to recognise what he looks for. Each page is followed by
/// the next one, since what a base points to may be a few KiB above it. Ascending, without repetitions.
///
/// Read are: arm64 ADRP; arm32 MOVW with MOVT, and literals; x86 absolute and pc-relative 32-bit fields.
[[nodiscard]] std::vector<GuestVirt> pages_named_by_code(ArchId arch, const CodePiece& code, GuestVirt begin,
                                                         GuestVirt end);

}  // namespace xstack
