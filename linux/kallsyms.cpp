// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kallsyms.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/endian.h"
#include "linux/mapped_scan.h"
#include "symbols/aliases.h"

namespace xstack {
namespace {

constexpr std::uint32_t kSampleStep = 1024;  // 4 KiB of offsets
constexpr std::uint32_t kMaxAliases = 1024;  // symbols at one address
constexpr std::size_t kMaxName = 4096;       // KSYM_NAME_LEN is 512
constexpr std::size_t kMaxProbes = 256;
constexpr std::size_t kPassPiece = 256U << 10;
constexpr std::uint64_t kMaxNames = 32U << 20;  // bytes of all names, compressed: real ones have 1 to 3 MiB

/// What names are sorted into slots by: all bits of a hash count in the low ones. 0 marks a free slot.
std::uint32_t mixed(std::uint32_t hash) {
  hash = (hash ^ hash >> 15) * 0x2c1b3c6dU;
  hash ^= hash >> 13;
  return hash == 0 ? 1 : hash;
}

/// A record's header: its length, and how many bytes say so. Nothing when it is cut off.
std::optional<std::pair<std::size_t, std::size_t>> record_header(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return std::nullopt;
  }
  const auto first = std::to_integer<std::size_t>(bytes[0]);
  if ((first & 0x80) == 0) {
    return std::pair{first, std::size_t{1}};
  }
  if (bytes.size() < 2) {
    return std::nullopt;
  }
  return std::pair{(first & 0x7f) | std::to_integer<std::size_t>(bytes[1]) << 7, std::size_t{2}};
}

}  // namespace

Kallsyms::Kallsyms(VirtMemory& memory, VirtMemory& search, const KallsymsTables& tables,
                   std::vector<std::uint64_t> samples,
                   std::map<std::string, std::optional<std::uint64_t>, std::less<>> names)
    : memory_(memory), search_(search), tables_(tables), samples_(std::move(samples)), asked_(std::move(names)) {
  if (samples_.empty()) {
    // What cannot be read repeats the address before: the search below stays in order and ends in that place.
    for (std::uint32_t i = 0; i < tables_.count; i += kSampleStep) {
      const std::uint64_t before = samples_.empty() ? 0 : samples_.back();
      samples_.push_back(std::max(before, address_from(search_, i).value_or(before)));
    }
  }
}

std::optional<std::uint64_t> Kallsyms::address_from(VirtMemory& from, std::uint32_t index) const {
  if (index >= tables_.count) {
    return std::nullopt;
  }
  const unsigned size = tables_.element_size();
  const auto raw = from.read_word(tables_.addresses + std::uint64_t{index} * size, size);
  return raw ? std::optional(tables_.resolve(index, *raw)) : std::nullopt;
}

std::optional<std::uint64_t> Kallsyms::address(std::uint32_t index) {
  return address_from(memory_, index);
}

bool Kallsyms::load_tokens() {
  if (!tokens_good_) {
    tokens_.resize(tables_.token_bytes);
    std::array<std::byte, 512> index{};
    tokens_good_ =
        !tokens_.empty() && memory_.read(tables_.token_table, tokens_) && memory_.read(tables_.token_index, index);
    for (std::size_t i = 0; i < token_at_.size(); ++i) {
      token_at_[i] = load_le<std::uint16_t>(index.data() + 2 * i);
    }
    for (std::size_t i = 0; i < token_at_.size() && *tokens_good_; ++i) {
      const std::byte token{static_cast<std::uint8_t>(i)};
      std::string text;
      expand(std::span(&token, 1), text);
      token_hash_[i] = PartHash::of(text);
      token_first_[i] = text.empty() ? '\0' : text[0];
    }
  }
  return *tokens_good_;
}

Kallsyms::PartHash Kallsyms::PartHash::of(std::string_view text) {
  PartHash hash;
  for (const char c : text) {
    hash.append({static_cast<std::uint8_t>(c), kBase});
  }
  return hash;
}

std::uint32_t Kallsyms::hash_of_record(std::span<const std::byte> record) const {
  PartHash hash;
  char type = '\0';
  for (const std::byte token : record) {
    const auto i = std::to_integer<std::size_t>(token);
    type = type != '\0' ? type : token_first_[i];
    hash.append(token_hash_[i]);
  }
  // The type letter stands in front and is no part of the name.
  return hash.value - static_cast<std::uint8_t>(type) * (hash.weight * PartHash::kInverse);
}

void Kallsyms::expand(std::span<const std::byte> record, std::string& text) const {
  for (const std::byte token : record) {
    for (std::size_t at = token_at_[std::to_integer<std::size_t>(token)];
         at < tokens_.size() && tokens_[at] != std::byte{0} && text.size() < kMaxName; ++at) {
      text.push_back(static_cast<char>(tokens_[at]));
    }
  }
}

std::optional<KallsymsName> Kallsyms::name(std::uint32_t index) {
  return name_from(memory_, index);
}

std::optional<KallsymsName> Kallsyms::name_from(VirtMemory& from, std::uint32_t index) {
  if (index >= tables_.count || !load_tokens()) {
    return std::nullopt;
  }
  const auto marker =
      from.read_word(tables_.markers + std::uint64_t{index / 256} * tables_.marker_size, tables_.marker_size);
  if (!marker || *marker >= tables_.names_end - tables_.names) {
    return std::nullopt;
  }
  // Records are short: pieces of a few hundred bytes step over them without reading more pages than needed.
  GuestVirt at = tables_.names + *marker;
  std::array<std::byte, 1024> piece{};
  std::size_t have = 0;
  std::size_t used = 0;
  const auto need = [&](std::size_t bytes) {
    if (have - used >= bytes) {
      return true;
    }
    at += used;
    used = have = 0;
    if (bytes > piece.size() || at >= tables_.names_end) {
      return false;
    }
    std::size_t want = at_most(piece.size(), tables_.names_end - at);
    // Not past the page's end, unless the record itself is.
    want = at_most(want, std::max<std::uint64_t>(bytes, kXenPageSize - at.value % kXenPageSize));
    if (want < bytes || !from.read(at, std::span(piece).first(want))) {
      return false;
    }
    have = want;
    return true;
  };
  for (std::uint32_t skip = index % 256;; --skip) {
    if (!need(1)) {
      return std::nullopt;
    }
    const bool two = (piece[used] & std::byte{0x80}) != std::byte{0};
    if (two && !need(2)) {
      return std::nullopt;
    }
    const auto header = record_header(std::span(piece).subspan(used, have - used));
    if (!header || header->first == 0) {
      return std::nullopt;
    }
    if (skip == 0) {
      if (!need(header->second + header->first)) {
        return std::nullopt;
      }
      std::string text;
      expand(std::span(piece).subspan(used + header->second, header->first), text);
      if (text.size() < 2) {
        return std::nullopt;
      }
      return KallsymsName{text[0], text.substr(1)};
    }
    const std::size_t whole = header->first + header->second;
    if (have - used >= whole) {
      used += whole;
    } else {
      at += used + whole;
      used = have = 0;
    }
  }
}

std::optional<std::uint32_t> Kallsyms::last_not_above(std::uint64_t address) {
  const auto block = std::upper_bound(samples_.begin(), samples_.end(), address);
  if (block == samples_.begin()) {
    return std::nullopt;
  }
  std::uint32_t low = static_cast<std::uint32_t>(block - samples_.begin() - 1) * kSampleStep;
  std::uint32_t high = std::min(tables_.count, low + kSampleStep);  // low's address <= `address` < high's
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    const auto value = this->address(middle);
    if (!value) {
      return std::nullopt;
    }
    (*value <= address ? low : high) = middle;
  }
  return low;
}

std::optional<CodeSymbol> Kallsyms::symbol_at(GuestVirt address) {
  const auto last = last_not_above(address.value);
  if (!last) {
    return std::nullopt;
  }
  const auto start = this->address(*last);
  if (!start || *start > address.value) {
    return std::nullopt;
  }
  std::uint32_t first = *last;
  while (first > 0 && *last - first < kMaxAliases && this->address(first - 1) == start) {
    --first;
  }
  std::optional<std::uint64_t> next;
  if (*last + 1 < tables_.count) {
    next = this->address(*last + 1);
  }
  if (!next && address.value != *start) {
    return std::nullopt;  // above the last symbol
  }
  std::optional<std::string> best;
  unsigned best_merit = 0;
  for (std::uint32_t i = first; i <= *last; ++i) {
    auto candidate = name(i);
    if (!candidate || is_mapping_symbol(candidate->name)) {
      continue;
    }
    const unsigned merit = has_alias_prefix(candidate->name) ? 1 : 2;
    if (merit > best_merit) {
      best = std::move(candidate->name);
      best_merit = merit;
    }
    if (merit == 2) {
      break;
    }
  }
  if (!best) {
    return std::nullopt;
  }
  return CodeSymbol{std::move(*best), GuestVirt(*start), next && *next > *start ? *next - *start : 0, {}};
}

std::optional<GuestVirt> Kallsyms::address_of(std::string_view name) {
  auto known = asked_.find(name);
  if (known == asked_.end()) {
    known = asked_.emplace(std::string(name), find_name(name)).first;
  }
  return known->second ? std::optional(GuestVirt(*known->second)) : std::nullopt;
}

std::optional<std::uint64_t> Kallsyms::find_name(std::string_view name) {
  if (by_name_.empty()) {
    build_name_index();
  }
  if (by_name_.empty()) {
    return std::nullopt;
  }
  const std::uint32_t hash = mixed(PartHash::of(name).value);
  std::size_t slot = hash & (by_name_.size() - 1);
  for (std::size_t probes = 0; probes < kMaxProbes && by_name_[slot].index_plus_one != 0; ++probes) {
    if (by_name_[slot].hash == hash) {
      const std::uint32_t index = by_name_[slot].index_plus_one - 1;
      const auto text = name_from(search_, index);
      return text && text->name == name ? address_from(search_, index) : std::nullopt;
    }
    slot = (slot + 1) & (by_name_.size() - 1);
  }
  return std::nullopt;
}

void Kallsyms::build_name_index() {
  if (!load_tokens()) {
    return;
  }
  by_name_.assign(std::bit_ceil(std::size_t{tables_.count} * 2 + 2), Slot{0, 0});
  std::vector<std::byte> piece(kPassPiece);
  GuestVirt at = tables_.names;
  std::uint32_t index = 0;
  while (index < tables_.count && at < tables_.names_end && at - tables_.names < kMaxNames) {
    const std::size_t want = at_most(piece.size(), tables_.names_end - at);
    const std::span<const std::byte> bytes(piece.data(), want);
    read_tolerant(search_, at, std::span(piece).first(want));
    std::size_t used = 0;
    while (index < tables_.count) {
      const auto header = record_header(bytes.subspan(used));
      if (!header || header->first > bytes.size() - used - header->second) {
        break;
      }
      // The first of a name stays; a table made to collide loses names, not time.
      const std::uint32_t hash = mixed(hash_of_record(bytes.subspan(used + header->second, header->first)));
      std::size_t slot = hash & (by_name_.size() - 1);
      for (std::size_t probes = 0; probes < kMaxProbes && by_name_[slot].hash != hash; ++probes) {
        if (by_name_[slot].index_plus_one == 0) {
          by_name_[slot] = {hash, index + 1};
          break;
        }
        slot = (slot + 1) & (by_name_.size() - 1);
      }
      used += header->second + header->first;
      ++index;
    }
    if (used == 0) {
      break;  // a record that does not fit: malformed
    }
    at += used;
  }
}

std::optional<std::pair<GuestVirt, GuestVirt>> Kallsyms::range() {
  // Per-CPU symbols of x86-64 are small absolute values in front; the image is all the rest.
  const std::uint64_t floor =
      tables_.kind == KallsymsTables::Addresses::absolute_percpu ? tables_.relative_base + tables_.slide : 1;
  std::uint32_t low = 0;
  std::uint32_t high = tables_.count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const auto value = address_from(search_, middle);
    if (!value) {
      return std::nullopt;
    }
    if (*value < floor) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const auto first = address_from(search_, low);
  const auto last = address_from(search_, tables_.count - 1);
  return first && last && *first <= *last ? std::optional(std::pair{GuestVirt(*first), GuestVirt(*last)})
                                          : std::nullopt;
}

}  // namespace xstack
