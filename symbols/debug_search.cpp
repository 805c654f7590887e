// SPDX-License-Identifier: LGPL-2.1-or-later
#include "symbols/debug_search.h"

#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

namespace xstack {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxEntries = 100'000;
constexpr int kMaxDepth = 12;
constexpr std::size_t kMaxName = 255;

bool is_file(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool is_build_id(std::string_view id) {
  return id.size() >= 16 && id.size() <= 64 && id.size() % 2 == 0 &&
         id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name.find_first_of(std::string_view("/\0", 2)) == name.npos &&
         name != "." && name != "..";
}

std::uint32_t crc_of(std::span<const std::byte> bytes) {
  uLong crc = crc32(0, nullptr, 0);
  while (!bytes.empty()) {
    const std::size_t n = std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max());
    crc = crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(n));
    bytes = bytes.subspan(n);
  }
  return static_cast<std::uint32_t>(crc);
}

/// The file with DWARF at `path`, if it is one.
std::unique_ptr<DebugFile> open_dwarf_at(const std::string& path, ArchId arch) {
  if (!is_file(path)) {
    return nullptr;
  }
  auto file = DebugFile::open(path, arch);
  return file && (*file)->has_dwarf() ? std::move(*file) : nullptr;
}

}  // namespace

std::optional<std::string> find_by_build_id(const std::vector<std::string>& directories, std::string_view build_id) {
  if (!is_build_id(build_id)) {
    return std::nullopt;
  }
  for (const std::string& directory : directories) {
    std::string path = directory + "/.build-id/";
    path.append(build_id.substr(0, 2)).append("/").append(build_id.substr(2)).append(".debug");
    if (is_file(path)) {
      return path;
    }
  }
  return std::nullopt;
}

KernelFiles find_kernel_files(const std::vector<std::string>& directories, const std::optional<std::string>& build_id,
                              const std::optional<std::string>& release) {
  KernelFiles found;
  if (build_id) {
    found.by_build_id = find_by_build_id(directories, *build_id);
  }
  if (!release || !is_file_name(*release)) {
    return found;
  }
  for (const std::string& directory : directories) {
    for (const std::string& path :
         {directory + "/boot/vmlinux-" + *release, directory + "/lib/modules/" + *release + "/vmlinux",
          directory + "/lib/modules/" + *release + "/vmlinux.debug",
          directory + "/usr/lib/modules/" + *release + "/vmlinux",
          directory + "/usr/lib/modules/" + *release + "/vmlinux.debug", directory + "/vmlinux-" + *release}) {
      if (is_file(path)) {
        found.by_release.push_back(path);
      }
    }
  }
  return found;
}

std::optional<std::string> module_of_file(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  for (const std::string_view suffix : {".xz", ".zst", ".gz"}) {
    if (name.ends_with(suffix)) {
      name.remove_suffix(suffix.size());
      break;
    }
  }
  if (name.ends_with(".debug")) {
    name.remove_suffix(6);
  }
  if (!name.ends_with(".ko") || name.size() == 3) {
    return std::nullopt;
  }
  std::string module(name.substr(0, name.size() - 3));
  std::replace(module.begin(), module.end(), '-', '_');
  return module;
}

ModuleFiles::ModuleFiles(std::vector<std::string> directories, std::optional<std::string> release)
    : directories_(std::move(directories)), release_(std::move(release)) {}

void ModuleFiles::read() {
  if (std::exchange(read_, true) || !release_ || !is_file_name(*release_)) {
    return;
  }
  std::size_t entries = 0;
  for (const std::string& directory : directories_) {
    for (const char* place : {"/lib/modules/", "/usr/lib/modules/"}) {
      std::error_code error;
      fs::recursive_directory_iterator at(directory + place + *release_, error);
      for (; !error && at != fs::recursive_directory_iterator() && entries < kMaxEntries; at.increment(error)) {
        ++entries;
        if (at.depth() >= kMaxDepth) {
          at.disable_recursion_pending();
        }
        const std::string path = at->path().string();
        if (auto module = module_of_file(path)) {
          files_.emplace(std::move(*module), path);
        }
      }
    }
  }
}

std::vector<std::string> ModuleFiles::find(std::string_view module) {
  read();
  std::vector<std::string> paths;
  const auto [begin, end] = files_.equal_range(module);
  for (auto at = begin; at != end; ++at) {
    paths.push_back(at->second);
  }
  return paths;
}

Result<std::unique_ptr<DebugFile>> open_with_dwarf(const std::string& path, std::optional<ArchId> arch,
                                                   const std::vector<std::string>& directories) {
  auto file = DebugFile::open(path, arch);
  if (!file || (*file)->has_dwarf()) {
    return file;
  }
  const ArchId machine = (*file)->arch();
  if (const auto& id = (*file)->build_id()) {
    if (const auto found = find_by_build_id(directories, *id)) {
      auto other = open_dwarf_at(*found, machine);
      if (other && other->build_id() == id) {
        return other;
      }
    }
  }
  const auto link = (*file)->debug_link();
  if (!link || !is_file_name(link->name)) {
    return file;
  }
  std::error_code error;
  const fs::path folder = fs::absolute(path, error).parent_path();
  std::vector<std::string> places = {(folder / link->name).string(), (folder / ".debug" / link->name).string()};
  for (const std::string& directory : directories) {
    places.push_back(directory + folder.string() + "/" + link->name);
  }
  for (const std::string& place : places) {
    auto other = open_dwarf_at(place, machine);
    if (other && crc_of(other->bytes()) == link->crc) {
      return other;
    }
  }
  return file;
}

}  // namespace xstack
