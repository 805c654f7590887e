// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/kdump_header.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <string_view>

#include "base/checked.h"
#include "base/endian.h"

namespace xstack {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view kSignature = "KDUMP   ";
constexpr std::size_t kVersion = 8;
constexpr std::size_t kMachine = 12 + 4 * 65;  // behind sysname, nodename, release, version of struct new_utsname
constexpr std::size_t kNameLength = 65;
// `status`, behind the utsname and a timeval: its place depends on the size and the alignment of a long.
constexpr std::size_t kStatus64 = 424;
constexpr std::size_t kStatus32 = 412;

std::uint32_t u32(Bytes file, std::uint64_t at) {
  return load_le_at<std::uint32_t>(file, at).value_or(0);
}
std::uint64_t u64(Bytes file, std::uint64_t at) {
  return load_le_at<std::uint64_t>(file, at).value_or(0);
}

/// Bytes that a bitmap of so many frames has, in whole blocks.
std::uint64_t bitmap_bytes(std::uint64_t frames, std::uint64_t block) {
  const std::uint64_t bytes = frames / 8 + (frames % 8 != 0 ? 1 : 0);
  return (bytes + block - 1) / block * block;
}

/// The members behind `status`, as far as they make sense there.
std::optional<KdumpHeader> main_header(Bytes file, bool wide) {
  const std::size_t at = wide ? kStatus64 : kStatus32;
  KdumpHeader out;
  out.wide = wide;
  out.version = static_cast<int>(u32(file, kVersion));
  out.status = u32(file, at);
  out.block_size = u32(file, at + 4);
  const std::uint64_t sub_blocks = u32(file, at + 8);
  const std::uint64_t bitmap_blocks = u32(file, at + 12);
  out.max_frames = u32(file, at + 16);
  if (!std::has_single_bit(out.block_size) || out.block_size < 4096 || out.block_size > 65536 || sub_blocks == 0 ||
      bitmap_blocks == 0 || bitmap_blocks % 2 != 0) {
    return std::nullopt;
  }
  // Below 2^32 blocks of at most 2^16 bytes: these do not overflow.
  out.bitmap_at = (1 + sub_blocks) * out.block_size;
  out.bitmap_size = bitmap_blocks / 2 * out.block_size;
  out.pages_at = out.bitmap_at + bitmap_blocks * out.block_size;
  return out;
}

/// Where the members of the sub-header stand whose place depends on alignment.
struct SubLayout {
  std::size_t offset_vmcoreinfo, offset_note, wide_frames;
};
constexpr SubLayout kSub64{32, 48, 80};
constexpr SubLayout kSubArm{24, 40, 72};     // off_t is aligned to 8
constexpr SubLayout kSubPacked{20, 32, 56};  // i386, and QEMU

bool inside(Bytes file, std::uint64_t at, std::uint64_t size) {
  return size != 0 && slice(file, at, size).has_value();
}

void sub_header(Bytes file, KdumpHeader& out) {
  const std::uint64_t sub = out.block_size;
  const std::size_t word = out.wide ? 8 : 4;
  const auto number = [&](std::uint64_t at) { return out.wide ? u64(file, at) : u32(file, at); };
  out.dump_level = u32(file, sub + word);
  if (out.version >= 2) {
    out.split = u32(file, sub + word + 4) != 0;
    out.first_frame = number(sub + word + 8);
    out.end_frame = number(sub + 2 * word + 8);
  }
  const SubLayout* layout = &kSub64;
  if (!out.wide) {
    // Only the right one has a place behind the header where the other has halves of numbers.
    const auto fits = [&](const SubLayout& l) {
      const std::uint64_t notes_at = u64(file, sub + l.offset_note);
      return notes_at >= sub && inside(file, notes_at, u32(file, sub + l.offset_note + 8));
    };
    layout = fits(kSubArm) && !fits(kSubPacked) ? &kSubArm : &kSubPacked;
  }
  // An off_t, and a long, which is padded where off_t is aligned to 8.
  if (out.version >= 3) {
    out.vmcoreinfo_at = u64(file, sub + layout->offset_vmcoreinfo);
    out.vmcoreinfo_size = number(sub + layout->offset_vmcoreinfo + 8);
  }
  if (out.version >= 4) {
    out.notes_at = u64(file, sub + layout->offset_note);
    out.notes_size = number(sub + layout->offset_note + 8);
  }
  if (out.version >= 6) {
    out.first_frame = u64(file, sub + layout->wide_frames);
    out.end_frame = u64(file, sub + layout->wide_frames + 8);
    out.max_frames = u64(file, sub + layout->wide_frames + 16);
  }
}

std::string machine_of(Bytes file) {
  std::string name;
  for (std::size_t i = 0; i + 1 < kNameLength && file[kMachine + i] != std::byte{0}; ++i) {
    name.push_back(static_cast<char>(file[kMachine + i]));
  }
  return name;
}

}  // namespace

bool is_kdump(Bytes start) {
  return start.size() >= kSignature.size() && std::memcmp(start.data(), kSignature.data(), kSignature.size()) == 0;
}

Result<KdumpHeader> read_kdump_header(Bytes file) {
  if (!is_kdump(file)) {
    return fail(Errc::bad_format, "no kdump file");
  }
  if (file.size() < 4096) {
    return fail(Errc::truncated, "the file ends in its header");
  }
  // Which of the two it is, the sizes must tell: the bitmap has as many blocks as the number of frames needs.
  for (const bool wide : {true, false}) {
    auto header = main_header(file, wide);
    if (!header) {
      continue;
    }
    if (file.size() < 2 * header->block_size) {
      return fail(Errc::truncated, "the file ends in its headers");
    }
    sub_header(file, *header);
    const std::uint64_t needed =
        header->max_frames >> 56 == 0 ? bitmap_bytes(header->max_frames, header->block_size) : 0;
    if (needed == 0 || needed > header->bitmap_size) {
      continue;
    }
    header->machine = machine_of(file);
    return *header;
  }
  return fail(Errc::bad_format, "a kdump file whose headers contradict each other");
}

}  // namespace xstack
