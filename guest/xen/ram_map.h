// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "guest/guest.h"

namespace xstack::xen {

/// Where an ARM guest has RAM, up to the last frame that it uses: bank 0 from 1 GiB, bank 1 from 8 GiB
/// (GUEST_RAM0_BASE and GUEST_RAM1_BASE, public/arch-arm.h, since Xen 4.5). A domain whose last frame lies below that
/// is laid out otherwise (direct-mapped): then everything up to that frame.
[[nodiscard]] std::vector<FrameRange> arm_ram(std::uint64_t last_frame);

/// Where an HVM or PVH guest of at most `pages` pages has RAM, up to the last frame that it uses: from 0, without the
/// VGA hole, and from 4 GiB. The device hole below 4 GiB starts at HVM_BELOW_4G_MMIO_START (public/hvm/e820.h) or
/// lower.
[[nodiscard]] std::vector<FrameRange> hvm_ram(std::uint64_t last_frame, std::uint64_t pages);

/// The machine frames of a PV guest, from the table of frames that it keeps for its toolstack (arch_shared_info in
/// public/arch-x86/xen.h, 64-bit guests): the list of lists, or the linear table. `memory` is the guest's machine
/// memory, and everything in it is the guest's word: no more than 2^24 entries are believed. Empty when the guest has
/// no such table.
[[nodiscard]] std::vector<FrameRange> pv_ram(PhysMemory& memory, std::uint64_t shared_info_frame);

}  // namespace xstack::xen
