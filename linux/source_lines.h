// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arch/arch.h"
#include "base/error.h"
#include "linux/kernel.h"
#include "linux/module_lines.h"
#include "symbols/debug_file.h"
#include "symbols/debug_search.h"
#include "symbols/source_place.h"

namespace xstack {

/// Where source lines may come from.
struct LineSources {
  std::vector<std::string> debug_directories;  ///< --debug-dir
  bool debuginfod = false;                     ///< --debuginfod: ask servers
  bool force = false;                          ///< --force: use files of another build-id
  /// Asks a server for a build-id's file; ask_debuginfod() unless a test has its own.
  std::function<Result<std::string>(const std::string&)> ask_server;
};

/// Files, lines and inlined calls for addresses of the guest, from DWARF in the user's files (-s), else in what lies
/// below the debug directories, else from debuginfod. What belongs to the kernel is told by its build-id; a module's
/// file by its functions, which must lie as they do in the guest. Files are opened when an address needs them.
class SourceLines {
 public:
  /// `kernel` must outlive this.
  SourceLines(Kernel& kernel, ArchId arch, LineSources sources);
  SourceLines(const SourceLines&) = delete;
  SourceLines& operator=(const SourceLines&) = delete;

  /// As DebugFile::places_at(), for a run-time address.
  [[nodiscard]] std::vector<SourcePlace> places_at(GuestVirt address);

  /// The files that lines came from, in the order of their first use.
  [[nodiscard]] const std::vector<std::string>& files() const { return files_; }
  /// What was wrong with those that were not used, and what is not certain of those that were.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  void find_kernel_file();
  /// Takes the file for the kernel's if it is: nothing said when it has no DWARF. `given`: the user named it, and its
  /// build-id is checked already.
  bool use_kernel_file(const std::string& path, bool given);
  [[nodiscard]] ModuleLines* module_lines(const KernelModule& module);

  Kernel& kernel_;
  ArchId arch_;
  LineSources sources_;
  ModuleFiles module_files_;
  bool searched_ = false;
  std::unique_ptr<DebugFile> kernel_file_;
  std::uint64_t slide_ = 0;                                      ///< of kernel_file_: run-time minus the file's
  std::map<std::string, std::unique_ptr<ModuleLines>> modules_;  ///< null: there is no file
  std::vector<std::string> files_;
  std::vector<std::string> warnings_;
};

}  // namespace xstack
