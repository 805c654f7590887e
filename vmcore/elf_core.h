// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/arch.h"
#include "base/error.h"
#include "guest/dump/capture_notes.h"
#include "guest/guest.h"
#include "vmcore/segments.h"

namespace xstack {

/// What a core says besides its memory.
struct CoreContents {
  ArchId arch{};
  const GuestIdentity& identity;
  std::span<const VcpuContext> vcpus;     ///< Xen's own contexts, in notes of xstack's
  std::span<const CpuState* const> cpus;  ///< parallel to vcpus; null where there are no registers
  /// What stands in each vCPU's note where a process's number does, parallel to vcpus; absent: its number and one.
  std::span<const std::uint32_t> threads = {};
  std::optional<std::string_view> vmcoreinfo;
  const std::map<std::string, std::string>& facts;   ///< of a capture, whose memory is not all there is
  std::span<const FrameNumbers> frame_numbers = {};  ///< of a PV guest, whose memory is numbered as its kernel does
};

/// The notes of a dump in either format: NT_PRSTATUS for each vCPU that has registers, VMCOREINFO, xstack's.
[[nodiscard]] std::vector<std::byte> core_notes(const CoreContents& contents);

/// Everything of an ELF core that comes before memory, padded to a whole page: the file header, program headers, and
/// notes. ELF64, or ELF32 for a 32-bit guest whose
/// addresses and file offsets all fit, since debuggers know 32-bit ARM in no other form. Errors: too_large.
[[nodiscard]] Result<std::vector<std::byte>> core_head(const CoreContents& contents, const CorePlan& plan);

}  // namespace xstack
