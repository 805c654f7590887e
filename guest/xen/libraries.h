// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "guest/xen/abi.h"

namespace xstack::xen {

/// Where to look for Xen's libraries, in this order: names for the loader, or paths.
struct LibraryNames {
  std::vector<std::string> ctrl;
  std::vector<std::string> foreign_memory;
  std::vector<std::string> store;

  /// libxenctrl of the running Xen first (its soname carries the release), then of any release from 4.22 down to 4.14;
  /// also in the directories where Debian keeps them. libxenforeignmemory and libxenstore have stable names.
  [[nodiscard]] static LibraryNames of_this_host();
};

/// Xen's libraries, loaded for good, with an open interface and an open handle for mapping. Nothing is printed by them.
class Host {
 public:
  /// Errors: no_access (a library is missing or lacks a function; Xen cannot be reached).
  [[nodiscard]] static Result<std::shared_ptr<Host>> open(const LibraryNames& names);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] const Functions& call() const { return functions_; }
  [[nodiscard]] Interface* interface() const { return interface_; }
  [[nodiscard]] ForeignHandle* foreign() const { return foreign_; }
  [[nodiscard]] const std::string& ctrl_name() const { return ctrl_name_; }  ///< the libxenctrl that was loaded

 private:
  Host() = default;

  Functions functions_;
  Interface* interface_ = nullptr;
  ForeignHandle* foreign_ = nullptr;
  std::string ctrl_name_;
};

}  // namespace xstack::xen
