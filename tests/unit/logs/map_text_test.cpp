// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/map_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <string>

#include "symbols/symbol_file.h"

namespace xstack {
namespace {

using logs::MapText;

std::optional<MapText> read(const std::string& text) {
  auto kept = std::make_shared<const std::string>(text);
  const std::string_view view = *kept;
  return MapText::read(view, std::move(kept));
}

std::string text_of(const std::optional<CodeSymbol>& symbol) {
  return symbol ? fmt::format("{:x} {} {:x} [{}]", symbol->start.value, symbol->name, symbol->size, symbol->module)
                : "nothing";
}

TEST(MapText, SaysWhatATableOfTheSameTextSays) {
  std::mt19937 random(11);
  for (const unsigned digits : {8U, 16U}) {
    for (int round = 0; round < 100; ++round) {
      std::string text;
      std::uint64_t address = digits == 8 ? 0xc0000000 : 0xffff8000fffffe00 - (random() % 4) * 0x80000000;
      const std::uint64_t first = address;
      const int count = 1 + static_cast<int>(random() % 60);
      for (int i = 0; i < count; ++i) {
        static constexpr std::string_view kTypes = "TtWwAaDd";
        static constexpr std::array kStems = {"f", "__f", "__pfx_f", "__start_f", "twin", "x"};
        text += fmt::format("{:0{}x} {} {}{}\n", address, digits, kTypes[random() % kTypes.size()],
                            kStems[random() % kStems.size()], random() % 5);
        address += random() % 3 == 0 ? 0 : random() % 0x40;
        address += random() % 20 == 0 && digits == 16 ? 0x40000000 : 0;
      }
      const auto map = read(text);
      const auto table = parse_symbol_text(text);
      ASSERT_TRUE(map && table) << text;
      for (std::uint64_t at = first - 2; at < first + 0x800; ++at) {
        ASSERT_EQ(text_of(map->symbol_at(at)), text_of(table->symbol_at(at))) << text << at;
      }
      EXPECT_EQ(text_of(map->symbol_at(address + 9)), text_of(table->symbol_at(address + 9)));
      static constexpr std::array<std::string_view, 4> kNames = {"twin1", "absent", "__f2", "x"};
      const auto found = map->addresses_of(kNames);
      for (std::size_t i = 0; i < kNames.size(); ++i) {
        EXPECT_EQ(found[i], table->address_of(kNames[i])) << text << kNames[i];
      }
      std::string mine;
      std::string theirs;
      const auto row = [](std::string& out) {
        return [&out](std::string_view name, std::uint64_t where, std::uint64_t size) {
          out += fmt::format("{} {:x} {}\n", name, where, size);
        };
      };
      map->for_each(row(mine));
      table->for_each(row(theirs));
      EXPECT_EQ(mine, theirs);
    }
  }
}

TEST(MapText, OnlyANameThatOneSymbolHas) {
  const auto map = read("c0000000 T _stext\nc0001000 t init\nc0002000 t init\nc0003000 t last\n");
  ASSERT_TRUE(map);
  EXPECT_EQ(map->only_address_of("last"), 0xc0003000U);
  EXPECT_FALSE(map->only_address_of("init"));
  EXPECT_FALSE(map->only_address_of("las"));
}

TEST(MapText, KeepsItsText) {
  auto text = std::make_shared<const std::string>("c0000000 T _stext\n");
  const std::weak_ptr<const std::string> watch = text;
  const std::string_view view = *text;
  auto map = MapText::read(view, std::move(text));
  EXPECT_FALSE(watch.expired());
  const MapText moved = std::move(*map);
  map.reset();
  EXPECT_EQ(text_of(moved.symbol_at(0xc0000000)), "c0000000 _stext 0 []");
}

TEST(MapText, IsNotWhatHasAnotherForm) {
  const std::string good = "ffffffff81000000 T a\nffffffff81000010 t b\n";
  ASSERT_TRUE(read(good));
  for (const char* line :
       {"ffffffff81000020 t c\t[mod]\n", "ffffffff81000020 t c [mod]\n", "ffffffff81000020 t c\r\n", "\n",
        "ffffffff81000008 t back\n", "fffffffe81000018 t back\n", "ffffffff8100002 t short\n", "ffffffff8100002g t c\n",
        "gfffffff81000020 t c\n", "ffffffff81000020 ? c\n", "ffffffff81000020 t \n", "ffffffff81000020_t c\n",
        "ffffffff81000020 tt c\n", "ffffffff81000020 t $d\n", "ffffffff81000020 t .L4\n", "81000020 t c\n", "prose\n",
        "ffffffff81000020 t c"}) {
    EXPECT_FALSE(read(good + line)) << line;
  }
  EXPECT_FALSE(read(good + "ffffffff81000020 t " + std::string(4097, 'x') + "\n"));
  EXPECT_TRUE(read(good + "ffffffff81000020 t " + std::string(4096, 'x') + "\n"));
  for (const char* text : {"", "\n", " \n", "c0000000\n", "c0000000 \n", "c0000000 t\n", "00000000 T zero\n",
                           "c00000 T six\n", "c0000000 T The real System.map is elsewhere\n"}) {
    EXPECT_FALSE(read(text)) << text;
  }
}

}  // namespace
}  // namespace xstack
