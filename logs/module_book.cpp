// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/module_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace xstack::logs {
namespace {

constexpr std::size_t kMostModules = 256;

}  // namespace

ModuleBook::ModuleBook(std::vector<std::string> given, std::vector<std::string> directories,
                       std::optional<std::string> release)
    : given_(std::move(given)), directories_(std::move(directories)), files_(directories_, std::move(release)) {}

ModuleBook::Book* ModuleBook::book_of(const Frame& frame) {
  const auto key = std::pair(frame.module, frame.module_build_id);
  const auto known = books_.find(key);
  if (known != books_.end()) {
    return &known->second;
  }
  if (books_.size() >= kMostModules) {
    return nullptr;
  }
  Book& book = books_[key];
  open(book, frame);
  return &book;
}

void ModuleBook::open(Book& book, const Frame& frame) {
  std::vector<std::string> paths;
  std::ranges::copy_if(given_, std::back_inserter(paths),
                       [&](const std::string& path) { return module_of_file(path) == frame.module; });
  std::ranges::move(files_.find(frame.module), std::back_inserter(paths));
  for (const std::string& path : paths) {
    auto file = open_with_dwarf(path, std::nullopt, directories_);
    if (!file) {
      warnings_.push_back(file.error().message);
      continue;
    }
    const auto& build_id = (*file)->build_id();
    if (build_id && !frame.module_build_id.empty() && *build_id != frame.module_build_id) {
      warnings_.push_back(
          fmt::format("{}: not used: its build-id is {}, the log's {}", path, *build_id, frame.module_build_id));
    } else if ((*file)->relocatable() && (*file)->has_dwarf()) {
      book.file = std::move(*file);
      break;
    }
  }
  if (!book.file) {
    return;
  }
  std::vector<const FileFunction*> sorted;
  for (const FileFunction& function : book.file->functions()) {
    sorted.push_back(&function);
  }
  std::ranges::stable_sort(sorted, {}, [](const FileFunction* f) { return std::pair(f->section, f->address); });
  std::uint64_t next = 0;
  for (std::size_t i = sorted.size(); i-- != 0;) {
    const FileFunction& here = *sorted[i];
    if (i + 1 == sorted.size() || sorted[i + 1]->section != here.section) {
      next = 0;
    } else if (sorted[i + 1]->address != here.address) {
      next = sorted[i + 1]->address;
    }
    book.functions.emplace(here.name, Function{here.address, here.size, next == 0 ? 0 : next - here.address});
  }
}

/// The kernel counts a function's size up to the next symbol of its own table: from the function's end on, and no
/// further than the next function of the file. Of two that can be meant, the one whose size is just that is.
std::optional<std::uint64_t> ModuleBook::address_of(const Book& book, const Frame& frame) {
  std::set<std::uint64_t> possible;
  std::set<std::uint64_t> exact;
  const auto [begin, end] = book.functions.equal_range(frame.symbol);
  for (auto at = begin; at != end && *frame.offset <= *frame.size; ++at) {
    const Function& function = at->second;
    if (function.size <= *frame.size && (function.reach == 0 || *frame.size <= function.reach)) {
      possible.insert(function.address);
    }
    if (*frame.size == function.size || *frame.size == function.reach) {  // without the padding behind it, or with
      exact.insert(function.address);
    }
  }
  const auto& found = exact.size() == 1 ? exact : possible;
  // Of two that are equally good nobody can tell which is meant.
  return found.size() == 1 ? std::optional(*found.begin()) : std::nullopt;
}

std::vector<SourcePlace> ModuleBook::places_of(const Frame& frame) {
  if (frame.module.empty() || frame.symbol.empty() || !frame.offset || !frame.size) {
    return {};
  }
  Book* book = book_of(frame);
  const auto start = book != nullptr && book->file ? address_of(*book, frame) : std::nullopt;
  return start ? book->file->places_at(*start + *frame.offset - (frame.exact ? 0 : 1)) : std::vector<SourcePlace>();
}

std::vector<std::string> ModuleBook::take_warnings() {
  return std::exchange(warnings_, {});
}

}  // namespace xstack::logs
