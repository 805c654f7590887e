// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/decompress.h"

#include <fmt/format.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "guest/dump/scratch_file.h"

namespace xstack {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kOutputBlock = 1 << 20;
constexpr int kZstdWindowLog = 27;
constexpr std::uint64_t kXzMemory = 256ULL << 20;

bool starts_with(Bytes bytes, std::initializer_list<unsigned> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin(),
                                                    [](unsigned m, std::byte b) { return b == std::byte(m); });
}

// zlib and lzma count in their own character types.
const unsigned char* as_chars(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
unsigned char* as_chars(std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

Result<std::optional<Incomplete>> from_zstd(Bytes in, ScratchFile& out) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  if (!context) {
    return fail(Errc::io, "out of memory");
  }
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLog);
  std::vector<std::byte> block(kOutputBlock);
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  std::optional<Incomplete> incomplete;
  std::size_t left = 0;
  bool done = false;
  while (!done) {
    ZSTD_outBuffer output{block.data(), block.size(), 0};
    while (output.pos < output.size) {
      const std::size_t before_in = input.pos;
      const std::size_t before_out = output.pos;
      left = ZSTD_decompressStream(context.get(), &output, &input);
      if (ZSTD_isError(left) != 0) {
        if (ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge) {
          return fail(Errc::too_large, "compressed with a zstd window of more than 128 MiB");
        }
        incomplete = Incomplete{false, ZSTD_getErrorName(left)};
        done = true;
        break;
      }
      if (input.pos == input.size && (left == 0 || output.pos < output.size)) {
        done = true;
        break;
      }
      if (input.pos == before_in && output.pos == before_out) {
        done = true;  // no progress is possible; never met, but never endless either
        break;
      }
    }
    if (auto ok = out.append(std::span(block).first(output.pos)); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  if (!incomplete && left != 0) {
    incomplete = Incomplete{true, "the compressed data ends too early"};
  }
  return incomplete;
}

Result<std::optional<Incomplete>> from_xz(Bytes in, ScratchFile& out) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, kXzMemory, LZMA_CONCATENATED) != LZMA_OK) {
    return fail(Errc::io, "out of memory");
  }
  const std::unique_ptr<lzma_stream, decltype(&lzma_end)> owner(&stream, &lzma_end);
  stream.next_in = as_chars(in.data());
  stream.avail_in = in.size();
  std::vector<std::byte> block(kOutputBlock);
  for (;;) {
    stream.next_out = as_chars(block.data());
    stream.avail_out = block.size();
    lzma_ret ret = LZMA_OK;
    while (stream.avail_out != 0 && ret == LZMA_OK) {
      ret = lzma_code(&stream, LZMA_FINISH);
    }
    if (auto ok = out.append(std::span(block).first(block.size() - stream.avail_out)); !ok) {
      return tl::unexpected(ok.error());
    }
    switch (ret) {
      case LZMA_OK:
        continue;
      case LZMA_STREAM_END:
        return std::nullopt;
      case LZMA_BUF_ERROR:
        return Incomplete{true, "the compressed data ends too early"};
      case LZMA_MEMLIMIT_ERROR:
        return fail(Errc::too_large, "compressed with an xz dictionary that needs more than 256 MiB");
      default:
        return Incomplete{false, fmt::format("damaged xz data (error {})", static_cast<int>(ret))};
    }
  }
}

Result<std::optional<Incomplete>> from_gzip(Bytes in, ScratchFile& out) {
  z_stream stream{};
  // 16: a gzip header is expected; 15: the largest window there is.
  if (inflateInit2(&stream, 16 + 15) != Z_OK) {
    return fail(Errc::io, "out of memory");
  }
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> owner(&stream, &inflateEnd);
  std::vector<std::byte> block(kOutputBlock);
  std::size_t used = 0;
  const auto feed = [&] {
    // avail_in is 32 bits wide
    const std::size_t n = std::min<std::size_t>(in.size() - used, 1U << 30);
    stream.next_in = const_cast<unsigned char*>(as_chars(in.data() + used));
    stream.avail_in = static_cast<unsigned>(n);
    used += n;
  };
  for (;;) {
    stream.next_out = as_chars(block.data());
    stream.avail_out = static_cast<unsigned>(block.size());
    int ret = Z_OK;
    while (stream.avail_out != 0 && ret == Z_OK) {
      if (stream.avail_in == 0) {
        feed();
      }
      ret = inflate(&stream, Z_NO_FLUSH);
      const std::size_t rest = used - stream.avail_in;
      // Another member may follow; anything else behind the last one (padding) is left alone, as gzip does.
      if (ret == Z_STREAM_END && starts_with(in.subspan(rest), {0x1f, 0x8b})) {
        ret = inflateReset(&stream);
      }
    }
    if (auto ok = out.append(std::span(block).first(block.size() - stream.avail_out)); !ok) {
      return tl::unexpected(ok.error());
    }
    if (ret == Z_OK) {
      continue;
    }
    if (ret == Z_STREAM_END) {
      return std::nullopt;
    }
    if (ret == Z_BUF_ERROR) {
      return Incomplete{true, "the compressed data ends too early"};
    }
    return Incomplete{false, fmt::format("damaged gzip data ({})", stream.msg != nullptr ? stream.msg : "no reason")};
  }
}

}  // namespace

const char* to_string(Compression compression) {
  switch (compression) {
    case Compression::zstd:
      return "zstd";
    case Compression::xz:
      return "xz";
    case Compression::gzip:
      return "gzip";
  }
  return "?";
}

std::optional<Compression> detect_compression(Bytes start) {
  // RFC 8878: the magic of a frame, and the sixteen of a skippable frame, which pzstd puts first.
  if (starts_with(start, {0x28, 0xb5, 0x2f, 0xfd}) ||
      (start.size() >= 4 && (start[0] & std::byte{0xf0}) == std::byte{0x50} &&
       starts_with(start.subspan(1), {0x2a, 0x4d, 0x18}))) {
    return Compression::zstd;
  }
  if (starts_with(start, {0xfd, '7', 'z', 'X', 'Z', 0x00})) {
    return Compression::xz;
  }
  if (starts_with(start, {0x1f, 0x8b})) {
    return Compression::gzip;
  }
  return std::nullopt;
}

Result<std::optional<Incomplete>> decompress(Compression compression, Bytes in, ScratchFile& out) {
  switch (compression) {
    case Compression::zstd:
      return from_zstd(in, out);
    case Compression::xz:
      return from_xz(in, out);
    case Compression::gzip:
      return from_gzip(in, out);
  }
  return std::nullopt;
}

}  // namespace xstack
