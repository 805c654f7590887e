// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/raw_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "guest/dump/piece_memory.h"

namespace xstack {
namespace {

/// Several files as one memory. Offsets in the map count through all of them, in the order in which they were given.
class RawMemory final : public DumpMemory {
 public:
  explicit RawMemory(std::span<const RawPiece> pieces) : pieces_(pieces.begin(), pieces.end()) {
    std::uint64_t before = 0;
    for (const RawPiece& piece : pieces_) {
      before_.push_back(before);
      good_ = map_.add(piece.base, piece.file->bytes().size(), before) && good_;
      before += piece.file->bytes().size();
    }
    map_.finish();
  }

  [[nodiscard]] bool good() const { return good_; }

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override {
    const auto found = map_.find(at.value);
    if (!found) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    std::size_t i = pieces_.size() - 1;
    while (before_[i] > found->offset) {
      --i;
    }
    const auto bytes = pieces_[i].file->bytes().subspan(static_cast<std::size_t>(found->offset - before_[i]));
    const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>({out.size(), found->left, bytes.size()}));
    std::memcpy(out.data(), bytes.data(), n);
    return n;
  }

  [[nodiscard]] std::vector<FrameRange> ram() const override { return map_.frames(); }

 private:
  std::vector<RawPiece> pieces_;
  std::vector<std::uint64_t> before_;
  PieceMap map_;
  bool good_ = true;
};

}  // namespace

Result<FileGuestParts> read_raw(std::span<const RawPiece> pieces) {
  FileGuestParts out;
  out.identity.source = "raw memory";
  out.identity.type = GuestType::hvm;
  out.identity.type_told = false;
  out.identity.lacks.emplace_back("registers, and so the roots of page tables");
  std::string where;
  for (const RawPiece& piece : pieces) {
    out.warnings.insert(out.warnings.end(), piece.file->warnings().begin(), piece.file->warnings().end());
    const std::uint64_t size = piece.file->bytes().size();
    where += fmt::format("{}{:#x}..{:#x}", where.empty() ? "" : ", ", piece.base, piece.base + size);
  }
  out.cut = !out.warnings.empty();
  out.identity.format = "memory alone, " + where;
  auto memory = std::make_unique<RawMemory>(pieces);
  if (!memory->good()) {
    return fail(Errc::bad_format, "the memory would wrap round the end of the address space");
  }
  out.memory = std::move(memory);
  return out;
}

}  // namespace xstack
