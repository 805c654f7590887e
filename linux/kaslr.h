// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "arch/arch.h"
#include "base/address.h"

namespace xstack {

/// How far a kernel was slid, from where its image begins (`text`: _text or _stext), for when it does not say so
/// itself: against the link address of its architecture (x86-64: CONFIG_PHYSICAL_START's default; arm64: KIMAGE_VADDR
/// of 4.6 to 7.2 for 48 and 39 bits of address, recognised only when the image lies there; arm32 has no KASLR). Nothing
/// when it cannot be told.
[[nodiscard]] std::optional<std::uint64_t> derive_kaslr_offset(ArchId arch, GuestVirt text);

}  // namespace xstack
