// SPDX-License-Identifier: LGPL-2.1-or-later
#include "linux/arm32_unwind_tables.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "arch/arm32/ehabi_form.h"
#include "base/checked.h"

namespace xstack {
namespace {

using arm32::kExidxCantUnwind;
using arm32::prel31_target;

constexpr std::uint64_t kEntry = 8;
/// The smallest kernel has thousands of functions; fewer are chance or a module's.
constexpr std::uint32_t kFewestKernelEntries = 1000;
/// 8 MiB of index: twenty times a distribution's.
constexpr std::uint32_t kMostEntries = 1U << 20;
constexpr std::uint64_t kMostImage = std::uint64_t{256} << 20;
constexpr std::size_t kProbe = 512;
constexpr std::uint64_t kPiece = 16384;

/// One entry, decoded as far as its form goes.
struct Form {
  GuestVirt start;
  bool usual = false;  ///< "cannot unwind" or opcodes in place, as nine of ten are
};

/// The two words of an entry at `at`, if they can be one.
std::optional<Form> form_of(GuestVirt at, std::uint32_t first, std::uint32_t second) {
  if (first >> 31 != 0) {
    return std::nullopt;
  }
  const bool usual = second == kExidxCantUnwind || second >> 24 == 0x80;
  // Else it points to a table entry, word-aligned and above the index, where the linker puts .ARM.extab or below it.
  if (!usual && (second >> 31 != 0 || second == 0 || (second & 3) != 0)) {
    return std::nullopt;
  }
  return Form{prel31_target(at, first), usual};
}

std::optional<Form> read_form(VirtMemory& memory, GuestVirt at) {
  std::array<std::byte, kEntry> bytes{};
  if (!memory.read(at, bytes)) {
    return std::nullopt;
  }
  return form_of(at, load_le<std::uint32_t>(bytes.data()), load_le<std::uint32_t>(bytes.data() + 4));
}

/// Text that an index describes.
struct Text {
  GuestVirt begin;
  GuestVirt end;
  [[nodiscard]] bool holds(GuestVirt at) const { return at >= begin && at < end; }
};

/// A run of entries with rising starts.
struct Run {
  GuestVirt first;
  std::uint32_t count = 0;
  std::uint32_t usual = 0;
  GuestVirt lowest;
  GuestVirt highest;
};

/// Looks at one piece of memory for runs, at both places that an entry can have in eight bytes.
class RunFinder {
 public:
  RunFinder(Text text, std::uint32_t fewest) : text_(text), fewest_(fewest) {}

  void feed(GuestVirt at, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i + kEntry <= bytes.size(); i += 4) {
      const GuestVirt here = at + i;
      Run& run = runs_[here.value / 4 % 2];
      const auto form =
          form_of(here, load_le<std::uint32_t>(bytes.data() + i), load_le<std::uint32_t>(bytes.data() + i + 4));
      if (!form || !text_.holds(form->start)) {
        finish(run);
        continue;
      }
      if (run.count != 0 && (form->start <= run.highest || here - run.first != run.count * kEntry)) {
        finish(run);
      }
      if (run.count == 0) {
        run = {here, 0, 0, form->start, form->start};
      }
      ++run.count;
      run.usual += form->usual ? 1 : 0;
      run.highest = form->start;
    }
  }

  std::optional<Run> best() {
    finish(runs_[0]);
    finish(runs_[1]);
    return best_;
  }

 private:
  void finish(Run& run) {
    // kallsyms_offsets rises too, but few of its words look like opcodes.
    if (run.count >= fewest_ && std::uint64_t{run.usual} * 10 > std::uint64_t{run.count} * 6 &&
        (!best_ || run.count > best_->count)) {
      best_ = run;
    }
    run = {};
  }

  Text text_;
  std::uint32_t fewest_;
  std::array<Run, 2> runs_{};
  std::optional<Run> best_;
};

/// The longest run in [begin, end), which is read piece by piece; what cannot be read ends a run.
std::optional<Run> find_run(VirtMemory& memory, GuestVirt begin, GuestVirt end, Text text, std::uint32_t fewest) {
  RunFinder finder(text, fewest);
  GuestVirt at(begin.value & ~std::uint64_t{3});
  const std::size_t room = at < end ? at_most(kPiece + kEntry, end - at) : 0;
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(room);
  const std::span<std::byte> piece(buffer.get(), room);
  while (at < end) {
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), end - at));
    std::size_t got = 0;
    while (got < want) {
      const auto n = memory.read_some(at + got, piece.subspan(got, want - got));
      if (!n) {
        break;
      }
      got += *n;
    }
    if (got < kEntry) {
      at = GuestVirt((at.value / kXenPageSize + 1) * kXenPageSize);
      continue;
    }
    finder.feed(at, piece.first(got));
    // The last word may begin an entry that goes on in the next piece.
    at += got < want || want < piece.size() ? (got + 3) / 4 * 4 : kPiece + 4;
  }
  return finder.best();
}

/// Is the middle of an index at `at`? A few entries tell.
bool looks_like_index(VirtMemory& memory, GuestVirt at, Text text) {
  return find_run(memory, at, at + kProbe, text, kProbe / kEntry / 2).has_value();
}

/// Where between `begin` and `end` an index is, by looking at one place in every `stride` bytes.
std::optional<GuestVirt> probe(VirtMemory& memory, GuestVirt begin, GuestVirt end, Text text, std::uint64_t stride) {
  std::vector<GuestVirt> places;
  for (GuestVirt at(begin.value / stride * stride); at < end; at += stride) {
    places.push_back(at);
  }
  memory.prefetch(places);  // in one call: a page alone costs a live domain ten times as much
  for (const GuestVirt at : places) {
    if (looks_like_index(memory, at, text)) {
      return at;
    }
  }
  return std::nullopt;
}

/// The whole index round a place inside of it. Distances double as long as they stay inside, so that the ends are
/// found in one pass of a bounded part of memory.
std::optional<Run> grow(VirtMemory& memory, GuestVirt inside, GuestVirt begin, GuestVirt end, Text text) {
  constexpr std::uint64_t kStep = 32768;
  GuestVirt low = inside;
  while (low > begin && low - begin > kStep && looks_like_index(memory, low - kStep, text)) {
    low = low - kStep;
  }
  GuestVirt high = inside;
  while (high < end && end - high > kStep && looks_like_index(memory, high + kStep, text)) {
    high += kStep;
  }
  low = low - begin > kStep ? low - kStep : begin;
  high = end - high > kStep + kProbe ? high + kStep + kProbe : end;
  return find_run(memory, low, high, text, kFewestKernelEntries);
}

/// Starts of functions are what the index is sorted by: a sample of it is held against the symbols, if there are any.
bool agrees_with_symbols(VirtMemory& memory, CodeInfo& code, const EhabiTable& table) {
  constexpr std::uint32_t kSamples = 32;
  unsigned known = 0;
  unsigned starts = 0;
  for (std::uint32_t i = 0; i < kSamples; ++i) {
    const std::uint64_t nth = std::uint64_t{table.count} * i / kSamples;
    const auto form = read_form(memory, table.index + nth * kEntry);
    if (!form) {
      return false;
    }
    if (const auto function = code.function_at(form->start)) {
      ++known;
      starts += function->start == form->start ? 1 : 0;
    }
  }
  return starts * 2 >= known;
}

/// The index between two symbols, if what is there has the form of one.
std::optional<EhabiTable> by_symbols(VirtMemory& search, CodeInfo& code, GuestVirt image_end) {
  const auto start = code.address_of("__start_unwind_idx");
  const auto stop = code.address_of("__stop_unwind_idx");
  if (!start || !stop || *stop <= *start || (*stop - *start) % kEntry != 0 ||
      (*stop - *start) / kEntry > kMostEntries) {
    return std::nullopt;
  }
  const auto count = static_cast<std::uint32_t>((*stop - *start) / kEntry);
  const auto first = read_form(search, *start);
  const auto last = read_form(search, *stop - kEntry);
  if (!first || !last || last->start < first->start) {
    return std::nullopt;
  }
  return EhabiTable{*start, count, first->start, std::max(image_end, last->start + 1), {}};
}

/// `struct unwind_table` of arch/arm/include/asm/unwind.h, whose list_head or two come first: [start, stop) is the
/// index, [begin, end) the text.
constexpr std::uint64_t kTableFieldsOld = 8;   // up to 5.17
constexpr std::uint64_t kTableFieldsNew = 16;  // with mod_list, from 5.18 or so
constexpr std::uint64_t kListHead = 8;

bool describes(const Text& text, const Text& part) {
  return part.begin >= text.begin && part.begin < text.end && part.end > part.begin && part.end <= text.end + 4096;
}

/// Entries at `index` are sorted, and the first and the last describe code in [begin, end).
bool sane(VirtMemory& search, const EhabiTable& table) {
  const auto first = read_form(search, table.index);
  const auto last = read_form(search, table.index + std::uint64_t{table.count - 1} * kEntry);
  const Text text{table.text_begin, table.text_end};
  return first && last && text.holds(first->start) && text.holds(last->start) && last->start >= first->start;
}

std::optional<EhabiTable> unwind_table_at(VirtMemory& search, GuestVirt fields, const KernelModule& module) {
  std::array<std::byte, 20> bytes{};
  if (!search.read(fields, bytes)) {
    return std::nullopt;
  }
  const auto word = [&](std::size_t i) { return GuestVirt(load_le<std::uint32_t>(bytes.data() + i * 4)); };
  const GuestVirt start = word(0), origin = word(1), stop = word(2);
  const Text part{word(3), word(4)};
  // `origin`, between the two, is filled in by the first search.
  const bool ordered = start < stop && (origin == GuestVirt() || (origin >= start && origin <= stop)) &&
                       (stop - start) % kEntry == 0 && (stop - start) / kEntry <= kMostEntries;
  const bool mine = describes({module.text_begin, module.text_end}, part) ||
                    describes({module.init_text_begin, module.init_text_end}, part);
  if (!ordered || !mine) {
    return std::nullopt;
  }
  EhabiTable table{start, static_cast<std::uint32_t>((stop - start) / kEntry), part.begin, part.end, module.name};
  return sane(search, table) ? std::optional(std::move(table)) : std::nullopt;
}

void add_once(std::vector<EhabiTable>& tables, std::optional<EhabiTable> table) {
  if (table && std::none_of(tables.begin(), tables.end(), [&](const auto& t) { return t.index == table->index; })) {
    tables.push_back(std::move(*table));
  }
}

/// `struct module` holds, in its `arch` member, pointers to the module's tables (to 5.17) or the head of their list.
std::vector<EhabiTable> by_module_structure(VirtMemory& search, const KernelModule& module) {
  constexpr std::size_t kStructModule = 1024;  // it has about 500 bytes
  constexpr unsigned kMostTables = 16;
  std::vector<EhabiTable> tables;
  std::array<std::byte, kStructModule> bytes{};
  std::size_t got = 0;
  while (got < bytes.size()) {
    const auto n = search.read_some(module.structure + got, std::span(bytes).subspan(got));
    if (!n) {
      break;
    }
    got += *n;
  }
  for (std::size_t i = 0; i + 4 <= got && tables.size() < kMostTables; i += 4) {
    const auto pointer = load_le<std::uint32_t>(bytes.data() + i);
    if (pointer < 0x1000 || (pointer & 3) != 0) {
      continue;
    }
    add_once(tables, unwind_table_at(search, GuestVirt(pointer) + kTableFieldsOld, module));
    // A list: each table's second list_head, with the head itself in struct module.
    GuestVirt node(pointer);
    const GuestVirt head = module.structure + i;
    for (unsigned n = 0; n < kMostTables && node != head; ++n) {
      auto table = unwind_table_at(search, node + (kTableFieldsNew - kListHead), module);
      if (!table) {
        break;
      }
      add_once(tables, std::move(table));
      const auto next = search.read_value<std::uint32_t>(node);
      if (!next || *next < 0x1000) {
        break;
      }
      node = GuestVirt(*next);
    }
  }
  return tables;
}

}  // namespace

std::vector<EhabiTable> find_kernel_ehabi(VirtMemory& search, GuestVirt image_begin, GuestVirt image_end,
                                          CodeInfo& code) {
  if (image_end <= image_begin || image_end - image_begin > kMostImage) {
    return {};
  }
  if (auto table = by_symbols(search, code, image_end); table && agrees_with_symbols(search, code, *table)) {
    return {std::move(*table)};
  }
  // Every object with tables refers to this routine of arch/arm/kernel/unwind.c: a kernel that lacks it has none.
  if (code.address_of("_stext") && !code.address_of("__aeabi_unwind_cpp_pr0")) {
    return {};
  }
  const Text text{image_begin, image_end};
  // The index lies behind the text. A live guest's pages cost time each, so most of the image is only looked at in
  // places; one that is too small to be hit this way is looked for more closely.
  const auto etext = code.address_of("_etext");
  const GuestVirt begin = etext && text.holds(*etext) ? *etext : image_begin;
  for (const std::uint64_t stride : {std::uint64_t{131072}, std::uint64_t{16384}, std::uint64_t{4096}}) {
    const auto inside = probe(search, begin, image_end, text, stride);
    if (!inside) {
      continue;
    }
    const auto run = grow(search, *inside, begin, image_end, text);
    if (!run) {
      continue;
    }
    EhabiTable table{run->first, std::min(run->count, kMostEntries), run->lowest, image_end, {}};
    if (agrees_with_symbols(search, code, table)) {
      return {std::move(table)};
    }
  }
  return {};
}

std::vector<EhabiTable> find_module_ehabi(VirtMemory& search, const KernelModule& module) {
  if (module.text_end <= module.text_begin) {
    return {};
  }
  if (auto tables = by_module_structure(search, module); !tables.empty()) {
    return tables;
  }
  // By form: in the pages behind the text, of the same allocation or (from 6.4) of one close by.
  constexpr std::uint64_t kNear = 1U << 20;
  constexpr std::uint32_t kFewest = 2;
  const Text text{module.text_begin, module.text_end};
  const auto run = find_run(search, module.text_end, module.text_end + kNear, text, kFewest);
  if (!run) {
    return {};
  }
  EhabiTable table{run->first, run->count, text.begin, text.end, module.name};
  return {std::move(table)};
}

}  // namespace xstack
