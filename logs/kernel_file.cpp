// SPDX-License-Identifier: LGPL-2.1-or-later
#include "logs/kernel_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "guest/dump/input_file.h"
#include "logs/words.h"
#include "symbols/debug_file.h"
#include "symbols/debug_search.h"
#include "symbols/symbol_file.h"

namespace xstack::logs {
namespace {

/// "System.map-6.1.0-50-arm64" is of 6.1.0-50-arm64; nothing for files whose names do not say.
std::string_view release_of_name(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  for (const std::string_view key : {"System.map-", "vmlinux-"}) {
    if (name.starts_with(key)) {
      std::string_view rest = name.substr(key.size());
      for (const std::string_view end : {".zst", ".xz", ".gz", ".debug"}) {
        if (rest.ends_with(end)) {
          rest.remove_suffix(end.size());
        }
      }
      return rest;
    }
  }
  return {};
}

/// Could a symbol of the file be what a log calls "name+offset/size"? A kernel counts a symbol's size up to the next
/// one that its own table has: never less than the file says.
bool can_be(const NameIndex::Entry& entry, std::uint64_t offset, std::optional<std::uint64_t> size) {
  if (!size) {
    return true;
  }
  return offset <= *size && (entry.size == 0 || entry.size <= *size);
}

/// How far a symbol's size is from the one that was printed.
std::uint64_t strangeness(const NameIndex::Entry& entry, std::uint64_t size) {
  const auto distance = [&](std::uint64_t mine) { return mine > size ? mine - size : size - mine; };
  const std::uint64_t by_reach = entry.reach == 0 ? ~std::uint64_t{0} : distance(entry.reach);
  return entry.size == 0 ? by_reach : std::min(by_reach, distance(entry.size));
}

/// A System.map, if the file is one and in order.
std::optional<MapText> read_map(const std::string& path) {
  const auto input = InputFile::open(path);
  if (!input) {
    return std::nullopt;
  }
  const std::span<const std::byte> bytes = (*input)->bytes();
  return MapText::read({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, *input);
}

}  // namespace

KernelFile::~KernelFile() = default;

Result<std::unique_ptr<KernelFile>> KernelFile::open(const std::string& path,
                                                     const std::vector<std::string>& directories) {
  std::unique_ptr<KernelFile> file(new KernelFile);
  file->path_ = path;
  file->directories_ = directories;
  auto elf = DebugFile::open(path, std::nullopt);
  if (!elf && elf.error().code != Errc::bad_format) {
    return tl::unexpected(elf.error());
  }
  if (elf) {
    if ((*elf)->relocatable()) {
      return fail(Errc::unsupported, path + ": a module, and the log does not say where it was loaded");
    }
    auto table = parse_elf_symbols((*elf)->bytes(), (*elf)->arch());
    if (!table) {
      return fail(path, table.error());
    }
    file->elf_ = std::move(*elf);
    file->table_ = std::move(*table);
  } else if (auto map = read_map(path)) {
    file->map_ = std::move(map);
  } else {
    // Text does not say its machine, and none is asked for.
    auto text = read_symbol_file(path, ArchId::arm64);
    if (!text) {
      return tl::unexpected(text.error());
    }
    file->table_ = std::move(text->table);
    file->has_modules_ = file->table_.has_modules();
  }
  // All that will be asked for by name in one pass: a map has a hundred thousand lines.
  static constexpr std::array<std::string_view, 10> kMarks = {
      "_stext", "_text", "stext", "_etext", "_sinittext", "_einittext", "idle_vcpu", "dom_xen", "_sdata", "_edata"};
  const auto marks = file->addresses_of(kMarks);
  for (std::size_t i = 0; i < kMarks.size(); ++i) {
    file->well_known_.emplace(kMarks[i], marks[i]);
  }
  file->text_begin_ = marks[0] ? *marks[0] : marks[1] ? *marks[1] : marks[2].value_or(0);
  file->text_end_ = marks[3].value_or(file->text_end_);
  file->init_begin_ = marks[4].value_or(0);
  file->init_end_ = marks[5].value_or(0);
  file->is_xen_ = marks[6] || marks[7];
  return file;
}

std::optional<ArchId> KernelFile::arch() const {
  return elf_ ? std::optional(elf_->arch()) : std::nullopt;
}

/// "Linux version 6.1.0-50-arm64 (..." of linux_banner[], or what the file is named for.
std::optional<std::string> KernelFile::release() {
  if (!release_) {
    release_ = std::string(release_of_name(path_));
    const auto banner = elf_ ? table_.address_of("linux_banner") : std::nullopt;
    const std::span<const std::byte> bytes = banner ? image().at(*banner, 128) : std::span<const std::byte>();
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (take(text, "Linux version ")) {
      release_ = std::string(text.substr(0, text.find(' ')));
    }
  }
  return release_->empty() ? std::nullopt : release_;
}

std::optional<std::string> KernelFile::build_id() const {
  return elf_ ? elf_->build_id() : std::nullopt;
}

const FileImage& KernelFile::image() {
  if (!image_) {
    image_.emplace(elf_ ? elf_->bytes() : std::span<const std::byte>());
  }
  return *image_;
}

const NameIndex& KernelFile::names() {
  if (!names_) {
    std::vector<NameIndex::Entry> entries;
    entries.reserve(map_ ? map_->size() : table_.size());
    const auto add = [&](std::string_view name, std::uint64_t address, std::uint64_t size) {
      entries.push_back({name, address, size, 0});
    };
    if (map_) {
      map_->for_each(add);
    } else {
      table_.for_each(add);
    }
    names_.emplace(std::move(entries));
  }
  return *names_;
}

std::optional<CodeSymbol> KernelFile::symbol_at(std::uint64_t address) const {
  return map_ ? map_->symbol_at(address) : table_.symbol_at(address);
}

std::vector<std::optional<std::uint64_t>> KernelFile::addresses_of(std::span<const std::string_view> names) const {
  if (map_) {
    return map_->addresses_of(names);
  }
  std::vector<std::optional<std::uint64_t>> found;
  for (const std::string_view name : names) {
    found.push_back(table_.address_of(name));
  }
  return found;
}

std::optional<std::uint64_t> KernelFile::address_of(std::string_view name, std::uint64_t offset,
                                                    std::optional<std::uint64_t> size) {
  auto found = names().find(name);
  std::erase_if(found, [&](const NameIndex::Entry& entry) { return !can_be(entry, offset, size); });
  if (found.empty()) {
    return std::nullopt;
  }
  const auto same_place = [&](const NameIndex::Entry& entry) { return entry.address == found.front().address; };
  if (std::ranges::all_of(found, same_place)) {
    return found.front().address;
  }
  if (!size) {
    return std::nullopt;
  }
  std::ranges::stable_sort(found, {}, [&](const NameIndex::Entry& entry) { return strangeness(entry, *size); });
  // Two that are equally near: nobody can tell.
  const bool told = strangeness(found[0], *size) < strangeness(found[1], *size);
  return told ? std::optional(found[0].address) : std::nullopt;
}

std::optional<std::uint64_t> KernelFile::well_known(std::string_view name) {
  const auto known = well_known_.find(name);
  return known != well_known_.end() ? known->second
                                    : well_known_[std::string(name)] = addresses_of(std::span(&name, 1)).front();
}

std::optional<std::uint64_t> KernelFile::search_only_address(std::string_view name) const {
  if (map_) {
    return map_->only_address_of(name);
  }
  std::optional<std::uint64_t> found;
  std::size_t count = 0;
  table_.for_each([&](std::string_view other, std::uint64_t address, std::uint64_t) {
    // Names that differ mostly do so in their last letter.
    if (other.size() == name.size() && other.back() == name.back() && other == name) {
      found = address;
      ++count;
    }
  });
  return count == 1 ? found : std::nullopt;
}

std::optional<std::uint64_t> KernelFile::only_address_of(std::string_view name) {
  if (!names_) {
    // An index costs as much as many searches.
    constexpr std::size_t kFew = 64;
    if (const auto known = few_names_.find(name); known != few_names_.end()) {
      return known->second;
    }
    if (few_names_.size() < kFew) {
      return few_names_[std::string(name)] = search_only_address(name);
    }
  }
  const auto found = names().find(name);
  return found.size() == 1 ? std::optional(found.front().address) : std::nullopt;
}

bool KernelFile::has_lines() {
  if (!elf_) {
    return false;
  }
  if (elf_->has_dwarf()) {
    return true;
  }
  if (!std::exchange(dwarf_searched_, true)) {
    auto other = open_with_dwarf(path_, elf_->arch(), directories_);
    if (other && (*other)->has_dwarf()) {
      dwarf_ = std::move(*other);
    }
  }
  return dwarf_ != nullptr;
}

std::vector<SourcePlace> KernelFile::places_at(std::uint64_t address) {
  if (!has_lines()) {
    return {};
  }
  return (dwarf_ ? *dwarf_ : *elf_).places_at(address);
}

}  // namespace xstack::logs
