// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/mapped_scan.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/checked.h"

namespace xstack {
namespace {

constexpr std::size_t kPiece = 1U << 20;

}  // namespace

PageProbe::PageProbe(PhysMemory& memory, std::span<const CpuState> cpus,
                     std::span<const std::shared_ptr<const Translation>> extra)
    : memory_(memory) {
  std::set<std::string> seen;
  const auto take = [&](const std::shared_ptr<const Translation>& translation) {
    if (translation && seen.insert(translation->describe()).second) {
      translations_.push_back(translation);
    }
  };
  for (const CpuState& cpu : cpus) {
    std::for_each(cpu.translations.begin(), cpu.translations.end(), take);
  }
  std::for_each(extra.begin(), extra.end(), take);
}

std::optional<Mapping> PageProbe::at(GuestVirt va) {
  for (auto& translation : translations_) {
    if (auto mapping = translation->walk(memory_, va)) {
      std::swap(translations_.front(), translation);
      return *mapping;
    }
  }
  return std::nullopt;
}

std::size_t read_tolerant(VirtMemory& search, GuestVirt at, std::span<std::byte> out) {
  std::vector<GuestVirt> pages;
  const std::uint64_t first = at.value & ~(kXenPageSize - 1);
  for (std::uint64_t page = first; page - first < out.size() + (at.value - first); page += kXenPageSize) {
    pages.emplace_back(page);
  }
  search.prefetch(pages);
  std::size_t read = 0;
  for (std::size_t done = 0; done < out.size();) {
    const GuestVirt here = at + done;
    const std::size_t in_page = at_most(out.size() - done, kXenPageSize - here.value % kXenPageSize);
    // A read may go past the page when the memory is contiguous; a failed one costs this page alone.
    if (const auto n = search.read_some(here, out.subspan(done)); n && *n > 0) {
      done += *n;
      read += *n;
    } else {
      std::memset(out.data() + done, 0, in_page);
      done += in_page;
    }
  }
  return read;
}

GuestVirt scan_mapped(PageProbe& probe, VirtMemory& search, const ScanBounds& bounds, std::size_t overlap,
                      const std::function<bool(GuestVirt, std::span<const std::byte>)>& visit) {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(overlap + kPiece);
  std::size_t carried = 0;  // bytes at the front of the buffer that repeat the end of the piece before
  std::uint64_t at = bounds.begin.value & ~(kXenPageSize - 1);
  std::uint64_t hole = 0;
  std::uint64_t seen = 0;
  while (at < bounds.end.value && seen < bounds.mapped_bytes) {
    const auto want = std::min<std::uint64_t>({kPiece, bounds.end.value - at, bounds.mapped_bytes - seen});
    std::uint64_t mapped = 0;
    while (mapped < want) {
      const auto mapping = probe.at(GuestVirt(at + mapped));
      if (!mapping) {
        break;
      }
      mapped += std::max<std::uint64_t>(mapping->left, 1);
    }
    mapped = std::min(mapped, want);
    if (mapped == 0) {
      carried = 0;
      hole += kXenPageSize;
      if (hole >= bounds.hole_bytes || at + kXenPageSize < at) {
        break;
      }
      at += kXenPageSize;
      continue;
    }
    const std::span<std::byte> piece(buffer.get(), carried + static_cast<std::size_t>(mapped));
    const bool there = read_tolerant(search, GuestVirt(at), piece.subspan(carried)) > 0;
    seen += mapped;
    if (!there) {
      // Mapped, but nothing is behind it: a boot loader's map of all addresses, or no map at all.
      carried = 0;
      hole += mapped;
      if (hole >= bounds.hole_bytes || at + mapped < at) {
        break;
      }
      at += mapped;
      continue;
    }
    hole = 0;
    if (!visit(GuestVirt(at - carried), piece)) {
      return GuestVirt(at + mapped);
    }
    const std::size_t keep = std::min(overlap, piece.size());
    std::memmove(buffer.get(), piece.data() + (piece.size() - keep), keep);
    carried = keep;
    if (at + mapped < at) {
      break;
    }
    at += mapped;
  }
  return GuestVirt(at);
}

}  // namespace xstack
