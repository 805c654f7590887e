// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/btf.h"

#include <algorithm>
#include <memory>

#include "base/checked.h"
#include "base/endian.h"

namespace xstack {
namespace {

constexpr std::uint64_t kMaxSection = 64U << 20;  // those seen have 2 to 4 MiB
constexpr std::uint32_t kMaxHeader = 4096;
constexpr std::size_t kPiece = 64U << 10;
constexpr std::uint64_t kRecord = 12;
constexpr std::uint32_t kEvery = 64;
constexpr std::uint32_t kMaxMembers = 8192;  // of one structure, with those of anonymous ones
constexpr unsigned kMaxChain = 32;           // typedefs and qualifiers before a type
constexpr unsigned kMaxArrays = 8;

enum Kind : std::uint32_t {
  kInt = 1,
  kPtr = 2,
  kArray = 3,
  kStruct = 4,
  kUnion = 5,
  kEnum = 6,
  kTypedef = 8,
  kVolatile = 9,
  kConst = 10,
  kRestrict = 11,
  kFuncProto = 13,
  kVar = 14,
  kDatasec = 15,
  kFloat = 16,
  kDeclTag = 17,
  kTypeTag = 18,
  kEnum64 = 19,
};

/// Bytes behind a record's first 12: {of its own, of each of its elements}.
std::optional<std::array<std::uint8_t, 2>> known_layout(std::uint32_t kind) {
  using Pair = std::array<std::uint8_t, 2>;
  switch (kind) {
    case kInt:
    case kVar:
    case kDeclTag:
      return Pair{4, 0};
    case kArray:
      return Pair{12, 0};
    case kStruct:
    case kUnion:
    case kDatasec:
    case kEnum64:
      return Pair{0, 12};
    case kEnum:
    case kFuncProto:
      return Pair{0, 8};
    default:
      break;
  }
  return kind >= kPtr && kind <= kTypeTag ? std::optional(Pair{0, 0}) : std::nullopt;
}

bool is_structure(std::uint32_t kind) {
  return kind == kStruct || kind == kUnion;
}

}  // namespace

bool Btf::is_header(std::span<const std::byte> bytes) {
  const auto word = [&](std::size_t i) { return load_le<std::uint32_t>(bytes.data() + i * 4); };
  return bytes.size() >= kHeaderBytes && word(0) == 0x0001eb9f && word(1) >= kHeaderBytes && word(1) <= kMaxHeader &&
         word(2) % 4 == 0 && word(3) >= kRecord && word(3) <= kMaxSection && word(4) <= kMaxSection && word(5) > 1 &&
         word(5) <= kMaxSection && word(2) <= kMaxSection;
}

std::uint64_t Btf::section_bytes(std::span<const std::byte> header) {
  return std::uint64_t{load_le<std::uint32_t>(header.data() + 12)} + load_le<std::uint32_t>(header.data() + 20);
}

std::optional<Btf> Btf::open(VirtMemory& memory, GuestVirt at, unsigned word_size,
                             std::span<const std::string_view> structures) {
  Btf btf(memory, word_size);
  if (!btf.read_header(at) || !btf.find_names(structures) || !btf.find_structures()) {
    return std::nullopt;
  }
  return btf;
}

bool Btf::read_header(GuestVirt at) {
  std::array<std::byte, 32> header{};
  if (!memory_.read(at, std::span(header).first(kHeaderBytes)) || !is_header(std::span(header).first(kHeaderBytes))) {
    return false;
  }
  const auto word = [&](std::size_t i) { return load_le<std::uint32_t>(header.data() + i * 4); };
  const GuestVirt body = at + word(1);
  types_ = body + word(2);
  types_bytes_ = word(3);
  strings_ = body + word(4);
  strings_bytes_ = word(5);
  // From 7.0 on the section may say how long each kind's records are, so that new ones can be stepped over.
  std::array<std::byte, 4 * 128> table{};
  if (word(1) >= 32 && memory_.read(at, header) && word(7) % 4 == 0 && word(7) <= table.size() &&
      memory_.read(body + word(6), std::span(table).first(word(7)))) {
    layout_kinds_ = word(7) / 4;
    for (std::size_t kind = 0; kind < layout_kinds_; ++kind) {
      layout_[kind] = {std::to_integer<std::uint8_t>(table[kind * 4]),
                       std::to_integer<std::uint8_t>(table[kind * 4 + 1])};
    }
  }
  return true;
}

bool Btf::find_names(std::span<const std::string_view> structures) {
  const auto piece = std::make_unique_for_overwrite<std::byte[]>(kPiece);
  bool inside = false;  // of a string that is longer than a piece
  for (std::uint64_t at = 0; at < strings_bytes_ && wanted_.size() < structures.size();) {
    const std::size_t n = at_most(kPiece, strings_bytes_ - at);
    if (!memory_.read(strings_ + at, std::span(piece.get(), n))) {
      return false;
    }
    const std::string_view text(reinterpret_cast<const char*>(piece.get()), n);
    std::size_t begin = 0;
    for (std::size_t end = text.find('\0'); end != std::string_view::npos; end = text.find('\0', begin)) {
      const std::string_view whole = text.substr(begin, end - begin);
      if (!inside && std::find(structures.begin(), structures.end(), whole) != structures.end()) {
        wanted_.emplace(static_cast<std::uint32_t>(at + begin), whole);
      }
      inside = false;
      begin = end + 1;
    }
    inside = inside || begin == 0;
    at += begin == 0 ? n : begin;  // the next piece begins with the string that this one cuts off
  }
  return true;
}

Btf::Type Btf::parse(std::uint64_t at, const std::byte* record) {
  const auto info = load_le<std::uint32_t>(record + 4);
  // Before 7.0 the count has 16 bits and the kind 5; the bits between were zero.
  return {at,
          info >> 24 & 0x7f,
          info & 0xffffff,
          info >> 31 != 0,
          load_le<std::uint32_t>(record),
          load_le<std::uint32_t>(record + 8)};
}

std::optional<std::uint64_t> Btf::trailing(const Type& type) const {
  auto layout = known_layout(type.kind);
  if (!layout && type.kind < layout_kinds_) {
    layout = layout_[type.kind];
  }
  return layout ? std::optional(std::uint64_t{(*layout)[0]} + std::uint64_t{(*layout)[1]} * type.count) : std::nullopt;
}

bool Btf::find_structures() {
  while (structures_.size() < wanted_.size() && !whole_) {
    if (!step_on()) {
      return false;
    }
  }
  return true;
}

/// Steps over the types in the next piece.
bool Btf::step_on() const {
  if (next_ + kRecord > types_bytes_) {
    whole_ = true;
    return true;
  }
  const std::size_t have = at_most(kPiece, types_bytes_ - next_);
  const auto piece = std::make_unique_for_overwrite<std::byte[]>(have);
  if (!memory_.read(types_ + next_, std::span(piece.get(), have))) {
    return false;
  }
  const std::uint64_t begin = next_;
  while (next_ - begin + kRecord <= have) {
    const Type type = parse(next_, piece.get() + (next_ - begin));
    if (count_ % kEvery == 0) {
      places_.push_back(static_cast<std::uint32_t>(next_));
    }
    ++count_;
    if (type.kind == kStruct && type.count > 0) {
      if (const auto wanted = wanted_.find(type.name); wanted != wanted_.end()) {
        structures_.emplace(wanted->second, next_);
      }
    }
    const auto more = trailing(type);
    if (!more) {
      whole_ = true;  // what comes after it cannot be told; what came before stands
      break;
    }
    next_ += kRecord + *more;
  }
  return true;
}

std::optional<Btf::Type> Btf::type_at(std::uint64_t offset) const {
  std::array<std::byte, kRecord> record{};
  if (offset > types_bytes_ || types_bytes_ - offset < kRecord || !memory_.read(types_ + offset, record)) {
    return std::nullopt;
  }
  return parse(offset, record.data());
}

std::optional<Btf::Type> Btf::type(std::uint32_t id) const {
  while (id > count_ && !whole_) {
    if (!step_on()) {
      return std::nullopt;
    }
  }
  if (id == 0 || id > count_) {
    return std::nullopt;
  }
  const std::uint32_t index = id - 1;
  std::uint64_t at = places_[index / kEvery];
  auto found = type_at(at);
  for (std::uint32_t i = 0; found && i < index % kEvery; ++i) {
    const auto more = trailing(*found);
    if (!more) {
      return std::nullopt;
    }
    at += kRecord + *more;
    found = type_at(at);
  }
  return found;
}

std::optional<Btf::Type> Btf::plain_type(std::uint32_t id) const {
  auto found = type(id);
  for (unsigned i = 0; found && i < kMaxChain; ++i) {
    switch (found->kind) {
      case kTypedef:
      case kVolatile:
      case kConst:
      case kRestrict:
      case kTypeTag:
        found = type(found->size_or_type);
        break;
      default:
        return found;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Btf::size_of_type(std::uint32_t id) const {
  std::uint64_t times = 1;
  for (unsigned i = 0; i < kMaxArrays; ++i) {
    const auto found = plain_type(id);
    if (!found) {
      return std::nullopt;
    }
    switch (found->kind) {
      case kPtr:
        return checked_mul<std::uint64_t>(times, word_size_);
      case kInt:
      case kStruct:
      case kUnion:
      case kEnum:
      case kFloat:
      case kEnum64:
        return checked_mul<std::uint64_t>(times, found->size_or_type);
      case kArray: {
        std::array<std::byte, 12> array{};
        if (!memory_.read(types_ + found->at + kRecord, array)) {
          return std::nullopt;
        }
        const auto more = checked_mul<std::uint64_t>(times, load_le<std::uint32_t>(array.data() + 8));
        if (!more) {
          return std::nullopt;
        }
        times = *more;
        id = load_le<std::uint32_t>(array.data());
        break;
      }
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

bool Btf::is_named(std::uint32_t name_offset, std::string_view name) const {
  if (name_offset >= strings_bytes_ || name.size() >= strings_bytes_ - name_offset) {
    return false;
  }
  const auto text = memory_.read_string(strings_ + name_offset, name.size() + 1);
  return text && *text == name;
}

std::optional<Btf::Found> Btf::find_member(const Type& structure, std::string_view name) const {
  struct Level {
    Type type;
    std::uint64_t bits;
  };
  std::vector<Level> levels{{structure, 0}};
  std::uint32_t seen = 0;
  for (std::size_t level = 0; level < levels.size(); ++level) {
    const Level here = levels[level];
    for (std::uint32_t i = 0; i < here.type.count; ++i) {
      std::array<std::byte, 12> member{};
      const std::uint64_t at = here.type.at + kRecord + std::uint64_t{i} * 12;
      if (++seen > kMaxMembers || at + 12 > types_bytes_ || !memory_.read(types_ + at, member)) {
        return std::nullopt;
      }
      const auto name_at = load_le<std::uint32_t>(member.data());
      const auto id = load_le<std::uint32_t>(member.data() + 4);
      const auto where = load_le<std::uint32_t>(member.data() + 8);
      const std::uint64_t bits = here.bits + (here.type.flag ? where & 0xffffff : where);
      if (name_at == 0) {
        if (const auto inner = plain_type(id); inner && is_structure(inner->kind)) {
          levels.push_back({*inner, bits});
        }
      } else if (is_named(name_at, name)) {
        const bool bit_field = here.type.flag && where >> 24 != 0;
        return bit_field || bits % 8 != 0 ? std::nullopt : std::optional(Found{bits, id});
      }
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Btf::size_of(std::string_view structure) const {
  const auto place = structures_.find(structure);
  const auto found = place != structures_.end() ? type_at(place->second) : std::nullopt;
  return found ? std::optional<std::uint64_t>(found->size_or_type) : std::nullopt;
}

std::optional<Btf::Member> Btf::member(std::string_view structure, std::string_view path) const {
  const auto place = structures_.find(structure);
  auto here = place != structures_.end() ? type_at(place->second) : std::nullopt;
  std::uint64_t bits = 0;
  while (here && is_structure(here->kind)) {
    const std::size_t dot = path.find('.');
    const auto found = find_member(*here, path.substr(0, dot));
    if (!found) {
      return std::nullopt;
    }
    bits += found->bits;
    if (dot == std::string_view::npos) {
      return Member{bits / 8, size_of_type(found->type)};
    }
    path.remove_prefix(dot + 1);
    here = plain_type(found->type);
  }
  return std::nullopt;
}

}  // namespace xstack
