// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/recognise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/dump/open.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using testing::HasSubstr;

Error error_of(std::string_view text) {
  const test::ScratchDirectory directory;
  const auto guest = open_dump(directory.write("file", std::as_bytes(std::span(text))));
  return guest ? Error{Errc::usage, "was read"} : guest.error();
}

TEST(OtherFiles, AreNamedInTheError) {
  EXPECT_EQ(error_of("EMiL\1\0\0\0").code, Errc::unsupported);
  EXPECT_THAT(error_of("EMiL\1\0\0\0").message, HasSubstr("LiME"));
  EXPECT_THAT(error_of("BZh9").message, HasSubstr("bzip2"));
}

TEST(OtherFiles, UnknownOnesAreBadFormat) {
  EXPECT_EQ(error_of("hello").code, Errc::bad_format);
  EXPECT_EQ(error_of("").code, Errc::truncated);
  EXPECT_EQ(error_of("\x7f"
                     "ELF")
                .code,
            Errc::truncated);
  EXPECT_EQ(error_of("\x7f"
                     "ELF\1\1\1")
                .code,
            Errc::truncated);
  EXPECT_EQ(error_of("\x7f"
                     "ELF\3\1\1")
                .code,
            Errc::bad_format);
  EXPECT_EQ(error_of("\x7f"
                     "ELF\2\2\1")
                .code,
            Errc::unsupported);
}

TEST(OtherFiles, MissingFileAndDirectory) {
  EXPECT_EQ(open_dump("/nowhere/at/all").error().code, Errc::io);
  EXPECT_THAT(open_dump("/").error().message, HasSubstr("is a directory"));
}

}  // namespace
}  // namespace xstack
