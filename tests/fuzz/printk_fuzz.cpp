// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel's log, both forms, and a capture's copy of it, over arbitrary memory: each must end, within its bounds.
#include <span>
#include <string>

#include "base/endian.h"
#include "linux/log_facts.h"
#include "linux/printk_records.h"
#include "linux/printk_ring.h"
#include "tests/support/repeating_memory.h"
#include "tools/print/log_printer.h"

namespace {

using namespace xstack;

void check(const KernelLog& log, const LogLimits& limits) {
  if (log.records.size() > limits.records) {
    __builtin_trap();
  }
  for (const char c : print_log(log, {})) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
      __builtin_trap();
    }
  }
  static_cast<void>(print_log_json(log, {}));
  if (!read_log_facts(write_log_facts(log))) {
    __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  test::RepeatingMemory memory(bytes);
  const LogLimits limits{.records = 256, .text_bytes = 1U << 16};
  for (const unsigned word_size : {4U, 8U}) {
    for (const bool last_finalized : {false, true}) {
      const RingLayout layout = ring_layout(word_size, last_finalized);
      if (const auto ring = open_ring(memory, GuestVirt(0x10000), layout)) {
        check(read_ring(memory, *ring, limits), limits);
      }
      // Whatever open_ring() thinks of it: positions of this input's choice.
      PrintkRing forced;
      forced.layout = layout;
      forced.layout.info_size = 24 + size % 100;
      forced.count_bits = 4 + size % 8;
      forced.size_bits = 8 + size % 8;
      forced.descs = forced.infos = forced.data = GuestVirt(0x10000);
      forced.head_id = load_le_at<std::uint32_t>(bytes, 0).value_or(0) & 0xfffU;
      check(read_ring(memory, forced, limits), limits);
    }
  }
  if (size >= 4) {
    RecordBuffer buffer{GuestVirt(0x10000), std::min<std::size_t>(size, 4096), data[0] * 4U, data[1] * 16U, 5};
    check(read_records(memory, buffer, limits), limits);
    buffer.first.reset();
    check(read_records(memory, buffer, limits), limits);
  }
  static_cast<void>(read_log_facts({{"log", std::string(reinterpret_cast<const char*>(data), size)}}));
  return 0;
}
