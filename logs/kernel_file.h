// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/arch.h"
#include "base/error.h"
#include "logs/file_image.h"
#include "logs/map_text.h"
#include "logs/name_index.h"
#include "symbols/source_place.h"
#include "symbols/symbol_table.h"

namespace xstack {
class DebugFile;
}

namespace xstack::logs {

/// One file of a kernel's or Xen's symbols (System.map, a copy of /proc/kallsyms, an ELF image), as reports use it.
/// What takes time is done when it is first asked for. All addresses are the file's own.
class KernelFile {
 public:
  /// `directories`: where the DWARF of an ELF image may be, when it has none itself. Errors: as read_symbol_file().
  [[nodiscard]] static Result<std::unique_ptr<KernelFile>> open(const std::string& path,
                                                                const std::vector<std::string>& directories);
  ~KernelFile();
  KernelFile(const KernelFile&) = delete;
  KernelFile& operator=(const KernelFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// As SymbolTable's.
  [[nodiscard]] std::optional<CodeSymbol> symbol_at(std::uint64_t address) const;
  [[nodiscard]] bool is_xen() const { return is_xen_; }
  [[nodiscard]] std::uint64_t text_begin() const { return text_begin_; }
  [[nodiscard]] std::uint64_t text_end() const { return text_end_; }
  /// Code of modules too, where the file has those: a copy of /proc/kallsyms.
  [[nodiscard]] bool is_text(std::uint64_t address) const {
    return (address >= text_begin_ && address < text_end_) || (has_modules_ && table_.is_module_code(address));
  }
  /// Initialisation code too, which is gone once the kernel is up: outermost frames are still in it.
  [[nodiscard]] bool is_code(std::uint64_t address) const {
    return is_text(address) || (address >= init_begin_ && address < init_end_);
  }

  /// Of an ELF image; nothing and empty for text.
  [[nodiscard]] std::optional<ArchId> arch() const;
  [[nodiscard]] std::optional<std::string> build_id() const;
  [[nodiscard]] const FileImage& image();
  /// Of the kernel, as the image says it, else as the file is named.
  [[nodiscard]] std::optional<std::string> release();

  /// The address of the symbol that a log calls "name+offset/size". Of several of one name it is the one of that size,
  /// as far as that tells; nothing when the file has none that can be meant.
  [[nodiscard]] std::optional<std::uint64_t> address_of(std::string_view name, std::uint64_t offset,
                                                        std::optional<std::uint64_t> size);
  /// The address of the first symbol of a name that a linker script or an unwinder knows. Remembered: those are few.
  [[nodiscard]] std::optional<std::uint64_t> well_known(std::string_view name);
  /// The address of a name that only one symbol has.
  [[nodiscard]] std::optional<std::uint64_t> only_address_of(std::string_view name);

  /// As DebugFile::places_at(); empty for text.
  [[nodiscard]] std::vector<SourcePlace> places_at(std::uint64_t address);
  [[nodiscard]] bool has_lines();

 private:
  KernelFile() = default;
  [[nodiscard]] const NameIndex& names();
  [[nodiscard]] std::vector<std::optional<std::uint64_t>> addresses_of(std::span<const std::string_view> names) const;
  [[nodiscard]] std::optional<std::uint64_t> search_only_address(std::string_view name) const;

  std::string path_;
  std::vector<std::string> directories_;
  std::optional<MapText> map_;  ///< has the symbols when the file can be searched as it is, else table_ has them
  SymbolTable table_;
  std::optional<NameIndex> names_;
  using Addresses = std::map<std::string, std::optional<std::uint64_t>, std::less<>>;
  Addresses few_names_;  ///< asked for before names_ was made
  Addresses well_known_;
  std::optional<FileImage> image_;
  std::optional<std::string> release_;  ///< empty: not known
  std::unique_ptr<DebugFile> elf_;
  std::unique_ptr<DebugFile> dwarf_;  ///< another file, that has what elf_ lacks
  bool dwarf_searched_ = false;
  std::uint64_t text_begin_ = 0;
  std::uint64_t text_end_ = ~std::uint64_t{0};
  std::uint64_t init_begin_ = 0;
  std::uint64_t init_end_ = 0;
  bool is_xen_ = false;
  bool has_modules_ = false;
};

}  // namespace xstack::logs
