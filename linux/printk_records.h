// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "guest/memory.h"
#include "linux/kernel_log.h"
#include "linux/mapped_scan.h"

namespace xstack {

/// The record buffer of Linux 3.5 to 5.9 (kernel/printk/printk.c): struct printk_log {u64 ts_nsec; u16 len, text_len,
/// dict_len; u8 facility; u8 flags:5, level:3; [u32 caller_id, 5.1 on;] text; dict; padding} one after the other. A
/// record of length 0 says that the next one is at the buffer's start. Positions are byte offsets.
struct RecordBuffer {
  GuestVirt at;
  std::uint64_t size = 0;                  ///< log_buf_len
  std::optional<std::uint32_t> first;      ///< log_first_idx, the oldest record; absent: to be told from the records
  std::uint32_t next = 0;                  ///< log_next_idx, after the newest; counts only together with `first`
  std::optional<std::uint64_t> first_seq;  ///< log_first_seq
};

/// Searches mapped memory from `begin` for a chain of such records: what log_buf points to when it was not moved. Only
/// where the kernel names no place, so `first` is absent.
[[nodiscard]] std::optional<RecordBuffer> find_records(PageProbe& probe, VirtMemory& search, GuestVirt begin);

/// What the buffer holds. A chain that breaks is taken up again where it can be.
[[nodiscard]] KernelLog read_records(VirtMemory& memory, const RecordBuffer& buffer, const LogLimits& limits);

}  // namespace xstack
