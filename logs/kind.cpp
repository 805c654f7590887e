// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/kind.h"

#include <algorithm>
#include <array>

namespace xstack::logs {
namespace {

constexpr std::array kKinds = {
    KindInfo{Kind::panic, "panic", true},
    KindInfo{Kind::oops, "oops", true},
    KindInfo{Kind::bug, "bug", true},
    KindInfo{Kind::warning, "warning", false},
    KindInfo{Kind::rcu_stall, "rcu-stall", true},
    KindInfo{Kind::soft_lockup, "soft-lockup", true},
    KindInfo{Kind::hard_lockup, "hard-lockup", true},
    KindInfo{Kind::hung_task, "hung-task", true},
    KindInfo{Kind::kasan, "kasan", true},
    KindInfo{Kind::kfence, "kfence", true},
    KindInfo{Kind::kmsan, "kmsan", true},
    KindInfo{Kind::kcsan, "kcsan", true},
    KindInfo{Kind::ubsan, "ubsan", true},
    KindInfo{Kind::lockdep, "lockdep", true},
    KindInfo{Kind::domain_crash, "domain-crash", true},
    KindInfo{Kind::xen_panic, "xen-panic", true},
    KindInfo{Kind::xen_bug, "xen-bug", true},
    KindInfo{Kind::xen_assert, "xen-assert", true},
    KindInfo{Kind::xen_warn, "xen-warn", false},
    KindInfo{Kind::trace, "trace", false},
    KindInfo{Kind::register_dump, "register-dump", false},
    KindInfo{Kind::debug_key, "debug-key", false},
};

}  // namespace

std::span<const KindInfo> kind_table() {
  return kKinds;
}

const char* to_string(Kind kind) {
  return kKinds.at(static_cast<std::size_t>(kind)).name;
}

std::optional<Kind> find_kind(std::string_view name) {
  const auto* it = std::ranges::find(kKinds, name, [](const KindInfo& k) { return std::string_view(k.name); });
  return it == kKinds.end() ? std::nullopt : std::optional(it->kind);
}

}  // namespace xstack::logs
