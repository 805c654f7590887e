// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace xstack::logs {

/// What an ELF file's loadable segments have in the file, by address. Empty for what is no ELF file.
class FileImage {
 public:
  /// `elf` must outlive this.
  explicit FileImage(std::span<const std::byte> elf);

  /// Up to `length` bytes at a link-time address; empty when the file has none there.
  [[nodiscard]] std::span<const std::byte> at(std::uint64_t address, std::uint64_t length) const;

  /// The lowest and the highest address (one behind it) of the segments of the image proper: not of x86's per-CPU
  /// variables, which are linked at 0, nor of arm32's vectors. Both 0 when there are none.
  [[nodiscard]] std::uint64_t begin() const;
  [[nodiscard]] std::uint64_t end() const;

 private:
  struct Segment {
    std::uint64_t address = 0;
    std::span<const std::byte> bytes;
  };
  std::vector<Segment> segments_;
};

}  // namespace xstack::logs
