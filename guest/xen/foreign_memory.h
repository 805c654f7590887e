// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "guest/memory.h"
#include "guest/xen/libraries.h"

namespace xstack::xen {

/// A live domain's memory, mapped read-only as it is asked for. A mapping stays until the bound is reached: a page in a
/// batch costs a tenth of a page alone, and unmapping as much as mapping. Xen holds a reference to every page that is
/// mapped, so that a guest that gives it up, or dies, does not take it away from under a reader.
class ForeignMemory final : public PhysMemory {
 public:
  static constexpr std::size_t kMaxMapped = 4096;  ///< pages: 16 MiB
  static constexpr std::size_t kBatch = 256;       ///< pages in one call
  static constexpr std::size_t kBulk = 32;         ///< reads of this many pages are mapped, copied and unmapped again

  /// `dying`: it was being destroyed already, and what is left of it may be read.
  ForeignMemory(std::shared_ptr<Host> host, std::uint32_t domid, bool dying = false)
      : host_(std::move(host)), domid_(domid), was_dying_(dying) {}
  ~ForeignMemory() override;

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override;
  void prefetch(std::span<const GuestPhys> pages) override;

  /// Pages mapped so far, those included that have been unmapped since.
  [[nodiscard]] std::uint64_t pages_mapped() const { return pages_mapped_; }
  /// The domain was gone, or was being destroyed, when a page could not be mapped.
  [[nodiscard]] bool vanished() const { return vanished_; }

 private:
  struct Region {
    void* address;
    std::vector<Pfn> frames;
  };
  void map(std::vector<Pfn> frames);
  [[nodiscard]] tl::expected<std::size_t, Fault> read_bulk(GuestPhys at, std::span<std::byte> out);
  [[nodiscard]] void* map_call(const std::vector<Pfn>& frames, std::vector<int>& errors);
  void unmap_oldest();
  void remember_absent(Pfn frame);

  std::shared_ptr<Host> host_;
  std::uint32_t domid_;
  bool was_dying_;
  std::deque<Region> regions_;
  std::size_t mapped_ = 0;  ///< pages mapped now
  std::unordered_map<Pfn, const std::byte*> pages_;
  std::unordered_set<Pfn> absent_;
  std::uint64_t pages_mapped_ = 0;
  bool vanished_ = false;
};

}  // namespace xstack::xen
