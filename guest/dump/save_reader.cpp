// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/save_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/endian.h"
#include "guest/dump/piece_memory.h"

namespace xstack {
namespace {

using Bytes = std::span<const std::byte>;

// xl's header: struct save_file_header of tools/xl/xl.h.
constexpr std::string_view kXlMagic("Xen saved domain, xl format\n \0 \r", 32);
constexpr std::size_t kXlHeader = 48;
constexpr std::uint32_t kXlByteOrder = 0x01020304;
constexpr std::uint32_t kXlStreamV2 = 1U << 1;  // XL_MANDATORY_FLAG_STREAMv2
// libxl's stream: numbers of its header are big-endian, those of records little-endian unless the header says
// otherwise.
constexpr std::string_view kLibxlMagic("LibxlFmt", 8);
constexpr std::size_t kLibxlHeader = 16;
constexpr std::uint32_t kLibxlEnd = 0;
constexpr std::uint32_t kLibxlContext = 1;  // behind this record libxc's stream begins
// libxc's stream.
constexpr std::string_view kXcMagic("\xff\xff\xff\xff\xff\xff\xff\xff\x58\x45\x4e\x46", 12);
constexpr std::size_t kXcHeaders = 24 + 16;  // image header and domain header
constexpr std::uint32_t kTypePv = 1;
constexpr std::uint32_t kTypeHvm = 2;
constexpr std::uint32_t kEnd = 0;
constexpr std::uint32_t kPageData = 1;
constexpr std::uint32_t kPvInfo = 2;
constexpr std::uint32_t kPvVcpuBasic = 4;
constexpr std::uint32_t kHvmContext = 9;
constexpr std::size_t kRecordHeader = 8;
constexpr std::uint64_t kPfnMask = 0x000f'ffff'ffff'ffff;
constexpr unsigned kPageTypeShift = 60;
constexpr std::uint64_t kFirstEmptyType = 0xd;  // XALLOC, BROKEN, XTAB: no contents follow
constexpr std::size_t kMaxVcpus = 16384;
// HVM records: struct hvm_save_descriptor of public/hvm/save.h; type 2 is the CPU's (public/arch-x86/hvm/save.h).
constexpr std::size_t kHvmDescriptor = 8;
constexpr std::uint16_t kHvmEnd = 0;
constexpr std::uint16_t kHvmCpu = 2;
constexpr std::size_t kLargestHvmCpu = 4096;

bool at_magic(Bytes bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

std::uint32_t be32(Bytes bytes, std::size_t at) {
  return __builtin_bswap32(load_le<std::uint32_t>(bytes.data() + at));
}

std::uint64_t padded(std::uint64_t size) {
  return (size + 7) & ~std::uint64_t{7};
}

/// One stream of libxc, from its image header on.
class Stream {
 public:
  Stream(Bytes file, std::uint64_t at, FileGuestParts& out) : file_(file), at_(at), out_(out) {}

  Result<void> read() {
    if (auto ok = headers(); !ok) {
      return ok;
    }
    for (;;) {
      const auto header = slice(file_, at_, kRecordHeader);
      if (!header) {
        cut_ = true;
        break;
      }
      const auto type = load_le<std::uint32_t>(header->data());
      const std::uint64_t size = load_le<std::uint32_t>(header->data() + 4);
      at_ += kRecordHeader;
      const Bytes rest = file_.subspan(static_cast<std::size_t>(at_));
      const Bytes body = rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(size, rest.size())));
      record(type, body);
      if (body.size() < size) {
        cut_ = true;
        break;
      }
      if (type == kEnd) {
        break;
      }
      at_ = std::min<std::uint64_t>(at_ + padded(size), file_.size());
    }
    finish();
    return {};
  }

  [[nodiscard]] PieceMap take_map() { return std::move(map_); }

 private:
  struct Run {
    std::uint64_t frame;
    std::uint64_t offset;
    std::uint64_t count;
  };

  Result<void> headers() {
    const auto bytes = slice(file_, at_, kXcHeaders);
    if (!bytes) {
      return fail(Errc::truncated, "the file ends in the headers of the migration stream");
    }
    if (!at_magic(*bytes, kXcMagic)) {
      return fail(Errc::bad_format, "no migration stream is where it should be: a legacy one, or a damaged file");
    }
    version_ = be32(*bytes, 12);
    const unsigned options = std::to_integer<unsigned>((*bytes)[17]);
    if (version_ < 2 || version_ > 3 || (options & 1) != 0) {
      return fail(Errc::unsupported, fmt::format("a migration stream of version {}{}", version_,
                                                 (options & 1) != 0 ? ", big-endian" : ""));
    }
    type_ = load_le<std::uint32_t>(bytes->data() + 24);
    const auto page_shift = load_le<std::uint16_t>(bytes->data() + 28);
    if (type_ != kTypePv && type_ != kTypeHvm) {
      return fail(Errc::unsupported, fmt::format("a saved guest of type {}, which is neither x86 PV nor HVM", type_));
    }
    if (page_shift != 12) {
      return fail(Errc::bad_format, fmt::format("pages of 2^{} bytes, where Xen's have 2^12", page_shift));
    }
    const auto major = load_le<std::uint32_t>(bytes->data() + 32);
    const auto minor = load_le<std::uint32_t>(bytes->data() + 36);
    if (major < 256 && minor < 256) {
      out_.identity.xen_version = fmt::format("{}.{}", major, minor);
    }
    out_.identity.type = type_ == kTypePv ? GuestType::pv : GuestType::hvm;
    at_ += kXcHeaders;
    return {};
  }

  void record(std::uint32_t type, Bytes body) {
    switch (type) {
      case kPageData:
        pages(body);
        break;
      case kPvInfo:
        levels_ = body.size() >= 2 ? std::to_integer<unsigned>(body[1]) : 0;
        break;
      case kPvVcpuBasic:
        pv_vcpu(body);
        break;
      case kHvmContext:
        hvm_vcpus(body);
        break;
      default:
        break;  // times, features, devices: not needed to look at the guest
    }
  }

  void pages(Bytes body) {
    const auto count = load_le_at<std::uint32_t>(body, 0);
    const auto table = count ? slice(body, 8, std::uint64_t{*count} * 8) : std::nullopt;
    if (!table) {
      return;
    }
    std::uint64_t offset = 8 + table->size();
    const auto body_at = static_cast<std::uint64_t>(body.data() - file_.data());
    for (std::uint32_t i = 0; i < *count; ++i) {
      const auto entry = load_le<std::uint64_t>(table->data() + std::size_t{i} * 8);
      if (entry >> kPageTypeShift >= kFirstEmptyType) {
        continue;
      }
      if (!slice(body, offset, kXenPageSize)) {
        break;  // the record is cut
      }
      const std::uint64_t frame = entry & kPfnMask;
      if (frame >> 40 == 0) {
        page(frame, body_at + offset);
      }
      offset += kXenPageSize;
    }
  }

  void page(std::uint64_t frame, std::uint64_t offset) {
    if (!runs_.empty()) {
      Run& last = runs_.back();
      if (last.frame + last.count == frame && last.offset + last.count * kXenPageSize == offset) {
        ++last.count;
        return;
      }
    }
    runs_.push_back({frame, offset, 1});
  }

  void add_vcpu(VcpuContext vcpu) {
    if (out_.vcpus.size() < kMaxVcpus) {
      out_.vcpus.push_back(std::move(vcpu));
    }
  }

  void pv_vcpu(Bytes body) {
    constexpr std::size_t kHeader = 8;
    constexpr std::size_t kContext64 = 5168;
    constexpr std::size_t kContext32 = 2800;
    constexpr std::size_t kFlags = 512;
    constexpr std::uint32_t kOnline = 1U << 5;  // VGCF_online
    const std::size_t size = levels_ == 4 ? kContext64 : kContext32;
    const auto context = slice(body, kHeader, size);
    if (!context) {
      return;
    }
    VcpuContext vcpu;
    vcpu.id = load_le<std::uint32_t>(body.data());
    vcpu.context.assign(context->begin(), context->end());
    const bool online = (load_le<std::uint32_t>(context->data() + kFlags) & kOnline) != 0;
    vcpu.presence = online ? VcpuPresence::online : VcpuPresence::offline;
    add_vcpu(std::move(vcpu));
  }

  void hvm_vcpus(Bytes body) {
    std::uint64_t at = 0;
    while (const auto header = slice(body, at, kHvmDescriptor)) {
      const auto type = load_le<std::uint16_t>(header->data());
      const auto instance = load_le<std::uint16_t>(header->data() + 2);
      const std::uint64_t size = load_le<std::uint32_t>(header->data() + 4);
      const auto data = slice(body, at + kHvmDescriptor, size);
      if (!data || type == kHvmEnd) {
        return;
      }
      if (type == kHvmCpu && size <= kLargestHvmCpu) {
        VcpuContext vcpu;
        vcpu.id = instance;
        vcpu.form = ContextForm::hvm_record;
        vcpu.context.assign(data->begin(), data->end());
        add_vcpu(std::move(vcpu));
      }
      at += kHvmDescriptor + size;
    }
  }

  void finish() {
    // Of a page that was sent more than once the last counts, and of the pieces of a map the first.
    for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
      (void)map_.add(run->frame * kXenPageSize, run->count * kXenPageSize, run->offset);
    }
    map_.finish();
    auto& vcpus = out_.vcpus;
    std::stable_sort(vcpus.begin(), vcpus.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    const auto again =
        std::unique(vcpus.begin(), vcpus.end(), [](const auto& a, const auto& b) { return a.id == b.id; });
    vcpus.erase(again, vcpus.end());
    if (cut_) {
      out_.cut = true;
      out_.warnings.push_back(fmt::format("the file ends before the end of the guest: {}{}",
                                          map_.empty() ? "no memory" : "a part of the memory",
                                          vcpus.empty() ? " and no registers" : ""));
    }
    if (vcpus.empty()) {
      out_.identity.lacks.emplace_back("registers");
    }
    out_.identity.format = fmt::format("saved x86 {} guest, migration stream version {}",
                                       type_ == kTypePv ? "PV" : "HVM or PVH", version_);
  }

  Bytes file_;
  std::uint64_t at_;
  FileGuestParts& out_;
  std::uint32_t version_ = 0;
  std::uint32_t type_ = 0;
  unsigned levels_ = 4;
  bool cut_ = false;
  std::vector<Run> runs_;
  PieceMap map_;
};

/// Where libxc's stream begins.
Result<std::uint64_t> find_stream(Bytes file) {
  std::uint64_t at = 0;
  if (at_magic(file, kXlMagic)) {
    if (file.size() < kXlHeader) {
      return fail(Errc::truncated, "the file ends in xl's header");
    }
    if (load_le<std::uint32_t>(file.data() + 32) != kXlByteOrder) {
      return fail(Errc::unsupported, "a guest that was saved on a big-endian machine");
    }
    if ((load_le<std::uint32_t>(file.data() + 36) & kXlStreamV2) == 0) {
      return fail(Errc::unsupported, "a saved guest in the legacy format of Xen 4.5 and older");
    }
    at = kXlHeader + load_le<std::uint32_t>(file.data() + 44);  // behind the domain's configuration
  }
  const auto rest = slice(file, at, kLibxlHeader);
  if (!rest) {
    return fail(Errc::truncated, "the file ends before the migration stream");
  }
  if (!at_magic(*rest, kLibxlMagic)) {
    return at;
  }
  if ((be32(*rest, 12) & 1) != 0) {
    return fail(Errc::unsupported, "a big-endian stream");
  }
  at += kLibxlHeader;
  while (const auto header = slice(file, at, kRecordHeader)) {
    const auto type = load_le<std::uint32_t>(header->data());
    at += kRecordHeader + padded(load_le<std::uint32_t>(header->data() + 4));
    if (type == kLibxlContext) {
      return at;
    }
    if (type == kLibxlEnd) {
      return fail(Errc::bad_format, "a saved domain without memory");
    }
  }
  return fail(Errc::truncated, "the file ends before the migration stream");
}

}  // namespace

bool is_save_image(Bytes start) {
  return at_magic(start, kXlMagic) || at_magic(start, kLibxlMagic) || at_magic(start, kXcMagic);
}

Result<FileGuestParts> read_save_image(std::shared_ptr<const InputFile> file) {
  const auto at = find_stream(file->bytes());
  if (!at) {
    return tl::unexpected(at.error());
  }
  FileGuestParts out;
  out.warnings = file->warnings();
  out.cut = !out.warnings.empty();
  out.identity.source = "xl save";
  Stream stream(file->bytes(), *at, out);
  if (auto ok = stream.read(); !ok) {
    return tl::unexpected(ok.error());
  }
  PieceMap map = stream.take_map();
  if (out.vcpus.empty() && map.empty()) {
    return fail(Errc::truncated, "the file ends before the first page of the guest");
  }
  out.memory = std::make_unique<PieceMemory>(std::move(file), std::move(map));
  return out;
}

}  // namespace xstack
