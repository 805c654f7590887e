// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace xstack::logs {

/// What a report in a log is about. The names are those of JSON, --fail-on and signatures: to_string().
enum class Kind : std::uint8_t {
  panic,          ///< Linux gave up: "Kernel panic - not syncing"
  oops,           ///< a fault in the kernel
  bug,            ///< "kernel BUG at", "BUG: ..."
  warning,        ///< WARN_ON()
  rcu_stall,      ///< a CPU that RCU waits for
  soft_lockup,    ///< a CPU that does not schedule
  hard_lockup,    ///< a CPU that takes no interrupts
  hung_task,      ///< a task blocked for minutes
  kasan,          ///< memory that was not to be touched
  kfence,         ///< the same, by sampling
  kmsan,          ///< memory that was never written
  kcsan,          ///< a data race
  ubsan,          ///< undefined behaviour
  lockdep,        ///< a lock order that can deadlock, or RCU used wrongly
  domain_crash,   ///< Xen stopped a domain
  xen_panic,      ///< Xen itself gave up
  xen_bug,        ///< "Xen BUG at"
  xen_assert,     ///< "Assertion '...' failed"
  xen_warn,       ///< "Xen WARN at"
  trace,          ///< a call trace that somebody asked for, or without a reason
  register_dump,  ///< registers that somebody asked for: Xen's debug keys
  debug_key,      ///< a debug key of Xen that prints no registers
};

struct KindInfo {
  Kind kind;
  const char* name;
  bool crash;  ///< fails a pipeline unless --fail-on says otherwise
};

/// Every kind, in the order of the enum.
[[nodiscard]] std::span<const KindInfo> kind_table();

[[nodiscard]] const char* to_string(Kind kind);
[[nodiscard]] std::optional<Kind> find_kind(std::string_view name);

}  // namespace xstack::logs
