// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "arch/translation.h"
#include "guest/memory.h"

namespace xstack {

/// Guest-virtual memory: page walks over physical memory. Several translations are tried in order, so that a process's
/// tables that lack the kernel half do not hide what the kernel's own tables show. Walks are cached by page; memory
/// that was not mapped is asked for again, since a live guest may map it.
class TranslatedMemory final : public VirtMemory {
 public:
  /// `memory` must outlive this.
  TranslatedMemory(PhysMemory& memory, std::vector<std::shared_ptr<const Translation>> translations);

  /// One more translation, tried after those there are.
  void add(std::shared_ptr<const Translation> translation);

  /// Where `va` lies, by the first translation that has it; else the first translation's fault.
  [[nodiscard]] tl::expected<Mapping, Fault> translate(GuestVirt va);

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override;

  /// Translates every page and asks physical memory for all of them at once.
  void prefetch(std::span<const GuestVirt> pages) override;

 private:
  PhysMemory& memory_;
  std::vector<std::shared_ptr<const Translation>> translations_;
  /// Page number (kXenPageSize) to the physical address of its first byte. Bounded: emptied when it grows too large.
  std::unordered_map<std::uint64_t, GuestPhys> pages_;
};

}  // namespace xstack
