// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "linux/kallsyms.h"
#include "tests/support/fake_memory.h"
#include "tests/support/kallsyms_builder.h"

namespace xstack {
namespace {

using Addresses = KallsymsTables::Addresses;
using test::BuiltKallsyms;
using test::FakeVirt;
using test::KallsymsForm;
using test::KernelSymbol;

struct Form {
  const char* name;
  KallsymsForm form;
  std::uint64_t image = 0xffff800080000000;
};

void PrintTo(const Form& form, std::ostream* out) {
  *out << form.name;
}

KallsymsForm form64(Addresses kind, bool last, bool seqs) {
  KallsymsForm form;
  form.kind = kind;
  form.addresses_last = last;
  form.seqs = seqs;
  form.relative_base = 0xffff800080000000;
  return form;
}

KallsymsForm form32(Addresses kind, bool last, bool seqs) {
  KallsymsForm form = form64(kind, last, seqs);
  form.at = 0xc1000000;
  form.word_size = form.alignment = 4;
  form.relative_base = 0xc0100000;
  return form;
}

std::vector<Form> forms() {
  std::vector<Form> all = {
      {"Relative64", form64(Addresses::base_relative, false, false)},
      {"Relative64WithSeqs", form64(Addresses::base_relative, false, true)},
      {"Relative64Last", form64(Addresses::base_relative, true, true)},
      {"PerCpu64", form64(Addresses::absolute_percpu, false, false)},
      {"PerCpu64WithSeqs", form64(Addresses::absolute_percpu, false, true)},
      {"PerCpu64Last", form64(Addresses::absolute_percpu, true, true)},
      {"Words64", form64(Addresses::words, false, false)},
      {"Words64BigMarkers", form64(Addresses::words, false, false)},
      {"Relative64BigMarkers", form64(Addresses::base_relative, false, false)},
      {"SelfRelativeAt0", form64(Addresses::self_relative, true, true)},
      {"SelfRelativeAt4", form64(Addresses::self_relative, true, true)},
      {"Relative32", form32(Addresses::base_relative, false, false), 0xc0100000},
      {"Relative32WithSeqs", form32(Addresses::base_relative, false, true), 0xc0100000},
      {"Relative32Last", form32(Addresses::base_relative, true, true), 0xc0100000},
      {"Words32", form32(Addresses::words, false, false), 0xc0100000},
      {"Words32Last", form32(Addresses::words, true, true), 0xc0100000},
  };
  for (Form& form : all) {
    const std::string_view name = form.name;
    if (name.ends_with("BigMarkers")) {
      form.form.marker_size = form.form.count_size = 8;
    }
    if (name.starts_with("SelfRelative")) {
      form.form.alignment = 4;
      form.form.at += name.ends_with("4") ? 4 : 0;
    }
  }
  return all;
}

class KallsymsLayout : public testing::TestWithParam<Form> {
 protected:
  std::vector<KernelSymbol> symbols(std::size_t count) const {
    auto out = test::some_symbols(count, GetParam().image + 0x40);
    if (GetParam().form.kind == Addresses::absolute_percpu) {
      for (std::size_t i = 0; i < 100; ++i) {
        out[i].address = i * 0x10;
        out[i].type = 'A';
      }
    }
    // Two-byte lengths: at, above and far above what one byte says.
    for (const auto& [index, length] :
         {std::pair{300U, 127U}, {301U, 128U}, {302U, 200U}, {303U, 300U}, {304U, 511U}}) {
      if (index < out.size()) {
        out[index].name = std::string(length - 1, 'x');
      }
    }
    return out;
  }
  void put(const BuiltKallsyms& built) { memory_.put_bytes(built.at, built.bytes); }

  FakeVirt memory_;
};

TEST_P(KallsymsLayout, IsFoundAndEveryNameWithItsAddress) {
  const auto all = symbols(2000);
  const auto built = test::build_kallsyms(GetParam().form, all);
  put(built);
  const auto found = locate_kallsyms(memory_, built.digits, GetParam().form.word_size);
  ASSERT_TRUE(found);
  const KallsymsTables& want = built.tables;
  EXPECT_EQ(found->kind, want.kind);
  EXPECT_EQ(found->addresses, want.addresses);
  EXPECT_EQ(found->count, want.count);
  EXPECT_EQ(found->names, want.names);
  EXPECT_EQ(found->names_end, want.names_end);
  EXPECT_EQ(found->markers, want.markers);
  EXPECT_EQ(found->marker_size, want.marker_size);
  EXPECT_EQ(found->token_table, want.token_table);
  EXPECT_EQ(found->token_bytes, want.token_bytes);
  EXPECT_EQ(found->token_index, want.token_index);
  EXPECT_EQ(found->has_seqs, want.has_seqs);
  if (want.kind == Addresses::base_relative || want.kind == Addresses::absolute_percpu) {
    EXPECT_EQ(found->relative_base, want.relative_base);
  }
  Kallsyms kallsyms(memory_, memory_, *found);
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(kallsyms.address(i), all[i].address) << i;
    const auto name = kallsyms.name(i);
    ASSERT_TRUE(name) << i;
    ASSERT_EQ(name->name, all[i].name);
    ASSERT_EQ(name->type, all[i].type);
  }
  EXPECT_EQ(kallsyms.address_of("symbol_1999"), GuestVirt(all[1999].address));
  EXPECT_EQ(kallsyms.address_of(all[304].name), GuestVirt(all[304].address));
  EXPECT_FALSE(kallsyms.address_of("symbol_2000"));
  EXPECT_FALSE(kallsyms.address_of(""));
}

/// How many symbols the last block of 256 has must not matter, nor how the tables are padded for it.
TEST_P(KallsymsLayout, AnyNumberOfSymbols) {
  for (const std::size_t count : {1024U, 1025U, 1026U, 1027U, 1278U, 1279U, 1280U}) {
    const auto all = symbols(count);
    const auto built = test::build_kallsyms(GetParam().form, all);
    FakeVirt memory;
    memory.put_bytes(built.at, built.bytes);
    const auto found = locate_kallsyms(memory, built.digits, GetParam().form.word_size);
    ASSERT_TRUE(found) << count;
    EXPECT_EQ(found->count, count);
    EXPECT_EQ(found->addresses, built.tables.addresses);
    EXPECT_EQ(found->kind, built.tables.kind);
    EXPECT_EQ(found->names_end, built.tables.names_end);
  }
}

TEST_P(KallsymsLayout, WhatStandsBeforeItDoesNotMatter) {
  // Read-only data in front that looks like more of the table: a pointer into the image, or a small number.
  const auto built = test::build_kallsyms(GetParam().form, symbols(1500));
  for (const std::uint64_t word : {GetParam().image + 0x10, std::uint64_t{1}, ~std::uint64_t{0}}) {
    FakeVirt memory;
    memory.put_bytes(built.at, built.bytes);
    const unsigned size = GetParam().form.word_size;
    for (unsigned i = 1; i <= 4; ++i) {
      if (size == 4) {
        memory.put(built.at - 4 * i, static_cast<std::uint32_t>(word));
      } else {
        memory.put(built.at - 8 * i, word);
      }
    }
    const auto found = locate_kallsyms(memory, built.digits, size);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->addresses, built.tables.addresses) << word;
    EXPECT_EQ(found->kind, built.tables.kind);
  }
}

TEST_P(KallsymsLayout, DigitsAreFoundAtAnyAlignment) {
  const auto built = test::build_kallsyms(GetParam().form, symbols(1024));
  for (std::size_t cut = 0; cut < 16; ++cut) {
    const auto hits = find_digit_tokens(std::span(built.bytes).subspan(cut));
    ASSERT_EQ(hits.size(), 1U);
    EXPECT_EQ(built.at + cut + hits[0], built.digits);
  }
}

TEST_P(KallsymsLayout, IsNotFoundInHalf) {
  const auto built = test::build_kallsyms(GetParam().form, symbols(1500));
  const auto without = [&](GuestVirt from, std::uint64_t size, std::byte fill = std::byte{0}) {
    auto bytes = built.bytes;
    const std::uint64_t before =
        from < built.at ? built.at - from : 0;  // the count may be all that stands before names
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(from + before - built.at), size - before, fill);
    FakeVirt memory;
    memory.put_bytes(built.at, bytes);
    return locate_kallsyms(memory, built.digits, GetParam().form.word_size);
  };
  const KallsymsTables& t = built.tables;
  EXPECT_FALSE(without(t.token_index, 512));
  EXPECT_FALSE(without(t.token_table, 16, std::byte{'A'}));
  EXPECT_FALSE(without(t.markers, std::uint64_t{t.marker_count()} * t.marker_size));
  EXPECT_FALSE(without(t.names, 600));
  EXPECT_FALSE(without(t.names - 8, 8)) << "the count";
  EXPECT_FALSE(without(t.addresses, std::uint64_t{t.count} * t.element_size()));
  EXPECT_FALSE(locate_kallsyms(memory_, built.digits, GetParam().form.word_size)) << "nothing there at all";
}

INSTANTIATE_TEST_SUITE_P(Forms, KallsymsLayout, testing::ValuesIn(forms()),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace xstack
