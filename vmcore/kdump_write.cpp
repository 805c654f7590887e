// SPDX-License-Identifier: LGPL-2.1-or-later
#include "vmcore/kdump_write.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace xstack {
namespace {

using Bytes = std::span<const std::byte>;
using Buffer = std::vector<std::byte>;

constexpr std::size_t kBatchBytes = 1U << 20;  // of memory, read at once
constexpr std::size_t kPieceBytes = 1U << 18;  // of the file, written at once
constexpr std::uint64_t kFlatHeader = 4096;    // MAX_SIZE_MDF_HEADER
constexpr std::uint32_t kZlibPage = 1;         // DUMP_DH_COMPRESSED_*
constexpr std::uint32_t kZstdPage = 0x20;

void put_big_endian(Buffer& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::byte>(value >> shift));
  }
}

template <class T>
void put(Buffer& out, T value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// Pieces of a file in any order: put in their places, or sent with them.
class Pieces {
 public:
  explicit Pieces(OutputFile& out) : out_(out) {}

  Result<void> begin() {
    if (!out_.is_stream()) {
      return {};
    }
    Buffer head(16);
    std::memcpy(head.data(), "makedumpfile", 12);
    put_big_endian(head, 1);  // type and version
    put_big_endian(head, 1);
    head.resize(kFlatHeader);
    return out_.append(head);
  }
  Result<void> write(std::uint64_t offset, Bytes bytes) {
    if (!out_.is_stream()) {
      return out_.write_at(offset, bytes);
    }
    Buffer head;
    put_big_endian(head, offset);
    put_big_endian(head, bytes.size());
    const auto ok = out_.append(head);
    return ok ? out_.append(bytes) : ok;
  }
  Result<void> end() {
    if (!out_.is_stream()) {
      return {};
    }
    Buffer tail;
    put_big_endian(tail, ~std::uint64_t{0});
    put_big_endian(tail, ~std::uint64_t{0});
    return out_.append(tail);
  }

 private:
  OutputFile& out_;
};

/// Bytes that follow each other in the file, gathered until they are worth a write.
class Gathered {
 public:
  Gathered(Pieces& pieces, std::uint64_t at) : pieces_(pieces), at_(at) {}

  [[nodiscard]] std::uint64_t position() const { return at_ + bytes_.size(); }
  [[nodiscard]] Buffer& bytes() { return bytes_; }
  Result<void> flush(std::size_t from = 1) {
    if (bytes_.size() < from) {
      return {};
    }
    auto ok = pieces_.write(at_, bytes_);
    at_ += bytes_.size();
    bytes_.clear();
    return ok;
  }

 private:
  Pieces& pieces_;
  std::uint64_t at_;
  Buffer bytes_;
};

/// Packs pages one by one; one that would not get smaller stays as it is.
class Packer {
 public:
  Packer(PageCompression how, std::size_t page_size) : how_(how) {
    if (how == PageCompression::zlib) {
      out_.resize(compressBound(static_cast<uLong>(page_size)));
    } else if (how == PageCompression::zstd) {
      zstd_.reset(ZSTD_createCCtx());
      out_.resize(ZSTD_compressBound(page_size));
    }
  }
  struct Packed {
    Bytes bytes;
    std::uint32_t flags = 0;
  };
  Packed pack(Bytes page) {
    std::size_t size = page.size();
    std::uint32_t flags = 0;
    if (how_ == PageCompression::zlib) {
      uLongf length = static_cast<uLongf>(out_.size());
      if (compress2(reinterpret_cast<Bytef*>(out_.data()), &length, reinterpret_cast<const Bytef*>(page.data()),
                    static_cast<uLong>(page.size()), Z_BEST_SPEED) == Z_OK) {
        size = length;
        flags = kZlibPage;
      }
    } else if (how_ == PageCompression::zstd && zstd_) {
      const std::size_t length =
          ZSTD_compressCCtx(zstd_.get(), out_.data(), out_.size(), page.data(), page.size(), kZstdForDumps);
      if (ZSTD_isError(length) == 0) {
        size = length;
        flags = kZstdPage;
      }
    }
    return size < page.size() ? Packed{Bytes(out_).first(size), flags} : Packed{page, 0};
  }

 private:
  PageCompression how_;
  Buffer out_;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd_{nullptr, &ZSTD_freeCCtx};
};

/// struct page_desc of diskdump_mod.h, the same on all architectures.
void put_descriptor(Buffer& out, std::uint64_t offset, std::size_t size, std::uint32_t flags) {
  put(out, offset);
  put(out, static_cast<std::uint32_t>(size));
  put(out, flags);
  put(out, std::uint64_t{0});
}

Result<void> write_bitmap(Pieces& pieces, std::span<const PageRun> runs, std::uint64_t at, std::uint64_t bytes) {
  for (std::uint64_t done = 0; done < bytes; done += kPieceBytes) {
    const auto piece =
        bitmap_piece(runs, done, static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, bytes - done)));
    if (auto ok = pieces.write(at + done, piece); !ok) {
      return ok;
    }
  }
  return {};
}

}  // namespace

Result<WrittenMemory> write_kdump(PhysMemory& memory, const KdumpPlan& plan, OutputFile& out,
                                  const Progress& progress) {
  WrittenMemory written;
  Pieces pieces(out);
  const auto page_size = static_cast<std::size_t>(plan.page_size);
  const Buffer zeros(page_size);
  Result<void> ok = pieces.begin();
  ok = ok ? pieces.write(0, plan.head) : ok;
  ok = ok ? write_bitmap(pieces, plan.present, plan.bitmaps_at, plan.bitmap_bytes) : ok;
  ok = ok ? write_bitmap(pieces, plan.pages, plan.bitmaps_at + plan.bitmap_bytes, plan.bitmap_bytes) : ok;
  // All pages of zeros are the same one.
  ok = ok ? pieces.write(plan.data_at, zeros) : ok;
  if (!ok) {
    return tl::unexpected(ok.error());
  }
  Gathered descriptors(pieces, plan.descriptors_at);
  Gathered data(pieces, plan.data_at + page_size);
  Packer packer(plan.compression, page_size);
  Buffer batch;
  std::uint64_t done = 0;
  for (const PageRun& run : plan.pages) {
    const std::uint64_t at_once = kBatchBytes / page_size;
    for (std::uint64_t from = 0; from < run.count; from += at_once) {
      const std::uint64_t pages = std::min(at_once, run.count - from);
      batch.resize(static_cast<std::size_t>(pages) * page_size);
      written.lost_pages += read_or_zero(memory, GuestPhys((run.first + from) * plan.page_size), batch);
      for (std::size_t i = 0; i < batch.size(); i += page_size) {
        const Bytes page = Bytes(batch).subspan(i, page_size);
        if (is_zero(page)) {
          written.zero_pages += page_size / kXenPageSize;
          put_descriptor(descriptors.bytes(), plan.data_at, page_size, 0);
          continue;
        }
        const auto packed = packer.pack(page);
        put_descriptor(descriptors.bytes(), data.position(), packed.bytes.size(), packed.flags);
        data.bytes().insert(data.bytes().end(), packed.bytes.begin(), packed.bytes.end());
      }
      ok = descriptors.flush(kPieceBytes);
      ok = ok ? data.flush(kPieceBytes) : ok;
      if (!ok) {
        return tl::unexpected(ok.error());
      }
      done += batch.size();
      if (progress && !progress(done, plan.page_count * plan.page_size)) {
        return fail(Errc::interrupted, "stopped before all of the memory was written");
      }
    }
  }
  ok = descriptors.flush();
  ok = ok ? data.flush() : ok;
  ok = ok ? pieces.end() : ok;
  return ok ? Result<WrittenMemory>(written) : tl::unexpected(ok.error());
}

}  // namespace xstack
