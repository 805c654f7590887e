// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/source_path.h"

#include <gtest/gtest.h>

namespace xstack {
namespace {

TEST(SourcePath, WithoutTheDirectoryOfTheBuild) {
  EXPECT_EQ(source_path("/build/linux/drivers/tty/sysrq.c", "/build/linux"), "drivers/tty/sysrq.c");
  EXPECT_EQ(source_path("/build/linux/./a/../drivers//tty/sysrq.c", "/build/linux/"), "drivers/tty/sysrq.c");
  EXPECT_EQ(source_path("debian/build/x/kernel/fork.c", "debian/build/x"), "kernel/fork.c");
  EXPECT_EQ(source_path("kernel/fork.c", "debian/build/x"), "kernel/fork.c");
  EXPECT_EQ(source_path("kernel/fork.c", "/build/linux"), "kernel/fork.c");
}

TEST(SourcePath, OfABuildInAFolderOfItsOwn) {
  EXPECT_EQ(source_path("/src/linux-6.1/kernel/fork.c", "/src/linux-6.1/out/arm64"), "kernel/fork.c");
  EXPECT_EQ(source_path("/src/linux-6.1/out/arm64/../../kernel/fork.c", "/src/linux-6.1/out/arm64"), "kernel/fork.c");
  EXPECT_EQ(source_path("/src/linux/out/include/generated/x.h", "/src/linux/out"), "include/generated/x.h");
}

TEST(SourcePath, WhatLiesElsewhereKeepsItsName) {
  EXPECT_EQ(source_path("/usr/lib/gcc/stdarg.h", "/usr/src/linux"), "/usr/lib/gcc/stdarg.h");
  EXPECT_EQ(source_path("/a/b.c", "/c"), "/a/b.c");
  EXPECT_EQ(source_path("/a/b.c", "/"), "/a/b.c");
  EXPECT_EQ(source_path("/a/b.c", ""), "/a/b.c");
  EXPECT_EQ(source_path("../../x.c", "y"), "../../x.c");
  EXPECT_EQ(source_path("", "/a"), "");
  EXPECT_EQ(source_path("/build/linux", "/build/linux"), "/build/linux") << "never nothing at all";
}

}  // namespace
}  // namespace xstack
