// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <zlib.h>
#include <zstd.h>

#include <map>
#include <string>
#include <vector>

#include "tests/unit/guest/machine_dump_builder.h"

namespace xstack::test {

/// A kdump file: headers, bitmaps, page descriptors, pages, as makedumpfile writes them.
struct KdumpBuilder {
  enum class Layout : std::uint8_t { wide, arm32, packed32 };
  Layout layout = Layout::wide;
  std::uint64_t block = 4096;
  std::uint64_t max_frames = 0x48100;
  std::map<std::uint64_t, unsigned> pages;  ///< frame number to the byte that fills it
  std::uint64_t left_out = 0;               ///< so many frames from 0 on are RAM, but not in the file
  std::uint32_t codec = 1;                  ///< of every second page; the others are not packed
  std::uint32_t status = 1;
  MachineNotes notes;
  std::uint64_t split_begin = 0, split_end = 0;

  [[nodiscard]] std::vector<std::byte> build() const {
    const bool wide = layout == Layout::wide;
    const std::uint64_t bitmap = ((max_frames + 7) / 8 + block - 1) / block * block;
    const auto note_bytes = notes.build();
    ByteWriter out;
    out.text("KDUMP   ").put(std::uint32_t{6}).fill(4 * 65).text(wide ? "aarch64" : "armv7l");
    const std::size_t at = wide ? 424 : 412;
    out.at<std::uint32_t>(at, status).at<std::uint32_t>(at + 4, static_cast<std::uint32_t>(block));
    out.at<std::uint32_t>(at + 8, 1).at<std::uint32_t>(at + 12, static_cast<std::uint32_t>(2 * bitmap / block));
    out.at<std::uint32_t>(at + 16, static_cast<std::uint32_t>(max_frames));
    const std::size_t sub = block;
    const std::size_t word = wide ? 8 : 4;
    const std::size_t note_at = sub + (layout == Layout::wide ? 48 : layout == Layout::arm32 ? 40 : 32);
    const std::size_t wide_at = sub + (layout == Layout::wide ? 80 : layout == Layout::arm32 ? 72 : 56);
    out.at<std::uint32_t>(sub + word, 31).at<std::uint32_t>(sub + word + 4, split_end != 0 ? 1 : 0);
    out.at<std::uint64_t>(note_at, sub + 512)
        .at<std::uint32_t>(note_at + 8, static_cast<std::uint32_t>(note_bytes.size()));
    out.at<std::uint64_t>(wide_at, split_begin).at<std::uint64_t>(wide_at + 8, split_end);
    out.at<std::uint64_t>(wide_at + 16, max_frames);
    out.fill(sub + 512 - out.size()).bytes(note_bytes).pad(block);

    std::vector<std::byte> ram(bitmap);
    std::vector<std::byte> dumped(bitmap);
    const auto set = [](std::vector<std::byte>& bits, std::uint64_t frame) {
      bits[frame / 8] |= std::byte(1U << frame % 8);
    };
    for (std::uint64_t frame = 0; frame < left_out; ++frame) {
      set(ram, frame);
    }
    for (const auto& [frame, value] : pages) {
      set(ram, frame);
      set(dumped, frame);
    }
    out.bytes(ram).bytes(dumped);
    ByteWriter data;
    std::uint64_t count = 0;
    for (const auto& [frame, value] : pages) {
      count += split_end == 0 || (frame >= split_begin && frame < split_end) ? 1 : 0;
    }
    const std::uint64_t data_at = out.size() + count * 24;
    bool pack = false;
    for (const auto& [frame, value] : pages) {
      if (split_end != 0 && (frame < split_begin || frame >= split_end)) {
        continue;
      }
      pack = !pack;
      const auto page = pack ? packed(filled(block, value)) : filled(block, value);
      out.put(data_at + data.size())
          .put(static_cast<std::uint32_t>(page.size()))
          .put(pack ? codec : 0)
          .put(std::uint64_t{0});
      data.bytes(page);
    }
    return out.bytes(data.all()).all();
  }

 private:
  [[nodiscard]] std::vector<std::byte> packed(const std::vector<std::byte>& page) const {
    std::vector<std::byte> out(page.size() + 1024);
    if (codec == 0x20) {
      out.resize(ZSTD_compress(out.data(), out.size(), page.data(), page.size(), 1));
      return out;
    }
    uLongf size = out.size();
    ::compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(page.data()), page.size());
    out.resize(size);
    return out;
  }
};

/// The same file in makedumpfile's flattened format: in pieces of `size` bytes, the last first.
inline std::vector<std::byte> flattened(std::span<const std::byte> file, std::size_t size) {
  const auto big_endian = [](std::uint64_t value) { return __builtin_bswap64(value); };
  ByteWriter out;
  out.text("makedumpfile").fill(4).put(big_endian(1)).put(big_endian(1)).fill(4096 - 32);
  for (std::size_t pieces = (file.size() + size - 1) / size; pieces-- > 0;) {
    const auto piece = file.subspan(pieces * size, std::min(size, file.size() - pieces * size));
    out.put(big_endian(pieces * size)).put(big_endian(piece.size())).bytes(piece);
  }
  return out.put(~std::uint64_t{0}).put(~std::uint64_t{0}).all();
}

}  // namespace xstack::test
