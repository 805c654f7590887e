// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/memory.h"

namespace xstack {

/// The types that a kernel carries about itself (section .BTF; include/uapi/linux/btf.h, Linux 4.18 on), read in place:
/// of its few MiB only the places of the structures asked for are kept. Everything in it is checked: an offset, a count
/// or a chain of types that cannot be makes the one answer absent that needed it.
class Btf {
 public:
  /// Opens the section whose header is at `at` and looks for the `structures` of these names, in one pass over names
  /// and one over types, of which each ends where the last of them was found. `memory` must outlive the result and is
  /// best one that keeps nothing. Nothing when there is no sane header, or part of what was looked at is not there.
  [[nodiscard]] static std::optional<Btf> open(VirtMemory& memory, GuestVirt at, unsigned word_size,
                                               std::span<const std::string_view> structures);

  /// Could a section begin here? Looks at the header alone.
  [[nodiscard]] static bool is_header(std::span<const std::byte> bytes);
  static constexpr std::size_t kHeaderBytes = 24;
  /// Bytes of types and names behind a header that is one.
  [[nodiscard]] static std::uint64_t section_bytes(std::span<const std::byte> header);

  /// Bytes of a structure; nothing when there is none of that name.
  [[nodiscard]] std::optional<std::uint64_t> size_of(std::string_view structure) const;

  struct Member {
    std::uint64_t offset = 0;           ///< bytes from the structure's start
    std::optional<std::uint64_t> size;  ///< bytes, when the type says so
  };
  /// A member, or one of a member that is itself a structure: "thread.cpu_context". Members of anonymous structures and
  /// unions are found by their own name. Nothing when there is none, or it is a bit field.
  [[nodiscard]] std::optional<Member> member(std::string_view structure, std::string_view path) const;

 private:
  struct Type {
    std::uint64_t at = 0;  ///< offset in the type section
    std::uint32_t kind = 0;
    std::uint32_t count = 0;
    bool flag = false;
    std::uint32_t name = 0;
    std::uint32_t size_or_type = 0;
  };
  Btf(VirtMemory& memory, unsigned word_size) : memory_(memory), word_size_(word_size) {}

  bool read_header(GuestVirt at);
  bool find_names(std::span<const std::string_view> structures);
  bool find_structures();
  bool step_on() const;
  [[nodiscard]] static Type parse(std::uint64_t at, const std::byte* record);
  /// Bytes behind the record's first 12; nothing for a kind that nobody knows.
  [[nodiscard]] std::optional<std::uint64_t> trailing(const Type& type) const;
  [[nodiscard]] std::optional<Type> type_at(std::uint64_t offset) const;
  [[nodiscard]] std::optional<Type> type(std::uint32_t id) const;
  /// The type behind typedefs and qualifiers.
  [[nodiscard]] std::optional<Type> plain_type(std::uint32_t id) const;
  [[nodiscard]] std::optional<std::uint64_t> size_of_type(std::uint32_t id) const;
  /// One member by name: its offset in bits and its type.
  struct Found {
    std::uint64_t bits = 0;
    std::uint32_t type = 0;
  };
  [[nodiscard]] std::optional<Found> find_member(const Type& structure, std::string_view name) const;
  [[nodiscard]] bool is_named(std::uint32_t name_offset, std::string_view name) const;

  VirtMemory& memory_;
  unsigned word_size_;
  GuestVirt types_;
  std::uint64_t types_bytes_ = 0;
  GuestVirt strings_;
  std::uint64_t strings_bytes_ = 0;
  std::array<std::array<std::uint8_t, 2>, 128>
      layout_{};  ///< of kinds, by the section's own word (7.0 on): {own, each}
  std::uint32_t layout_kinds_ = 0;
  std::map<std::uint32_t, std::string> wanted_;  ///< offset of a name to the name
  // What is known of the types grows as they are asked for: theirs is most of a section of a few MiB.
  mutable std::map<std::string, std::uint64_t, std::less<>> structures_;  ///< name to offset of its type
  mutable std::vector<std::uint32_t> places_;                             ///< offset of every kEvery-th type
  mutable std::uint32_t count_ = 0;                                       ///< types stepped over
  mutable std::uint64_t next_ = 0;                                        ///< offset of the one after them
  mutable bool whole_ = false;                                            ///< there are no more
};

}  // namespace xstack
