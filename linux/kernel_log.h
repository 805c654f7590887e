// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xstack {

/// One printk() as the kernel stored it. Text is the guest's: escape it to show it.
struct LogRecord {
  std::optional<std::uint64_t> seq;  ///< number since boot; absent where the kernel does not store it
  std::uint64_t time_ns = 0;         ///< printk's clock: since boot, near enough
  unsigned level = 0;                ///< 0 emerg .. 7 debug
  unsigned facility = 0;             ///< 0 kern, 1 user, ... as in syslog
  std::string text;                  ///< without the line end; a record may hold several lines
  bool joined = false;               ///< continues the line of the record before (kernels up to 4.9)
  std::optional<std::uint32_t> cpu;  ///< who called printk(): a CPU when not in a task's context ...
  std::optional<std::uint32_t> tid;  ///< ... else the task; newer kernels store both
  std::optional<std::string> comm;   ///< the task's name, where the kernel stores it (7.x)
  std::optional<std::string> subsystem;
  std::optional<std::string> device;
};

/// The kernel's log as it lies in memory.
struct KernelLog {
  std::vector<LogRecord> records;     ///< oldest first
  std::string found_by;               ///< "lockless ring, by the symbol prb": one line
  std::optional<std::uint64_t> lost;  ///< records that were overwritten by newer ones, when that can be told
  std::uint64_t unfinished = 0;       ///< being written when the guest stopped: left out
  std::uint64_t unreadable = 0;       ///< whose text or place made no sense: left out
  std::vector<std::string> warnings;  ///< what of the above cuts the answer short
};

/// What a reader takes at most. The newest records win.
struct LogLimits {
  std::size_t records = 262144;
  std::size_t text_bytes = 32U << 20;
};

}  // namespace xstack
