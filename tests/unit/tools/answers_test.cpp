// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/print/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/json_schema.h"

namespace xstack {
namespace {

using testing::IsEmpty;

class FakeLookUp final : public LookUp {
 public:
  unsigned word_size() const override { return 4; }
  std::vector<std::string> warnings() const override { return {}; }

 private:
  std::optional<CodeSymbol> symbol_at(GuestVirt address) override {
    if (address.value < 0x1000 || address.value >= 0x3000) {
      return std::nullopt;
    }
    return address.value < 0x2000 ? CodeSymbol{"panic", GuestVirt(0x1000), 0x40, ""}
                                  : CodeSymbol{"\x1b[m", GuestVirt(0x2000), 0, "mod"};
  }
  std::vector<SourcePlace> places_at(GuestVirt address) override {
    if (address.value >= 0x2000) {
      return {};
    }
    return {{"inner", "a.h", 1}, {"middle", "b.h", std::nullopt}, {"panic", "kernel/panic.c", 3}};
  }
  std::optional<GuestVirt> address_of(std::string_view name) override {
    return name == "panic" ? std::optional(GuestVirt(0x1000)) : std::nullopt;
  }
};

std::string text_for(std::string_view query) {
  FakeLookUp look_up;
  return answer_text(look_up.answer(query), look_up.word_size());
}

TEST(Answers, AnAddress) {
  EXPECT_EQ(text_for("0x1004"),
            "0x00001004 panic+0x4/0x40 kernel/panic.c:3, inlined middle b.h, inlined inner a.h:1\n");
  EXPECT_EQ(text_for("4100"), text_for("0x1004")) << "decimal";
  EXPECT_EQ(text_for("0x5000"), "0x00005000 (no symbol)\n");
}

TEST(Answers, ANameAsTracesHaveIt) {
  EXPECT_EQ(text_for("panic+0x4/0x40"), text_for("0x1004"));
  EXPECT_EQ(text_for("panic+4"), text_for("0x1004"));
  EXPECT_EQ(text_for("panic"), text_for("0x1000"));
  EXPECT_EQ(text_for("panic+x"), "panic+x (no such name)\n");
  EXPECT_EQ(text_for("nobody"), "nobody (no such name)\n");
}

TEST(Answers, ForeignTextIsEscaped) {
  EXPECT_EQ(text_for("0x2001"), "0x00002001 \\x1b[m+0x1 [mod]\n");
  EXPECT_EQ(text_for("\x1b"), "\\x1b (no such name)\n");
}

TEST(Answers, JsonIsAsItsSchemaSays) {
  std::ifstream in(XSTACK_SCHEMA);
  test::SchemaValidator schema(nlohmann::json::parse(in));
  FakeLookUp look_up;
  for (const char* query : {"0x1004", "panic+1", "0x2001", "0x5000", "nobody", "\xff\x1b"}) {
    const std::string line = answer_json(look_up.answer(query));
    EXPECT_EQ(line.find('\n'), line.size() - 1) << "one line";
    EXPECT_THAT(schema.errors(nlohmann::json::parse(line)), IsEmpty()) << line;
  }
  const auto json = nlohmann::json::parse(answer_json(look_up.answer("0x1004")));
  EXPECT_EQ(json["address"], "0x1004");
  EXPECT_EQ(json["offset"], "0x4");
  EXPECT_EQ(json["file"], "kernel/panic.c");
  EXPECT_EQ(json["line"], 3);
  ASSERT_EQ(json["inlined"].size(), 2U);
  EXPECT_EQ(json["inlined"][0]["symbol"], "inner");
  EXPECT_FALSE(json["inlined"][1].contains("line"));
  EXPECT_FALSE(nlohmann::json::parse(answer_json(look_up.answer("0x2001"))).contains("inlined"));
}

}  // namespace
}  // namespace xstack
