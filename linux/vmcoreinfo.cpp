// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/vmcoreinfo.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <vector>

namespace xstack {
namespace {

constexpr std::string_view kFirstKey = "OSRELEASE=";
constexpr std::size_t kNoteText = 0x18;  // after the note's header and the name "VMCOREINFO"
constexpr unsigned kMaxCandidates = 64;
constexpr std::uint64_t kBatch = 512;  // pages

std::optional<std::uint64_t> parse_number(std::string_view text, int base) {
  if (text.starts_with("0x")) {
    text.remove_prefix(2);
    base = 16;
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// The text of one candidate page; physical memory is contiguous within the page.
std::optional<Vmcoreinfo> read_physical(PhysMemory& memory, GuestPhys at) {
  std::string text(kXenPageSize - at.value % kXenPageSize, '\0');
  if (!memory.read(at, std::as_writable_bytes(std::span(text)))) {
    return std::nullopt;
  }
  return Vmcoreinfo::parse(text);
}

}  // namespace

bool is_release(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] >= '0' && text[0] <= '9' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::optional<Vmcoreinfo> Vmcoreinfo::parse(std::string_view text) {
  text = text.substr(0, std::min(text.find('\0'), kMaxVmcoreinfo));
  Vmcoreinfo info;
  info.text_ = text;
  return text.starts_with(kFirstKey) && info.release() && info.value("PAGESIZE") ? std::optional(std::move(info))
                                                                                 : std::nullopt;
}

std::optional<std::string_view> Vmcoreinfo::value(std::string_view key) const {
  std::string_view rest = text_;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.size() > key.size() && line[key.size()] == '=' && line.starts_with(key)) {
      return line.substr(key.size() + 1);
    }
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return std::nullopt;
}

std::optional<GuestVirt> Vmcoreinfo::symbol(std::string_view name) const {
  const auto text = value("SYMBOL(" + std::string(name) + ")");
  const auto number = text ? parse_number(*text, 16) : std::nullopt;
  return number ? std::optional(GuestVirt(*number)) : std::nullopt;
}

std::optional<std::uint64_t> Vmcoreinfo::number(std::string_view name) const {
  auto text = value("NUMBER(" + std::string(name) + ")");
  if (!text) {
    return std::nullopt;
  }
  const bool negative = text->starts_with('-');
  const auto magnitude = parse_number(text->substr(negative ? 1 : 0), 10);
  return magnitude ? std::optional(negative ? 0 - *magnitude : *magnitude) : std::nullopt;
}

std::optional<std::uint64_t> Vmcoreinfo::kernel_offset() const {
  const auto text = value("KERNELOFFSET");
  return text ? parse_number(*text, 16) : std::nullopt;
}

std::optional<std::string> Vmcoreinfo::release() const {
  const auto text = value("OSRELEASE");
  return text && is_release(*text) ? std::optional(std::string(*text)) : std::nullopt;
}

std::optional<std::string> Vmcoreinfo::build_id() const {
  const auto text = value("BUILD-ID");
  const bool hex =
      text && text->size() >= 16 && text->size() <= 64 && text->size() % 2 == 0 &&
      std::all_of(text->begin(), text->end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  return hex ? std::optional(std::string(*text)) : std::nullopt;
}

std::optional<Vmcoreinfo> read_vmcoreinfo(VirtMemory& memory, GuestVirt at) {
  const auto text = memory.read_string(at, kMaxVmcoreinfo);
  return text ? Vmcoreinfo::parse(*text) : std::nullopt;
}

std::optional<Vmcoreinfo> find_vmcoreinfo(Guest& guest, std::optional<std::uint64_t> max_pages) {
  PhysMemory& memory = guest.memory();
  std::optional<Vmcoreinfo> from_note;
  unsigned candidates = 0;
  std::array<char, kNoteText + kFirstKey.size()> start{};
  std::vector<GuestPhys> batch;
  std::uint64_t left = max_pages.value_or(~std::uint64_t{0});
  for (const FrameRange& range : guest.ram()) {
    const std::uint64_t count = std::min(range.count, left);
    left -= count;
    for (std::uint64_t frame = 0; frame < count && candidates < kMaxCandidates; ++frame) {
      const GuestPhys page = range.first + frame * kXenPageSize;
      if (frame % kBatch == 0) {
        batch.clear();
        for (std::uint64_t i = frame; i < std::min(frame + kBatch, count); ++i) {
          batch.push_back(range.first + i * kXenPageSize);
        }
        memory.prefetch(batch);
      }
      if (const auto n = memory.read_some(page, std::as_writable_bytes(std::span(start))); !n || *n < start.size()) {
        continue;
      }
      const std::string_view text(start.data(), start.size());
      if (text.starts_with(kFirstKey)) {
        ++candidates;
        if (auto info = read_physical(memory, page)) {
          return info;
        }
      } else if (!from_note && text.ends_with(kFirstKey)) {
        ++candidates;
        from_note = read_physical(memory, page + kNoteText);
      }
    }
  }
  return from_note;
}

}  // namespace xstack
