// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/capture_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/endian.h"
#include "guest/dump/capture_format.h"
#include "guest/dump/capture_identity.h"
#include "guest/dump/capture_notes.h"

namespace xstack {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kMaxVcpus = 16384;
constexpr std::size_t kMaxIdentity = 65536;

std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<void> check_format(Bytes bytes, FileGuestParts& out) {
  const auto major = load_le_at<std::uint32_t>(bytes, 0);
  const auto minor = load_le_at<std::uint32_t>(bytes, 4);
  if (!major || !minor) {
    return fail(Errc::bad_format, "the capture's format note is too short");
  }
  if (*major != capture::kMajor) {
    return fail(Errc::unsupported,
                fmt::format("a capture in format {}.{}; this xstack reads format {}", *major, *minor, capture::kMajor));
  }
  if (*minor > capture::kMinor) {
    out.warnings.push_back(fmt::format("the capture is in format {}.{}: what is newer than {}.{} in it is ignored",
                                       *major, *minor, capture::kMajor, capture::kMinor));
  }
  return {};
}

Result<VcpuContext> read_vcpu(Bytes bytes) {
  capture::VcpuHeader header{};
  if (bytes.size() < sizeof header) {
    return fail(Errc::bad_format, "a vCPU note of the capture is too short");
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  VcpuContext vcpu;
  vcpu.id = header.id;
  switch (header.presence) {
    case capture::kOnline:
      vcpu.presence = VcpuPresence::online;
      break;
    case capture::kOffline:
      vcpu.presence = VcpuPresence::offline;
      break;
    case capture::kNeverUp:
      vcpu.presence = VcpuPresence::never_up;
      break;
    case capture::kUnavailable:
      vcpu.presence = VcpuPresence::unavailable;
      break;
    default:
      return fail(Errc::bad_format, fmt::format("vCPU {} of the capture has an unknown state", header.id));
  }
  switch (header.form) {
    case capture::kXen:
      break;
    case capture::kPrstatus:
      vcpu.form = ContextForm::prstatus;
      break;
    case capture::kHvmRecord:
      vcpu.form = ContextForm::hvm_record;
      break;
    default:
      vcpu.presence = VcpuPresence::unavailable;
      vcpu.why = fmt::format("the capture has its registers in form {}, which is newer than this reader", header.form);
      return vcpu;
  }
  // Three 32-bit lengths, so that these 64-bit sums cannot overflow.
  std::uint64_t at = sizeof header;
  const auto context = slice(bytes, at, header.context_size);
  at += header.context_size;
  const auto hvm = slice(bytes, at, header.hvm_size);
  at += header.hvm_size;
  const auto why = slice(bytes, at, header.why_size);
  if (!context || !hvm || !why) {
    return fail(Errc::bad_format, fmt::format("vCPU {} of the capture is longer than its note", header.id));
  }
  vcpu.context.assign(context->begin(), context->end());
  vcpu.hvm_record.assign(hvm->begin(), hvm->end());
  vcpu.why = text_of(*why);
  return vcpu;
}

void read_fact(Bytes bytes, FileGuestParts& out) {
  const auto size = load_le_at<std::uint32_t>(bytes, 0);
  const auto key = size ? slice(bytes, 4, *size) : std::nullopt;
  if (!key) {
    out.warnings.emplace_back("a fact in the capture is damaged and left out");
    return;
  }
  out.facts.insert_or_assign(text_of(*key), text_of(bytes.subspan(4 + key->size())));
}

/// More pieces than this are not believed: segments may name the same frames again and again.
constexpr std::uint64_t kMaxPieces = 1U << 23;

/// Adds `count` frames of the file from `page` on under the numbers that page tables have for them.
bool add_frames(std::span<const FrameNumbers> numbers, std::uint64_t first, std::uint64_t page, std::uint64_t count,
                std::uint64_t& pieces, FrameMap& map) {
  if (numbers.empty()) {
    return map.add(first, page, count);
  }
  bool good = true;
  auto at = std::upper_bound(numbers.begin(), numbers.end(), first,
                             [](std::uint64_t frame, const FrameNumbers& n) { return frame < n.pseudo + n.count; });
  for (; at != numbers.end() && at->pseudo < first + count; ++at) {
    const std::uint64_t from = std::max(first, at->pseudo);
    if (++pieces > kMaxPieces) {
      return false;
    }
    const std::uint64_t n = std::min(first + count, at->pseudo + at->count) - from;
    good = map.add(at->machine + (from - at->pseudo), page + (from - first), n) && good;
  }
  return good;
}

/// The frame numbers of a PV guest, ascending by pseudo-physical frame; what overlaps or cannot be is left out.
std::vector<FrameNumbers> read_frame_numbers(Bytes bytes) {
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 52;
  std::vector<FrameNumbers> all;
  for (std::uint64_t at = 0; bytes.size() - at >= 24; at += 24) {
    const FrameNumbers n{*load_le_at<std::uint64_t>(bytes, at), *load_le_at<std::uint64_t>(bytes, at + 8),
                         *load_le_at<std::uint64_t>(bytes, at + 16)};
    if (n.pseudo < kLimit && n.machine < kLimit && n.count < kLimit) {
      all.push_back(n);
    }
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.pseudo < b.pseudo; });
  std::uint64_t end = 0;
  std::erase_if(all, [&](const FrameNumbers& n) {
    const bool overlaps = n.pseudo < end;
    end = overlaps ? end : n.pseudo + n.count;
    return overlaps;
  });
  return all;
}

FrameMap read_segments(const ElfFile& elf, Bytes all, std::span<const FrameNumbers> numbers, FileGuestParts& out) {
  FrameMap map;
  std::vector<std::string>& warnings = out.warnings;
  std::uint64_t bad = 0;
  std::uint64_t pieces = 0;
  bool cut = false;
  for (const auto& segment : elf.segments) {
    if (segment.type != PT_LOAD) {
      continue;
    }
    cut = cut || segment.cut;
    if (segment.bytes.empty()) {
      continue;
    }
    const auto offset = static_cast<std::uint64_t>(segment.bytes.data() - all.data());
    if (segment.physical % kXenPageSize != 0 || offset % kXenPageSize != 0 ||
        !add_frames(numbers, segment.physical / kXenPageSize, offset / kXenPageSize,
                    segment.bytes.size() / kXenPageSize, pieces, map)) {
      ++bad;
    }
  }
  const std::uint64_t again = map.finish();
  if (cut) {
    out.cut = true;
    warnings.emplace_back("the capture is cut short: part of the memory is missing");
  }
  if (bad != 0) {
    warnings.push_back(fmt::format("{} pieces of memory in the capture are misplaced and left out", bad));
  }
  if (again != 0) {
    warnings.push_back(fmt::format("{} frames are given more than once: one page of each is used", again));
  }
  return map;
}

}  // namespace

bool has_capture_notes(std::span<const ElfNote> notes) {
  return std::any_of(notes.begin(), notes.end(), [](const ElfNote& note) { return note.vendor == capture::kVendor; });
}

Result<std::vector<FrameNumbers>> read_capture_notes(std::span<const ElfNote> notes, FileGuestParts& out) {
  bool format = false;
  bool identity = false;
  bool whole = false;
  std::vector<FrameNumbers> numbers;
  for (const auto& note : notes) {
    if (note.vendor == "VMCOREINFO" && !note.bytes.empty() && note.bytes.size() <= kMaxIdentity) {
      // The page of memory that it comes from is no more in a redacted dump.
      out.vmcoreinfo.emplace(reinterpret_cast<const char*>(note.bytes.data()), note.bytes.size());
    }
    if (note.vendor != capture::kVendor) {
      continue;
    }
    switch ((note.type & 0xffff0000) == capture::kNoteShared ? note.type & 0xffff : note.type) {
      case capture::kNoteFormat:
        if (auto ok = check_format(note.bytes, out); !ok) {
          return tl::unexpected(ok.error());
        }
        format = true;
        break;
      case capture::kNoteIdentity: {
        if (note.bytes.size() > kMaxIdentity) {
          return fail(Errc::too_large, "the capture says too much of who its guest is");
        }
        auto read = identity_from_json(text_of(note.bytes));
        if (!read) {
          return tl::unexpected(read.error());
        }
        out.identity = std::move(*read);
        identity = true;
        break;
      }
      case capture::kNoteVcpu: {
        auto vcpu = read_vcpu(note.bytes);
        if (!vcpu) {
          return tl::unexpected(vcpu.error());
        }
        if (out.vcpus.size() == kMaxVcpus) {
          return fail(Errc::too_large, fmt::format("the capture has more than {} vCPUs", kMaxVcpus));
        }
        out.vcpus.push_back(std::move(*vcpu));
        break;
      }
      case capture::kNoteFrames:
        numbers = read_frame_numbers(note.bytes);
        break;
      case capture::kNoteWhole:
        whole = true;
        break;
      case capture::kNoteFact:
        read_fact(note.bytes, out);
        break;
      default:
        break;  // of a later minor version
    }
  }
  if (!format || !identity) {
    return fail(Errc::bad_format, "the capture lacks the notes that say what it is");
  }
  if (whole) {
    out.identity.source = "dump";
  }
  std::stable_sort(out.vcpus.begin(), out.vcpus.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  const auto same =
      std::unique(out.vcpus.begin(), out.vcpus.end(), [](const auto& a, const auto& b) { return a.id == b.id; });
  if (same != out.vcpus.end()) {
    out.warnings.emplace_back("the capture holds a vCPU twice: the first is used");
    out.vcpus.erase(same, out.vcpus.end());
  }
  return numbers;
}

bool is_capture(const ElfFile& elf) {
  return has_capture_notes(segment_notes(elf));
}

Result<FileGuestParts> read_capture(std::shared_ptr<const InputFile> file, const ElfFile& elf) {
  FileGuestParts out;
  out.warnings = file->warnings();
  out.cut = !out.warnings.empty();
  const auto numbers = read_capture_notes(segment_notes(elf), out);
  if (!numbers) {
    return tl::unexpected(numbers.error());
  }
  const Bytes all = file->bytes();
  FrameMap map = read_segments(elf, all, *numbers, out);
  out.memory = std::make_unique<FileMemory>(std::move(file), all, std::move(map));
  return out;
}

}  // namespace xstack
