// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "guest/memory.h"
#include "linux/kernel_log.h"
#include "linux/mapped_scan.h"
#include "linux/vmcoreinfo.h"

namespace xstack {

/// Offsets inside the lockless ring's structures (kernel/printk/printk_ringbuffer.h, Linux 5.10 on), in bytes.
struct RingLayout {
  unsigned word_size = 8;
  std::size_t count_bits = 0, descs = 0, infos = 0, head_id = 0, tail_id = 0;  ///< of struct printk_ringbuffer
  std::size_t size_bits = 0, data = 0, head_lpos = 0, tail_lpos = 0;           ///< likewise: its text_data_ring
  std::size_t desc_size = 0, state = 0, begin = 0, next = 0;                   ///< of struct prb_desc
  std::size_t info_size = 0;  ///< of struct printk_info; 0: to be told from what the guest holds
  std::size_t seq = 0, time = 8, text_len = 16, facility = 18, level = 19, caller = 20;
  std::optional<std::size_t> subsystem, device;   ///< char[16], char[48]
  std::optional<std::size_t> other_caller, comm;  ///< u32, char[16] (CONFIG_PRINTK_EXECUTION_CTX, 7.x)
};

/// The layout that VMCOREINFO states, when it states all of it.
[[nodiscard]] std::optional<RingLayout> ring_layout(const Vmcoreinfo& info, unsigned word_size);

/// The layout of kernels that do not say: with prb_desc_ring.last_finalized_seq (6.2 on, and where that was
/// backported) or without.
[[nodiscard]] RingLayout ring_layout(unsigned word_size, bool last_finalized);

/// A ring that was looked at and found sane: every count and position is in bounds.
struct PrintkRing {
  GuestVirt at;
  RingLayout layout;
  unsigned count_bits = 0;
  unsigned size_bits = 0;
  GuestVirt descs;
  GuestVirt infos;
  GuestVirt data;
  std::uint64_t head_id = 0;
  std::uint64_t tail_id = 0;
  std::uint64_t newest_seq = 0;  ///< of the newest record that is whole; 0 when there is none
};

/// The struct printk_ringbuffer at `at`, when it is one by everything that it says of itself: positions in bounds, the
/// descriptors of head and tail are theirs, sequence numbers are where their indices want them.
[[nodiscard]] std::optional<PrintkRing> open_ring(VirtMemory& memory, GuestVirt at, const RingLayout& layout);

/// Searches mapped memory from `begin` for rings by structure; of several (the one that boot used and its larger
/// successor) the one with the newest record.
[[nodiscard]] std::optional<PrintkRing> find_ring(PageProbe& probe, VirtMemory& search, GuestVirt begin,
                                                  unsigned word_size);

/// What the ring holds: committed and finished records; those just being written are counted.
[[nodiscard]] KernelLog read_ring(VirtMemory& memory, const PrintkRing& ring, const LogLimits& limits);

}  // namespace xstack
