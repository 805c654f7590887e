// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/guest.h"

namespace xstack {

/// Appends an ELF note; vendor and data are padded to four bytes.
void append_note(std::vector<std::byte>& out, std::string_view vendor, std::uint32_t type,
                 std::span<const std::byte> data);

/// `count` frames that a PV kernel numbers from `pseudo` on, and Xen from `machine` on.
struct FrameNumbers {
  std::uint64_t pseudo = 0;
  std::uint64_t machine = 0;
  std::uint64_t count = 0;
};

/// The note's data that says so: three 64-bit numbers for each.
[[nodiscard]] std::vector<std::byte> frame_numbers_note(std::span<const FrameNumbers> numbers);

/// The notes of a capture (docs/capture-format.md): format, identity, each vCPU, each fact. `whole`: the file holds all
/// of the guest's memory, and its readers may search it. `shared`: other tools read the file as well.
[[nodiscard]] std::vector<std::byte> capture_notes(const GuestIdentity& identity, std::span<const VcpuContext> vcpus,
                                                   const std::map<std::string, std::string>& facts, bool whole,
                                                   bool shared);

}  // namespace xstack
