// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/symbol_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "logs/words.h"
#include "symbols/symbol_file.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kMostLoaded = 64;
constexpr std::size_t kMostWordsNamed = 8;  ///< of one row of a stack

/// A release comes from the log: only what can be a part of a file's name.
bool is_safe_name(std::string_view text) {
  return !text.empty() && text.size() <= 128 && text.front() != '.' && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '+' ||
           c == '~' || c == '-';
  });
}

/// "System.map-6.1.0-50-arm64" is of 6.1.0-50-arm64; nothing for files whose names do not say.
std::string_view release_of_path(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (const std::string_view key : {"System.map-", "vmlinux-", "xen-syms-"}) {
    if (name.starts_with(key)) {
      std::string_view rest = name.substr(key.size());
      for (const std::string_view end : {".debug", ".zst", ".xz", ".gz", ".map"}) {
        if (rest.ends_with(end)) {
          rest.remove_suffix(end.size());
        }
      }
      return rest;
    }
  }
  return {};
}

/// Is this report about Xen's own code: what it prints of itself, not of a guest.
bool about_xen(const Report& report) {
  return report.origin.who == Origin::Who::xen && !report.domain;
}

std::string describe(const CodeSymbol& symbol, std::uint64_t address) {
  std::string out = fmt::format("{}+0x{:x}", symbol.name, address - symbol.start.value);
  if (symbol.size != 0) {
    out += fmt::format("/0x{:x}", symbol.size);
  }
  if (!symbol.module.empty()) {
    out += fmt::format(" [{}]", symbol.module);
  }
  return escape(out);
}

void append(std::map<std::uint64_t, std::string>& notes, std::uint64_t line, const std::string& text) {
  std::string& note = notes[line];
  if (note.size() < 1024) {
    note += note.empty() ? text : ", " + text;
  }
}

}  // namespace

SymbolSpec parse_symbol_spec(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals != std::string_view::npos) {
    std::string_view who = text.substr(0, equals);
    const std::string path(text.substr(equals + 1));
    if (who == "xen") {
      return {SymbolSpec::Who::xen, 0, path};
    }
    if (take(who, "dom") || take(who, "d") || take(who, "DOM")) {
      const auto number = take_decimal(who);
      if (number && who.empty()) {
        return {SymbolSpec::Who::domain, *number, path};
      }
    }
  }
  return {SymbolSpec::Who::anyone, 0, std::string(text)};
}

SymbolStore::SymbolStore(std::vector<SymbolSpec> specs, std::vector<std::string> directories)
    : specs_(std::move(specs)), directories_(std::move(directories)) {}

SymbolStore::Source* SymbolStore::load(const std::string& path, bool must_exist) {
  if (const auto found = loaded_.find(path); found != loaded_.end()) {
    return found->second.get();
  }
  std::error_code ignored;
  if (loaded_.size() >= kMostLoaded || (!must_exist && !std::filesystem::exists(path, ignored))) {
    return nullptr;
  }
  auto& slot = loaded_[path];
  // Text does not say its machine, and an image is read for its own.
  static constexpr std::array kMachines = {ArchId::arm64, ArchId::x86_64, ArchId::arm32, ArchId::x86_32};
  std::optional<Error> why;
  for (const ArchId arch : kMachines) {
    auto file = read_symbol_file(path, arch);
    if (file) {
      slot = std::make_unique<Source>();
      slot->table = std::move(file->table);
      break;
    }
    why = file.error();
    if (why->code != Errc::unsupported) {
      break;
    }
  }
  if (!slot) {
    warnings_.push_back(fmt::format("{}: {}", path, why ? why->message : "no symbols"));
    return nullptr;
  }
  Source& source = *slot;
  source.by_name.reserve(source.table.size());
  source.table.for_each([&](std::string_view name, std::uint64_t address, std::uint64_t size) {
    source.by_name.emplace(std::string(name), std::pair(address, size));
  });
  const auto first = [&](std::initializer_list<std::string_view> names) -> std::optional<std::uint64_t> {
    for (const auto name : names) {
      if (const auto address = source.table.address_of(name)) {
        return address;
      }
    }
    return std::nullopt;
  };
  source.text_begin = first({"_stext", "_text", "stext"}).value_or(0);
  source.text_end = first({"_etext"}).value_or(~std::uint64_t{0});
  source.is_xen = source.by_name.contains("idle_vcpu") || source.by_name.contains("dom_xen");
  return slot.get();
}

std::vector<SymbolStore::Source*> SymbolStore::sources_for(const Report& report) {
  std::vector<Source*> found;
  const auto add = [&](Source* source) {
    if (source != nullptr && std::ranges::find(found, source) == found.end()) {
      found.push_back(source);
    }
  };
  const bool xen = about_xen(report);
  for (const auto& spec : specs_) {
    const bool meant = spec.who == SymbolSpec::Who::xen ? xen
                       : spec.who == SymbolSpec::Who::domain
                           ? !xen && (report.domain ? *report.domain == spec.domain : spec.domain == 0)
                           : false;
    if (meant) {
      add(load(spec.path, true));
    }
  }
  if (!found.empty()) {
    return found;
  }
  const bool safe = is_safe_name(report.release);
  // What Xen writes of a guest has Xen's release, not the guest's.
  const bool own_release = safe && (xen || report.origin.who != Origin::Who::xen);
  for (const auto& spec : specs_) {
    if (spec.who != SymbolSpec::Who::anyone) {
      continue;
    }
    const std::string_view release = release_of_path(spec.path);
    if (!release.empty() && own_release && !xen && release != report.release) {
      continue;
    }
    Source* source = load(spec.path, true);
    if (source != nullptr && source->is_xen == xen) {
      add(source);
    }
  }
  if (found.empty() && own_release && !xen) {
    for (const auto& directory : directories_) {
      if (report.build_id.size() > 2) {
        add(load(
            fmt::format("{}/.build-id/{}/{}.debug", directory, report.build_id.substr(0, 2), report.build_id.substr(2)),
            false));
      }
      for (const char* form :
           {"{0}/vmlinux-{1}", "{0}/System.map-{1}", "{0}/{1}/vmlinux", "{0}/{1}/System.map", "{0}/boot/System.map-{1}",
            "{0}/usr/lib/debug/boot/vmlinux-{1}", "{0}/usr/lib/debug/lib/modules/{1}/vmlinux"}) {
        if (found.empty()) {
          add(load(fmt::format(fmt::runtime(form), directory, report.release), false));
        }
      }
    }
  }
  return found;
}

/// Where the log has a name and an address for one thing, the difference to the file's address is the slide. All that
/// have one must agree.
std::optional<std::uint64_t> SymbolStore::learn_slide(const Source& source, std::span<const Spot> spots) {
  std::optional<std::uint64_t> slide;
  const auto look = [&](const Frame& frame) {
    if (!frame.address || !frame.offset || frame.symbol.empty() || !frame.module.empty() ||
        source.by_name.count(frame.symbol) != 1) {
      return true;
    }
    const std::uint64_t here = *frame.address - *frame.offset - source.by_name.find(frame.symbol)->second.first;
    if (slide && *slide != here) {
      slide.reset();
      return false;
    }
    slide = here;
    return true;
  };
  for (const Spot& spot : spots) {
    if (!look(spot.frame)) {
      return std::nullopt;
    }
  }
  return slide;
}

std::map<std::uint64_t, std::string> SymbolStore::name(Report& report, std::span<const Spot> spots) {
  std::map<std::uint64_t, std::string> notes;
  if (empty()) {
    return notes;
  }
  for (Source* source : sources_for(report)) {
    const std::uint64_t slide = report.kaslr_offset ? *report.kaslr_offset : learn_slide(*source, spots).value_or(0);
    const auto code_at = [&](std::uint64_t address, bool exact) -> std::optional<CodeSymbol> {
      const std::uint64_t at = address - slide - (exact ? 0 : 1);
      if (at < source->text_begin || at >= source->text_end) {
        return std::nullopt;
      }
      return source->table.symbol_at(at);
    };
    std::map<std::uint64_t, std::size_t> words;
    for (const Spot& spot : spots) {
      const Frame& frame = spot.frame;
      if (!frame.address || !frame.symbol.empty()) {
        continue;
      }
      const bool word = spot.what == Spot::What::word;
      std::vector<std::uint64_t> values{*frame.address};
      if (word && report.stack_word == 8 && *frame.address >> 32 != 0 && source->text_end <= 0xffffffffULL) {
        // An arm64 Xen prints a 32-bit guest's words two at a time, the second one first.
        values = {*frame.address & 0xffffffffU, *frame.address >> 32};
      }
      for (const auto value : values) {
        if (word && words[spot.line] >= kMostWordsNamed) {
          break;
        }
        if (const auto symbol = code_at(value, frame.exact)) {
          append(notes, spot.line, describe(*symbol, value - slide));
          ++words[spot.line];
        }
      }
    }
    for (Frame& frame : report.frames) {
      if (frame.address && frame.symbol.empty()) {
        if (const auto symbol = code_at(*frame.address, frame.exact)) {
          frame.symbol = symbol->name;
          frame.offset = *frame.address - slide - symbol->start.value;
          if (symbol->size != 0) {
            frame.size = symbol->size;
          }
          frame.module = symbol->module;
          frame.from_symbols = true;
        }
      }
    }
  }
  return notes;
}

}  // namespace xstack::logs
