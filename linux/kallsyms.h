// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guest/memory.h"
#include "linux/kallsyms_tables.h"
#include "symbols/symbol_source.h"

namespace xstack {

/// A name as kallsyms has it: the nm type letter and the symbol's bare name.
struct KallsymsName {
  char type = 0;
  std::string name;
};

/// The kernel's own symbols, decoded from its memory as they are asked for: an address costs one page of the address
/// table and one or two of names. A name costs one pass over all names the first time that any name is asked for.
class Kallsyms final : public SymbolSource {
 public:
  /// `memory` keeps what is read (it is small and what a replay needs), `search` serves passes over everything. Both
  /// must outlive this. `samples` are the addresses of every 1024th symbol; empty: they are read now, through `search`.
  /// `names`: what address_of() has answered before, for a replay that lacks most of the names.
  Kallsyms(VirtMemory& memory, VirtMemory& search, const KallsymsTables& tables,
           std::vector<std::uint64_t> samples = {},
           std::map<std::string, std::optional<std::uint64_t>, std::less<>> names = {});

  [[nodiscard]] std::string describe() const override { return "kallsyms"; }

  /// Of several symbols at one address the first in the table's own order, which the kernel's build sorted by merit
  /// (scripts/kallsyms.c, compare_symbols) and which its own traces print; but no mapping symbol, and no __cfi_, __pfx_
  /// or __pi_ alias when there is another.
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(GuestVirt address) override;
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view name) override;

  /// Symbol `index` in address order. Nothing when it could not be read or is malformed.
  [[nodiscard]] std::optional<std::uint64_t> address(std::uint32_t index);
  [[nodiscard]] std::optional<KallsymsName> name(std::uint32_t index);

  [[nodiscard]] const KallsymsTables& tables() const { return tables_; }
  [[nodiscard]] const std::vector<std::uint64_t>& samples() const { return samples_; }
  /// Every answer of address_of() so far, "no such symbol" included.
  [[nodiscard]] const std::map<std::string, std::optional<std::uint64_t>, std::less<>>& asked() const { return asked_; }
  /// The lowest and highest address of a symbol that is not an absolute (per-CPU) one.
  [[nodiscard]] std::optional<std::pair<GuestVirt, GuestVirt>> range();

 private:
  struct Slot {
    std::uint32_t hash;
    std::uint32_t index_plus_one;  ///< 0: free
  };
  /// A hash that is put together from those of parts, so that a name's comes from its tokens' and the name need not be
  /// written out: the text as the digits of a number, modulo 2^32.
  struct PartHash {
    static constexpr std::uint32_t kBase = 0x9e3779b1U;
    static constexpr std::uint32_t kInverse = 0x0e8b2f51U;  ///< kBase * kInverse = 1

    std::uint32_t value = 0;
    std::uint32_t weight = 1;  ///< kBase to the power of its length

    [[nodiscard]] static PartHash of(std::string_view text);
    void append(PartHash next) {
      value = value * next.weight + next.value;
      weight *= next.weight;
    }
  };

  [[nodiscard]] std::optional<std::uint64_t> address_from(VirtMemory& from, std::uint32_t index) const;
  [[nodiscard]] std::optional<KallsymsName> name_from(VirtMemory& from, std::uint32_t index);
  [[nodiscard]] bool load_tokens();
  /// Appends the text of the record at `record` (token numbers).
  void expand(std::span<const std::byte> record, std::string& text) const;
  /// Of the name in a record (token numbers), without its type letter.
  [[nodiscard]] std::uint32_t hash_of_record(std::span<const std::byte> record) const;
  void build_name_index();
  [[nodiscard]] std::optional<std::uint64_t> find_name(std::string_view name);
  [[nodiscard]] std::optional<std::uint32_t> last_not_above(std::uint64_t address);

  VirtMemory& memory_;
  VirtMemory& search_;
  KallsymsTables tables_;
  std::vector<std::uint64_t> samples_;
  std::vector<std::byte> tokens_;
  std::array<std::uint16_t, 256> token_at_{};
  std::array<PartHash, 256> token_hash_{};
  std::array<char, 256> token_first_{};  ///< NUL for an empty token
  std::optional<bool> tokens_good_;
  std::vector<Slot> by_name_;
  std::map<std::string, std::optional<std::uint64_t>, std::less<>> asked_;
};

}  // namespace xstack
