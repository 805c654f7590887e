// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/x86_orc_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "arch/x86/orc.h"
#include "base/checked.h"
#include "base/endian.h"
#include "linux/kernel.h"
#include "linux/x86_orc_layout.h"

namespace xstack {
namespace {

/// Today's largest kernels have half a million entries, a large module some ten thousand.
constexpr std::uint32_t kMaxEntries = 1U << 22;
constexpr std::uint32_t kMaxModuleEntries = 1U << 20;
constexpr std::uint32_t kMinKernelEntries = 1024;
constexpr std::uint32_t kSamples = 512;
/// No kernel image is larger; KASLR reserves 1 GiB at most.
constexpr std::uint64_t kMaxImage = 1ULL << 30;
constexpr std::uint64_t kStep = kXenPageSize;
constexpr std::size_t kWordsToRecognise = 64;

/// Whether an entry has a meaning in at least one layout.
bool is_plausible_entry(std::span<const std::byte> bytes) {
  const auto flags = load_le<std::uint16_t>(&bytes[4]);
  const unsigned sp = flags & 0xf;
  const unsigned bp = (flags >> 4) & 0xf;
  return sp <= 10 && bp <= 10 && ((flags >> 8) & 7) <= 6 && (flags >> 12) == 0;
}

/// Whether `count` entries at `at` are ORC entries, by a sample: all plausible, and more than half of them relative to
/// the stack pointer, word-aligned, as compiled code is.
bool are_entries(VirtMemory& search, GuestVirt at, std::uint32_t count) {
  constexpr std::uint32_t kSample = 256;
  const std::uint32_t n = std::min(count, kSample);
  std::uint32_t usual = 0;
  for (std::uint32_t i = 0; i < n; ++i) {
    // The first ones all: they show where the array begins. The others from all over.
    const std::uint64_t index = i < n / 2 ? i : std::uint64_t{count - 1} * i / n;
    std::array<std::byte, x86::kOrcEntrySize> bytes{};
    if (!search.read(at + index * x86::kOrcEntrySize, bytes) || !is_plausible_entry(bytes)) {
      return false;
    }
    const unsigned sp = load_le<std::uint16_t>(&bytes[4]) & 0xf;
    const auto offset = load_le<std::int16_t>(bytes.data());
    usual += (sp == 3 || sp == 5) && offset > 0 && offset % 8 == 0 ? 1 : 0;
  }
  return usual * 2 > n;
}

/// Whether the ip table ascends and stays in [low, high), by a sample.
bool is_sorted(VirtMemory& search, const OrcTable& table, GuestVirt low, GuestVirt high) {
  constexpr std::uint32_t kSample = 64;
  GuestVirt last = low;
  for (std::uint32_t i = 0; i < kSample; ++i) {
    const auto index = static_cast<std::uint32_t>(std::uint64_t{table.count - 1} * i / (kSample - 1));
    const auto ip = x86::orc_ip(search, table, index);
    if (!ip || *ip < last || *ip >= high) {
      return false;
    }
    last = *ip;
  }
  return true;
}

std::optional<OrcTable> by_symbols(CodeInfo& code) {
  const auto ip = code.address_of("__start_orc_unwind_ip");
  const auto ip_end = code.address_of("__stop_orc_unwind_ip");
  const auto entries = code.address_of("__start_orc_unwind");
  const auto entries_end = code.address_of("__stop_orc_unwind");
  if (!ip || !entries || (!ip_end && !entries_end)) {
    return std::nullopt;
  }
  const std::uint64_t count = ip_end ? (*ip_end - *ip) / 4 : (*entries_end - *entries) / x86::kOrcEntrySize;
  if (count == 0 || count > kMaxEntries) {
    return std::nullopt;
  }
  OrcTable table;
  table.ip = *ip;
  table.entries = *entries;
  table.count = static_cast<std::uint32_t>(count);
  return table;
}

/// The search by structure: an ascending array of self-relative s32 with a parallel array of entries right behind it.
class StructureSearch {
 public:
  StructureSearch(VirtMemory& search, GuestVirt begin, GuestVirt end) : search_(search), begin_(begin), end_(end) {}

  std::optional<OrcTable> run() {
    for (GuestVirt at((begin_.value + kStep - 1) & ~(kStep - 1)); at < end_ && end_ - at >= kStep; at += kStep) {
      if (!ascends(at)) {
        continue;
      }
      const GuestVirt first = extend_down(at);
      const GuestVirt last = extend_up(at);
      if (auto table = with_entries(first, last)) {
        return table;
      }
      at = GuestVirt(last.value & ~(kStep - 1));  // what was just looked at is something else
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool inside(GuestVirt ip) const { return ip >= begin_ && ip < end_; }

  bool ascends(GuestVirt at) {
    std::array<std::byte, kWordsToRecognise * 4> bytes{};
    if (!search_.read(at, bytes)) {
      return false;
    }
    GuestVirt last = begin_;
    for (std::size_t i = 0; i < kWordsToRecognise; ++i) {
      const GuestVirt ip = value(at + i * 4, load_le<std::uint32_t>(&bytes[i * 4]));
      if (!inside(ip) || ip < last) {
        return false;
      }
      last = ip;
    }
    return last > value(at, load_le<std::uint32_t>(bytes.data()));
  }

  static GuestVirt value(GuestVirt at, std::uint32_t word) {
    return at + static_cast<std::uint64_t>(sign_extend(word, 32));
  }

  std::optional<GuestVirt> ip_at(GuestVirt at) {
    const auto word = search_.read_value<std::uint32_t>(at);
    return word ? std::optional(value(at, *word)) : std::nullopt;
  }

  /// The first word of the ascending run that `at` is in. Runs are entered at their first page: at most one page down.
  GuestVirt extend_down(GuestVirt at) {
    auto next = ip_at(at);
    for (std::uint64_t n = 0; next && n < kStep / 4 && at > begin_; ++n) {
      const auto ip = ip_at(at - 4);
      if (!ip || !inside(*ip) || *ip > *next) {
        break;
      }
      at = at - 4;
      next = ip;
    }
    return at;
  }

  /// One past the last word of the run.
  GuestVirt extend_up(GuestVirt at) {
    GuestVirt last = begin_;
    std::array<std::byte, 4096> bytes{};
    for (std::uint64_t n = 0; n < kMaxEntries && at < end_;) {
      const std::size_t want = at_most(bytes.size(), (end_ - at) & ~3ULL);
      if (want == 0 || !search_.read(at, std::span(bytes).first(want))) {
        return at;
      }
      for (std::size_t i = 0; i < want; i += 4, at += 4, ++n) {
        const GuestVirt ip = value(at, load_le<std::uint32_t>(&bytes[i]));
        if (!inside(ip) || ip < last) {
          return at;
        }
        last = ip;
      }
    }
    return at;
  }

  /// The run may reach a few words into the entries, since small numbers ascend too: the entries begin at the first
  /// place near its end from which on everything is one. Alignment has put a gap of up to 6 bytes there.
  std::optional<OrcTable> with_entries(GuestVirt first, GuestVirt last) {
    constexpr std::uint64_t kOverrun = 64;
    const std::uint64_t run = (last - first) / 4;
    if (run < kMinKernelEntries || run > kMaxEntries) {
      return std::nullopt;
    }
    for (std::uint64_t gap = 0; gap <= 6; gap += 2) {
      for (std::uint64_t back = kOverrun + 1; back-- > 0;) {
        OrcTable table;
        table.ip = first;
        table.count = static_cast<std::uint32_t>(run - back);
        table.entries = first + std::uint64_t{table.count} * 4 + gap;
        if (are_entries(search_, table.entries, table.count)) {
          return table;
        }
      }
    }
    return std::nullopt;
  }

  VirtMemory& search_;
  GuestVirt begin_;
  GuestVirt end_;
};

/// The addresses of kSamples entries, evenly spread: one in each page of the ip table or two. Empty when they do not
/// ascend, or one cannot be read.
std::vector<std::uint64_t> take_samples(VirtMemory& search, OrcTable table) {
  std::vector<GuestVirt> pages;
  table.samples.resize(std::min(kSamples, table.count));
  for (std::size_t i = 0; i < table.samples.size(); ++i) {
    pages.push_back(table.ip + std::uint64_t{table.sample_index(i)} * 4);
  }
  search.prefetch(pages);
  for (std::size_t i = 0; i < table.samples.size(); ++i) {
    const auto ip = x86::orc_ip(search, table, table.sample_index(i));
    if (!ip || (i > 0 && ip->value < table.samples[i - 1])) {
      return {};
    }
    table.samples[i] = ip->value;
  }
  return std::move(table.samples);
}

/// At the first instruction of a function only the return address is on the stack. Counts that over the table: whether
/// addresses and entries belong together. True when symbols show too few functions to tell.
bool agrees_with_functions(VirtMemory& search, const OrcTable& table, CodeInfo& code) {
  constexpr std::uint32_t kProbes = 64;
  std::uint32_t starts = 0;
  std::uint32_t agree = 0;
  for (std::uint32_t i = 0; i < kProbes; ++i) {
    const auto index = static_cast<std::uint32_t>(std::uint64_t{table.count} * i / kProbes);
    const auto ip = x86::orc_ip(search, table, index);
    const auto function = ip ? code.function_at(*ip) : std::nullopt;
    if (!function || function->start != *ip) {
      continue;
    }
    ++starts;
    const auto entry = search.read_value<std::uint16_t>(table.entries + std::uint64_t{index} * x86::kOrcEntrySize);
    agree += entry && *entry == 8 ? 1 : 0;
  }
  return starts < 8 || agree * 2 > starts;
}

}  // namespace

FoundOrc find_kernel_orc(VirtMemory& search, GuestVirt image_begin, GuestVirt image_end, CodeInfo& code) {
  FoundOrc found;
  if (image_end <= image_begin) {
    found.why_not = "the extent of the kernel image is not known";
    return found;
  }
  if (image_end - image_begin > kMaxImage) {
    image_end = image_begin + kMaxImage;
  }
  auto table = by_symbols(code);
  if (table &&
      !(is_sorted(search, *table, image_begin, image_end) && are_entries(search, table->entries, table->count))) {
    found.why_not = "the ORC tables that symbols name are not there";
    table.reset();
  }
  if (!table) {
    table = StructureSearch(search, image_begin, image_end).run();
  }
  if (table && !agrees_with_functions(search, *table, code)) {
    found.why_not = "what looks like ORC tables does not fit the kernel's functions";
    return found;
  }
  if (!table) {
    if (found.why_not.empty()) {
      found.why_not = "the kernel image holds no ORC tables";
    }
    return found;
  }
  const auto first = x86::orc_ip(search, *table, 0);
  if (!first) {
    found.why_not = "the ORC table cannot be read";
    return found;
  }
  table->text_begin = *first;
  table->text_end = image_end;
  table->samples = take_samples(search, *table);
  CalibratedOrc calibrated = calibrate_orc(search, *table, code);
  found.layout = calibrated.layout;
  found.why_not = std::move(calibrated.guess);
  found.tables.push_back(std::move(*table));
  return found;
}

std::optional<OrcTable> find_module_orc(VirtMemory& search, const KernelModule& module, GuestVirt kernel_image_begin) {
  // struct module is 900 to 1300 bytes in distribution kernels; debugging options make it larger.
  constexpr std::size_t kMaxStructure = 4096;
  constexpr std::size_t kMembers = 24;  // u32 num_orcs (and padding), int *orc_unwind_ip, struct orc_entry *orc_unwind
  std::vector<std::byte> bytes(kMaxStructure);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto n = search.read_some(module.structure + have, std::span(bytes).subspan(have));
    if (!n) {
      break;
    }
    have += *n;
  }
  const bool has_init = module.init_text_begin < module.init_text_end;
  OrcTable table;
  table.text_begin = has_init ? std::min(module.text_begin, module.init_text_begin) : module.text_begin;
  table.text_end = has_init ? std::max(module.text_end, module.init_text_end) : module.text_end;
  table.module = module.name;
  const auto is_text = [&](GuestVirt at) {
    return (at >= module.text_begin && at < module.text_end) ||
           (has_init && at >= module.init_text_begin && at < module.init_text_end);
  };
  for (std::size_t at = 0; at + kMembers <= have; at += 8) {
    table.count = load_le<std::uint32_t>(&bytes[at]);
    table.ip = GuestVirt(load_le<std::uint64_t>(&bytes[at + 8]));
    table.entries = GuestVirt(load_le<std::uint64_t>(&bytes[at + 16]));
    if (table.count == 0 || table.count > kMaxModuleEntries || table.ip < kernel_image_begin ||
        table.entries < kernel_image_begin) {  // neither is aligned: a module's sections need not be
      continue;
    }
    if (!is_sorted(search, table, kernel_image_begin, GuestVirt(~0ULL)) ||
        !are_entries(search, table.entries, table.count)) {
      continue;
    }
    // Freed init text may still be described: at least one sampled entry has to lie in text that is there.
    for (std::uint32_t i = 0; i < 64; ++i) {
      const auto ip = x86::orc_ip(search, table, static_cast<std::uint32_t>(std::uint64_t{table.count - 1} * i / 63));
      if (ip && is_text(*ip)) {
        return table;
      }
    }
  }
  return std::nullopt;
}

}  // namespace xstack
