// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>

#include "base/address.h"
#include "base/endian.h"

namespace xstack {

/// Why guest memory could not be read.
enum class FaultKind : std::uint8_t {
  unmapped,      ///< the guest's page tables have no valid entry
  absent,        ///< the frame is not in the dump, or Xen would not map it
  bad_table,     ///< a page-table entry that the architecture does not allow
  out_of_range,  ///< the address is outside what the regime or the input covers
  io,            ///< the operating system or Xen failed
};

/// A read that did not happen: where the first unreadable byte is and why. Never a value standing in for data.
struct Fault {
  FaultKind kind{};
  std::uint64_t address = 0;  ///< first unreadable byte, in the address space that was read
  int level = -2;             ///< page-table level of the entry at fault, -1..4; -2 when no table was at fault
  std::uint64_t entry = 0;    ///< that entry, when level says there is one
  std::uint64_t span = 0;     ///< bytes that the entry at fault covers, a power of two; 0 when that is not known
};

/// "level 2 entry 0x0 is not valid" and so on: the part of a sentence that follows an address.
[[nodiscard]] std::string describe(const Fault& fault);

/// Bytes at addresses of one kind. The one seam between those who need guest memory and those who have it: live
/// domains, dumps, captures, page-table walks, caches, recorders and fakes are all this.
template <class Addr>
class AddressSpace {
 public:
  AddressSpace() = default;
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;
  virtual ~AddressSpace() = default;

  /// Reads as many of `out`'s bytes as can be read without a gap, at least one; the count is returned. `out` must not
  /// be empty. A fault means that not even the first byte could be read.
  [[nodiscard]] virtual tl::expected<std::size_t, Fault> read_some(Addr at, std::span<std::byte> out) = 0;

  /// A hint that these pages (any address in each) are about to be read: a live domain maps them in one batch.
  virtual void prefetch(std::span<const Addr> pages) { (void)pages; }

  /// All of `out`, or the fault at the first unreadable byte. Ranges that wrap round the end of the space fault.
  [[nodiscard]] tl::expected<void, Fault> read(Addr at, std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size()) {
      const Addr here = at + done;
      if (here < at) {
        return tl::unexpected(Fault{FaultKind::out_of_range, here.value});
      }
      const auto n = read_some(here, out.subspan(done));
      if (!n) {
        return tl::unexpected(n.error());
      }
      done += *n;
    }
    return {};
  }

  /// One little-endian integer.
  template <std::integral T>
  [[nodiscard]] tl::expected<T, Fault> read_value(Addr at) {
    std::array<std::byte, sizeof(T)> bytes{};
    if (auto ok = read(at, bytes); !ok) {
      return tl::unexpected(ok.error());
    }
    return load_le<T>(bytes.data());
  }

  /// One guest word of 4 or 8 bytes, zero-extended.
  [[nodiscard]] tl::expected<std::uint64_t, Fault> read_word(Addr at, unsigned word_size) {
    if (word_size == 4) {
      const auto v = read_value<std::uint32_t>(at);
      return v ? tl::expected<std::uint64_t, Fault>(*v) : tl::unexpected(v.error());
    }
    return read_value<std::uint64_t>(at);
  }

  /// The bytes up to a NUL, which is not returned, or up to `limit` bytes when there is none, or up to unreadable
  /// memory when at least one byte was read. The text is the guest's: escape it (base/text.h) before it is shown.
  [[nodiscard]] tl::expected<std::string, Fault> read_string(Addr at, std::size_t limit) {
    std::string text;
    while (text.size() < limit) {
      std::array<std::byte, 64> part{};
      const std::size_t want = std::min(part.size(), limit - text.size());
      const auto n = read_some(at + text.size(), std::span(part).first(want));
      if (!n) {
        return text.empty() ? tl::expected<std::string, Fault>(tl::unexpected(n.error())) : text;
      }
      for (std::size_t i = 0; i < *n; ++i) {
        if (part[i] == std::byte{0}) {
          return text;
        }
        text.push_back(static_cast<char>(part[i]));
      }
    }
    return text;
  }
};

/// Guest-physical memory; machine memory for x86 PV (see GuestPhys).
using PhysMemory = AddressSpace<GuestPhys>;
/// Guest-virtual memory of one vCPU or of the kernel.
using VirtMemory = AddressSpace<GuestVirt>;

}  // namespace xstack
