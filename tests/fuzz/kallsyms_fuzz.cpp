// SPDX-License-Identifier: LGPL-2.1-or-later
// kallsyms: tables of a kernel's form with bytes changed, which are located and read, and tables of any form at all,
// which are read as a capture's facts may ask for.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>

#include "base/endian.h"
#include "linux/kallsyms.h"
#include "tests/support/kallsyms_builder.h"

namespace {

using namespace xstack;

/// The tables and nothing else.
class TableMemory final : public VirtMemory {
 public:
  explicit TableMemory(const test::BuiltKallsyms& built) : begin_(built.at), bytes_(built.bytes) {}

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
    const std::uint64_t offset = at - begin_;
    if (at < begin_ || offset >= bytes_.size()) {
      return tl::unexpected(Fault{FaultKind::absent, at.value});
    }
    const std::size_t n = std::min<std::uint64_t>(out.size(), bytes_.size() - offset);
    std::memcpy(out.data(), bytes_.data() + offset, n);
    return n;
  }

 private:
  GuestVirt begin_;
  std::span<const std::byte> bytes_;
};

/// Tables of one of 128 forms. Made once each: that takes longer than to read them.
const test::BuiltKallsyms& tables_of_form(unsigned choice) {
  static std::map<unsigned, test::BuiltKallsyms> made;
  if (const auto known = made.find(choice); known != made.end()) {
    return known->second;
  }
  using Addresses = KallsymsTables::Addresses;
  test::KallsymsForm form;
  form.kind = static_cast<Addresses>(choice % 4);
  form.word_size = form.alignment = (choice & 4) != 0 ? 8 : 4;
  form.addresses_last = (choice & 8) != 0;
  form.seqs = (choice & 16) != 0;
  form.marker_size = form.count_size = (choice & 32) != 0 ? 8 : 4;
  const std::uint64_t image = form.word_size == 8 ? 0xffff800080000000 : 0xc0100000;
  form.at = image + 0x1000000 + (choice & 64) / 16;
  form.relative_base = image;
  if (form.kind == Addresses::self_relative) {
    form.alignment = 4;
  }
  return made.emplace(choice, test::build_kallsyms(form, test::some_symbols(1030, image + 0x40))).first->second;
}

void look_up(VirtMemory& memory, const KallsymsTables& tables) {
  Kallsyms kallsyms(memory, memory, tables);
  for (std::uint32_t i : {0U, 1U, 255U, 256U, 1000U, tables.count - 1}) {
    const auto name = kallsyms.name(i);
    if (name && (name->name.empty() || name->name.size() > 4096)) {
      __builtin_trap();
    }
    if (const auto address = kallsyms.address(i)) {
      const auto symbol = kallsyms.symbol_at(GuestVirt(*address));
      if (symbol && symbol->start.value > *address) {
        __builtin_trap();
      }
      static_cast<void>(kallsyms.symbol_at(GuestVirt(*address + 3)));
    }
  }
  static_cast<void>(kallsyms.address_of("symbol_3"));
  static_cast<void>(kallsyms.range());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto u32 = [&](std::uint64_t at) { return load_le_at<std::uint32_t>(bytes, at).value_or(0); };
  // The first word says which form, and whether to look for the tables, which takes long where there are none (4 MiB
  // are searched). Pairs of place and value follow, which change the finished tables.
  const std::uint32_t choice = u32(0);
  test::BuiltKallsyms built = tables_of_form(choice % 128);
  for (std::uint64_t at = 4; at + 8 <= size && at < 512; at += 8) {
    const std::uint32_t where = u32(at);
    // Half of the changes at the start of a table, where what matters is.
    const GuestVirt starts[] = {built.tables.addresses, built.tables.names - 8, built.tables.markers,
                                built.tables.token_table};
    const std::uint64_t from = (where >> 31) != 0 ? starts[where % 4] - built.at + (where >> 2) % 64 : where;
    built.bytes[from % built.bytes.size()] = static_cast<std::byte>(u32(at + 4));
  }
  TableMemory memory(built);
  const auto found = (choice & 128) == 0 ? locate_kallsyms(memory, built.digits, built.tables.word_size) : std::nullopt;
  if (found) {
    if (found->count == 0 || found->count > kMaxKallsyms || found->names_end < found->names) {
      __builtin_trap();
    }
    look_up(memory, *found);
  }
  look_up(memory, built.tables);
  static_cast<void>(find_digit_tokens(bytes));

  KallsymsTables any = built.tables;
  any.count = u32(0) % 3000 + 1;
  any.names_end = any.names + u32(4);
  any.markers = any.markers + u32(8) % 4096;
  any.token_bytes = u32(12) % 65536;
  any.addresses = any.addresses + u32(16) % 4096;
  any.marker_size = (u32(20) & 1) != 0 ? 8 : 4;
  look_up(memory, any);
  return 0;
}
