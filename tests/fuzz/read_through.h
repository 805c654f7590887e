// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "arch/arch.h"
#include "guest/dump/file_guest.h"

namespace xstack {

inline std::shared_ptr<const InputFile> fuzz_file(const std::uint8_t* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  return std::make_shared<const InputFile>(std::vector<std::byte>(bytes, bytes + size));
}

/// What a reader found, looked at as the rest of xstack does: every vCPU is decoded, and memory is read at the ends of
/// the ranges that are said to be there.
inline void read_through(FileGuestParts parts) {
  const auto guest = make_file_guest(std::move(parts));
  const auto vcpus = guest->vcpus();
  if (const auto arch = detect_arch(guest->identity(), *vcpus)) {
    for (const VcpuContext& vcpu : *vcpus) {
      (void)arch_ops(arch->id).decode(guest->identity(), vcpu);
    }
  }
  std::vector<std::byte> page(kXenPageSize + 1);
  std::uint64_t end = 0;
  std::size_t looked_at = 0;
  for (const FrameRange& range : guest->ram()) {
    if (range.count == 0 || range.first.value < end) {
      __builtin_trap();  // ranges are disjoint and ascend
    }
    end = range.first.value + range.count * kXenPageSize;
    if (++looked_at <= 64) {
      (void)guest->memory().read(range.first, page);
      (void)guest->memory().read(GuestPhys(end - kXenPageSize), page);
    }
  }
}

}  // namespace xstack
