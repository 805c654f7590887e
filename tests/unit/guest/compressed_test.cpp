// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "guest/dump/decompress.h"
#include "guest/dump/input_file.h"
#include "guest/dump/scratch_file.h"
#include "tests/unit/guest/scratch_directory.h"

namespace xstack {
namespace {

using Buffer = std::vector<std::byte>;

/// Three megabytes of numbers, with a megabyte of zeros in the middle, and zeros at the end.
Buffer sample() {
  Buffer out(3 << 20);
  for (std::size_t i = 0; i < out.size() - 100000; ++i) {
    if (i < (1U << 20) || i >= (2U << 20)) {
      out[i] = std::byte((i * i) >> 7);
    }
  }
  return out;
}

Buffer zstd(const Buffer& in) {
  Buffer out(ZSTD_compressBound(in.size()));
  out.resize(ZSTD_compress(out.data(), out.size(), in.data(), in.size(), 3));
  return out;
}

Buffer xz(const Buffer& in) {
  Buffer out(in.size() + 65536);
  std::size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(in.data()),
                                    in.size(), reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size()),
            LZMA_OK);
  out.resize(size);
  return out;
}

Buffer gzip(Buffer in) {
  Buffer out(in.size() + 65536);
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 1, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<unsigned>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<unsigned>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class Compressed : public testing::TestWithParam<Buffer (*)(const Buffer&)> {
 protected:
  test::ScratchDirectory directory_;
};

TEST_P(Compressed, UnpacksToTheSameBytes) {
  const auto file = InputFile::open(directory_.write("file", GetParam()(sample())));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(std::ranges::equal((*file)->bytes(), sample()));
  EXPECT_TRUE((*file)->warnings().empty());
}

TEST_P(Compressed, SeveralPiecesInARow) {
  Buffer twice = GetParam()(sample());
  const Buffer again = GetParam()(Buffer{std::byte{7}});
  twice.insert(twice.end(), again.begin(), again.end());
  const auto file = InputFile::open(directory_.write("file", twice));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ((*file)->bytes().size(), sample().size() + 1);
  EXPECT_EQ((*file)->bytes().back(), std::byte{7});
}

TEST_P(Compressed, CutShortGivesWhatItHolds) {
  Buffer half = GetParam()(sample());
  half.resize(half.size() * 3 / 4);
  const auto file = InputFile::open(directory_.write("file", half));
  ASSERT_TRUE(file) << file.error().message;
  const auto bytes = (*file)->bytes();
  EXPECT_LT(bytes.size(), sample().size());
  EXPECT_GT(bytes.size(), 0U);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), sample().begin()));
  ASSERT_EQ((*file)->warnings().size(), 1U);
  EXPECT_THAT((*file)->warnings()[0], testing::HasSubstr("could be unpacked"));
}

TEST_P(Compressed, NothingIsWrittenPastTheLimit) {
  auto scratch = ScratchFile::create(1 << 20);
  ASSERT_TRUE(scratch);
  const Buffer packed = GetParam()(sample());
  const auto done = decompress(*detect_compression(packed), packed, *scratch);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::too_large);
  EXPECT_LE(scratch->size(), 1U << 20);
}

INSTANTIATE_TEST_SUITE_P(Zstd, Compressed, testing::Values(&zstd));
INSTANTIATE_TEST_SUITE_P(Xz, Compressed, testing::Values(&xz));
INSTANTIATE_TEST_SUITE_P(Gzip, Compressed, testing::Values([](const Buffer& in) { return gzip(in); }));

TEST(CompressedBombs, WindowsBeyondBoundsAreRefused) {
  // A frame header with a window of 2^31 bytes (RFC 8878, 3.1.1.1.2), and an empty last block.
  const unsigned char frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00};
  const test::ScratchDirectory directory;
  const auto file = InputFile::open(directory.write("file", std::as_bytes(std::span(frame))));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Errc::too_large);
}

}  // namespace
}  // namespace xstack
