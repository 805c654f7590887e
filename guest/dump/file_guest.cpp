// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/file_guest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace xstack {
namespace {

class NothingPaused final : public PauseGuard {
 public:
  std::optional<std::uint64_t> release() override { return std::nullopt; }
};

class FileGuest final : public Guest {
 public:
  explicit FileGuest(FileGuestParts parts) : parts_(std::move(parts)) {}

  [[nodiscard]] const GuestIdentity& identity() const override { return parts_.identity; }
  [[nodiscard]] Result<std::vector<VcpuContext>> vcpus() override { return parts_.vcpus; }
  [[nodiscard]] PhysMemory& memory() override { return *parts_.memory; }
  [[nodiscard]] std::vector<FrameRange> ram() override { return parts_.memory->ram(); }
  [[nodiscard]] Result<std::unique_ptr<PauseGuard>> pause() override { return std::make_unique<NothingPaused>(); }
  [[nodiscard]] const std::map<std::string, std::string>& facts() const override { return parts_.facts; }
  [[nodiscard]] std::optional<std::string> vmcoreinfo() const override { return parts_.vmcoreinfo; }
  [[nodiscard]] std::optional<std::string> cut_short() const override {
    return parts_.cut ? std::optional(fmt::format("{}", fmt::join(parts_.warnings, "; "))) : std::nullopt;
  }
  [[nodiscard]] const std::vector<std::string>& warnings() const override { return parts_.warnings; }

 private:
  FileGuestParts parts_;
};

}  // namespace

tl::expected<std::size_t, Fault> FileMemory::read_some(GuestPhys at, std::span<std::byte> out) {
  const auto found = map_.find(at.value / kXenPageSize);
  if (!found) {
    return tl::unexpected(Fault{FaultKind::absent, at.value});
  }
  const std::uint64_t offset = at.value % kXenPageSize;
  // The file is smaller than 2^63 bytes, so these do not overflow once the page is known to lie in it.
  if (found->page >= pages_.size() / kXenPageSize) {
    return tl::unexpected(Fault{FaultKind::absent, at.value});
  }
  const std::uint64_t pages = std::min(found->count, pages_.size() / kXenPageSize - found->page);
  const auto here = pages_.subspan(static_cast<std::size_t>(found->page * kXenPageSize + offset),
                                   static_cast<std::size_t>(pages * kXenPageSize - offset));
  const std::size_t n = std::min(out.size(), here.size());
  std::memcpy(out.data(), here.data(), n);
  return n;
}

std::unique_ptr<Guest> make_file_guest(FileGuestParts parts) {
  return std::make_unique<FileGuest>(std::move(parts));
}

}  // namespace xstack
