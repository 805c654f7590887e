// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "logs/report.h"
#include "symbols/debug_file.h"
#include "symbols/debug_search.h"
#include "symbols/source_place.h"

namespace xstack::logs {

/// Source lines for what a log calls "name+offset/size [module]", from the debug files of one kernel's modules. Where a
/// module was loaded the log does not say, and nobody needs it: the function and the offset in it are enough. The
/// function must have the size that was printed, or the file is of another build, and is silent.
class ModuleBook {
 public:
  /// `given`: the user's own files, before those of `release` below `directories`.
  ModuleBook(std::vector<std::string> given, std::vector<std::string> directories, std::optional<std::string> release);

  /// As DebugFile::places_at(), for a frame with a module. Empty when there is no file, or not the right one, or when
  /// several functions of the name could be meant.
  [[nodiscard]] std::vector<SourcePlace> places_of(const Frame& frame);

  /// What was wrong with files that are not used, one line each, once. Taken.
  [[nodiscard]] std::vector<std::string> take_warnings();

 private:
  struct Function {
    std::uint64_t address = 0;  ///< as DebugFile lays sections out
    std::uint64_t size = 0;     ///< 0: the file does not say
    std::uint64_t reach = 0;    ///< up to the next function of its section; 0 for the last
  };
  struct Book {
    std::unique_ptr<DebugFile> file;  ///< null: there is none
    std::multimap<std::string, Function, std::less<>> functions;
  };
  [[nodiscard]] Book* book_of(const Frame& frame);
  void open(Book& book, const Frame& frame);
  [[nodiscard]] static std::optional<std::uint64_t> address_of(const Book& book, const Frame& frame);

  std::vector<std::string> given_;
  std::vector<std::string> directories_;
  ModuleFiles files_;
  std::map<std::pair<std::string, std::string>, Book> books_;  ///< by module and printed build-id
  std::vector<std::string> warnings_;
};

}  // namespace xstack::logs
