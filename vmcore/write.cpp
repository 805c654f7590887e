// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/write.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace xstack {
namespace {

constexpr std::uint64_t kBatch = 256;  // pages: what one call of Xen maps

std::vector<GuestPhys> pages_of(const FrameRange& range, std::uint64_t from, std::uint64_t count) {
  std::vector<GuestPhys> pages;
  pages.reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    pages.push_back(range.first + (from + i) * kXenPageSize);
  }
  return pages;
}

}  // namespace

bool is_zero(std::span<const std::byte> bytes) {
  // Equal to itself one byte on, and its first byte is zero.
  return bytes.front() == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

std::uint64_t read_or_zero(PhysMemory& memory, GuestPhys at, std::span<std::byte> out) {
  std::uint64_t lost = 0;
  for (std::size_t read = 0; read < out.size();) {
    const auto n = memory.read_some(at + read, out.subspan(read));
    if (n) {
      read += *n;
      continue;
    }
    const std::size_t page_left =
        std::min<std::size_t>(kXenPageSize - (at.value + read) % kXenPageSize, out.size() - read);
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(read), page_left, std::byte{0});
    read += page_left;
    ++lost;
  }
  return lost;
}

std::vector<FrameRange> present_frames(PhysMemory& memory, std::span<const FrameRange> ram) {
  std::vector<FrameRange> present;
  for (const FrameRange& range : ram) {
    for (std::uint64_t done = 0; done < range.count; done += kBatch) {
      const auto pages = pages_of(range, done, std::min(kBatch, range.count - done));
      memory.prefetch(pages);
      for (const GuestPhys page : pages) {
        std::array<std::byte, 1> byte{};
        if (!memory.read_some(page, byte)) {
          continue;
        }
        if (!present.empty() && present.back().first + present.back().count * kXenPageSize == page) {
          ++present.back().count;
        } else {
          present.push_back({page, 1});
        }
      }
    }
  }
  return present;
}

Result<WrittenMemory> write_memory(PhysMemory& memory, std::span<const FrameRange> frames, OutputFile& out,
                                   const Progress& progress) {
  WrittenMemory written;
  std::uint64_t all = 0;
  for (const FrameRange& range : frames) {
    all += range.count * kXenPageSize;
  }
  std::uint64_t done = 0;
  std::vector<std::byte> block(kBatch * kXenPageSize);
  for (const FrameRange& range : frames) {
    for (std::uint64_t at = 0; at < range.count; at += kBatch) {
      const std::uint64_t pages = std::min(kBatch, range.count - at);
      const auto bytes = std::span(block).first(static_cast<std::size_t>(pages * kXenPageSize));
      const GuestPhys first = range.first + at * kXenPageSize;
      written.lost_pages += read_or_zero(memory, first, bytes);
      // Runs of pages that are alike, zeros or not, go out in one piece.
      for (std::size_t from = 0; from < bytes.size();) {
        const bool zero = is_zero(bytes.subspan(from, kXenPageSize));
        std::size_t to = from + kXenPageSize;
        while (to < bytes.size() && is_zero(bytes.subspan(to, kXenPageSize)) == zero) {
          to += kXenPageSize;
        }
        written.zero_pages += zero ? (to - from) / kXenPageSize : 0;
        const auto ok = zero ? out.append_zeros(to - from) : out.append(bytes.subspan(from, to - from));
        if (!ok) {
          return tl::unexpected(ok.error());
        }
        from = to;
      }
      done += bytes.size();
      if (progress && !progress(done, all)) {
        return fail(Errc::interrupted, "stopped before all of the memory was written");
      }
    }
  }
  return written;
}

}  // namespace xstack
