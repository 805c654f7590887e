// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace xstack::test {

/// Builds a .BTF section by hand, type by type. Ids count from 1.
class BtfBuilder {
 public:
  struct Member {
    std::string name;
    std::uint32_t type;
    std::uint32_t bits;
  };

  std::uint32_t integer(const std::string& name, std::uint32_t bytes) {
    record(name, 1U << 24, bytes);
    word(bytes * 8);
    return ++types_;
  }
  std::uint32_t pointer(std::uint32_t to) {
    record({}, 2U << 24, to);
    return ++types_;
  }
  std::uint32_t array(std::uint32_t of, std::uint32_t count) {
    record({}, 3U << 24, 0);
    word(of);
    word(of);
    word(count);
    return ++types_;
  }
  /// A structure (4) or a union (5); empty name: anonymous.
  std::uint32_t structure(const std::string& name, std::uint32_t bytes, const std::vector<Member>& members,
                          std::uint32_t kind = 4, bool bit_fields = false) {
    record(name, (kind << 24) | (bit_fields ? 1U << 31 : 0) | static_cast<std::uint32_t>(members.size()), bytes);
    for (const Member& member : members) {
      word(string(member.name));
      word(member.type);
      word(member.bits);
    }
    return ++types_;
  }
  /// typedef (8), volatile (9), const (10): anything that only points on.
  std::uint32_t alias(std::uint32_t kind, std::uint32_t to) {
    record({}, kind << 24, to);
    return ++types_;
  }
  /// A record of a kind that nobody knows, with bytes behind it.
  std::uint32_t unknown(std::uint32_t kind, std::uint32_t more) {
    record({}, kind << 24, 0);
    types_bytes_.resize(types_bytes_.size() + more);
    return ++types_;
  }

  [[nodiscard]] std::vector<std::byte> build() const {
    std::vector<std::uint8_t> all;
    const auto put = [&](std::uint32_t value) {
      for (int i = 0; i < 4; ++i) {
        all.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
      }
    };
    put(0x0001eb9f);
    put(24);
    put(0);
    put(static_cast<std::uint32_t>(types_bytes_.size()));
    put(static_cast<std::uint32_t>(types_bytes_.size()));
    put(static_cast<std::uint32_t>(strings_.size()));
    all.insert(all.end(), types_bytes_.begin(), types_bytes_.end());
    all.insert(all.end(), strings_.begin(), strings_.end());
    std::vector<std::byte> bytes(all.size());
    std::memcpy(bytes.data(), all.data(), all.size());
    return bytes;
  }

 private:
  void word(std::uint32_t value) {
    for (int i = 0; i < 4; ++i) {
      types_bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
  }
  void record(const std::string& name, std::uint32_t info, std::uint32_t size_or_type) {
    word(string(name));
    word(info);
    word(size_or_type);
  }
  std::uint32_t string(const std::string& text) {
    if (text.empty()) {
      return 0;
    }
    const auto at = static_cast<std::uint32_t>(strings_.size());
    strings_ += text + '\0';
    return at;
  }

  std::uint32_t types_ = 0;
  std::vector<std::uint8_t> types_bytes_;
  std::string strings_ = std::string(1, '\0');
};

}  // namespace xstack::test
