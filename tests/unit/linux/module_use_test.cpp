// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/module_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "linux/module_list.h"
#include "tests/support/fake_memory.h"
#include "tests/support/module_builder.h"

namespace xstack {
namespace {

using test::put_word;
using testing::ElementsAre;
using testing::IsEmpty;

/// Modules 0 to 3 with the members that say who uses them: 1 and 2 use 0, 3 uses nothing and has no exit function.
class ModuleUseTest : public testing::TestWithParam<unsigned> {
 protected:
  static constexpr std::uint64_t kLists = 0x600;
  static constexpr std::uint32_t kTaints = 0x180;

  ModuleUseTest() {
    for (std::size_t i = 0; i < built_.modules.size(); ++i) {
      const GuestVirt data = built_.modules[i].data;
      empty(data + kLists);
      empty(data + kLists + 2 * word());
      put_word(memory_, data + kLists + 4 * word(), i == 3 ? 0 : built_.modules[i].text.value + 0x100, word());
      memory_.put(data + kLists + 5 * word(), static_cast<std::uint32_t>(i == 0 ? 3 : 1));
      memory_.put(data + kTaints, static_cast<std::uint32_t>(i == 2 ? 0x1000 : 0));
    }
    use(1, 0, node(0));
    use(2, 0, node(1));
  }

  [[nodiscard]] static unsigned word() { return GetParam(); }
  [[nodiscard]] GuestVirt node(std::size_t i) const {
    return GuestVirt((word() == 4 ? 0xc2000000 : 0xffff888001000000) + i * 64);
  }
  [[nodiscard]] GuestVirt lists(std::size_t i) const { return built_.modules[i].data + kLists; }
  void empty(GuestVirt head) {
    put_word(memory_, head, head.value, word());
    put_word(memory_, head + word(), head.value, word());
  }
  /// Puts `one` in front of the list at `head`.
  void link(GuestVirt one, GuestVirt head) {
    const GuestVirt next(*memory_.read_word(head, word()));
    put_word(memory_, one, next.value, word());
    put_word(memory_, one + word(), head.value, word());
    put_word(memory_, next + word(), one.value, word());
    put_word(memory_, head, one.value, word());
  }
  /// struct module_use of `source` using `target`, at `at`.
  void use(std::size_t source, std::size_t target, GuestVirt at) {
    memory_.touch(at);
    link(at, lists(target));
    link(at + 2 * word(), lists(source) + 2 * word());
    put_word(memory_, at + 4 * word(), built_.modules[source].data.value, word());
    put_word(memory_, at + 5 * word(), built_.modules[target].data.value, word());
  }
  std::vector<ModuleUse> read(std::optional<std::uint32_t> taints = std::nullopt) {
    std::vector<KernelModule> modules;
    for (const FoundModule& found : read_module_list(memory_, built_.head, word()).modules) {
      modules.push_back(found.module);
    }
    EXPECT_EQ(modules.size(), 4U);
    return read_module_use(memory_, modules, word(), taints);
  }

  test::FakeVirt memory_;
  test::BuiltModules built_ = test::build_modules(memory_, {.word_size = GetParam()}, 4);
};

INSTANTIATE_TEST_SUITE_P(WordSizes, ModuleUseTest, testing::Values(4U, 8U));

TEST_P(ModuleUseTest, IsToldByWhatTheStructuresHold) {
  const auto uses = read(kTaints);
  ASSERT_EQ(uses.size(), 4U);
  EXPECT_EQ(uses[0].references, 2U);
  ASSERT_TRUE(uses[0].users);
  EXPECT_THAT(*uses[0].users, ElementsAre("module_2", "module_1"));
  EXPECT_EQ(uses[1].references, 0U);
  ASSERT_TRUE(uses[1].users);
  EXPECT_THAT(*uses[1].users, IsEmpty());
  EXPECT_EQ(uses[3].references, 0U);
  EXPECT_EQ(uses[1].taints, 0U);
  EXPECT_EQ(uses[2].taints, 0x1000U);
}

TEST_P(ModuleUseTest, TaintsAreAbsentWhenNothingSaysWhereTheyAre) {
  EXPECT_FALSE(read()[2].taints);
  EXPECT_FALSE(read(0xffffffff)[2].taints);
}

TEST_P(ModuleUseTest, AListThatLiesMakesAllOfItAbsent) {
  // A user that is no module, a circle that leaves the head out, and memory that is not there.
  put_word(memory_, node(1) + 4 * word(), 0x1234, word());
  EXPECT_FALSE(read()[0].references);
  put_word(memory_, node(1) + 4 * word(), built_.modules[2].data.value, word());
  EXPECT_TRUE(read()[0].references);
  put_word(memory_, node(0), node(1).value, word());
  EXPECT_FALSE(read()[0].users);
  put_word(memory_, node(0), 0x10, word());
  EXPECT_FALSE(read()[0].users);
}

TEST_P(ModuleUseTest, AModuleThatIsGoingHasGivenUpItsOwnReference) {
  memory_.put(lists(3) + 5 * word(), std::uint32_t{0});
  EXPECT_FALSE(read()[3].references);
  EXPECT_EQ(read()[0].references, 2U);
}

TEST_P(ModuleUseTest, StructuresThatCannotBeReadSayNothing) {
  test::FakeVirt nothing;
  KernelModule module;
  module.structure = GuestVirt(0x1000);
  const auto uses = read_module_use(nothing, std::span(&module, 1), word(), kTaints);
  ASSERT_EQ(uses.size(), 1U);
  EXPECT_FALSE(uses[0].references);
  EXPECT_FALSE(uses[0].users);
  EXPECT_FALSE(uses[0].taints);
}

}  // namespace
}  // namespace xstack
