// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "guest/dump/file_guest.h"

namespace xstack {

/// Which bytes of a file are which of the guest's memory, for formats that put it at any offset. Pieces may be added in
/// any order and may overlap; their number is the file's to say, so nothing here takes more than n log n.
class PieceMap {
 public:
  /// `size` bytes from `begin` on lie at `offset` of the file. False for a piece that wraps round the end of the
  /// address space.
  bool add(std::uint64_t begin, std::uint64_t size, std::uint64_t offset);

  /// Ends building. Of bytes that were given more than once, those that were added first count.
  void finish();

  struct Found {
    std::uint64_t offset;
    std::uint64_t left;  ///< bytes from there on that lie side by side, at least 1
  };
  [[nodiscard]] std::optional<Found> find(std::uint64_t address) const;

  /// The frames of kXenPageSize that are there as a whole, ascending.
  [[nodiscard]] std::vector<FrameRange> frames() const;
  [[nodiscard]] bool empty() const { return pieces_.empty(); }

 private:
  struct Piece {
    std::uint64_t begin;
    std::uint64_t size;
    std::uint64_t offset;
  };
  std::vector<Piece> pieces_;
};

/// Guest memory in pieces of one file.
class PieceMemory final : public DumpMemory {
 public:
  /// `map` is finished.
  PieceMemory(std::shared_ptr<const InputFile> file, PieceMap map) : file_(std::move(file)), map_(std::move(map)) {}

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override;
  [[nodiscard]] std::vector<FrameRange> ram() const override { return map_.frames(); }

 private:
  std::shared_ptr<const InputFile> file_;
  PieceMap map_;
};

}  // namespace xstack
