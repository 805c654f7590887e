// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/printk_log.h"

#include <utility>
#include <vector>

#include "linux/printk_records.h"
#include "linux/printk_ring.h"

namespace xstack {
namespace {

constexpr std::uint32_t kMaxLogBuffer = 64U << 20;

/// A kernel variable and who named it.
struct Named {
  GuestVirt at;
  const char* by;
};

std::optional<Named> variable(const LogPlace& place, std::string_view name) {
  if (const auto at = place.symbol(name)) {
    return Named{*at, "kallsyms"};
  }
  const auto at = place.info != nullptr ? place.info->symbol(name) : std::nullopt;
  return at ? std::optional(Named{*at, "VMCOREINFO"}) : std::nullopt;
}

std::vector<std::pair<RingLayout, const char*>> ring_layouts(const LogPlace& place) {
  std::vector<std::pair<RingLayout, const char*>> all;
  if (const auto stated = place.info != nullptr ? ring_layout(*place.info, place.word_size) : std::nullopt) {
    all.emplace_back(*stated, "laid out as VMCOREINFO says");
  }
  all.emplace_back(ring_layout(place.word_size, true), "laid out as its contents tell");
  all.emplace_back(ring_layout(place.word_size, false), "laid out as its contents tell");
  return all;
}

std::optional<KernelLog> ring_by_symbol(const LogPlace& place, const LogLimits& limits) {
  const auto prb = variable(place, "prb");
  const auto at = prb ? place.memory.read_word(prb->at, place.word_size) : tl::unexpected(Fault{});
  if (!at) {
    return std::nullopt;
  }
  for (const auto& [layout, how] : ring_layouts(place)) {
    if (const auto ring = open_ring(place.memory, GuestVirt(*at), layout)) {
      KernelLog log = read_ring(place.memory, *ring, limits);
      log.found_by = std::string("lockless ring, prb by ") + prb->by + ", " + how;
      return log;
    }
  }
  return std::nullopt;
}

std::optional<KernelLog> records_by_symbol(const LogPlace& place, const LogLimits& limits) {
  const auto pointer = variable(place, "log_buf");
  const auto length = variable(place, "log_buf_len");
  const auto first = variable(place, "log_first_idx");
  const auto next = variable(place, "log_next_idx");
  if (!pointer || !length || !first || !next) {
    return std::nullopt;
  }
  const auto at = place.memory.read_word(pointer->at, place.word_size);
  const auto size = place.memory.read_value<std::uint32_t>(length->at);
  const auto from = place.memory.read_value<std::uint32_t>(first->at);
  const auto to = place.memory.read_value<std::uint32_t>(next->at);
  if (!at || !size || !from || !to || *size > kMaxLogBuffer) {
    return std::nullopt;
  }
  RecordBuffer buffer{GuestVirt(*at), *size, *from, *to, std::nullopt};
  if (const auto seq = variable(place, "log_first_seq")) {
    const auto value = place.memory.read_value<std::uint64_t>(seq->at);
    buffer.first_seq = value ? std::optional(*value) : std::nullopt;
  }
  KernelLog log = read_records(place.memory, buffer, limits);
  log.found_by = std::string("record buffer, log_buf by ") + pointer->by;
  return log;
}

std::optional<KernelLog> by_structure(const LogPlace& place, const LogLimits& limits) {
  if (!place.data_begin) {
    return std::nullopt;
  }
  if (const auto ring = find_ring(place.probe, place.memory, *place.data_begin, place.word_size)) {
    KernelLog log = read_ring(place.memory, *ring, limits);
    log.found_by = "lockless ring, by its structure";
    return log;
  }
  if (const auto buffer = find_records(place.probe, place.memory, *place.data_begin)) {
    KernelLog log = read_records(place.memory, *buffer, limits);
    log.found_by = "record buffer, by its structure";
    return log;
  }
  return std::nullopt;
}

}  // namespace

Result<KernelLog> read_kernel_log(const LogPlace& place, const LogLimits& limits) {
  for (const auto way : {ring_by_symbol, records_by_symbol, by_structure}) {
    if (auto log = way(place, limits)) {
      return std::move(*log);
    }
  }
  return fail(Errc::not_found, place.data_begin
                                   ? "the kernel's log was not found: no symbol names it, and nothing in the kernel's "
                                     "data has its form"
                                   : "the kernel's log was not found: no symbol names it, and where the kernel's data "
                                     "lies is not known");
}

}  // namespace xstack
