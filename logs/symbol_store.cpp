// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/symbol_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "logs/namer.h"
#include "logs/words.h"
#include "symbols/debug_search.h"

namespace xstack::logs {
namespace {

constexpr std::size_t kMostLoaded = 64;
constexpr std::size_t kMostChosen = 4096;

/// A release comes from the log: only what can be a part of a file's name.
bool is_safe_name(std::string_view text) {
  return !text.empty() && text.size() <= 128 && text.front() != '.' && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '+' ||
           c == '~' || c == '-';
  });
}

bool is_file(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

/// Is this report about Xen's own code: what it prints of itself, not of a guest.
bool about_xen(const Report& report) {
  return report.origin.who == Origin::Who::xen && !report.domain;
}

/// The release of the kernel that the report is about. What Xen writes of a guest has Xen's as its own.
std::string kernel_release(const Report& report) {
  const std::string& release = report.origin.who == Origin::Who::xen ? report.guest_release : report.release;
  return is_safe_name(release) ? release : std::string();
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

void SymbolStore::warn(std::string text) {
  if (warned_.size() < kMostLoaded && warned_.insert(text).second) {
    warnings_.push_back(std::move(text));
  }
}

KernelFile* SymbolStore::load(const std::string& path) {
  if (const auto found = loaded_.find(path); found != loaded_.end()) {
    return found->second.get();
  }
  if (loaded_.size() >= kMostLoaded) {
    return nullptr;
  }
  auto& slot = loaded_[path];
  auto file = KernelFile::open(path, directories_);
  if (file) {
    slot = std::move(*file);
  } else {
    warn(file.error().message);
  }
  return slot.get();
}

/// Does the file belong to the kernel of the report, as far as both say what they are? `told`: the user says that it
/// does, and only a build-id says otherwise.
bool SymbolStore::is_of(KernelFile& file, const Report& report, bool told) {
  const auto build_id = file.build_id();
  if (build_id && !report.build_id.empty()) {
    if (*build_id != report.build_id && told) {
      warn(fmt::format("{}: not used: its build-id is {}, the log's {}", file.path(), *build_id, report.build_id));
    }
    return *build_id == report.build_id;
  }
  const std::string mine = kernel_release(report);
  if (told || mine.empty()) {
    return true;
  }
  const auto release = file.release();
  return !release || *release == mine;
}

/// Is the file for this domain, or for Xen, by what was said with it?
bool SymbolStore::is_meant(const SymbolSpec& spec, const Report& report) {
  switch (spec.who) {
    case SymbolSpec::Who::xen:
      return about_xen(report);
    case SymbolSpec::Who::domain:
      return !about_xen(report) && report.domain.value_or(0) == spec.domain;
    case SymbolSpec::Who::anyone:
      break;
  }
  return false;
}

SymbolStore::Files SymbolStore::choose(const Report& report) {
  Files files = kernel_files(report);
  std::vector<std::string> given;
  for (const auto& spec : specs_) {
    if (module_of_file(spec.path) && (spec.who == SymbolSpec::Who::anyone || is_meant(spec, report))) {
      given.push_back(spec.path);
    }
  }
  const std::string release = kernel_release(report);
  files.modules = std::make_shared<ModuleBook>(std::move(given), directories_,
                                               release.empty() ? std::nullopt : std::optional(release));
  return files;
}

SymbolStore::Files SymbolStore::kernel_files(const Report& report) {
  Files files;
  const bool xen = about_xen(report);
  const auto take_file = [&](const std::string& path, bool told) {
    KernelFile* file = module_of_file(path) ? nullptr : load(path);
    if (file == nullptr || (!told && file->is_xen() != xen) || !is_of(*file, report, told)) {
      return;
    }
    files.names = files.names == nullptr ? file : files.names;
    if (files.lines == nullptr && file->has_lines()) {
      files.lines = file;
    }
  };
  for (const auto& spec : specs_) {
    if (is_meant(spec, report)) {
      take_file(spec.path, true);
    }
  }
  if (files.names == nullptr) {
    for (const auto& spec : specs_) {
      if (spec.who == SymbolSpec::Who::anyone) {
        take_file(spec.path, false);
      }
    }
  }
  if (files.lines != nullptr || xen) {
    return files;
  }
  const std::string release = kernel_release(report);
  const auto text_of = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  const KernelFiles found = find_kernel_files(directories_, text_of(report.build_id), text_of(release));
  std::vector<std::string> paths = found.by_release;
  if (found.by_build_id) {
    paths.insert(paths.begin(), *found.by_build_id);
  }
  if (!release.empty()) {
    for (const auto& directory : directories_) {
      for (const char* form : {"/System.map-", "/boot/System.map-"}) {
        paths.push_back(fmt::format("{}{}{}", directory, form, release));
      }
    }
  }
  for (const auto& path : paths) {
    if (files.lines == nullptr && is_file(path)) {
      take_file(path, false);
    }
  }
  return files;
}

SymbolStore::Files SymbolStore::files_for(const Report& report) {
  const Key key{about_xen(report), report.domain ? *report.domain + 1 : 0, kernel_release(report), report.build_id};
  if (const auto found = chosen_.find(key); found != chosen_.end()) {
    return found->second;
  }
  Files files = choose(report);
  if (chosen_.size() < kMostChosen) {
    chosen_[key] = files;
  }
  return files;
}

std::vector<Note> SymbolStore::name(Report& report, std::span<const Spot> spots) {
  if (specs_.empty() && directories_.empty()) {
    return {};
  }
  // Without anything to add there is no need of a file.
  const bool bare = std::ranges::any_of(spots, [](const Spot& spot) { return spot.frame.symbol.empty(); }) ||
                    std::ranges::any_of(report.frames, [](const Frame& frame) { return frame.symbol.empty(); });
  const bool may_have_lines = !spots.empty() || !report.frames.empty();
  if (!bare && !may_have_lines) {
    return {};
  }
  const Files files = files_for(report);
  auto notes = Namer(files.names, files.lines, *files.modules, tracer_, report, spots).notes();
  for (std::string& warning : files.modules->take_warnings()) {
    warn(std::move(warning));
  }
  return notes;
}

}  // namespace xstack::logs
