// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/namer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "logs/writers.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kLongestNote = 1024;
constexpr std::size_t kMostWordsNamed = 8;  ///< of one row of a stack
constexpr unsigned kEnoughForSlide = 8;

std::string describe(const CodeSymbol& symbol, std::uint64_t offset) {
  std::string out = fmt::format("{}+0x{:x}", escape(symbol.name), offset);
  if (symbol.size != 0) {
    out += fmt::format("/0x{:x}", symbol.size);
  }
  if (!symbol.module.empty()) {
    out += fmt::format(" [{}]", escape(symbol.module));
  }
  return out;
}

std::string where(const SourcePlace& place) {
  std::string out = place.file ? escape(*place.file) : std::string();
  if (place.file && place.line) {
    out += fmt::format(":{}", *place.line);
  }
  return out;
}

/// "kernel/a.c:12"; with inlined calls "inner kernel/a.c:3 (inlined), kernel/b.c:12".
std::string describe(const std::vector<SourcePlace>& places) {
  std::string out;
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::string part = where(places[i]);
    if (i + 1 < places.size()) {
      part = fmt::format("{} {} (inlined)", places[i].function ? escape(*places[i].function) : "?", part);
    }
    if (!part.empty()) {
      out += (out.empty() ? "" : ", ") + part;
    }
  }
  return out;
}

}  // namespace

Namer::Namer(KernelFile* names, KernelFile* lines, ModuleBook& modules, RowTracer& tracer, Report& report,
             std::span<const Spot> spots)
    : names_(names), lines_(lines), modules_(modules), tracer_(tracer), report_(report), spots_(spots) {}

/// Where the log has a name and an address for one thing, the difference to the file's address is the slide. Those that
/// have one must agree.
std::optional<std::uint64_t> Namer::learn_slide() {
  std::optional<std::uint64_t> slide;
  unsigned seen = 0;
  for (const Spot& spot : names_ != nullptr ? spots_ : std::span<const Spot>()) {
    const Frame& frame = spot.frame;
    if (!frame.address || !frame.offset || frame.symbol.empty() || !frame.module.empty()) {
      continue;
    }
    const auto address = names_->only_address_of(frame.symbol);
    if (!address) {
      continue;
    }
    const std::uint64_t here = *frame.address - *frame.offset - *address;
    if (slide && *slide != here) {
      return std::nullopt;
    }
    slide = here;
    if (++seen == kEnoughForSlide) {
      break;
    }
  }
  return slide;
}

std::uint64_t Namer::slide() {
  if (!slide_) {
    slide_ = report_.kaslr_offset ? *report_.kaslr_offset : learn_slide().value_or(0);
  }
  return *slide_;
}

std::optional<CodeSymbol> Namer::symbol_at(std::uint64_t address, bool exact) {
  const std::uint64_t at = address - slide() - (exact ? 0 : 1);
  return names_ != nullptr && names_->is_text(at) ? names_->symbol_at(at) : std::nullopt;
}

/// Where to look up the lines of a frame of the kernel proper, as the file with the lines has it.
std::optional<std::uint64_t> Namer::place_of(const Frame& frame) {
  if (lines_ == nullptr || !frame.module.empty()) {
    return std::nullopt;
  }
  const std::uint64_t back = frame.exact ? 0 : 1;
  if (!frame.symbol.empty() && frame.offset) {
    const auto start = lines_->address_of(frame.symbol, *frame.offset, frame.size);
    return start ? std::optional(*start + *frame.offset - back) : std::nullopt;
  }
  if (frame.address && lines_->is_code(*frame.address - slide() - back)) {
    return *frame.address - slide() - back;
  }
  return std::nullopt;
}

/// Is there a file that can have source lines for it?
bool Namer::may_have_places(const Frame& frame) const {
  return lines_ != nullptr || !frame.module.empty();
}

std::vector<SourcePlace> Namer::places_of(const Frame& frame) {
  if (!frame.module.empty()) {
    return modules_.places_of(frame);
  }
  const auto place = place_of(frame);
  return place ? lines_->places_at(*place) : std::vector<SourcePlace>();
}

std::string Namer::note_of(const Spot& spot) {
  const Frame& frame = spot.frame;
  if (!may_have_places(frame) && (!frame.symbol.empty() || names_ == nullptr)) {
    return {};
  }
  if (!frame.symbol.empty()) {
    return describe(places_of(frame));
  }
  if (!frame.address) {
    return {};
  }
  const bool word = spot.what == Spot::What::word;
  std::uint64_t halves[2] = {*frame.address, 0};
  std::size_t count = 1;
  if (word && report_.stack_word == 8 && *frame.address >> 32 != 0 && names_ != nullptr &&
      names_->text_end() <= 0xffffffffULL) {
    // An arm64 Xen prints a 32-bit guest's words two at a time, the second one first.
    halves[0] = *frame.address & 0xffffffffU;
    halves[1] = *frame.address >> 32;
    count = 2;
  }
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto symbol = symbol_at(halves[i], frame.exact);
    if (!symbol) {
      continue;
    }
    std::string text = describe(*symbol, halves[i] - slide() - symbol->start.value);
    if (!word) {
      if (const std::string lines = describe(places_of(frame)); !lines.empty()) {
        text += " " + lines;
      }
    }
    out += (out.empty() ? "" : ", ") + text;
  }
  return out;
}

void Namer::fill_frames() {
  if (std::ranges::none_of(report_.frames, [&](const Frame& frame) {
        return may_have_places(frame) || (names_ != nullptr && frame.address && frame.symbol.empty());
      })) {
    return;
  }
  std::vector<Frame> filled;
  filled.reserve(report_.frames.size());
  for (Frame& frame : report_.frames) {
    if (names_ != nullptr && frame.address && frame.symbol.empty()) {
      const std::uint64_t at = *frame.address - slide() - (frame.exact ? 0 : 1);
      // What an unwinder found is code; other words are more likely chance.
      const bool is_code = frame.found_by.empty() || frame.guess ? names_->is_text(at) : names_->is_code(at);
      if (const auto symbol = is_code ? names_->symbol_at(at) : std::nullopt) {
        frame.symbol = symbol->name;
        frame.offset = *frame.address - slide() - symbol->start.value;
        frame.size = symbol->size != 0 ? std::optional(symbol->size) : std::nullopt;
        frame.module = symbol->module;
        frame.from_symbols = true;
      }
    }
    auto places = places_of(frame);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const SourcePlace& place = places[i];
      Frame* target = &frame;
      if (i + 1 < places.size()) {
        target = &filled.emplace_back();
        target->symbol = place.function.value_or("");
        target->inlined = true;
        target->from_symbols = true;
        target->guess = frame.guess;
      }
      target->file = place.file.value_or("");
      target->line = place.line.value_or(0);
    }
    filled.push_back(std::move(frame));
  }
  report_.frames = std::move(filled);
}

/// A trace made from the registers and the rows goes below them.
void Namer::trace_rows(std::vector<Note>& notes) {
  // With the image, if there is one: it has the code and the unwind tables.
  KernelFile* image = names_ != nullptr && lines_ != nullptr && lines_->is_xen() == names_->is_xen() ? lines_ : names_;
  const bool traced = image != nullptr && tracer_.trace(report_, *image, slide());
  fill_frames();
  if (!traced) {
    return;
  }
  std::string who = report_.domain ? fmt::format("d{}", *report_.domain) : "Xen";
  if (report_.domain && report_.vcpu) {
    who += fmt::format("v{}", *report_.vcpu);
  }
  notes.push_back(
      {report_.last_line, fmt::format("# trace of {}, from the registers and the stack above:", who), true});
  for (const Frame& frame : report_.frames) {
    notes.push_back({report_.last_line, "#   " + frame_text(frame), true});
  }
  notes.push_back({report_.last_line, fmt::format("# it ends here: {}", report_.trace_end), true});
}

std::vector<Note> Namer::notes() {
  std::vector<Note> notes;
  std::size_t words = 0;
  for (const Spot& spot : spots_) {
    const bool same_line = !notes.empty() && notes.back().line == spot.line;
    words = same_line ? words : 0;
    if (spot.what == Spot::What::word && words >= kMostWordsNamed) {
      continue;
    }
    std::string text = note_of(spot);
    if (text.empty()) {
      continue;
    }
    ++words;
    if (!same_line) {
      notes.push_back({spot.line, std::move(text)});
    } else if (notes.back().text.size() < kLongestNote) {
      notes.back().text += ", " + text;
    }
  }
  trace_rows(notes);
  return notes;
}

}  // namespace xstack::logs
