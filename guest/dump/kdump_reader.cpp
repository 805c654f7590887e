// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/kdump_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/endian.h"
#include "guest/dump/capture_reader.h"
#include "guest/dump/elf_file.h"
#include "guest/dump/kdump_header.h"
#include "guest/dump/machine_notes.h"
#include "guest/dump/page_codec.h"
#include "guest/prstatus.h"

namespace xstack {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t kIncomplete = 8;      // DUMP_DH_COMPRESSED_INCOMPLETE: the disk was full
constexpr std::size_t kDescriptor = 24;       // struct page_desc: off_t offset, u32 size, u32 flags, u64 page_flags
constexpr std::size_t kSlots = 256;           // pages that are kept unpacked
constexpr std::uint64_t kGroup = 4096;        // frames whose places are counted at once
constexpr std::size_t kMaxRanges = 4U << 20;  // no more are listed; what lies behind can still be read
constexpr std::uint64_t kMaxNotes = 64U << 20;

/// Which frames are in the file, and how many of them come before one.
class FrameBits {
 public:
  FrameBits(Bytes bits, std::uint64_t frames) : bits_(bits), frames_(std::min(frames, std::uint64_t{bits.size()} * 8)) {
    std::uint64_t total = 0;
    for (std::uint64_t at = 0; at < frames_; at += kGroup) {
      before_.push_back(total);
      total += count(at, std::min(at + kGroup, frames_));
    }
    total_ = total;
  }

  [[nodiscard]] bool has(std::uint64_t frame) const {
    return frame < frames_ &&
           (std::to_integer<unsigned>(bits_[static_cast<std::size_t>(frame / 8)]) >> frame % 8 & 1) != 0;
  }
  /// How many frames below `frame` there are.
  [[nodiscard]] std::uint64_t rank(std::uint64_t frame) const {
    if (frame >= frames_) {
      return total_;
    }
    const std::uint64_t group = frame / kGroup;
    return before_[static_cast<std::size_t>(group)] + count(group * kGroup, frame);
  }
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  /// Of the frames in [from, to); `from` is a multiple of 8.
  [[nodiscard]] std::uint64_t count(std::uint64_t from, std::uint64_t to) const {
    std::uint64_t n = 0;
    std::uint64_t at = from;
    for (; at + 8 <= to; at += 8) {
      n += static_cast<unsigned>(std::popcount(std::to_integer<unsigned>(bits_[static_cast<std::size_t>(at / 8)])));
    }
    if (at < to) {
      const unsigned rest =
          std::to_integer<unsigned>(bits_[static_cast<std::size_t>(at / 8)]) & ((1U << (to - at)) - 1);
      n += static_cast<unsigned>(std::popcount(rest));
    }
    return n;
  }

  Bytes bits_;
  std::uint64_t frames_;
  std::uint64_t total_ = 0;
  std::vector<std::uint64_t> before_;
};

struct Descriptor {
  std::uint64_t offset;
  std::uint32_t size;
  std::uint32_t flags;
};

class KdumpMemory final : public DumpMemory {
 public:
  KdumpMemory(std::shared_ptr<const InputFile> file, const KdumpHeader& header, FrameBits bits)
      : file_(std::move(file)), header_(header), bits_(std::move(bits)), slots_(kSlots) {
    first_ = header_.split ? bits_.rank(header_.first_frame) : 0;
    last_ = header_.split ? bits_.rank(header_.end_frame) : bits_.total();
  }

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestPhys at, std::span<std::byte> out) override {
    const std::uint64_t frame = at.value / header_.block_size;
    const std::uint64_t into = at.value % header_.block_size;
    const auto page = page_of(frame);
    if (!page) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    const std::size_t n = std::min<std::size_t>(out.size(), page->size() - static_cast<std::size_t>(into));
    std::memcpy(out.data(), page->data() + into, n);
    return n;
  }

  [[nodiscard]] std::vector<FrameRange> ram() const override {
    const std::uint64_t pages = header_.block_size / kXenPageSize;
    std::vector<FrameRange> out;
    for (std::uint64_t frame = 0; frame < bits_.frames(); ++frame) {
      if (frame % kGroup == 0 && bits_.rank(frame) == bits_.rank(std::min(frame + kGroup, bits_.frames()))) {
        frame += std::min(kGroup, bits_.frames() - frame) - 1;  // a hole
        continue;
      }
      if (!here(frame)) {
        continue;
      }
      if (out.size() == kMaxRanges) {
        break;
      }
      const GuestPhys first(frame * header_.block_size);
      if (!out.empty() && out.back().first + out.back().count * kXenPageSize == first) {
        out.back().count += pages;
      } else {
        out.push_back({first, pages});
      }
    }
    return out;
  }

  /// Is this frame in this file, by what its tables say? It may still not unpack.
  [[nodiscard]] bool here(std::uint64_t frame) const {
    return bits_.has(frame) && (!header_.split || (frame >= header_.first_frame && frame < header_.end_frame));
  }

  /// The descriptor of the last page, whose data stand at the end of a file that is whole.
  [[nodiscard]] bool ends_early() const {
    if (last_ == first_) {
      return false;
    }
    const auto descriptor = descriptor_at(last_ - first_ - 1);
    return !descriptor || !slice(file_->bytes(), descriptor->offset, descriptor->size);
  }

  [[nodiscard]] std::optional<Descriptor> descriptor_at(std::uint64_t index) const {
    const auto bytes = index < (std::uint64_t{1} << 56)
                           ? slice(file_->bytes(), header_.pages_at + index * kDescriptor, kDescriptor)
                           : std::nullopt;
    if (!bytes) {
      return std::nullopt;
    }
    return Descriptor{load_le<std::uint64_t>(bytes->data()), load_le<std::uint32_t>(bytes->data() + 8),
                      load_le<std::uint32_t>(bytes->data() + 12)};
  }

 private:
  struct Slot {
    std::uint64_t frame = 0;
    std::vector<std::byte> page;  ///< empty: nothing is kept here
  };

  [[nodiscard]] std::optional<Bytes> page_of(std::uint64_t frame) {
    if (!here(frame)) {
      return std::nullopt;
    }
    Slot& slot = slots_[static_cast<std::size_t>(frame % kSlots)];
    if (!slot.page.empty() && slot.frame == frame) {
      return slot.page;
    }
    const auto descriptor = descriptor_at(bits_.rank(frame) - first_);
    const auto codec = descriptor ? page_codec(descriptor->flags) : std::nullopt;
    const auto packed = codec ? slice(file_->bytes(), descriptor->offset, descriptor->size) : std::nullopt;
    if (!packed) {
      return std::nullopt;
    }
    slot.frame = frame;
    slot.page.resize(static_cast<std::size_t>(header_.block_size));
    if (!unpack_page(*codec, *packed, slot.page)) {
      slot.page.clear();
      return std::nullopt;
    }
    return slot.page;
  }

  std::shared_ptr<const InputFile> file_;
  KdumpHeader header_;
  FrameBits bits_;
  std::uint64_t first_ = 0;  ///< rank of the first page that is in this file
  std::uint64_t last_ = 0;
  std::vector<Slot> slots_;
};

GuestType type_of(const KdumpHeader& header, const FileGuestParts& parts) {
  if (!parts.vcpus.empty()) {
    const std::size_t size = parts.vcpus.front().context.size();
    return size == prstatus::kArm32 || size == prstatus::kArm64 ? GuestType::arm : GuestType::hvm;
  }
  return header.machine.starts_with("a") ? GuestType::arm : GuestType::hvm;  // "aarch64", "armv7l"
}

/// The note that stands alone outside of the notes in files without them (header version 3).
void read_vmcoreinfo(Bytes file, const KdumpHeader& header, FileGuestParts& out) {
  if (!out.vmcoreinfo && header.vmcoreinfo_size != 0 && header.vmcoreinfo_size <= kMaxNotes) {
    if (const auto text = slice(file, header.vmcoreinfo_at, header.vmcoreinfo_size)) {
      out.vmcoreinfo.emplace(reinterpret_cast<const char*>(text->data()), text->size());
    }
  }
}

}  // namespace

Result<FileGuestParts> read_kdump(std::shared_ptr<const InputFile> file) {
  const Bytes bytes = file->bytes();
  const auto header = read_kdump_header(bytes);
  if (!header) {
    return tl::unexpected(header.error());
  }
  FileGuestParts out;
  out.warnings = file->warnings();
  out.cut = !out.warnings.empty();
  out.identity.source = "kdump";
  out.identity.type_told = false;
  std::vector<ElfNote> notes;
  if (header->notes_size != 0) {
    const auto part = slice(bytes, header->notes_at, std::min(header->notes_size, kMaxNotes));
    if (part) {
      notes = parse_notes(*part);
    } else {
      out.cut = true;
      out.warnings.emplace_back("the file ends before its notes, which have the registers");
    }
  }
  // A dump that xstack wrote has Xen's own contexts beside what other tools read.
  const bool own = has_capture_notes(notes);
  if (own) {
    if (auto ok = read_capture_notes(notes, out); !ok) {
      return tl::unexpected(ok.error());
    }
  } else {
    read_machine_notes(notes, out);
  }
  read_vmcoreinfo(bytes, *header, out);
  if (!own) {
    out.identity.type = type_of(*header, out);
  }

  const auto all = bytes.subspan(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), header->bitmap_at)));
  const auto ram = slice(all, 0, header->bitmap_size);
  const auto dumped = slice(all, header->bitmap_size, header->bitmap_size);
  if (!ram || !dumped) {
    return fail(Errc::truncated, "the file ends before the table that says which page is which");
  }
  FrameBits bits(*dumped, header->max_frames);
  const std::uint64_t there = FrameBits(*ram, header->max_frames).total();
  if (there > bits.total()) {
    out.identity.lacks.push_back(fmt::format("{} of {} pages, left out when it was written (dump level {})",
                                             there - bits.total(), there, header->dump_level));
  }
  auto memory = std::make_unique<KdumpMemory>(file, *header, std::move(bits));
  if (header->split) {
    out.identity.lacks.push_back(fmt::format("frames outside of {:#x}..{:#x}: it is one of several files",
                                             header->first_frame, header->end_frame));
  }
  const auto first = memory->descriptor_at(0);
  const auto codec = first ? page_codec(first->flags) : std::nullopt;
  if (codec && !has_codec(*codec)) {
    return fail(Errc::unsupported, fmt::format("its pages are packed with {}, which this build of xstack cannot unpack",
                                               to_string(*codec)));
  }
  if ((header->status & kIncomplete) != 0 || memory->ends_early()) {
    out.cut = true;
    out.warnings.emplace_back("the file ends in the pages: part of the memory is missing");
  }
  // The first page may be one that did not get smaller; the header names what the others are packed with.
  const auto named = page_codec(header->status);
  out.identity.format = fmt::format("kdump file, version {}{}{}", header->version,
                                    named && *named != PageCodec::none ? fmt::format(", {}", to_string(*named)) : "",
                                    out.vmcoreinfo ? ", with VMCOREINFO" : "");
  out.memory = std::move(memory);
  return out;
}

}  // namespace xstack
