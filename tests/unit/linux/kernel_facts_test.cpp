// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/kernel_facts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace xstack {
namespace {

using nlohmann::json;

KernelFindings findings() {
  KernelFindings all;
  KallsymsTables tables;
  tables.kind = KallsymsTables::Addresses::absolute_percpu;
  tables.addresses = GuestVirt(0xffffffff82000000);
  tables.relative_base = 0xffffffff81000000;
  tables.count = 2000;
  tables.names = GuestVirt(0xffffffff82010000);
  tables.names_end = GuestVirt(0xffffffff82020000);
  tables.markers = GuestVirt(0xffffffff82020008);
  tables.marker_size = 8;
  tables.token_table = GuestVirt(0xffffffff82030000);
  tables.token_bytes = 900;
  tables.token_index = GuestVirt(0xffffffff82030400);
  all.kallsyms = tables;
  all.samples = {0, 0xffffffff81200000};
  all.names = {{"_stext", 0xffffffff81000000}, {"nothing", std::nullopt}};
  all.text = {{GuestVirt(0xffffffff81000000), GuestVirt(0xffffffff81c00000)}};
  all.release = "6.1.0-50-amd64";
  all.banner = "Linux version 6.1.0-50-amd64 (gcc) #1";
  all.build_id = "0123456789abcdef";
  all.kaslr_offset = 0x1e200000;
  all.kaslr_derived = true;
  all.kernel_root = GuestPhys(0x2610000);
  FoundModule module;
  module.module.name = "softdog";
  module.module.structure = GuestVirt(0xffffffffc0102000);
  module.module.text_begin = GuestVirt(0xffffffffc0100000);
  module.module.text_end = GuestVirt(0xffffffffc0101000);
  module.module.init_text_begin = GuestVirt(0xffffffffc0200000);
  module.module.init_text_end = GuestVirt(0xffffffffc0201000);
  module.table = ModuleTable{GuestVirt(0xffffffffc0103000), 7, GuestVirt(0xffffffffc01030a8)};
  all.modules = {module};
  all.unwind.ehabi = {{GuestVirt(0xc0900000), 10, GuestVirt(0xc0100000), GuestVirt(0xc0800000), "m"}};
  all.unwind.orc = {{GuestVirt(1), GuestVirt(2), 3, GuestVirt(4), GuestVirt(5), ""}};
  all.unwind.orc_layout.indirect_offset_before = true;
  return all;
}

/// What is read back of `findings()` after a change of the written object.
template <class Change>
KernelFindings changed(const Change& change) {
  auto facts = write_facts(findings());
  json object = json::parse(facts.at("linux"));
  change(object);
  facts["linux"] = object.dump();
  const auto read = read_facts(facts, 8);
  EXPECT_TRUE(read);
  return read.value_or(KernelFindings{});
}

TEST(KernelFacts, ComeBackAsTheyWere) {
  const KernelFindings want = findings();
  const auto got = read_facts(write_facts(want), 8);
  ASSERT_TRUE(got);
  ASSERT_TRUE(got->kallsyms);
  EXPECT_EQ(got->kallsyms->kind, want.kallsyms->kind);
  EXPECT_EQ(got->kallsyms->addresses, want.kallsyms->addresses);
  EXPECT_EQ(got->kallsyms->relative_base, want.kallsyms->relative_base);
  EXPECT_EQ(got->kallsyms->count, want.kallsyms->count);
  EXPECT_EQ(got->kallsyms->names, want.kallsyms->names);
  EXPECT_EQ(got->kallsyms->names_end, want.kallsyms->names_end);
  EXPECT_EQ(got->kallsyms->markers, want.kallsyms->markers);
  EXPECT_EQ(got->kallsyms->marker_size, want.kallsyms->marker_size);
  EXPECT_EQ(got->kallsyms->token_table, want.kallsyms->token_table);
  EXPECT_EQ(got->kallsyms->token_bytes, want.kallsyms->token_bytes);
  EXPECT_EQ(got->kallsyms->token_index, want.kallsyms->token_index);
  EXPECT_EQ(got->kallsyms->word_size, 8U);
  EXPECT_EQ(got->samples, want.samples);
  EXPECT_EQ(got->names, want.names);
  ASSERT_EQ(got->text.size(), 1U);
  EXPECT_EQ(got->text[0].end, want.text[0].end);
  EXPECT_EQ(got->release, want.release);
  EXPECT_EQ(got->banner, want.banner);
  EXPECT_EQ(got->build_id, want.build_id);
  EXPECT_EQ(got->kaslr_offset, want.kaslr_offset);
  EXPECT_TRUE(got->kaslr_derived);
  EXPECT_EQ(got->kernel_root, want.kernel_root);
  ASSERT_EQ(got->modules.size(), 1U);
  EXPECT_EQ(got->modules[0].module.name, "softdog");
  EXPECT_EQ(got->modules[0].module.init_text_end, want.modules[0].module.init_text_end);
  EXPECT_EQ(got->modules[0].table, want.modules[0].table);
  ASSERT_EQ(got->unwind.ehabi.size(), 1U);
  EXPECT_EQ(got->unwind.ehabi[0].module, "m");
  ASSERT_EQ(got->unwind.orc.size(), 1U);
  EXPECT_EQ(got->unwind.orc[0].count, 3U);
  EXPECT_TRUE(got->unwind.orc_layout.indirect_offset_before);
}

TEST(KernelFacts, NoneAtAll) {
  EXPECT_FALSE(read_facts({}, 8));
  for (const char* text : {"", "[]", "1", "null", "{", "\"\"", "\xff", "{\"a\":\"\xff\"}"}) {
    EXPECT_FALSE(read_facts({{"linux", text}}, 8)) << text;
  }
  EXPECT_TRUE(read_facts({{"linux", "{}"}}, 8));
  EXPECT_FALSE(read_facts({{"linux", "{}" + std::string(5U << 20, ' ')}}, 8)) << "more than any capture has";
}

TEST(KernelFacts, NamesThatAreNoUtf8AreWrittenAllTheSame) {
  KernelFindings all = findings();
  all.modules[0].module.name = "soft\xff\xfe";
  EXPECT_TRUE(read_facts(write_facts(all), 8));
}

TEST(KernelFacts, EveryMemberOfAnotherTypeIsLeftOut) {
  const json object = json::parse(write_facts(findings()).at("linux"));
  for (const auto& [key, value] : object.items()) {
    for (const char* other : {"null", "true", "-1", "1.5", "\"text\"", "[]", "{}", "[[]]", "[{}]", "[1]", "[null]",
                              "{\"a\":1}", "18446744073709551615"}) {
      const auto read = changed([&, name = key](json& facts) { facts[name] = json::parse(other); });
      EXPECT_LE(read.modules.size(), 1U);
      EXPECT_LE(read.text.size(), 1U);
    }
  }
  const json& kallsyms = object.at("kallsyms");
  for (const auto& [key, value] : kallsyms.items()) {
    const auto read = changed([&, name = key](json& facts) { facts["kallsyms"][name] = "text"; });
    EXPECT_EQ(read.kallsyms.has_value(), key == "samples" || key == "asked") << key;
  }
}

TEST(KernelFacts, KallsymsThatMakeNoSense) {
  const auto with = [](const char* key, std::uint64_t value) {
    return changed([&](json& facts) { facts["kallsyms"][key] = value; }).kallsyms.has_value();
  };
  EXPECT_FALSE(with("kind", 4));
  EXPECT_FALSE(with("count", 0));
  EXPECT_FALSE(with("count", std::uint64_t{kMaxKallsyms} + 1));
  EXPECT_FALSE(with("count", std::uint64_t{1} << 32));
  EXPECT_FALSE(with("marker_size", 0));
  EXPECT_FALSE(with("marker_size", 5));
  EXPECT_FALSE(with("token_bytes", std::uint64_t{1} << 32));
  EXPECT_FALSE(with("names_bytes", std::uint64_t{1} << 40));
  EXPECT_TRUE(with("count", 1025));
}

TEST(KernelFacts, SamplesThatWouldMisleadAreReadAnew) {
  const auto samples = [](const json& value) {
    return changed([&](json& facts) { facts["kallsyms"]["samples"] = value; }).samples;
  };
  EXPECT_EQ(samples({1, 2}).size(), 2U);
  EXPECT_TRUE(samples({2, 1}).empty());
  EXPECT_TRUE(samples({1}).empty());
  EXPECT_TRUE(samples({1, 2, 3}).empty());
  EXPECT_TRUE(samples({1, "x"}).empty());
}

TEST(KernelFacts, RangesThatMakeNoSense) {
  EXPECT_TRUE(changed([](json& f) { f["text"][0]["code_end"] = 0; }).text.empty());
  EXPECT_TRUE(changed([](json& f) { f["text"][0]["code_begin"] = 0; }).text.empty()) << "larger than any kernel";
  EXPECT_TRUE(changed([](json& f) { f["modules"][0]["text_begin"] = 0; }).modules.empty());
  EXPECT_TRUE(changed([](json& f) { f["modules"][0]["name"] = ""; }).modules.empty());
  EXPECT_TRUE(changed([](json& f) { f["modules"][0]["name"] = std::string(65, 'x'); }).modules.empty());
  const auto many = changed([](json& f) { f["modules"][0]["symbols"] = std::uint64_t{1} << 21; });
  ASSERT_EQ(many.modules.size(), 1U);
  EXPECT_FALSE(many.modules[0].table);
}

TEST(KernelFacts, MoreItemsThanAnyKernelHas) {
  const auto read = changed([](json& f) { f["text"] = json::array_t(20000, f["text"][0]); });
  EXPECT_TRUE(read.text.empty());
}

TEST(KernelFacts, IdentityThatMakesNoSense) {
  EXPECT_FALSE(changed([](json& f) { f["release"] = "6.1\n"; }).release);
  EXPECT_FALSE(changed([](json& f) { f["release"] = "x"; }).release);
  EXPECT_FALSE(changed([](json& f) { f["banner"] = "Linux"; }).banner);
  EXPECT_FALSE(changed([](json& f) { f["build_id"] = "0123456789abcdeG"; }).build_id);
  EXPECT_FALSE(changed([](json& f) { f["build_id"] = ""; }).build_id);
  EXPECT_FALSE(changed([](json& f) { f.erase("kaslr_offset"); }).kaslr_derived) << "no offset was derived";
}

TEST(KernelFacts, DeepNesting) {
  const std::size_t depth = 1U << 20;
  const std::string deep = std::string(depth, '[') + std::string(depth, ']');
  for (const std::string& text : {"{\"text\":[" + deep + "]}", "{\"kallsyms\":" + deep + "}",
                                  "{\"modules\":" + deep + ",\"release\":\"6.1\"}", deep}) {
    const auto read = read_facts({{"linux", text}}, 8);
    if (read) {
      EXPECT_TRUE(read->text.empty());
      EXPECT_TRUE(read->modules.empty());
    }
  }
}

TEST(KernelFacts, AKernelInPhysicalMemoryComesBack) {
  KernelFindings all = findings();
  all.kallsyms->slide = 0x80000000;
  all.physical_begin = GuestPhys(0x1000000);
  all.physical_how = "calls";
  all.physical_offset = 0xffffffff40000000;
  const auto read = read_facts(write_facts(all), 4);  // replayed as a vCPU in 32-bit mode
  ASSERT_TRUE(read && read->kallsyms);
  EXPECT_EQ(read->kallsyms->slide, 0x80000000U);
  EXPECT_EQ(read->kallsyms->word_size, 8U);
  EXPECT_EQ(read->physical_begin, GuestPhys(0x1000000));
  EXPECT_EQ(read->physical_how, "calls");
  EXPECT_EQ(read->physical_offset, 0xffffffff40000000);
  EXPECT_EQ(read_facts(write_facts(findings()), 4)->kallsyms->word_size, 4U);
}

}  // namespace
}  // namespace xstack
