// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "guest/dump/open.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack::test {

/// open_dump() of a file that holds these bytes.
inline Result<std::unique_ptr<Guest>> open_bytes(std::span<const std::byte> bytes) {
  const ScratchDirectory directory;
  return open_dump(directory.write("core", bytes));
}

/// The byte at a guest-physical address, or 0xfff, which no byte is, where there is none.
inline unsigned byte_at(Guest& guest, std::uint64_t address) {
  const auto byte = guest.memory().read_value<std::uint8_t>(GuestPhys(address));
  return byte ? *byte : 0xfff;
}

}  // namespace xstack::test
