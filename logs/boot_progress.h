// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "logs/prefix.h"

namespace xstack::logs {

/// How far a boot has come, when this line says so: "U-Boot SPL", "U-Boot", "Xen", "Linux", "init", "login", ...; else
/// nothing.
[[nodiscard]] std::optional<std::string_view> boot_stage(const Line& line);

/// How far the machine and the guests whose text Xen prints have come in one log. What is booted again begins again.
class BootProgress {
 public:
  void note(const Line& line);

  /// Of whoever `origin` is: a domain's own, else the machine's. `about`: the domain that Xen writes about.
  [[nodiscard]] std::string stage(const Origin& origin, std::optional<unsigned> about) const;

  /// "Xen", "domain 0: login; d1: init"; empty when nothing was said of a boot.
  [[nodiscard]] std::string text() const;

 private:
  bool xen_ = false;
  std::string
      machine_;  ///< the boot loader's, Xen's, and of the kernel without a prefix: domain 0 or the machine's own
  bool kernel_ = false;  ///< is it the kernel's?
  std::map<unsigned, std::string> domains_;
};

}  // namespace xstack::logs
