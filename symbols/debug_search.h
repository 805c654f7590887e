// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arch/arch.h"
#include "base/error.h"
#include "symbols/debug_file.h"

namespace xstack {

/// Where a kernel's debug file may be below `directories`: the build-id tree (.build-id/xx/yyyy.debug), then the places
/// that go by the release (boot/vmlinux-REL, lib/modules/REL/vmlinux and the like). Both come from a guest: what is no
/// plain hexadecimal number or file name is passed over. Only files that are there.
struct KernelFiles {
  std::optional<std::string> by_build_id;
  std::vector<std::string> by_release;
};
[[nodiscard]] KernelFiles find_kernel_files(const std::vector<std::string>& directories,
                                            const std::optional<std::string>& build_id,
                                            const std::optional<std::string>& release);

/// The file of a build-id in a build-id tree.
[[nodiscard]] std::optional<std::string> find_by_build_id(const std::vector<std::string>& directories,
                                                          std::string_view build_id);

/// The debug files of a release's modules: NAME.ko, .ko.debug, also compressed, anywhere below lib/modules/REL and
/// usr/lib/modules/REL of the directories. The folders are read once, no more than 100000 entries of them.
class ModuleFiles {
 public:
  ModuleFiles(std::vector<std::string> directories, std::optional<std::string> release);
  /// The files for a module as the kernel calls it (with _ for -), in the order of the directories.
  [[nodiscard]] std::vector<std::string> find(std::string_view module);

 private:
  void read();
  std::vector<std::string> directories_;
  std::optional<std::string> release_;
  bool read_ = false;
  std::multimap<std::string, std::string, std::less<>> files_;
};

/// The module that a file is named for, "virtio_net" for ".../virtio-net.ko.debug.xz"; nothing when it is no .ko.
[[nodiscard]] std::optional<std::string> module_of_file(std::string_view path);

/// Opens the file, or, when it has no DWARF itself, the file that has it: by its build-id, then by its .gnu_debuglink
/// (beside it, in .debug/ beside it, and at its path below the directories), whose CRC must be right. The file itself
/// when there is none. Errors: those of DebugFile::open() for the file itself.
[[nodiscard]] Result<std::unique_ptr<DebugFile>> open_with_dwarf(const std::string& path, std::optional<ArchId> arch,
                                                                 const std::vector<std::string>& directories);

}  // namespace xstack
