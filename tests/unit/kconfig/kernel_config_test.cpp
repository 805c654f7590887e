// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kconfig/kernel_config.h"

#include <gtest/gtest.h>

#include <string>

namespace xstack {
namespace {

constexpr const char* kHead =
    "#\n# Automatically generated file; DO NOT EDIT.\n# Linux/arm 6.1.192 Kernel Configuration\n#\n";

TEST(KernelConfig, SaysWhatItsLinesSay) {
  const auto config = KernelConfig::parse(std::string(kHead) +
                                          "CONFIG_XEN=y\r\nCONFIG_XENFS=m\n# CONFIG_CPU_V6 is not set\n"
                                          "CONFIG_PANIC_TIMEOUT=-5\nCONFIG_CMDLINE=\"a \\\"b\\\" c\"\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->value("XEN"), "y");
  EXPECT_EQ(config->value("XENFS"), "m");
  EXPECT_EQ(config->value("CPU_V6"), "n");
  EXPECT_EQ(config->value("PANIC_TIMEOUT"), "-5");
  EXPECT_EQ(config->value("CMDLINE"), "a \"b\" c");
  EXPECT_EQ(config->value("NO_SUCH"), "n") << "a complete configuration has all that is on";
  EXPECT_EQ(config->arch(), ConfigArch::arm);
  EXPECT_EQ(config->version(), "6.1.192");
  EXPECT_EQ(config->age(), 6001U);
}

TEST(KernelConfig, ADefconfigLeavesTheRestOpen) {
  const auto config = KernelConfig::parse("CONFIG_ARM64=y\nCONFIG_XEN=y\n");
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->complete());
  EXPECT_EQ(config->value("HVC_XEN"), std::nullopt);
  EXPECT_EQ(config->arch(), ConfigArch::arm64);
  EXPECT_EQ(config->age(), std::nullopt);
}

TEST(KernelConfig, TheLastLineCounts) {
  const auto config = KernelConfig::parse("CONFIG_XEN=y\n# CONFIG_XEN is not set\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->value("XEN"), "n");
}

TEST(KernelConfig, OtherFormsOfTheHeadLine) {
  const auto x86 = KernelConfig::parse("# Linux/x86_64 4.14.0-rc3 Kernel Configuration\nCONFIG_XEN=y");
  ASSERT_TRUE(x86);
  EXPECT_EQ(x86->arch(), ConfigArch::x86);
  EXPECT_EQ(x86->age(), 4014U);
  const auto odd = KernelConfig::parse("# Linux/mips 9.\x1b[2J Kernel Configuration\nCONFIG_XEN=y");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->arch(), std::nullopt);
  EXPECT_EQ(odd->version(), std::nullopt);
}

TEST(KernelConfig, WhatIsNoneIsRefused) {
  EXPECT_EQ(KernelConfig::parse("").error().code, Errc::bad_format);
  EXPECT_EQ(KernelConfig::parse("hello\nworld\n").error().code, Errc::bad_format);
  EXPECT_EQ(KernelConfig::parse("CONFIG_=y\nCONFIG_A B=y\nXEN=y\n").error().code, Errc::bad_format);
  EXPECT_EQ(KernelConfig::parse(std::string("CONFIG_XEN=y\n\0", 14)).error().code, Errc::bad_format);
  EXPECT_EQ(KernelConfig::parse(std::string(KernelConfig::kMaxText + 1, '\n')).error().code, Errc::too_large);
  std::string many;
  for (int i = 0; i < 140000; ++i) {
    many += "CONFIG_A" + std::to_string(i) + "=y\n";
  }
  EXPECT_EQ(KernelConfig::parse(many).error().code, Errc::too_large);
}

}  // namespace
}  // namespace xstack
