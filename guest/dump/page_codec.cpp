// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest/dump/page_codec.h"

#include <zlib.h>
#include <zstd.h>

#include <cstring>
#ifdef XSTACK_HAVE_LZO
#include <lzo/lzo1x.h>
#endif
#ifdef XSTACK_HAVE_SNAPPY
#include <snappy-c.h>
#endif

namespace xstack {
namespace {

using In = std::span<const std::byte>;
using Out = std::span<std::byte>;

bool from_zlib(In in, Out out) {
  uLongf size = out.size();
  const int result = ::uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                                  reinterpret_cast<const Bytef*>(in.data()), static_cast<uLong>(in.size()));
  return result == Z_OK && size == out.size();
}

bool from_zstd(In in, Out out) {
  const std::size_t size = ZSTD_decompress(out.data(), out.size(), in.data(), in.size());
  return ZSTD_isError(size) == 0 && size == out.size();
}

bool from_lzo([[maybe_unused]] In in, [[maybe_unused]] Out out) {
#ifdef XSTACK_HAVE_LZO
  lzo_uint size = out.size();
  const int result = lzo1x_decompress_safe(reinterpret_cast<const unsigned char*>(in.data()), in.size(),
                                           reinterpret_cast<unsigned char*>(out.data()), &size, nullptr);
  return result == LZO_E_OK && size == out.size();
#else
  return false;
#endif
}

bool from_snappy([[maybe_unused]] In in, [[maybe_unused]] Out out) {
#ifdef XSTACK_HAVE_SNAPPY
  const char* bytes = reinterpret_cast<const char*>(in.data());
  std::size_t size = 0;
  // The library writes as much as the input says, once it has been told that there is room for it.
  if (snappy_uncompressed_length(bytes, in.size(), &size) != SNAPPY_OK || size != out.size()) {
    return false;
  }
  return snappy_uncompress(bytes, in.size(), reinterpret_cast<char*>(out.data()), &size) == SNAPPY_OK;
#else
  return false;
#endif
}

}  // namespace

std::optional<PageCodec> page_codec(std::uint32_t flags) {
  constexpr std::uint32_t kCodecs = 1 | 2 | 4 | 0x20;
  switch (flags & kCodecs) {
    case 0:
      return PageCodec::none;
    case 1:
      return PageCodec::zlib;
    case 2:
      return PageCodec::lzo;
    case 4:
      return PageCodec::snappy;
    case 0x20:
      return PageCodec::zstd;
    default:
      return std::nullopt;
  }
}

const char* to_string(PageCodec codec) {
  switch (codec) {
    case PageCodec::none:
      return "nothing";
    case PageCodec::zlib:
      return "zlib";
    case PageCodec::lzo:
      return "lzo";
    case PageCodec::snappy:
      return "snappy";
    case PageCodec::zstd:
      return "zstd";
  }
  return "?";
}

bool has_codec([[maybe_unused]] PageCodec codec) {
#ifndef XSTACK_HAVE_LZO
  if (codec == PageCodec::lzo) {
    return false;
  }
#endif
#ifndef XSTACK_HAVE_SNAPPY
  if (codec == PageCodec::snappy) {
    return false;
  }
#endif
  return true;
}

bool unpack_page(PageCodec codec, In in, Out out) {
  switch (codec) {
    case PageCodec::none:
      if (in.size() != out.size()) {
        return false;
      }
      std::memcpy(out.data(), in.data(), out.size());
      return true;
    case PageCodec::zlib:
      return from_zlib(in, out);
    case PageCodec::lzo:
      return from_lzo(in, out);
    case PageCodec::snappy:
      return from_snappy(in, out);
    case PageCodec::zstd:
      return from_zstd(in, out);
  }
  return false;
}

}  // namespace xstack
