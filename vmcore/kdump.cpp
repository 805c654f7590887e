// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/kdump.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

namespace xstack {
namespace {

using Buffer = std::vector<std::byte>;

constexpr std::uint64_t kMostPages = std::uint64_t{1} << 36;  // numbers; each bitmap has 8 GiB then
constexpr std::uint32_t kVersion = 6;
constexpr std::uint32_t kZlib = 1;  // DUMP_DH_COMPRESSED_*
constexpr std::uint32_t kZstd = 0x20;

template <class T>
void put(Buffer& out, T value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void align(Buffer& out, std::size_t to) {
  out.resize((out.size() + to - 1) / to * to);
}

std::uint64_t blocks_for(std::uint64_t bytes, std::uint64_t block) {
  return (bytes + block - 1) / block;
}

std::vector<PageRun> in_pages(std::span<const FrameRange> frames, std::uint64_t page_size) {
  std::vector<PageRun> out;
  for (const FrameRange& range : frames) {
    std::uint64_t first = range.first.value / page_size;
    const std::uint64_t end = (range.first.value + range.count * kXenPageSize + page_size - 1) / page_size;
    if (!out.empty()) {
      const std::uint64_t before = out.back().first + out.back().count;
      first = std::max(first, before);  // the page that the last range ended in
      if (first == before) {
        out.back().count += end - std::min(end, first);
        continue;
      }
    }
    if (end > first) {
      out.push_back({first, end - first});
    }
  }
  return out;
}

/// struct disk_dump_header.
Buffer header(const KdumpContents& kdump, bool narrow, std::uint64_t sub_blocks, std::uint64_t bitmap_blocks,
              std::uint64_t page_numbers, std::uint64_t pages, std::size_t cpus) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  const auto narrowed = [&](std::uint64_t value) { return static_cast<std::uint32_t>(std::min(value, kMost)); };
  Buffer out;
  for (const char c : std::string_view("KDUMP   ")) {
    out.push_back(static_cast<std::byte>(c));
  }
  put(out, kVersion);
  out.insert(out.end(), kdump.uts.begin(), kdump.uts.end());
  align(out, narrow ? 4 : 8);
  if (narrow) {
    put(out, static_cast<std::uint32_t>(kdump.time));
    put(out, std::uint32_t{0});
  } else {
    put(out, kdump.time);
    put(out, std::uint64_t{0});
  }
  const bool zlib = kdump.compression == PageCompression::zlib;
  put(out, zlib ? kZlib : kdump.compression == PageCompression::zstd ? kZstd : std::uint32_t{0});
  put(out, static_cast<std::uint32_t>(kdump.page_size));
  put(out, static_cast<std::uint32_t>(sub_blocks));
  put(out, static_cast<std::uint32_t>(bitmap_blocks));
  put(out, narrowed(page_numbers));
  put(out, narrowed(pages));   // total_ram_blocks
  put(out, std::uint32_t{0});  // device_blocks
  put(out, narrowed(pages));   // written_blocks
  put(out, std::uint32_t{0});  // current_cpu
  put(out, static_cast<std::uint32_t>(cpus));
  return out;
}

/// struct kdump_sub_header. Offsets are of 64 bits for 32-bit programs as well, and aligned to 8, but on i386.
Buffer sub_header(ArchId arch, const KdumpContents& kdump, bool narrow, std::uint64_t notes_at, std::uint64_t notes,
                  std::uint64_t info_at, std::uint64_t info, std::uint64_t page_numbers) {
  Buffer out;
  const auto word = [&](std::uint64_t value) {
    narrow ? put(out, static_cast<std::uint32_t>(value)) : put(out, value);
  };
  const auto offset = [&](std::uint64_t value) {
    align(out, arch == ArchId::x86_32 ? 4 : 8);
    put(out, value);
  };
  word(kdump.phys_base);
  put(out, kdump.dump_level);
  put(out, std::uint32_t{0});  // split
  word(0);                     // start_pfn, end_pfn: of a part of a split dump
  word(0);
  offset(info_at);
  word(info);
  offset(notes_at);
  word(notes);
  offset(0);  // eraseinfo
  word(0);
  offset(0);  // start_pfn_64, end_pfn_64
  offset(0);
  offset(page_numbers);
  return out;
}

}  // namespace

std::optional<Utsname> read_utsname(VirtMemory& memory, GuestVirt at) {
  Utsname uts{};
  if (!memory.read(at, uts)) {
    return std::nullopt;
  }
  for (std::size_t field = 0; field < 6; ++field) {
    const auto* text = reinterpret_cast<const char*>(uts.data()) + field * kUtsBytes;
    const std::size_t length = ::strnlen(text, kUtsBytes);
    if (length == kUtsBytes || (length == 0 && field != 5) ||
        !std::all_of(text, text + length, [](char c) { return c >= ' ' && c < 0x7f; })) {
      return std::nullopt;
    }
  }
  return std::string_view(reinterpret_cast<const char*>(uts.data())) == "Linux" ? std::optional(uts) : std::nullopt;
}

Utsname make_utsname(ArchId arch, std::string_view release) {
  Utsname uts{};
  const auto set = [&](std::size_t field, std::string_view text) {
    text = text.substr(0, kUtsBytes - 1);
    std::memcpy(uts.data() + field * kUtsBytes, text.data(), text.size());
  };
  const bool x86 = arch == ArchId::x86_32 || arch == ArchId::x86_64;
  const char* arm = arch == ArchId::arm32 ? "armv7l" : "aarch64";
  set(0, "Linux");
  set(2, release);
  set(4, x86 ? (arch == ArchId::x86_32 ? "i686" : "x86_64") : arm);
  return uts;
}

Result<KdumpPlan> plan_kdump(const CoreContents& contents, const KdumpContents& kdump,
                             std::span<const FrameRange> present, std::span<const FrameRange> kept) {
  KdumpPlan plan;
  plan.page_size = kdump.page_size;
  plan.compression = kdump.compression;
  plan.present = in_pages(present, kdump.page_size);
  plan.pages = in_pages(kept, kdump.page_size);
  for (const PageRun& run : plan.pages) {
    plan.page_count += run.count;
  }
  const std::uint64_t numbers = plan.present.empty() ? 0 : plan.present.back().first + plan.present.back().count;
  if (numbers > kMostPages) {
    return fail(Errc::too_large, "memory at such physical addresses would need bitmaps of many GiB in a kdump file");
  }
  const Buffer notes = core_notes(contents);
  const std::uint64_t block = kdump.page_size;
  const bool narrow = contents.arch == ArchId::arm32 || contents.arch == ArchId::x86_32;
  constexpr std::uint64_t kSubHeader = 256;  // room for it: 104 to 112 bytes
  const std::uint64_t notes_at = block + kSubHeader;
  const std::uint64_t sub_blocks = blocks_for(kSubHeader + notes.size(), block);
  if (sub_blocks > std::numeric_limits<std::uint16_t>::max()) {
    return fail(Errc::too_large, "the registers of all vCPUs are too large for a kdump file");
  }
  std::uint64_t info_at = 0;
  if (contents.vmcoreinfo) {
    const auto text = std::as_bytes(std::span(*contents.vmcoreinfo));
    const auto found = std::search(notes.begin(), notes.end(), text.begin(), text.end());
    info_at = notes_at + static_cast<std::uint64_t>(found - notes.begin());
  }
  plan.bitmap_bytes = blocks_for(blocks_for(numbers, 8), block) * block;
  plan.bitmaps_at = (1 + sub_blocks) * block;
  plan.descriptors_at = plan.bitmaps_at + 2 * plan.bitmap_bytes;
  constexpr std::uint64_t kDescriptor = 24;
  plan.data_at = plan.descriptors_at + blocks_for(plan.page_count * kDescriptor, block) * block;
  const auto cpus = static_cast<std::size_t>(
      std::count_if(contents.cpus.begin(), contents.cpus.end(), [](const CpuState* cpu) { return cpu != nullptr; }));
  plan.head = header(kdump, narrow, sub_blocks, 2 * plan.bitmap_bytes / block, numbers, plan.page_count, cpus);
  plan.head.resize(static_cast<std::size_t>(block));
  const Buffer sub = sub_header(contents.arch, kdump, narrow, notes_at, notes.size(), info_at,
                                contents.vmcoreinfo ? contents.vmcoreinfo->size() : 0, numbers);
  plan.head.insert(plan.head.end(), sub.begin(), sub.end());
  plan.head.resize(static_cast<std::size_t>(notes_at));
  plan.head.insert(plan.head.end(), notes.begin(), notes.end());
  plan.head.resize(static_cast<std::size_t>(plan.bitmaps_at));
  return plan;
}

Buffer bitmap_piece(std::span<const PageRun> runs, std::uint64_t from, std::size_t bytes) {
  Buffer out(bytes);
  const std::uint64_t begin = from * 8;
  const std::uint64_t end = begin + bytes * 8;
  auto run = std::upper_bound(runs.begin(), runs.end(), begin,
                              [](std::uint64_t page, const PageRun& r) { return page < r.first + r.count; });
  for (; run != runs.end() && run->first < end; ++run) {
    const std::uint64_t last = std::min(end, run->first + run->count);
    for (std::uint64_t page = std::max(begin, run->first); page < last; ++page) {
      out[static_cast<std::size_t>((page - begin) / 8)] |= static_cast<std::byte>(1U << (page % 8));
    }
  }
  return out;
}

}  // namespace xstack
