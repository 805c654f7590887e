// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kallsyms.h"

#include <gtest/gtest.h>

#include "tests/support/fake_memory.h"
#include "tests/support/kallsyms_builder.h"

namespace xstack {
namespace {

using test::BuiltKallsyms;
using test::FakeVirt;
using test::KallsymsForm;
using test::KernelSymbol;

constexpr std::uint64_t kImage = 0xffff800080000000;

class KallsymsLookup : public testing::Test {
 protected:
  KallsymsLookup() : symbols_(test::some_symbols(2500, kImage + 0x100)) { form_.relative_base = kImage; }
  Kallsyms& make() {
    built_ = test::build_kallsyms(form_, symbols_);
    return make_of_built();
  }
  Kallsyms& make_of_built() {
    memory_.put_bytes(built_.at, built_.bytes);
    return kallsyms_.emplace(memory_, memory_, built_.tables);
  }
  std::string name_at(std::uint64_t address) {
    const auto symbol = kallsyms_->symbol_at(GuestVirt(address));
    return symbol ? symbol->name : "";
  }

  std::vector<KernelSymbol> symbols_;
  KallsymsForm form_;
  BuiltKallsyms built_;
  FakeVirt memory_;
  std::optional<Kallsyms> kallsyms_;
};

TEST_F(KallsymsLookup, EverySymbolCoversWhatFollowsIt) {
  Kallsyms& kallsyms = make();
  for (std::size_t i = 0; i + 1 < symbols_.size(); ++i) {
    if (i > 0 && symbols_[i].address == symbols_[i - 1].address) {
      continue;
    }
    std::size_t next = i + 1;
    while (next < symbols_.size() && symbols_[next].address == symbols_[i].address) {
      ++next;
    }
    if (next == symbols_.size()) {
      break;
    }
    for (const std::uint64_t at : {symbols_[i].address, symbols_[next].address - 1}) {
      const auto symbol = kallsyms.symbol_at(GuestVirt(at));
      ASSERT_TRUE(symbol) << i;
      ASSERT_EQ(symbol->name, symbols_[i].name) << "the first of several at one address";
      ASSERT_EQ(symbol->start.value, symbols_[i].address);
      ASSERT_EQ(symbol->size, symbols_[next].address - symbols_[i].address);
      ASSERT_EQ(symbol->module, "");
    }
  }
}

TEST_F(KallsymsLookup, NothingBelowTheFirstAndAboveTheLast) {
  make();
  EXPECT_EQ(name_at(symbols_.front().address), symbols_.front().name);
  EXPECT_EQ(name_at(symbols_.front().address - 1), "");
  EXPECT_EQ(name_at(0), "");
  EXPECT_EQ(name_at(symbols_.back().address), symbols_.back().name);
  EXPECT_EQ(name_at(symbols_.back().address + 1), "");
  EXPECT_EQ(name_at(~std::uint64_t{0}), "");
}

TEST_F(KallsymsLookup, AliasesAndMappingSymbolsGiveWay) {
  const std::uint64_t at = symbols_[1000].address + 8;
  symbols_.insert(symbols_.begin() + 1001, {{at, 't', "$x"},
                                            {at, 't', "__cfi_real"},
                                            {at, 't', "real"},
                                            {at, 'T', "second"},
                                            {at + 8, 't', "__pi_only"},
                                            {at + 16, 't', "$d.7"}});
  Kallsyms& kallsyms = make();
  EXPECT_EQ(name_at(at + 4), "real");
  EXPECT_EQ(name_at(at + 9), "__pi_only") << "an alias is better than nothing";
  EXPECT_EQ(name_at(at + 17), "") << "what follows a mapping symbol is data or padding";
  EXPECT_EQ(kallsyms.address_of("second"), GuestVirt(at)) << "a name is found whichever is shown";
}

TEST_F(KallsymsLookup, OfANameThatComesTwiceTheFirst) {
  symbols_[700].name = symbols_[1400].name = "twice";
  EXPECT_EQ(make().address_of("twice"), GuestVirt(symbols_[700].address));
}

TEST_F(KallsymsLookup, AnswersAreKeptForAReplay) {
  Kallsyms& kallsyms = make();
  EXPECT_TRUE(kallsyms.address_of("symbol_1"));
  EXPECT_FALSE(kallsyms.address_of("nothing"));
  FakeVirt none;
  Kallsyms replayed(none, none, kallsyms.tables(), kallsyms.samples(),
                    {kallsyms.asked().begin(), kallsyms.asked().end()});
  EXPECT_EQ(replayed.address_of("symbol_1"), GuestVirt(symbols_[1].address));
  EXPECT_FALSE(replayed.address_of("nothing"));
  EXPECT_FALSE(replayed.address_of("symbol_2"));
  EXPECT_FALSE(replayed.symbol_at(GuestVirt(symbols_[5].address)));
}

TEST_F(KallsymsLookup, ALookUpReadsFewPages) {
  Kallsyms& kallsyms = make();
  const std::size_t before = memory_.reads;
  EXPECT_TRUE(kallsyms.symbol_at(GuestVirt(symbols_[2000].address)));
  EXPECT_LT(memory_.reads - before, 64U);
}

TEST_F(KallsymsLookup, TheRangeOfTheImage) {
  const auto range = make().range();
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first.value, symbols_.front().address);
  EXPECT_EQ(range->second.value, symbols_.back().address);
}

TEST_F(KallsymsLookup, TheRangeIsWithoutPerCpuSymbols) {
  for (std::size_t i = 0; i < 50; ++i) {
    symbols_[i].address = i * 8;
  }
  form_.kind = KallsymsTables::Addresses::absolute_percpu;
  const auto range = make().range();
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first.value, symbols_[50].address);
}

TEST_F(KallsymsLookup, AMarkerBeyondTheNamesLosesItsBlockAlone) {
  make();
  built_.byte_at(built_.tables.markers + 4 * 2 + 3) = std::byte{0x7f};
  make_of_built();
  EXPECT_FALSE(kallsyms_->name(512));
  EXPECT_FALSE(kallsyms_->name(767));
  EXPECT_TRUE(kallsyms_->name(511));
  EXPECT_TRUE(kallsyms_->name(768));
  EXPECT_EQ(name_at(symbols_[600].address), "");
}

TEST_F(KallsymsLookup, AnEmptyRecordEndsItsBlock) {
  make();
  built_.byte_at(built_.tables.names + built_.records[300]) = std::byte{0};
  make_of_built();
  EXPECT_TRUE(kallsyms_->name(299));
  EXPECT_FALSE(kallsyms_->name(300));
  EXPECT_FALSE(kallsyms_->name(301));
  EXPECT_TRUE(kallsyms_->name(512));
  EXPECT_EQ(kallsyms_->address_of("symbol_1"), GuestVirt(symbols_[1].address));
}

TEST_F(KallsymsLookup, ARecordLongerThanTheNamesIsNone) {
  make();
  const std::uint64_t last = built_.records.back();
  built_.byte_at(built_.tables.names + last) = std::byte{0x7f};
  make_of_built();
  EXPECT_FALSE(kallsyms_->name(static_cast<std::uint32_t>(symbols_.size() - 1)));
  EXPECT_FALSE(kallsyms_->address_of(symbols_.back().name));
  EXPECT_TRUE(kallsyms_->name(static_cast<std::uint32_t>(symbols_.size() - 2)));
}

TEST_F(KallsymsLookup, ATokenOutOfTheTableIsEmptyText) {
  make();
  const GuestVirt entry = built_.tables.token_index + 2 * '7';
  built_.byte_at(entry) = built_.byte_at(entry + 1) = std::byte{0xff};
  EXPECT_FALSE(locate_kallsyms((memory_.put_bytes(built_.at, built_.bytes), memory_), built_.digits, 8))
      << "such a table is not even taken for one";
  make_of_built();
  EXPECT_EQ(kallsyms_->name(1)->name, "symbol_1");
  EXPECT_EQ(kallsyms_->name(17)->name, "symbol_1") << "symbol_17 without its last token";
}

TEST_F(KallsymsLookup, ATokenWithoutEndIsBounded) {
  make();
  // Every NUL of the token table gone: each token is all that follows it.
  for (std::uint32_t i = 0; i < built_.tables.token_bytes; ++i) {
    std::byte& byte = built_.byte_at(built_.tables.token_table + i);
    byte = byte == std::byte{0} ? std::byte{'n'} : byte;
  }
  make_of_built();
  const auto name = kallsyms_->name(3);
  ASSERT_TRUE(name);
  EXPECT_LE(name->name.size(), 4096U);
  EXPECT_FALSE(kallsyms_->address_of("symbol_3"));
}

TEST_F(KallsymsLookup, MoreSymbolsThanThereAre) {
  make();
  built_.tables.count = kMaxKallsyms;
  make_of_built();
  EXPECT_FALSE(kallsyms_->name(kMaxKallsyms - 1));
  EXPECT_FALSE(kallsyms_->name(kMaxKallsyms));
  EXPECT_FALSE(kallsyms_->address(kMaxKallsyms));
  EXPECT_EQ(name_at(symbols_[10].address), symbols_[10].name);
  EXPECT_FALSE(kallsyms_->address_of("nothing"));
  EXPECT_FALSE(kallsyms_->range()) << "the last of them cannot be read";
}

TEST_F(KallsymsLookup, NamesThatEndBeforeTheyBegin) {
  make();
  built_.tables.names_end = built_.tables.names;
  make_of_built();
  EXPECT_FALSE(kallsyms_->name(0));
  EXPECT_FALSE(kallsyms_->address_of("symbol_1"));
  EXPECT_EQ(name_at(symbols_[10].address), "");
}

TEST_F(KallsymsLookup, AddressesInDisorderGiveNoWrongStart) {
  make();
  for (std::uint32_t i = 0; i < built_.tables.count; i += 3) {
    built_.byte_at(built_.tables.addresses + std::uint64_t{4} * i + 2) ^= std::byte{0x55};
  }
  make_of_built();
  for (std::uint64_t at = kImage; at < symbols_.back().address; at += 0x333) {
    const auto symbol = kallsyms_->symbol_at(GuestVirt(at));
    if (symbol) {
      EXPECT_LE(symbol->start.value, at);
    }
  }
}

TEST_F(KallsymsLookup, UnreadableTablesAreNoSymbols) {
  built_ = test::build_kallsyms(form_, symbols_);
  Kallsyms& kallsyms = kallsyms_.emplace(memory_, memory_, built_.tables);
  EXPECT_FALSE(kallsyms.name(0));
  EXPECT_FALSE(kallsyms.address(0));
  EXPECT_FALSE(kallsyms.symbol_at(GuestVirt(symbols_[10].address)));
  EXPECT_FALSE(kallsyms.address_of("symbol_1"));
  EXPECT_FALSE(kallsyms.range());
}

/// Tables that say as much as such tables can: every name has 512 tokens, and every token 15 characters.
class LongNames final : public VirtMemory {
 public:
  static constexpr std::uint64_t kNames = kImage;
  static constexpr std::uint64_t kTokens = kImage + (std::uint64_t{128} << 20);
  static constexpr std::uint64_t kIndex = kTokens + 4096;
  static constexpr std::uint64_t kRecord = 2 + 512;

  [[nodiscard]] tl::expected<std::size_t, Fault> read_some(GuestVirt at, std::span<std::byte> out) override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = byte_at(at.value + i);
    }
    names_read += at.value < kTokens ? out.size() : 0;
    return out.size();
  }
  std::uint64_t names_read = 0;

 private:
  static std::byte byte_at(std::uint64_t at) {
    if (at >= kIndex) {
      const std::uint64_t offset = at - kIndex;
      return static_cast<std::byte>(offset / 2 * 16 >> (offset % 2 * 8));
    }
    if (at >= kTokens) {
      return at % 16 == 15 ? std::byte{0} : std::byte{'y'};
    }
    const std::uint64_t offset = (at - kNames) % kRecord;
    return offset == 0 ? std::byte{0x80} : offset == 1 ? std::byte{512 >> 7} : std::byte{'x'};
  }
};

TEST(KallsymsBounds, NamesThatExpandBeyondAllBoundsAreReadInPart) {
  LongNames memory;
  KallsymsTables tables;
  tables.kind = KallsymsTables::Addresses::base_relative;
  tables.addresses = GuestVirt(kImage);
  tables.count = kMaxKallsyms;
  tables.names = GuestVirt(LongNames::kNames);
  tables.names_end = GuestVirt(LongNames::kNames) + (std::uint64_t{64} << 20);
  tables.markers = GuestVirt(LongNames::kNames);
  tables.marker_size = 4;
  tables.token_table = GuestVirt(LongNames::kTokens);
  tables.token_bytes = 4096;
  tables.token_index = GuestVirt(LongNames::kIndex);
  Kallsyms kallsyms(memory, memory, tables, std::vector<std::uint64_t>((kMaxKallsyms + 1023) / 1024));
  EXPECT_FALSE(kallsyms.address_of("nothing"));
  // 32 MiB of names: not all that the table could have.
  EXPECT_LT(memory.names_read, std::uint64_t{36} << 20);
  EXPECT_GT(memory.names_read, std::uint64_t{16} << 20);
  const std::uint64_t before = memory.names_read;
  EXPECT_FALSE(kallsyms.address_of("nor this"));
  EXPECT_LT(memory.names_read - before, std::uint64_t{1} << 20) << "read once";
}

TEST_F(KallsymsLookup, ASlideMovesTheImageAndNotTheAbsoluteSymbols) {
  make();
  const auto before = kallsyms_->address(100);
  built_.tables.slide = 0x80000000;
  make_of_built();
  ASSERT_TRUE(before);
  EXPECT_EQ(kallsyms_->address(100), *before + 0x80000000);
  EXPECT_EQ(name_at(*before + 0x80000000), symbols_[100].name);
  KallsymsTables percpu;
  percpu.kind = KallsymsTables::Addresses::absolute_percpu;
  percpu.relative_base = 0xffffffff81000000;
  percpu.slide = 0x80000000;
  EXPECT_EQ(percpu.resolve(0, 0x1fb80), 0x1fb80U);
  EXPECT_EQ(percpu.resolve(0, 0xffffffff), 0x1000000U);
}

}  // namespace
}  // namespace xstack
