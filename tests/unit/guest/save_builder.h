// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/guest/byte_writer.h"

namespace xstack::test {

/// A saved guest: libxc's stream, and around it what `xl save` puts there.
struct SaveBuilder {
  bool pv = true;
  std::uint32_t version = 3;
  bool xl = true;
  unsigned vcpus = 2;
  std::uint64_t first_word = 0x100;  ///< what the registers of vCPU 0 are filled with, and 0x1000 more for each vCPU
  /// Each is one PAGE_DATA record: frame and type (its upper four bits), and the byte that fills the page.
  std::vector<std::vector<std::pair<std::uint64_t, unsigned>>> batches;

  static void record(ByteWriter& out, std::uint32_t type, const std::vector<std::byte>& body) {
    out.put(type).put(static_cast<std::uint32_t>(body.size())).bytes(body).pad(8);
  }

  [[nodiscard]] std::vector<std::byte> build() const {
    ByteWriter out;
    if (xl) {
      const std::string config = "{\"c_info\": {}}  ";
      out.text(std::string_view("Xen saved domain, xl format\n \0 \r", 32));
      out.put(std::uint32_t{0x01020304}).put(std::uint32_t{3}).put(std::uint32_t{0});
      out.put(static_cast<std::uint32_t>(config.size())).text(config);
      out.text("LibxlFmt").put(__builtin_bswap32(2)).put(std::uint32_t{0});
      record(out, 1, {});
    }
    out.fill(8, 0xff).text("XENF").put(__builtin_bswap32(version)).fill(8);
    out.put(std::uint32_t{pv ? 1U : 2U}).put(std::uint16_t{12}).put(std::uint16_t{0});
    out.put(std::uint32_t{4}).put(std::uint32_t{17});
    if (pv) {
      record(out, 2, {std::byte{8}, std::byte{4}, {}, {}, {}, {}, {}, {}});
    }
    for (const auto& batch : batches) {
      ByteWriter body;
      body.put(static_cast<std::uint32_t>(batch.size())).put(std::uint32_t{0});
      for (const auto& [frame, value] : batch) {
        body.put(frame);
      }
      for (const auto& [frame, value] : batch) {
        if (frame >> 60 < 0xd) {
          body.fill(4096, value);
        }
      }
      record(out, 1, body.all());
    }
    if (pv) {
      for (unsigned id = vcpus; id-- > 0;) {
        record(out, 4, ByteWriter().put(id).put(std::uint32_t{0}).bytes(words(5168, id)).all());
      }
    } else {
      ByteWriter context;
      context.put(std::uint16_t{1}).put(std::uint16_t{0}).put(std::uint32_t{24}).fill(24);
      for (unsigned id = 0; id < vcpus; ++id) {
        context.put(std::uint16_t{2})
            .put(static_cast<std::uint16_t>(id))
            .put(std::uint32_t{1024})
            .bytes(words(1024, id));
      }
      context.fill(8);
      record(out, 9, context.all());
    }
    record(out, 0, {});
    return out.all();
  }

 private:
  [[nodiscard]] std::vector<std::byte> words(std::size_t size, unsigned id) const {
    ByteWriter out;
    for (std::uint64_t i = 0; out.size() < size; ++i) {
      out.put(first_word + id * 0x1000 + i);
    }
    return out.all();
  }
};

}  // namespace xstack::test
