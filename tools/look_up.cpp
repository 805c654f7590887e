// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tools/look_up.h"

#include <utility>

#include "symbols/debug_file.h"
#include "symbols/debug_search.h"
#include "symbols/symbol_file.h"
#include "tools/cli/number.h"

namespace xstack {
namespace {

class GuestLookUp final : public LookUp {
 public:
  explicit GuestLookUp(KernelSession& session) : session_(session) {}
  [[nodiscard]] unsigned word_size() const override { return session_.arch().word_size; }
  [[nodiscard]] std::vector<std::string> warnings() const override {
    std::vector<std::string> all = session_.kernel()->warnings();
    const auto& lines = session_.lines()->warnings();
    all.insert(all.end(), lines.begin(), lines.end());
    return all;
  }

 private:
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(GuestVirt address) override {
    return session_.kernel()->symbol_at(address);
  }
  [[nodiscard]] std::vector<SourcePlace> places_at(GuestVirt address) override {
    return session_.lines()->places_at(address);
  }
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view name) override {
    return session_.kernel()->code().address_of(name);
  }

  KernelSession& session_;
};

class FileLookUp final : public LookUp {
 public:
  struct File {
    std::optional<SymbolTable> table;
    std::unique_ptr<DebugFile> debug;  ///< null: no ELF file
  };
  FileLookUp(std::vector<File> files, std::vector<std::string> warnings)
      : files_(std::move(files)), warnings_(std::move(warnings)) {}

  [[nodiscard]] unsigned word_size() const override {
    for (const File& file : files_) {
      if (file.debug) {
        return arch_ops(file.debug->arch()).word_size;
      }
    }
    return 8;
  }
  [[nodiscard]] std::vector<std::string> warnings() const override { return warnings_; }

 private:
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(GuestVirt address) override {
    for (const File& file : files_) {
      if (auto symbol = file.table ? file.table->symbol_at(address.value) : std::nullopt) {
        return symbol;
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] std::vector<SourcePlace> places_at(GuestVirt address) override {
    for (const File& file : files_) {
      auto places = file.debug ? file.debug->places_at(address.value) : std::vector<SourcePlace>();
      if (!places.empty()) {
        return places;
      }
    }
    return {};
  }
  [[nodiscard]] std::optional<GuestVirt> address_of(std::string_view name) override {
    for (const File& file : files_) {
      if (const auto address = file.table ? file.table->address_of(name) : std::nullopt) {
        return GuestVirt(*address);
      }
    }
    return std::nullopt;
  }

  std::vector<File> files_;
  std::vector<std::string> warnings_;
};

Result<FileLookUp::File> open_file(const std::string& path, const std::vector<std::string>& debug_directories,
                                   std::vector<std::string>& warnings) {
  FileLookUp::File file;
  auto debug = open_with_dwarf(path, std::nullopt, debug_directories);
  if (!debug && debug.error().code != Errc::bad_format) {
    return tl::unexpected(debug.error());
  }
  if (debug && (*debug)->relocatable()) {
    return fail(Errc::unsupported, path + ": a relocatable file has no addresses of its own");
  }
  // The architecture matters for ELF files alone.
  auto symbols = read_symbol_file(path, debug ? (*debug)->arch() : ArchId::x86_64);
  if (symbols) {
    file.table = std::move(symbols->table);
  } else if (!debug || !(*debug)->has_dwarf()) {
    return tl::unexpected(symbols.error());
  } else {
    warnings.push_back(symbols.error().message);
  }
  if (debug) {
    file.debug = std::move(*debug);
  }
  return file;
}

}  // namespace

Answer LookUp::answer(std::string_view query) {
  Answer answer;
  answer.query = query;
  if (const auto number = parse_number(std::string(query))) {
    answer.address = GuestVirt(*number);
  } else {
    const auto plus = query.find('+');
    std::optional<std::uint64_t> offset = 0;
    if (plus != std::string_view::npos) {
      const std::string_view rest = query.substr(plus + 1);
      offset = parse_number(std::string(rest.substr(0, rest.find('/'))));
    }
    const auto start = address_of(query.substr(0, plus));
    answer.address = start && offset ? std::optional(*start + *offset) : std::nullopt;
  }
  if (answer.address) {
    answer.symbol = symbol_at(*answer.address);
    answer.places = places_at(*answer.address);
  }
  return answer;
}

std::unique_ptr<LookUp> look_up_in_guest(KernelSession& session) {
  return std::make_unique<GuestLookUp>(session);
}

Result<std::unique_ptr<LookUp>> look_up_in_files(const std::vector<std::string>& paths,
                                                 const std::vector<std::string>& debug_directories) {
  std::vector<FileLookUp::File> files;
  std::vector<std::string> warnings;
  for (const std::string& path : paths) {
    auto file = open_file(path, debug_directories, warnings);
    if (!file) {
      return tl::unexpected(file.error());
    }
    files.push_back(std::move(*file));
  }
  return std::make_unique<FileLookUp>(std::move(files), std::move(warnings));
}

}  // namespace xstack
